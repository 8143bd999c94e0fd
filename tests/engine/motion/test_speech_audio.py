"""Recordings of every kind as samples, and what the sound alone says."""

from __future__ import annotations

import tracemalloc
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.motion.speech import acoustics
from likeness.engine.motion.speech.acoustics import VOWELS, hear_visemes, measure_sound
from likeness.engine.motion.speech.audio import RATE, Audio, read_audio
from scipy.signal import lfilter


def write_wav(path: Path, samples: FloatArray, rate: int, width: int, channels: int = 1) -> None:
    whole = np.round(np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    whole = np.repeat(whole, channels)
    if width == 1:
        whole = whole + 128
    content = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(content.tobytes())


def tone(hertz: float, seconds: float, rate: int) -> FloatArray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def make_vowel(formants: tuple[float, ...], seconds: float, pitch: float = 120.0) -> FloatArray:
    """A voice through resonators: the source and filter of a vowel."""
    period = round(RATE / pitch)
    pulses = np.zeros(round(seconds * RATE))
    pulses[::period] = 1.0
    out = lfilter([1.0], [1, -0.97], pulses)
    for hertz in (*formants, 2900.0, 3800.0):
        radius = np.exp(-np.pi * 90 / RATE)
        out = lfilter([1.0], [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE), radius**2], out)
    return 0.3 * out / np.abs(out).max()


@pytest.mark.parametrize(
    ("width", "rate", "channels"), [(1, 8000, 1), (2, 44100, 2), (3, 48000, 1), (4, 16000, 2)]
)
def test_wav_files_sound_the_same(tmp_path: Path, width: int, rate: int, channels: int) -> None:
    write_wav(tmp_path / "a.wav", tone(400.0, 0.5, rate), rate, width, channels)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.seconds == pytest.approx(0.5, abs=0.002)
    wanted = tone(400.0, 0.5, RATE)
    middle = slice(RATE // 10, RATE // 3)
    np.testing.assert_allclose(audio.samples[middle], wanted[middle], atol=0.02)


@pytest.mark.parametrize(("suffix", "codec"), [(".flac", "flac"), (".m4a", "aac"), (".mp4", "aac")])
def test_other_files_are_read_by_ffmpeg(tmp_path: Path, suffix: str, codec: str) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="mono")
        values = (tone(300.0, 0.6, 48000) * 32000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
        frame.sample_rate = 48000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    audio = read_audio(path)
    assert audio.seconds == pytest.approx(0.6, abs=0.1)
    middle = audio.samples[RATE // 5 : RATE // 3]
    assert np.sqrt(2 * (middle**2).mean()) == pytest.approx(0.49, abs=0.05)


def write_video(path: Path, values: FloatArray, begin: float, lost: tuple[int, int]) -> None:
    """Two seconds of black pictures, and FLAC at 48,000 that begins later and lacks packets."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        sound = container.add_stream("flac", rate=48000, layout="mono")
        packets = []
        for k in range(20):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = k, Fraction(1, 10)
            packets += video.encode(picture)
        packets += video.encode(None)
        whole = (values * 32000).astype(np.int16)[None]
        heard = []
        for k in range(0, whole.shape[1], 4608):
            frame = av.AudioFrame.from_ndarray(whole[:, k : k + 4608], format="s16", layout="mono")
            frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
            frame.pts = round(begin * 48000) + k
            heard += sound.encode(frame)
        heard += sound.encode(None)
        packets += heard[: lost[0]] + heard[lost[1] :]
        for packet in packets:
            container.mux(packet)


def test_a_videos_sound_stays_where_it_is(tmp_path: Path) -> None:
    """It begins after 0.5 s; then a part is lost, and what follows it is not moved."""
    values = tone(300.0, 1.5, 48000)
    values[: len(values) // 2] *= 0.5
    write_video(tmp_path / "whole.mkv", values, 0.5, (0, 0))
    audio = read_audio(tmp_path / "whole.mkv")
    assert audio.seconds == pytest.approx(2.0, abs=0.01)
    assert not audio.samples[: int(0.49 * RATE)].any()
    loud = np.flatnonzero(np.abs(audio.samples) > 0.3)[0] / RATE
    assert loud == pytest.approx(1.25, abs=0.01)
    write_video(tmp_path / "holes.mkv", values, 0.5, (2, 5))
    holes = read_audio(tmp_path / "holes.mkv")
    assert holes.seconds == pytest.approx(2.0, abs=0.01)
    assert (holes.samples == 0).mean() > (audio.samples == 0).mean() + 0.1
    assert np.flatnonzero(np.abs(holes.samples) > 0.3)[0] / RATE == pytest.approx(loud, abs=0.01)


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("RIFF1234WAVE and no more")
    write_wav(tmp_path / "short.wav", tone(300, 0.01, RATE), RATE, 2)
    for name, said in (
        ("missing.wav", "does not exist"),
        ("empty.wav", "is empty"),
        ("text.wav", "not a recording"),
        ("short.wav", "0.01 s"),
    ):
        with pytest.raises(LikenessError, match=said) as caught:
            read_audio(tmp_path / name)
        assert name in str(caught.value)
        assert caught.value.remedy


def test_pitch_and_loudness_of_a_voice() -> None:
    voice = np.concatenate([make_vowel(VOWELS["aa"], 0.5, 110), np.zeros(RATE // 2)])
    curves = measure_sound(Audio(voice.astype(np.float32)))
    inside = curves.pitch[10:40]
    np.testing.assert_allclose(inside, RATE / round(RATE / 110), rtol=0.02)
    assert not curves.pitch[60:95].any()
    assert curves.loudness[10:40].min() > 0.8
    assert curves.loudness[60:95].max() < 0.05


def test_long_recordings_are_measured_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same curves whatever the blocks, in little memory."""
    random = np.random.default_rng(0)
    voice = np.concatenate([make_vowel(VOWELS["aa"], 1.0), 0.1 * random.normal(size=RATE)])
    audio = Audio(voice.astype(np.float32))
    whole, formants = measure_sound(audio), acoustics.estimate_formants(audio)
    monkeypatch.setattr(acoustics, "_AT_ONCE", 7)
    parts = measure_sound(audio)
    for name in ("loudness", "hiss", "pitch"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-9)
    np.testing.assert_allclose(acoustics.estimate_formants(audio), formants, rtol=1e-6)
    monkeypatch.undo()
    long = Audio(np.tile(audio.samples, 75))
    tracemalloc.start()
    measure_sound(long)
    acoustics.estimate_formants(long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 160 << 20  # all pieces of these 150 s at once took 580 MB


@pytest.mark.parametrize("viseme", sorted(VOWELS))
def test_vowels_are_told_apart_by_their_formants(viseme: str) -> None:
    voice = make_vowel(VOWELS[viseme], 0.6)
    audio = Audio(voice.astype(np.float32))
    cues = hear_visemes(audio, measure_sound(audio))
    time = sum(cue.end - cue.start for cue in cues if cue.viseme == viseme)
    assert time > 0.4, cues


def test_a_hiss_shows_the_teeth_and_a_hole_closes_the_lips() -> None:
    random = np.random.default_rng(0)
    noise = lfilter([1, -0.95], [1.0], random.normal(size=RATE // 3)) * 0.1
    vowel = make_vowel(VOWELS["aa"], 0.4)
    hole = 0.01 * tone(120.0, 0.08, RATE)
    audio = Audio(np.concatenate([vowel, hole, vowel, noise]).astype(np.float32))
    cues = hear_visemes(audio, measure_sound(audio))
    closed = [cue for cue in cues if cue.viseme == "PP"]
    assert len(closed) == 1
    assert 0.36 < closed[0].start < closed[0].end < 0.52
    teeth = [cue for cue in cues if cue.viseme == "SS"]
    assert teeth
    assert teeth[0].start == pytest.approx(0.88, abs=0.04)
