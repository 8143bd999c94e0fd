"""Moving pictures written through FFmpeg: MP4, MOV, MKV, WebM and GIF.

FFmpeg comes with the optional package imageio-ffmpeg. It runs as a process that receives raw frames
through a pipe, so that it encodes one frame while the next is drawn. :mod:`.video` reads.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, LikenessError
from ..files.atomic import atomic_write

GIF_MAX_RATE = 50.0
"""Frames a second: GIF counts in hundredths of a second, and viewers slow down delays below two."""

_SRGB_IN_BT709 = (
    "-vf",
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=iec61966-2-1",
)
_H264 = (*_SRGB_IN_BT709, "-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p")
_QUICK = ("-movflags", "+faststart")  # the index first: plays while it is still loading
_VP9 = (
    *_SRGB_IN_BT709,
    "-c:v",
    "libvpx-vp9",
    "-crf",
    "24",
    "-b:v",
    "0",
    "-deadline",
    "good",
    "-cpu-used",
    "4",
    "-row-mt",
    "1",
)
_PRORES = (*_SRGB_IN_BT709, "-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")
_LOSSLESS = ("-c:v", "ffv1", "-level", "3", "-g", "1", "-f", "nut")


@dataclass(frozen=True)
class VideoFormat:
    """How FFmpeg writes one kind of file.

    Attributes:
        opaque: Options for frames without alpha.
        alpha: Options for frames with alpha; None if the format has none.
        even: Whether width and height must be even.
    """

    opaque: tuple[str, ...]
    alpha: tuple[str, ...] | None = None
    even: bool = True


FORMATS: dict[str, VideoFormat] = {
    ".mp4": VideoFormat((*_H264, *_QUICK)),
    ".mov": VideoFormat((*_H264, *_QUICK), alpha=(*_PRORES, *_QUICK)),
    ".m4v": VideoFormat((*_H264, *_QUICK)),
    ".mkv": VideoFormat(_H264),
    ".webm": VideoFormat(
        (*_VP9, "-pix_fmt", "yuv420p"), alpha=(*_VP9, "-pix_fmt", "yuva420p", "-auto-alt-ref", "0")
    ),
    ".gif": VideoFormat(
        (*_LOSSLESS, "-pix_fmt", "bgr0"), alpha=(*_LOSSLESS, "-pix_fmt", "bgra"), even=False
    ),
}
"""Formats by suffix: H.264 for every player; with alpha ProRes 4444, VP9, or GIF's one bit."""


def ffmpeg_program() -> str:
    """Return the path of FFmpeg's executable.

    Raises:
        LikenessError: The package imageio-ffmpeg or its program for this computer is missing.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise LikenessError(
            "Writing videos needs the package 'imageio-ffmpeg', which is not installed.",
            "Save pictures instead, or install it with the extra 'video'.",
        ) from error
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise LikenessError(
            "imageio-ffmpeg has no FFmpeg for this computer.",
            "Install FFmpeg, and name its program in the variable IMAGEIO_FFMPEG_EXE.",
        ) from error


class VideoWriter:
    """Writes a video file, atomically, in a ``with`` block.

    Args:
        path: Its suffix is one of ``FORMATS``.
        width: Width of the frames in pixels; where it must be even, the last column is repeated.
        height: Height of the frames, likewise.
        frame_rate: Frames per second; stored exactly, as 30000/1001.
        alpha: Frames come as [H, W, 4] with straight alpha.

    Raises:
        ValueError: A size or the frame rate is not positive.
        LikenessError: The package is missing; the suffix is unknown or does not support alpha or
            the frame rate; or the file cannot be written (with FFmpeg's message).
    """

    def __init__(
        self, path: Path, width: int, height: int, frame_rate: float, *, alpha: bool = False
    ) -> None:
        self.path = Path(path)
        self.width, self.height, self.alpha = width, height, alpha
        self._rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate > 0 else Fraction(0)
        if width < 1 or height < 1 or not math.isfinite(frame_rate) or self._rate <= 0:
            raise ValueError(f"cannot write {width} x {height} at {frame_rate} frames per second")
        self._suffix = self.path.suffix.lower()
        self._options = check_video_format(self.path, alpha)
        if self._suffix == ".gif" and frame_rate > GIF_MAX_RATE + 1e-6:
            raise LikenessError(
                f"'{self.path}' cannot show {frame_rate:g} frames a second: GIF ends at "
                f"{GIF_MAX_RATE:g}.",
                "Choose fewer frames a second, or another format.",
            )
        self._even = FORMATS[self._suffix].even
        self._program = ffmpeg_program()
        self._written = 0

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            scratch = stack.enter_context(atomic_write(self.path))
            self._check_folder()
            self._target = scratch
            # GIF needs all colours before its first frame: the frames wait in a lossless file.
            self._frames = scratch.with_suffix(".nut") if self._suffix == ".gif" else scratch
            if self._frames != scratch:
                stack.callback(self._frames.unlink, missing_ok=True)
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            width, height = (n + n % 2 if self._even else n for n in (self.width, self.height))
            self._process = self._started(
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgba" if self.alpha else "rgb24",
                "-s",
                f"{width}x{height}",
                "-framerate",
                str(self._rate),
                "-i",
                "pipe:0",
                *self._options,
                str(self._frames),
            )
            stack.callback(self._stop)
            self._stack = stack.pop_all()
        return self

    def write(self, picture: FloatArray | NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            picture: [H, W, 3] or, with ``alpha``, [H, W, 4]; float in 0..1 or uint8.

        Raises:
            ValueError: The frame has another shape.
            LikenessError: FFmpeg failed.
        """
        expected = (self.height, self.width, 4 if self.alpha else 3)
        if picture.shape != expected:
            raise ValueError(f"expected {expected}, got {picture.shape}")
        pixels = to_uint8(picture)
        if self._even and (self.height % 2 or self.width % 2):
            pixels = np.pad(pixels, ((0, self.height % 2), (0, self.width % 2), (0, 0)), "edge")
        try:
            self._pipe.write(np.ascontiguousarray(pixels).data)
        except OSError as error:
            self._process.wait()
            raise self._failed() from error
        self._written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack as stack:
            if error is not None:
                # End FFmpeg and remove the scratch files.
                stack.pop_all().__exit__(kind, error, trace)
                return
            if not self._written:
                raise LikenessError(
                    f"There was no frame to write to '{self.path}'.", "Give it at least one."
                )
            try:
                self._pipe.close()
            except OSError as broken:
                self._process.wait()
                raise self._failed() from broken
            self._wait()
            if self._frames != self._target:
                self._write_gif()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [self._program, "-y", "-hide_banner", "-loglevel", "error", *arguments]
        # Out of the terminal's group: Ctrl-C reaches this program alone, which then ends FFmpeg.
        apart: dict[str, Any] = {"start_new_session": True}
        if os.name == "nt":
            apart = {"creationflags": 0x00000200 | 0x08000000}  # new group, no window
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                **apart,
            )
        except OSError as error:
            raise LikenessError(
                f"FFmpeg does not start: {error.strerror or error} ('{self._program}').",
                "Install the package imageio-ffmpeg again.",
            ) from error

    def _wait(self) -> None:
        if self._process.wait():
            raise self._failed()

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with suppress(OSError):  # what is left in the buffer has nowhere to go
            self._pipe.close()

    def _write_gif(self) -> None:
        """Find the best 256 colours of the whole clip, then write the frames in them."""
        with tempfile.TemporaryDirectory(prefix=".likeness-", dir=self.path.parent) as folder:
            colours = str(Path(folder) / "colours.png")
            reserve = int(self.alpha)
            chosen = f"palettegen=reserve_transparent={reserve}"
            used = "[0:v][1:v]paletteuse=dither=sierra2_4a:diff_mode=rectangle"
            for arguments in (
                ("-i", str(self._frames), "-vf", chosen, "-update", "1", colours),
                (
                    "-i",
                    str(self._frames),
                    "-i",
                    colours,
                    "-lavfi",
                    used,
                    "-loop",
                    "0",
                    str(self._target),
                ),
            ):
                self._process = self._started(*arguments)
                self._pipe.close()
                try:
                    self._wait()
                except BaseException:
                    self._stop()
                    raise

    def _check_folder(self) -> None:
        folder = self.path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise LikenessError(
                f"Cannot write the video '{self.path}'.",
                "Choose a folder that exists and that you may write to.",
            )

    def _failed(self) -> LikenessError:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        own = [line for line in lines if self._target.name not in line]  # a scratch name
        told = "; ".join(own[-3:]) or f"FFmpeg ended with {self._process.returncode}"
        room = shutil.disk_usage(self.path.absolute().parent).free
        return LikenessError(
            f"Cannot write the video '{self.path}' ({told}).",
            f"Choose a folder that has room (this one: {room // 2**20} MiB), or another format.",
        )


def check_video_format(path: Path, alpha: bool) -> tuple[str, ...]:
    """Return FFmpeg's options for a file name.

    Raises:
        LikenessError: The suffix is unknown or does not support alpha.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise LikenessError(
            f"Cannot write the video '{path}': its format is not known.",
            f"Choose a name that ends in {', '.join(FORMATS)}.",
        )
    options = form.alpha if alpha else form.opaque
    if options is None:
        able = ", ".join(suffix for suffix, other in FORMATS.items() if other.alpha)
        raise LikenessError(
            f"'{path}' cannot be transparent: {path.suffix} has no alpha.",
            f"Choose a name that ends in {able}, or a background colour.",
        )
    return options


def to_uint8(picture: FloatArray | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert a picture to bytes; uint8 stays.

    Args:
        picture: [...] floats in 0..1 (clipped), or uint8.

    Returns:
        [...] uint8.
    """
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    pixels: NDArray[np.uint8] = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return pixels
