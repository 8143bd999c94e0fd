"""Cameras of Linux: linuxpy itself, on a kernel that is played by a file and a function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.tracking import v4l2_camera
from likeness.engine.tracking.live_source import open_live_source
from likeness.engine.tracking.v4l2_camera import V4l2Camera, list_cameras

fcntl = pytest.importorskip("fcntl")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")

SIZE, ROOM = (64, 48), 1 << 16  # bytes of one of the kernel's buffers


class Kernel:
    """Answers linuxpy's calls for a device whose memory is a file.

    Attributes:
        pictures: the bytes of the next ones; afterwards the cable is pulled.
        formats: four letters each.
        row: bytes from row to row; 0 if they follow each other.
        captures: whether the device gives pictures.
        calls: names of what was asked.
    """

    def __init__(self, path: Path) -> None:
        from linuxpy.video import device

        self.device, self.path, self.unplugged = device, path, False
        self.pictures: list[bytes] = []
        self.formats, self.row, self.captures = ["YUYV"], 0, True
        self.calls: list[str] = []
        self._chosen, self._queue, self._real = "", list[int](), fcntl.ioctl
        path.write_bytes(bytes(4 * ROOM))

    def ioctl(self, file: Any, request: Any, argument: Any = None) -> int:
        name = getattr(request, "name", str(request))
        if not hasattr(self, f"_{name}"):
            return int(self._real(file, request, argument))
        self.calls.append(name)
        getattr(self, f"_{name}")(argument)
        return 0

    def _QUERYCAP(self, out: Any) -> None:
        kinds = self.device.Capability
        out.card = b"Played Camera"
        out.device_caps = kinds.STREAMING | (kinds.VIDEO_CAPTURE if self.captures else 0)
        out.capabilities = out.device_caps

    def _ENUM_FMT(self, out: Any) -> None:
        if out.index >= len(self.formats):
            raise OSError(22, "Invalid argument")
        out.pixelformat = self.device.raw.v4l2_fourcc(*self.formats[out.index])
        out.flags = 0

    def _S_FMT(self, given: Any) -> None:
        assert given.fmt.pix.width == 640
        letters = self.device.human_pixel_format(given.fmt.pix.pixelformat)
        assert letters in self.formats
        self._chosen = letters

    def _G_FMT(self, out: Any) -> None:
        pix = out.fmt.pix
        pix.width, pix.height = SIZE
        pix.pixelformat = self.device.raw.v4l2_fourcc(*self._chosen)
        pix.bytesperline, pix.sizeimage = self.row, ROOM

    def _REQBUFS(self, out: Any) -> None:
        self._refuse_if_unplugged()
        out.count = min(out.count, 4)

    def _QUERYBUF(self, out: Any) -> None:
        out.length, out.m.offset = ROOM, out.index * ROOM

    def _QBUF(self, given: Any) -> None:
        self._queue.append(given.index)

    def _DQBUF(self, out: Any) -> None:
        self.unplugged = not self.pictures
        self._refuse_if_unplugged()
        out.index, data = self._queue.pop(0), self.pictures.pop(0)
        out.bytesused = len(data)
        with self.path.open("r+b") as file:
            file.seek(out.index * ROOM)
            file.write(data)

    def _STREAMON(self, _: Any) -> None:
        pass

    def _STREAMOFF(self, _: Any) -> None:
        self._refuse_if_unplugged()

    def _refuse_if_unplugged(self) -> None:
        """As the kernel answers everything that is asked of a device that is gone."""
        if self.unplugged:
            raise OSError(19, "No such device")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    pytest.importorskip("linuxpy")
    pytest.importorskip("av")
    played = Kernel(tmp_path / "video0")
    monkeypatch.setattr("linuxpy.ioctl.fcntl.ioctl", played.ioctl)
    monkeypatch.setattr(played.device, "iter_video_files", lambda: [played.path])
    return played


def gradient(k: int = 0) -> Any:
    """[48, 64, 3] 0..255, red to the right and green downwards, brighter with ``k``."""
    x, y = np.meshgrid(np.linspace(40, 180, SIZE[0]), np.linspace(40, 180, SIZE[1]))
    return np.stack([x, y, np.full_like(x, 60 + k)], -1).astype(np.uint8)


def encoded(letters: str, rgb: Any, row: int = 0) -> bytes:
    """A picture as a camera gives it."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    if letters == "MJPG":
        codec = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height = SIZE
        codec.pix_fmt, codec.time_base = "yuvj422p", Fraction(1, 30)
        codec.open()
        packets = [*codec.encode(frame.reformat(format="yuvj422p")), *codec.encode(None)]
        return b"".join(bytes(packet) for packet in packets)
    names = {"YUYV": "yuyv422", "NV12": "nv12", "BGR3": "bgr24", "GREY": "gray"}
    pixels = frame.to_ndarray(format=names["YUYV" if letters == "UYVY" else letters])
    if letters == "UYVY":
        pixels = pixels[..., ::-1]
    flat = pixels.reshape(len(pixels), -1)
    padded = np.full((len(flat), max(row, flat.shape[1])), 255, np.uint8)
    padded[:, : flat.shape[1]] = flat
    return padded.tobytes()


@pytest.mark.parametrize(
    ("letters", "row"),
    [("YUYV", 0), ("YUYV", 160), ("UYVY", 0), ("NV12", 0), ("NV12", 80), ("BGR3", 0), ("MJPG", 0)],
)
def test_every_format_shows_the_picture(kernel: Kernel, letters: str, row: int) -> None:
    kernel.formats, kernel.row = ["H264", letters], row
    kernel.pictures = [encoded(letters, gradient(), row)]
    pictures = open_live_source(f"camera:{kernel.path}")
    shown = next(pictures).rgb
    assert shown.shape == (48, 64, 3)
    assert shown.dtype == np.float32
    assert np.abs(shown * 255 - gradient()).mean() < 4
    with pytest.raises(LikenessError, match=r"no more pictures.*No such device"):
        next(pictures)
    assert kernel.calls[-2:] == ["STREAMOFF", "REQBUFS"]  # it is free again


def test_the_quickest_format_is_asked_for(kernel: Kernel) -> None:
    kernel.formats = ["MJPG", "YUYV"]
    camera = V4l2Camera(str(kernel.path))
    assert camera.pixel_format == "YUYV"
    camera.close()


def test_damaged_pictures_are_passed_over_but_not_for_ever(kernel: Kernel) -> None:
    kernel.formats = ["MJPG"]
    good = encoded("MJPG", gradient())
    kernel.pictures = [b"", good[:40], good, *([b"\x00" * 90] * 70)]
    camera = V4l2Camera(str(kernel.path))
    packets = camera.read_packets()
    shown = [next(packets)() for _ in range(3)]
    assert shown[:2] == [None, None]
    assert (shown[2].width, shown[2].height) == SIZE
    with pytest.raises(OSError, match="damaged"):
        _decode_all(packets)
    camera.close()


def test_a_silent_camera_lets_its_reader_leave(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = V4l2Camera(str(kernel.path))
    monkeypatch.setattr(v4l2_camera, "_WAIT", 0.01)
    monkeypatch.setattr(camera._capture.buffer.frame_reader, "read", lambda seconds: None)
    packets = camera.read_packets()
    assert [next(packets)() for _ in range(10)] == [None] * 10
    with pytest.raises(OSError, match="no picture for"):
        next(packets)
    camera.close()


def _decode_all(packets: Iterator[Callable[[], Any]]) -> None:
    for decode in packets:
        decode()


def test_devices_without_pictures_are_refused(kernel: Kernel) -> None:
    kernel.formats = ["H264"]
    with pytest.raises(LikenessError, match="none of the formats") as caught:
        V4l2Camera(str(kernel.path))
    assert f"{kernel.path} (Played Camera)" in caught.value.remedy
    kernel.captures = False
    with pytest.raises(LikenessError, match="gives no pictures") as caught:
        V4l2Camera(str(kernel.path))
    assert "No camera was found" in caught.value.remedy
    assert list_cameras() == []


def test_a_missing_camera_names_those_that_are_there(kernel: Kernel) -> None:
    with pytest.raises(LikenessError, match="camera '77' cannot be opened") as caught:
        open_live_source("camera:77")
    assert "Played Camera" in caught.value.remedy


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "linuxpy.video", None)
    with pytest.raises(LikenessError, match="linuxpy") as caught:
        open_live_source("camera:0")
    assert "package linuxpy" in caught.value.remedy
