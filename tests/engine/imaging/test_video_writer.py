"""The video writer against what other programs read back: PyAV, Pillow, the files' own bytes."""

from __future__ import annotations

import struct
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging import video_writer
from likeness.engine.imaging.video_writer import FORMATS, VideoWriter
from PIL import Image

av = pytest.importorskip("av")


COLOURS = np.array([[230, 40, 30], [30, 180, 60], [40, 60, 220], [200, 160, 130]], np.uint8)


def bars(width: int = 64, height: int = 48, shift: int = 0) -> np.ndarray:
    """Four upright bars of colour [H, W, 3]."""
    order = (np.arange(width) * 4 // width + shift) % 4
    return np.broadcast_to(COLOURS[order], (height, width, 3)).copy()


def write(path: Path, pictures: list[np.ndarray], rate: float = 25.0) -> Path:
    height, width, channels = pictures[0].shape
    with VideoWriter(path, width, height, rate, alpha=channels == 4) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def read(path: Path, pixel_format: str = "rgb24", codec: str | None = None) -> list[np.ndarray]:
    """Every frame; ``codec``: a decoder other than FFmpeg's first choice."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if codec is None:
            return [f.to_ndarray(format=pixel_format) for f in container.decode(stream)]
        decoder = av.CodecContext.create(codec, "r")
        decoder.extradata = stream.codec_context.extradata
        frames = [f for packet in container.demux(stream) for f in decoder.decode(packet)]
        return [f.to_ndarray(format=pixel_format) for f in frames]


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_colours_and_number_of_frames(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"clip{suffix}", [bars(shift=k) for k in range(6)])
    frames = read(path)
    assert len(frames) == 6
    for k, frame in enumerate(frames):
        expected = bars(shift=k)
        for x in (8, 24, 40, 56):  # amid the bars: colour is stored at half size
            assert np.abs(frame[24, x].astype(int) - expected[24, x]).max() <= 6
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_videos_say_what_their_colours_are(tmp_path: Path) -> None:
    with av.open(str(write(tmp_path / "clip.mp4", [bars()] * 2))) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (frame.format.name, context.color_range) == ("yuv420p", 1)  # limited range
        assert (context.color_primaries, context.colorspace) == (1, 1)  # BT.709
        assert context.color_trc == 13  # IEC 61966-2-1: sRGB


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24), Fraction(25, 2)])
def test_the_frame_rate_is_exact(rate: Fraction, tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", [bars()] * 12, float(rate))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate
        assert stream.duration * stream.time_base == 12 / rate
        assert stream.frames == 12


def test_the_index_comes_first(tmp_path: Path) -> None:
    data = write(tmp_path / "clip.mp4", [bars()] * 3).read_bytes()
    boxes, at = [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        boxes.append(name)
        at += size
    assert boxes.index(b"moov") < boxes.index(b"mdat")


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "libvpx-vp9"), (".mov", None)])
def test_alpha(suffix: str, codec: str | None, tmp_path: Path) -> None:
    rgba = np.dstack([bars(), np.linspace(0, 255, 48)[:, None].repeat(64, 1).astype(np.uint8)])
    for frame in read(write(tmp_path / f"clip{suffix}", [rgba] * 3), "rgba", codec):
        assert np.abs(frame[..., 3].astype(int) - rgba[..., 3]).max() <= 4
        assert np.abs(frame[40, 8, :3].astype(int) - rgba[40, 8, :3]).max() <= 6


def test_alpha_in_a_gif(tmp_path: Path) -> None:
    """A disc that moves: what it leaves becomes transparent again."""
    y, x = np.mgrid[:48, :64]
    pictures = []
    for k in range(4):
        disc = np.hypot(x - 12 - 12 * k, y - 24) < 8
        pictures.append(np.dstack([bars(), np.where(disc, 255, 0).astype(np.uint8)]))
    with Image.open(write(tmp_path / "clip.gif", pictures, 20.0)) as image:
        assert (image.n_frames, image.info["loop"]) == (4, 0)
        for k, picture in enumerate(pictures):
            image.seek(k)
            assert image.info["duration"] == 50
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
            np.testing.assert_array_equal(alpha, picture[..., 3])


def test_odd_sizes_become_even_where_they_must(tmp_path: Path) -> None:
    pictures = [bars(63, 47)] * 2
    frame = read(write(tmp_path / "clip.mp4", pictures))[0]
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[47].astype(int) - frame[46]).max() <= 3
    assert read(write(tmp_path / "clip.gif", pictures))[0].shape == (47, 63, 3)


def test_floats_are_rounded_not_cut(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 127.6 / 255, np.float32)
    np.testing.assert_array_equal(read(write(tmp_path / "a.gif", [grey]))[0], 128)


def test_nothing_is_left_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"what was there before")

    def broken_off(target: Path, error: BaseException) -> None:
        with VideoWriter(target, 64, 48, 25.0) as writer:
            writer.write(bars())
            raise error

    with pytest.raises(ZeroDivisionError):
        broken_off(path, ZeroDivisionError())
    with pytest.raises(KeyboardInterrupt):
        broken_off(tmp_path / "a.gif", KeyboardInterrupt())
    with (
        pytest.raises(ValueError, match="expected"),
        VideoWriter(tmp_path / "other.mp4", 64, 48, 25.0) as writer,
    ):
        writer.write(bars(10, 10))
    with pytest.raises(LikenessError, match="no frame"), VideoWriter(path, 64, 48, 25.0):
        pass
    assert path.read_bytes() == b"what was there before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"nonsense.*\.webm"):
        write(tmp_path / "clip.nonsense", [bars()])
    with pytest.raises(LikenessError, match=r"no alpha.*\.mov"):
        write(tmp_path / "clip.mp4", [np.dstack([bars(), bars()[..., :1]])])
    with pytest.raises(LikenessError, match="GIF ends at 50"):
        write(tmp_path / "clip.gif", [bars()], 60.0)
    with pytest.raises(LikenessError, match="folder that exists"):
        write(tmp_path / "none" / "clip.mp4", [bars()])
    assert list(tmp_path.iterdir()) == []


def test_the_words_of_ffmpeg_reach_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = video_writer.VideoFormat(video_writer.Encoding("no_such_codec", "yuv420p"))
    monkeypatch.setitem(video_writer.FORMATS, ".mp4", bad)
    with pytest.raises(LikenessError, match="no_such_codec") as caught:
        write(tmp_path / "clip.mp4", [bars(512, 512)] * 20)
    assert "/clip.mp4" in str(caught.value)
    assert ".part" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_several_at_once(tmp_path: Path) -> None:
    """Each has a scratch file of its own."""
    paths = [tmp_path / f"{k}.mp4" for k in range(3)]
    threads = [threading.Thread(target=write, args=(p, [bars()] * 5)) for p in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(read(path)) for path in paths] == [5, 5, 5]


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(LikenessError, match="need the package 'av'"):
        write(tmp_path / "clip.mp4", [bars()])
    assert list(tmp_path.iterdir()) == []
