"""Moving pictures written through PyAV (FFmpeg): MP4, MOV, MKV, WebM and GIF.

FFmpeg encodes in threads of its own, while the next frame is drawn. :mod:`.video` reads.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, LikenessError
from ..files.atomic import atomic_write
from .video import import_av

GIF_MAX_RATE = 50.0
"""Frames a second: GIF counts in hundredths of a second, and viewers slow down delays below two."""

_SRGB_IN_BT709 = (
    ("scale", "out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"),
    ("setparams", "range=tv:colorspace=bt709:color_primaries=bt709:color_trc=iec61966-2-1"),
)
_LIMITED, _BT709, _SRGB = 1, 1, 13  # FFmpeg's numbers of range, colour space and transfer
_QUICK = {"movflags": "+faststart"}  # the index first: plays while it is still loading


@dataclass(frozen=True)
class Encoding:
    """One of FFmpeg's encoders.

    Attributes:
        codec: Its name.
        pixels: FFmpeg's name of the stored pixels.
        options: The encoder's, by name.
    """

    codec: str
    pixels: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoFormat:
    """How FFmpeg writes one kind of file.

    Attributes:
        opaque: For frames without alpha.
        alpha: For frames with alpha; None if the format has none.
        container: The file's options.
        even: Whether width and height must be even.
    """

    opaque: Encoding
    alpha: Encoding | None = None
    container: dict[str, str] = field(default_factory=dict)
    even: bool = True


_H264 = Encoding("libx264", "yuv420p", {"preset": "fast", "crf": "18"})
_VP9 = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
_PRORES = Encoding("prores_ks", "yuva444p10le", {"profile": "4444"})
_GIF = Encoding("gif", "pal8")
_LOSSLESS = {"level": "3", "g": "1"}

FORMATS: dict[str, VideoFormat] = {
    ".mp4": VideoFormat(_H264, container=_QUICK),
    ".mov": VideoFormat(_H264, _PRORES, _QUICK),
    ".m4v": VideoFormat(_H264, container=_QUICK),
    ".mkv": VideoFormat(_H264),
    ".webm": VideoFormat(
        Encoding("libvpx-vp9", "yuv420p", _VP9),
        Encoding("libvpx-vp9", "yuva420p", {**_VP9, "auto-alt-ref": "0"}),
    ),
    ".gif": VideoFormat(_GIF, _GIF, {"loop": "0"}, even=False),
}
"""Formats by suffix: H.264 for every player; with alpha ProRes 4444, VP9, or GIF's one bit."""


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
        LikenessError: PyAV is missing; the suffix is unknown or does not support alpha or the
            frame rate; or the file cannot be written (with FFmpeg's message).
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
        self._encoding = check_video_format(self.path, alpha)
        if self._suffix == ".gif" and frame_rate > GIF_MAX_RATE + 1e-6:
            raise LikenessError(
                f"'{self.path}' cannot show {frame_rate:g} frames a second: GIF ends at "
                f"{GIF_MAX_RATE:g}.",
                "Choose fewer frames a second, or another format.",
            )
        self._even = FORMATS[self._suffix].even
        self._av = import_av()
        self._written = 0

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            self._target = scratch = stack.enter_context(atomic_write(self.path))
            self._check_folder()
            encoding, options = self._encoding, FORMATS[self._suffix].container
            # GIF needs all colours before its first frame: the frames wait in a lossless file.
            self._frames = scratch.with_suffix(".nut") if encoding is _GIF else scratch
            if self._frames != scratch:
                stack.callback(self._frames.unlink, missing_ok=True)
                encoding = Encoding("ffv1", "bgra" if self.alpha else "bgr0", _LOSSLESS)
                options = {}
            width, height = (n + n % 2 if self._even else n for n in (self.width, self.height))
            with self._failing():
                self._output = stack.enter_context(
                    closing(
                        _Output(
                            self._av, self._frames, (width, height), self._rate, encoding, options
                        )
                    )
                )
                steps = [("format", f"pix_fmts={encoding.pixels}")]
                if encoding.codec != "ffv1":
                    steps = [_SRGB_IN_BT709[0], *steps, _SRGB_IN_BT709[1]]
                self._filters = _Filters(self._av, steps)
                pixels = "rgba" if self.alpha else "rgb24"
                self._input = self._filters.add_input((width, height), pixels, self._rate)
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
        frame = self._av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels), format="rgba" if self.alpha else "rgb24"
        )
        frame.pts, frame.time_base = self._written, 1 / self._rate
        with self._failing():
            self._output.encode(self._filters.push(self._input, frame))
        self._written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack as stack:
            if error is not None:
                stack.pop_all().__exit__(kind, error, trace)  # removes the scratch files
                return
            if not self._written:
                raise LikenessError(
                    f"There was no frame to write to '{self.path}'.", "Give it at least one."
                )
            with self._failing():
                self._output.encode(self._filters.push(self._input, None))
                self._output.finish()
                if self._frames != self._target:
                    self._write_gif()

    def _write_gif(self) -> None:
        """Find the best 256 colours of the whole clip, then write the frames in them."""
        av, size, pixels = self._av, (self.width, self.height), "bgra" if self.alpha else "bgr0"
        finding = _Filters(av, (("palettegen", f"reserve_transparent={int(self.alpha)}"),))
        frames = finding.add_input(size, pixels, self._rate)
        for frame in self._stored():
            finding.push(frames, frame)
        (palette,) = finding.push(frames, None)
        using = _Filters(av, (("paletteuse", "dither=sierra2_4a:diff_mode=rectangle"),))
        frames = using.add_input(size, pixels, self._rate)
        colours = using.add_input((palette.width, palette.height), palette.format.name, self._rate)
        for part in (palette, None):
            using.push(colours, part)
        output = _Output(av, self._target, size, self._rate, _GIF, {"loop": "0"})
        try:
            for frame in self._stored():
                output.encode(using.push(frames, frame))
            output.encode(using.push(frames, None))
            output.finish()
        finally:
            output.close()

    def _stored(self) -> Iterator[Any]:
        """The frames that wait, counted anew: each file has units of time of its own."""
        with self._av.open(str(self._frames)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                frame.pts, frame.time_base = number, 1 / self._rate
                yield frame

    def _check_folder(self) -> None:
        folder = self.path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise LikenessError(
                f"Cannot write the video '{self.path}'.",
                "Choose a folder that exists and that you may write to.",
            )

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """FFmpeg's errors in words for the user."""
        try:
            yield
        except (self._av.FFmpegError, OSError, ValueError) as error:
            room = shutil.disk_usage(self.path.absolute().parent).free
            reason = os.strerror(errno.ENOSPC) if room == 0 else getattr(error, "strerror", None)
            raise LikenessError(
                f"Cannot write the video '{self.path}' ({reason or error}).",
                f"Choose a folder that has room (this one: {room // 2**20} MiB), or another "
                "format.",
            ) from error


class _Filters:
    """A chain of FFmpeg's filters with one or two inputs."""

    def __init__(self, av: Any, steps: Sequence[tuple[str, str]]) -> None:
        self._av, self._graph, self._inputs = av, av.filter.Graph(), 0
        self._steps = [self._graph.add(name, arguments) for name, arguments in steps]
        self._sink = self._graph.add("buffersink")
        for one, following in pairwise([*self._steps, self._sink]):
            one.link_to(following)

    def add_input(self, size: tuple[int, int], pixels: str, rate: Fraction) -> Any:
        """Add an input for frames of a size and kind of pixels."""
        source = self._graph.add_buffer(
            width=size[0], height=size[1], format=self._av.VideoFormat(pixels), time_base=1 / rate
        )
        source.link_to(self._steps[0], input_idx=self._inputs)
        self._inputs += 1
        return source

    def push(self, source: Any, frame: Any) -> list[Any]:
        """Give an input a frame, or None for its end; the frames that come out."""
        if not self._graph.configured:
            self._graph.configure()
        source.push(frame)
        made = []
        while True:
            try:
                made.append(self._sink.pull())
            except (self._av.BlockingIOError, self._av.EOFError):
                return made


class _Output:
    """An open file with one video stream."""

    def __init__(
        self,
        av: Any,
        path: Path,
        size: tuple[int, int],
        rate: Fraction,
        encoding: Encoding,
        options: dict[str, str],
    ) -> None:
        self._container = av.open(str(path), "w", options=options)
        try:
            self._stream = self._container.add_stream(
                encoding.codec, rate=rate, options=dict(encoding.options)
            )
        except BaseException:
            self.close()
            raise
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = encoding.pixels
        if encoding.pixels.startswith("yuv"):
            codec = self._stream.codec_context
            codec.color_range, codec.colorspace = _LIMITED, _BT709
            codec.color_primaries, codec.color_trc = _BT709, _SRGB

    def encode(self, frames: Sequence[Any]) -> None:
        """Append filtered frames."""
        for frame in frames:
            frame.pict_type = 0  # the encoder's choice
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and the file's end."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def close(self) -> None:
        """Close the file, as it is; again has no effect."""
        self._container.close()


def check_video_format(path: Path, alpha: bool) -> Encoding:
    """Return the encoder for a file name.

    Raises:
        LikenessError: The suffix is unknown or does not support alpha.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise LikenessError(
            f"Cannot write the video '{path}': its format is not known.",
            f"Choose a name that ends in {', '.join(FORMATS)}.",
        )
    encoding = form.alpha if alpha else form.opaque
    if encoding is None:
        able = ", ".join(suffix for suffix, other in FORMATS.items() if other.alpha)
        raise LikenessError(
            f"'{path}' cannot be transparent: {path.suffix} has no alpha.",
            f"Choose a name that ends in {able}, or a background colour.",
        )
    return encoding


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
