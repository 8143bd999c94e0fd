"""Recordings as mono samples at 16,000 a second; WAV by Python itself, the rest by PyAV."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from ...files.untrusted import PARSER_ERRORS, require_file
from ...imaging.video import import_av

RATE = 16_000
"""Samples a second: what the recogniser's model was trained on."""

MAX_SECONDS = 1800
_RATES = (1_000, 768_000)
_MAX_CHANNELS = 64
_MAX_FAULTS = 200
_HOLE_SECONDS = 0.05
"""Shorter holes between timestamps are their rounding."""

_REMEDY = "Give a recording: WAV, MP3, M4A, FLAC, OGG, or a video with sound."


@dataclass(frozen=True)
class Audio:
    """A recording.

    Attributes:
        samples: [N] float32, -1..1, at :data:`RATE`.
    """

    samples: FloatArray

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / RATE


def read_audio(path: Path) -> Audio:
    """Read a recording, or the sound of a video.

    Raises:
        LikenessError: the file is missing, has no sound, or lasts longer than half an hour.
    """
    path = Path(path)
    if require_file(path, _REMEDY) == 0:
        raise LikenessError(f"'{path}' is empty (0 bytes).", "Copy or export the recording again.")
    samples = _read_wav(path)
    if samples is None:
        samples = _read_media(path)
    if len(samples) < RATE // 20:
        raise LikenessError(
            f"'{path}' has {len(samples) / RATE:.2f} s of sound.", "Give a longer recording."
        )
    return Audio(np.ascontiguousarray(np.clip(samples, -1, 1), np.float32))


def resample(samples: FloatArray, rate: int) -> FloatArray:
    """Resample sound to :data:`RATE`, without aliases.

    Args:
        samples: [N] -1..1.
        rate: of them, a second.

    Returns:
        [M] samples.
    """
    from scipy.signal import resample_poly

    if rate == RATE or not len(samples):
        return samples
    ratio = Fraction(RATE, rate).limit_denominator(2000)
    out: FloatArray = resample_poly(samples, ratio.numerator, ratio.denominator)
    return out


def _read_wav(path: Path) -> FloatArray | None:
    """[N] samples of a WAV file with whole numbers; None for any other file."""
    with path.open("rb") as opened:
        head = opened.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    try:
        with wave.open(str(path), "rb") as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            if not (_RATES[0] <= rate <= _RATES[1] and channels <= _MAX_CHANNELS and width <= 4):
                return None
            _check_duration(path, file.getnframes() / rate)
            content = file.readframes(file.getnframes())
    except (wave.Error, *PARSER_ERRORS):
        return None  # floats, compressed or damaged: FFmpeg reads more kinds
    block = width * channels
    raw = np.frombuffer(content, np.uint8)[: len(content) // block * block]
    if width == 1:
        values = (raw.astype(np.float32) - 128) / 128
    else:
        wide = np.zeros((len(raw) // width, 4), np.uint8)
        wide[:, 4 - width :] = raw.reshape(-1, width)
        values = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    return resample(values.reshape(-1, channels).mean(1), rate)


def _read_media(path: Path) -> FloatArray:
    """[N] samples of any other file, through FFmpeg."""
    av = import_av()
    not_audio = LikenessError(f"'{path}' is not a recording that can be read.", _REMEDY)
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise not_audio from error
    with container:
        if not container.streams.audio:
            raise LikenessError(f"'{path}' has no sound.", _REMEDY)
        stream = container.streams.audio[0]
        if stream.codec_context is None:  # unknown codec
            raise not_audio
        if stream.duration and stream.time_base:
            _check_duration(path, float(stream.duration * stream.time_base))
        parts = _decode(av, container, stream, path)
    if not parts:
        raise not_audio
    return np.concatenate(parts)


def _decode(av: Any, container: Any, stream: Any, path: Path) -> list[FloatArray]:
    """Chunks of samples [n], from the file's beginning: gaps are silent.

    A video's sound may begin later than its pictures, and parts that cannot be decoded are silent.
    """
    mono = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    begin = (container.start_time or 0) / av.time_base
    parts: list[FloatArray] = []
    packets, faults, total, due = container.demux(stream), 0, 0, 0.0
    while faults < _MAX_FAULTS:
        try:
            frames = [(frame, mono.resample(frame)) for frame in next(packets).decode()]
        except (StopIteration, av.EOFError):
            break
        except (av.FFmpegError, OSError, ValueError):
            faults += 1
            continue
        for frame, resampled in frames:
            time = due if frame.time is None else float(frame.time) - begin
            if time - due > _HOLE_SECONDS:
                _check_duration(path, time)
                parts.append(np.zeros(max(round(time * RATE) - total, 0), np.float32))
                total, due = total + len(parts[-1]), time
            due += frame.samples / frame.sample_rate
            for part in resampled:
                values = part.to_ndarray().reshape(-1).astype(np.float32)
                parts.append(np.nan_to_num(values, posinf=0.0, neginf=0.0))
                total += len(values)
        _check_duration(path, total / RATE)
    return parts


def _check_duration(path: Path, seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise LikenessError(
            f"'{path}' lasts {seconds / 60:.0f} min; the limit is {MAX_SECONDS // 60} min.",
            "Cut it into shorter recordings.",
        )
