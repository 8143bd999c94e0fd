"""Pictures as they come: of a video at its own speed, or of a camera."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.types import FloatArray, LikenessError
from ..imaging.video import VideoReader, import_av

CAMERA = "camera:"
"""With what a camera's name begins; a number, or the name that the system gives it, follows."""

LIVE_SIDE = 640
"""Longer side of the pictures in pixels; a face that fills a third of it has all its detail."""

_LATE = 0.5
"""Frames by which a picture may be late before it is left out."""

_HANGS = 2.0
"""Seconds after which a camera that gives no picture hangs."""


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
        source: a file, or ``camera:0`` and the like.

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


def _open_camera(name: str) -> Any:
    """The opened device, through FFmpeg."""
    av = import_av()
    kinds = {"linux": "v4l2", "win32": "dshow", "darwin": "avfoundation"}
    kind = kinds.get(sys.platform, "v4l2")
    device = name
    if kind == "v4l2" and name.isdigit():
        device = f"/dev/video{name}"
    elif kind == "dshow" and not name.startswith("video="):
        device = f"video={name}"
    try:
        return av.open(device, format=kind, options={"framerate": "30"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise LikenessError(
            f"The camera '{name}' cannot be opened ({error}).",
            "Connect a camera and close other programs that use it; or record a video with the "
            "system's camera program and choose its file.",
        ) from error


def _of_camera(container: Any, name: str) -> Iterator[LivePicture]:
    """Always the newest picture: what came meanwhile is left out.

    Raises:
        LikenessError: the camera stops giving pictures, as when it is unplugged.
    """
    av = import_av()
    begin = time.monotonic()
    with _CameraQueue(container) as queue:
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

    Pictures that need no other to be decoded, as nearly all cameras give them, are decoded only
    when they are taken.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream = container.streams.video[0]
        self._apart = bool(self._stream.codec_context.codec.intra_only)
        self._changed = threading.Condition()
        self._newest: Any = None
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
            self._container.close()

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
            frames = newest.decode() if self._apart else [newest]
            if frames:
                return frames[-1]

    def _read(self) -> None:
        try:
            for packet in self._container.demux(self._stream):
                if self._left:
                    return
                for newest in [packet] if self._apart else packet.decode():
                    with self._changed:
                        self._newest = newest
                        self._changed.notify()
        except Exception as error:  # raised where pictures are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
