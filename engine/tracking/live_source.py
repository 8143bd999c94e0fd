"""Pictures as they come: of a video at its own speed, or of a camera."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..core.types import FloatArray, LikenessError
from ..imaging.video import VideoReader, import_av
from .v4l2_camera import V4l2Camera, list_cameras

CAMERA = "camera:"
"""With what a camera's name begins; a number, or the name that the system gives it, follows."""

LIVE_SIDE = 640
"""Longer side of the pictures in pixels; a face that fills a third of it has all its detail."""

_LATE = 0.5
"""Frames by which a picture may be late before it is left out."""

_HANGS = 2.0
"""Seconds after which a camera that gives no picture hangs."""

_RECORD = "record a video with the system's camera program and choose its file"


class LivePicture(NamedTuple):
    """A picture.

    Attributes:
        seconds: from the first one.
        rgb: [H, W, 3] float32 in 0..1.
    """

    seconds: float
    rgb: FloatArray


def open_live_source(source: str) -> Iterator[LivePicture]:
    """The pictures of a video file or a camera, in real time; what comes too late is left out.

    Args:
        source: a file, or ``camera:0`` and the like; on Linux also ``camera:/dev/video2``.

    Raises:
        LikenessError: the file or the camera cannot be opened, or the camera stops.
    """
    if source.startswith(CAMERA):
        name = source.removeprefix(CAMERA).strip() or "0"
        return _of_camera(_open_camera(name), name)
    return _of_video(VideoReader(Path(source), LIVE_SIDE))


def _of_video(reader: VideoReader) -> Iterator[LivePicture]:
    begin: float | None = None

    def in_time(number: int, seconds: float) -> bool:
        # A slow computer still gets every tenth.
        late = 0.0 if begin is None else time.monotonic() - begin - seconds
        return late <= _LATE / reader.frame_rate or number % 10 == 0

    for frame in reader.frames(wanted=in_time):
        if begin is not None:
            time.sleep(max(0.0, begin + frame.time - time.monotonic()))
        yield LivePicture(frame.time, frame.rgb)
        # The face is found and networks are loaded with the first picture, which takes long.
        begin = time.monotonic() - frame.time if begin is None else begin


class Camera(Protocol):
    """A camera that gives pictures."""

    def read_packets(self) -> Iterator[Callable[[], Any]]:
        """Pictures as they come: each a function that decodes it to PyAV's ``VideoFrame``.

        One that gives None, as of a damaged picture, is passed over.
        """

    def close(self) -> None:
        """Let go of the device."""


class _FfmpegCamera:
    """A camera of Windows or macOS, through FFmpeg's input."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def read_packets(self) -> Iterator[Callable[[], Any]]:
        stream = self._container.streams.video[0]
        apart = bool(stream.codec_context.codec.intra_only)
        for packet in self._container.demux(stream):
            if apart:
                # Needs no other to be decoded, as nearly all cameras give them.
                yield partial(_decode_last, packet)
            else:
                for frame in packet.decode():
                    yield partial(_same, frame)

    def close(self) -> None:
        self._container.close()


def _decode_last(packet: Any) -> Any:
    frames = packet.decode()
    return frames[-1] if frames else None


def _same(frame: Any) -> Any:
    return frame


def _open_camera(name: str) -> Camera:
    """The opened device.

    Raises:
        LikenessError: there is none, or others hold it.
    """
    av = import_av()
    try:
        if sys.platform.startswith("linux"):
            return V4l2Camera(name)
        kind = "dshow" if sys.platform == "win32" else "avfoundation"
        device = f"video={name}" if kind == "dshow" and not name.startswith("video=") else name
        return _FfmpegCamera(av.open(device, format=kind, options={"framerate": "30"}))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise LikenessError(
            f"The camera '{name}' cannot be opened ({error}).", _remedy(error)
        ) from error


def _remedy(error: Exception) -> str:
    """What to do about a camera that does not open."""
    if not sys.platform.startswith("linux"):
        return f"Connect a camera and close other programs that use it; or {_RECORD}."
    if isinstance(error, PermissionError):
        return f"Add yourself to the group 'video', and log in again; or {_RECORD}."
    cameras = list_cameras()
    if cameras:
        return f"Choose one that is here ({', '.join(cameras)}), and close programs that use it."
    return f"Linux shows no camera here. Connect one; or {_RECORD}."


def _of_camera(camera: Camera, name: str) -> Iterator[LivePicture]:
    """Always the newest picture: what came meanwhile is left out.

    Raises:
        LikenessError: the camera stops giving pictures, as when it is unplugged.
    """
    av = import_av()
    begin = time.monotonic()
    with _CameraQueue(camera) as queue:
        while True:
            try:
                frame = queue.take_newest()
            except (av.FFmpegError, OSError, ValueError) as error:
                raise LikenessError(
                    f"The camera '{name}' gives no more pictures ({error}).",
                    "Check its cable, close other programs that use it, and start again.",
                ) from error
            if frame is None:
                return
            scale = min(1.0, LIVE_SIDE / max(frame.width, frame.height))
            rgb = frame.to_ndarray(
                format="rgb24", width=round(frame.width * scale), height=round(frame.height * scale)
            )
            yield LivePicture(time.monotonic() - begin, rgb.astype(np.float32) / np.float32(255))


class _CameraQueue:
    """Empties a camera's queue in a thread: a full one would give pictures of up to a second ago.

    Pictures are decoded only when they are taken.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._changed = threading.Condition()
        self._newest: Callable[[], Any] | None = None
        self._ended, self._left = False, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> _CameraQueue:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        self._thread.join(_HANGS)
        if not self._thread.is_alive():  # else it still reads from it
            self._camera.close()

    def take_newest(self) -> Any:
        """Wait for a picture newer than the last one taken; None after the end.

        Raises:
            Exception: whatever ended the reading.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended)
                newest, self._newest = self._newest, None
            if newest is None:
                if self._error is not None:
                    raise self._error
                return None
            frame = newest()
            if frame is not None:
                return frame

    def _read(self) -> None:
        try:
            for newest in self._camera.read_packets():
                if self._left:
                    return
                with self._changed:
                    self._newest = newest
                    self._changed.notify()
        except Exception as error:  # raised where pictures are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
