"""Video files as pictures, through PyAV (FFmpeg); :mod:`.video_writer` writes.

PyAV is imported when a video is first opened. Frames are numbered on an even
time grid, ``number = round(time * frame_rate)``, so that clips of phones, whose frames are unevenly
spaced, keep their timing. Of two frames with one number the later is dropped, and numbers without
a frame are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.types import FloatArray, LikenessError
from ..files.untrusted import require_file
from .resize import fit_size

MAX_SIDE = 1280
"""Limit of the longer side in pixels: enough for the face of a standing person."""

MAX_MEGAPIXELS = 50
"""Larger frames are refused before they are decoded."""

_MIN_SIDE = 16
_PLAUSIBLE_RATES = (1.0, 240.0)
_MAX_GAP = 60.0  # seconds; a longer jump of the timestamps is a fault of the file
_MAX_FAULTS = 200  # bad packets in a row after which reading ends
_NOT_VIDEOS = re.compile("image2|.*_pipe|tty")  # pictures, and text drawn as on a terminal


class VideoFrame(NamedTuple):
    """A frame of a video.

    Attributes:
        number: Its number on the even grid, from 0.
        time: Seconds from the first frame.
        rgb: [H, W, 3] float32 in 0..1, as stored.
    """

    number: int
    time: float
    rgb: FloatArray


def import_av() -> Any:
    """Return the package PyAV.

    Raises:
        LikenessError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise LikenessError(
            "Videos need the package 'av', which is not installed.",
            "Restart Blender. Elsewhere, install the package again.",
        ) from error
    return av


class VideoReader:
    """The frames of a video file, upright, of bounded and constant size.

    Every iteration starts from the beginning and may end early. Faults while reading are collected
    in :attr:`warnings`; frames before them stay valid.

    Attributes:
        width: Width of the returned frames in pixels, after rotation.
        height: Their height.
        frame_rate: Frames per second of the even grid.
        duration: Seconds according to the file, or None.
        num_frames: Number of frames according to the file, or None; damaged files have fewer.
        warnings: What the user should know, complete after an iteration.
    """

    def __init__(self, path: Path, max_side: int = MAX_SIDE) -> None:
        """Open a file and read its first frame.

        Raises:
            LikenessError: PyAV is not installed, or the file is missing, a folder, empty, not a
                video, or without a readable frame.
        """
        self.path = Path(path)
        self.warnings: list[str] = []
        self._max_side = max_side
        _check_file(self.path)
        with self._opened() as (container, stream):
            self.frame_rate = _rate(stream)
            self.duration = _duration(container, stream)
            told = int(stream.frames) or round((self.duration or 0.0) * self.frame_rate)
            self.num_frames = told or None
            first = next(self._decoded(container, stream, []), None)
            aspect = float(stream.sample_aspect_ratio or 1)
        if first is None:
            raise LikenessError(
                f"No frame of '{self.path}' can be read.",
                "The video is empty or damaged: export or copy it again.",
            )
        self._start = first.time if first.time is not None else 0.0
        self._timed = first.time is not None
        turned = _quarter_turns(first) % 2 == 1
        wide, high = _square_pixels(first, aspect)
        self._native = (first.width, first.height)
        self.width, self.height = fit_size(
            *((high, wide) if turned else (wide, high)), self._max_side
        )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no file stays open between iterations."""

    def __iter__(self) -> Iterator[VideoFrame]:
        return self.frames()

    def frames(
        self,
        start: int = 0,
        stop: int | None = None,
        wanted: Callable[[int, float], bool] | None = None,
    ) -> Iterator[VideoFrame]:
        """Yield frames in order.

        Args:
            start: first number; earlier frames are decoded, too, but not made a picture.
            stop: number before which it ends; None for all.
            wanted: called with a frame's number and time once it is decoded; where it says no, no
                picture is made. None for all.
        """
        self.warnings = []
        broken: list[float] = []
        sizes: set[tuple[int, int]] = set()
        last, ended, all_of_it = -1, 0.0, False
        try:
            with self._opened() as (container, stream):
                for count, raw in enumerate(self._decoded(container, stream, broken)):
                    index, time = self._place(raw, count, last)
                    if stop is not None and index >= stop:
                        return
                    ended = time
                    if (raw.width, raw.height) != self._native:
                        sizes.add((raw.width, raw.height))
                    if index <= last:
                        continue
                    last = index
                    if index >= start and (wanted is None or wanted(index, time)):
                        yield VideoFrame(index, time, self._picture(raw))
                all_of_it = True
        finally:
            self._tell(broken, sizes, ended if all_of_it else None)

    def at(self, times: list[float]) -> Iterator[VideoFrame]:
        """Yield a frame at or soon after each of the ``times`` (seconds), by seeking.

        Times that cannot be reached are skipped.
        """
        av = import_av()
        for time in times:
            with self._opened() as (container, stream):
                target = self._start + max(time, 0.0)
                if self._timed and target > self._start:
                    try:
                        container.seek(round(target / stream.time_base), stream=stream)
                    except av.FFmpegError:
                        continue
                for raw in self._decoded(container, stream, []):
                    if raw.time is None or raw.time >= target - 0.5 / self.frame_rate:
                        index, seconds = self._place(raw, 0, -1)
                        yield VideoFrame(index, seconds, self._picture(raw))
                        break

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        av = import_av()
        not_video = LikenessError(
            f"'{self.path}' is not a video that can be read.",
            "Use an MP4, MOV, MKV, WebM or AVI file; a file that was cut off while it was copied "
            "or recorded has to be copied again.",
        )
        try:
            container = av.open(str(self.path), metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise not_video from error
        with container:
            if not container.streams.video or _NOT_VIDEOS.match(container.format.name):
                raise not_video
            stream = container.streams.video[0]
            if stream.codec_context is None:  # unknown codec
                raise not_video
            stream.thread_type = "NONE"  # constant memory, and the fit wants the cores
            size = stream.width * stream.height
            if size > MAX_MEGAPIXELS * 1_000_000:
                raise LikenessError(
                    f"'{self.path}' has frames of more than {MAX_MEGAPIXELS} megapixels.",
                    "Reduce it; 1280 pixels on the longer side are enough.",
                )
            yield container, stream

    def _decoded(self, container: Any, stream: Any, broken: list[float]) -> Iterator[Any]:
        """Decode frames; the times of undecodable parts go to ``broken``."""
        av = import_av()
        packets = container.demux(stream)
        reached, faults = 0.0, 0
        while faults < _MAX_FAULTS:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.EOFError:
                return
            except (av.FFmpegError, OSError) as error:
                faults += 1
                broken.append(reached)
                if not isinstance(error, av.error.InvalidDataError):
                    return
                continue
            for frame in frames:
                if frame.width * frame.height > MAX_MEGAPIXELS * 1_000_000:
                    broken.append(reached)
                    return
                faults = 0
                reached = frame.time if frame.time is not None else reached
                if frame.is_corrupt:
                    broken.append(reached)
                yield frame

    def _place(self, raw: Any, count: int, last: int) -> tuple[int, float]:
        """Return the number on the grid and the seconds from the start."""
        if not self._timed or raw.time is None:
            return max(count, last + 1), count / self.frame_rate
        time = raw.time - self._start
        index = round(time * self.frame_rate)
        if last >= 0 and (index - last) / self.frame_rate > _MAX_GAP:
            self._timed = False
            self.warnings.append(
                f"The times in '{self.path}' jump by more than {_MAX_GAP:.0f} seconds: its "
                "frames are counted instead."
            )
            return max(count, last + 1), count / self.frame_rate
        return index, time

    def _picture(self, raw: Any) -> FloatArray:
        turns = _quarter_turns(raw)
        width, height = (self.height, self.width) if turns % 2 else (self.width, self.height)
        smaller = width < raw.width or height < raw.height
        rgb = raw.to_ndarray(
            format="rgb24",
            width=width,
            height=height,
            interpolation="AREA" if smaller else "BICUBIC",
        )
        upright = np.rot90(rgb, turns)
        out: FloatArray = np.ascontiguousarray(upright, dtype=np.float32)
        out *= np.float32(1 / 255)
        return out

    def _tell(self, broken: list[float], sizes: set[tuple[int, int]], ended: float | None) -> None:
        """Add warnings; ``ended``: the last frame's time in seconds, None if stopped early."""
        if sizes:
            self.warnings.append(
                f"The size of the frames of '{self.path}' changes: all were scaled to that of "
                f"the first, {self.width} x {self.height}."
            )
        if broken:
            places = sorted({round(t - self._start, 1) for t in broken})
            named = ", ".join(f"{t:.1f} s" for t in places[:5])
            more = f" and {len(places) - 5} more places" if len(places) > 5 else ""
            self.warnings.append(
                f"'{self.path}' is damaged at {named}{more}: what could be read was used."
            )
        told = self.duration
        if told is None or ended is None:
            return
        if told - (ended + 1 / self.frame_rate) > max(0.5, 0.02 * told):
            self.warnings.append(
                f"'{self.path}' should last {told:.1f} s, but nothing can be read after "
                f"{ended:.1f} s: the file is damaged or cut off."
            )


def _check_file(path: Path) -> None:
    if require_file(path, "Name a video file.") == 0:
        raise LikenessError(f"'{path}' is empty (0 bytes).", "Copy or export the video again.")


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and _PLAUSIBLE_RATES[0] <= float(rate) <= _PLAUSIBLE_RATES[1]:
            return float(rate)
    return 30.0


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float(container.duration) * 1e-6 if container.duration else None


def _quarter_turns(raw: Any) -> int:
    """Count the counter-clockwise quarter turns that bring the stored picture upright."""
    return round((raw.rotation or 0) / 90) % 4


def _square_pixels(raw: Any, aspect: float) -> tuple[int, int]:
    """Return width and height with square pixels, before rotation."""
    wide = raw.width * (aspect if 0.1 < aspect < 10 else 1.0)
    return max(_MIN_SIDE, round(wide)), max(_MIN_SIDE, int(raw.height))
