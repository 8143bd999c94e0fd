"""Cameras of Linux through its Video4Linux interface, by the package linuxpy.

PyAV's wheels have no such input. linuxpy is pure Python and speaks to the device's file; PyAV
decodes and scales the pictures here too. Cameras that give neither plain pixels nor JPEG are
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import IntArray, LikenessError
from ..imaging.video import import_av

WANTED_SIZE = (640, 480)
"""What a camera is asked for, width and height in pixels; it answers with the nearest it has."""

_FORMATS = ("YUYV", "UYVY", "NV12", "MJPG", "JPEG", "BGR3", "RGB3", "GREY")
"""Four letters of each readable format, the quickest to decode first."""

_BYTES = {"YUYV": 2, "UYVY": 2, "NV12": 1, "BGR3": 3, "RGB3": 3, "GREY": 1}
"""Format -> bytes of a pixel, in its first plane."""

_NAMES = {
    "YUYV": "yuyv422",
    "UYVY": "yuyv422",
    "NV12": "nv12",
    "GREY": "gray",
    "BGR3": "bgr24",
    "RGB3": "rgb24",
}
"""Format -> FFmpeg's name of what :func:`_pixels` makes of it."""

_WAIT, _MAX_WAITS = 0.5, 10
"""Seconds of one wait for a picture, and after how many the camera counts as lost."""

_MAX_DAMAGED = 60
"""Damaged pictures in a row after which it counts as lost."""

_MAX_MEGAPIXELS = 50


class V4l2Camera:
    """An opened camera that gives pictures.

    Args:
        name: the number of ``/dev/video``, or a device's path.

    Attributes:
        pixel_format: four letters of the format that it gives.

    Raises:
        LikenessError: linuxpy is not installed, or the device gives no readable pictures.
        OSError: the device does not open, or refuses.
    """

    def __init__(self, name: str) -> None:
        video = _import_linuxpy()
        path = Path(f"/dev/video{name}" if name.isdigit() else name)
        self._capture: Any = None
        self._device = video.Device(path)
        self._device.open()
        try:
            if video.Capability.VIDEO_CAPTURE not in self._device.info.device_capabilities:
                raise _refused(path, "gives no pictures; a camera often has a second such device")
            self.pixel_format = self._choose_format(video, path)
            self._capture = video.VideoCapture(self._device)
            self._capture.open()
        except BaseException:
            self.close()
            raise
        self._jpeg: Any = None
        self._damaged = 0

    def read_packets(self) -> Iterator[Callable[[], Any]]:
        """The pictures as they come: each a function that decodes it to PyAV's ``VideoFrame``.

        Raises:
            OSError: the camera stops.
        """
        reader, waits = self._capture.buffer.frame_reader, 0
        while waits < _MAX_WAITS:
            frame = reader.read(_WAIT)
            if frame is None:
                waits += 1
                yield _nothing  # whoever reads may leave meanwhile
            else:
                waits = 0
                yield partial(self._decode, bytes(frame.data), frame.format)
        raise OSError(f"no picture for {_WAIT * _MAX_WAITS:.0f} seconds")

    def close(self) -> None:
        """Release the device, also one that was unplugged and refuses everything."""
        capture, self._capture = self._capture, None
        if capture is not None:
            with suppress(OSError):
                capture.close()
            if capture.buffer is not None:  # its memory would hold the device
                with suppress(OSError):
                    capture.buffer.close()
        self._device.close()

    def _choose_format(self, video: Any, path: Path) -> str:
        kind = video.BufferType.VIDEO_CAPTURE
        offered = {video.human_pixel_format(f.pixel_format) for f in _formats(video, self._device)}
        for letters in _FORMATS:
            if letters in offered:
                self._device.set_format(kind, *WANTED_SIZE, letters)
                given = self._device.get_format(kind)
                if given.width * given.height > 1e6 * _MAX_MEGAPIXELS:
                    raise _refused(path, f"gives pictures of {given.width} x {given.height}")
                if video.human_pixel_format(given.pixel_format) == letters:
                    return letters
        listed = ", ".join(sorted(offered)) or "none"
        raise _refused(path, f"gives none of the formats {', '.join(_FORMATS)}, but {listed}")

    def _decode(self, data: bytes, form: Any) -> Any:
        """PyAV's ``VideoFrame``; None of a damaged one, as loose cables give them.

        Raises:
            OSError: too many in a row are damaged.
        """
        av = import_av()
        frame = None
        if self.pixel_format in ("MJPG", "JPEG"):
            self._jpeg = self._jpeg or av.CodecContext.create("mjpeg", "r")
            try:
                frame = next(iter(self._jpeg.decode(av.Packet(data))), None) if data else None
            except av.InvalidDataError:
                frame = None  # counted below
        else:
            pixels = _pixels(data, self.pixel_format, form.width, form.height, form.bytes_per_line)
            if pixels is not None:
                frame = av.VideoFrame.from_ndarray(pixels, format=_NAMES[self.pixel_format])
        self._damaged = 0 if frame is not None else self._damaged + 1
        if self._damaged > _MAX_DAMAGED:
            raise OSError(f"its last {self._damaged} pictures are damaged")
        return frame


def _nothing() -> None:
    return None


def list_cameras() -> list[str]:
    """The devices of this computer that give pictures, as ``/dev/video0 (its name)``."""
    video = _import_linuxpy()
    found = []
    for path in sorted(video.iter_video_files()):
        try:
            with video.Device(path) as device:
                if video.Capability.VIDEO_CAPTURE in device.info.device_capabilities:
                    found.append(f"{path} ({device.info.card})")
        except (OSError, ValueError, video.V4L2Error):  # unplugged, held by others, or odd
            continue
    return found


def _formats(video: Any, device: Any) -> list[Any]:
    return list(device.info.buffer_formats(video.BufferType.VIDEO_CAPTURE))


def _pixels(data: bytes, letters: str, width: int, height: int, row: int) -> IntArray | None:
    """The picture as PyAV takes it; None for one that ends too early.

    Args:
        data: as the camera gave it.
        letters: its format.
        width: in pixels.
        height: in pixels.
        row: bytes from one row to the next; 0 where rows follow each other.
    """
    each = _BYTES[letters]
    rows = height * 3 // 2 if letters == "NV12" else height
    row = max(row, width * each)
    if len(data) < rows * row - (row - width * each):
        return None
    flat = np.zeros(rows * row, np.uint8)
    flat[: len(data)] = np.frombuffer(data, np.uint8)[: rows * row]
    cut = flat.reshape(rows, row)[:, : width * each]
    if letters in ("NV12", "GREY"):
        return np.ascontiguousarray(cut)
    pixels = cut.reshape(rows, width, each)
    return np.ascontiguousarray(pixels[..., ::-1] if letters == "UYVY" else pixels)


def _refused(path: Path, why: str) -> LikenessError:
    cameras = list_cameras()
    listed = f"Cameras here: {', '.join(cameras)}." if cameras else "No camera was found."
    return LikenessError(f"'{path}' {why}.", f"Choose another camera. {listed}")


def _import_linuxpy() -> Any:
    try:
        from linuxpy.video import device
    except ImportError as error:
        raise LikenessError(
            "Cameras on Linux need the package 'linuxpy', which is not installed.",
            "Install the package linuxpy. Likeness for Blender brings it along: restart Blender.",
        ) from error
    return device
