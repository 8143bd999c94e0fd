"""Videos made here by the writer and by FFmpeg: read back, turned, damaged, not videos at all."""

from __future__ import annotations

import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter

av = pytest.importorskip("av")


def bright(frame: int) -> float:
    return 0.2 + 0.01 * frame


def make(path: Path, frames: int = 30, width: int = 64, height: int = 48) -> Path:
    """Grey frames, each brighter than the last, whose upper left corner is red."""
    with VideoWriter(path, width, height, 25.0) as writer:
        for k in range(frames):
            picture = np.full((height, width, 3), bright(k), np.float32)
            picture[: height // 2, : width // 2] = (0.9, 0.1, 0.1)
            writer.write(picture)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    reader = VideoReader(make(tmp_path / "clip.mp4"))
    assert (reader.width, reader.height, reader.frame_rate, reader.num_frames) == (64, 48, 25, 30)
    frames = list(reader)
    assert [frame.number for frame in frames] == list(range(30))
    for number, time, rgb in frames:
        assert time == pytest.approx(number / 25)
        assert rgb.shape == (48, 64, 3)
        assert rgb.dtype == np.float32
        assert rgb[40, 50] == pytest.approx(bright(number), abs=0.02)
        assert rgb[10, 10, 0] > 0.75 > 0.3 > rgb[10, 10, 1]
    assert reader.warnings == []
    assert len(list(reader)) == 30  # a second time


def test_part_of_a_clip_and_seeking(tmp_path: Path) -> None:
    reader = VideoReader(make(tmp_path / "clip.mp4"))
    assert [frame.number for frame in reader.frames(7, 11)] == [7, 8, 9, 10]
    found = list(reader.at([0.0, 0.41, 1.0, 99.0]))
    assert [frame.number for frame in found] == [0, 10, 25]
    for frame in found:
        assert frame.rgb[40, 50] == pytest.approx(bright(frame.number), abs=0.02)


def test_large_frames_are_reduced(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 2, 320, 200)
    frame = next(iter(VideoReader(path, max_side=80)))
    assert frame.rgb.shape == (50, 80, 3)
    assert frame.rgb[5, 10, 0] > 0.75


def rotate(path: Path, quarter_turns: int) -> None:
    """Write a display matrix into the track header of an MP4, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version, times, numbers; then nine 16.16 numbers
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]
    one = 1 << 16
    struct.pack_into(">9i", data, at, c * one, s * one, 0, -s * one, c * one, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(("turns", "corner"), [(1, (10, 40)), (2, (40, 50)), (3, (50, 10))])
def test_rotation_of_phones(tmp_path: Path, turns: int, corner: tuple[int, int]) -> None:
    path = make(tmp_path / "clip.mp4", 2)
    rotate(path, turns)  # clockwise
    reader = VideoReader(path)
    rgb = next(iter(reader)).rgb
    assert (reader.width, reader.height) == ((48, 64) if turns % 2 else (64, 48))
    assert rgb.shape == (reader.height, reader.width, 3)
    assert rgb[corner][0] > 0.75 > 0.3 > rgb[corner][1]


def test_uneven_times_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"bf": "0"}
        stream.codec_context.time_base = Fraction(1, 1000)
        # 40 ms apart but for a pause and two frames in one place.
        for milliseconds in (0, 40, 80, 200, 240, 250, 280, 320, 360, 400):
            grey = np.full((48, 64, 3), milliseconds // 4 + 50, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reader = VideoReader(path)
    reader.frame_rate = 25.0
    frames = list(reader)
    assert [frame.number for frame in frames] == [0, 1, 2, 5, 6, 7, 8, 9, 10]
    for frame in frames:
        assert frame.rgb.mean() * 255 == pytest.approx(frame.number * 10 + 50, abs=3)


def test_cut_off_files_give_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"  # without an index at the end
    make(path, 100)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    reader = VideoReader(path)
    frames = list(reader)
    assert 10 < len(frames) < 100
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert any("damaged" in warning for warning in reader.warnings)


def test_damage_in_the_middle_is_told_and_read_past(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, (50, 48, 64, 3)).astype(np.float32)
    with VideoWriter(path, 64, 48, 25.0) as writer:
        for picture in noise:
            writer.write(picture)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[begin : begin + 3000] = bytes(3000)
    path.write_bytes(bytes(data))
    reader = VideoReader(path)
    frames = list(reader)
    assert len(frames) > 20
    assert frames[-1].number > frames[len(frames) // 2].number
    assert any("damaged" in warning for warning in reader.warnings)


def test_frames_of_other_sizes_are_scaled(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"  # streams of this kind can be put behind one another
    parts = []
    for k, (width, height) in enumerate(((64, 48), (128, 96))):
        part = tmp_path / f"part{k}.ts"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for _ in range(10):
                grey = np.full((height, width, 3), 90, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    reader = VideoReader(path)
    shapes = {frame.rgb.shape for frame in reader}
    assert shapes == {(48, 64, 3)}
    assert any("size" in warning for warning in reader.warnings)


def test_not_videos(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("This is not a video.\n" * 100)
    story = tmp_path / "story.txt"
    story.write_text("This is not a video.\n" * 100)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    picture = tmp_path / "picture.png"
    from PIL import Image

    Image.new("RGB", (80, 80)).save(picture)
    for path, words in (
        (text, "not a video"),
        (story, "not a video"),
        (picture, "not a video"),
        (empty, "empty"),
        (tmp_path, "folder"),
        (tmp_path / "none.mp4", "not exist"),
    ):
        with pytest.raises(LikenessError, match=words) as caught:
            VideoReader(path)
        assert path.name in str(caught.value)
        assert caught.value.remedy


def test_sound_alone_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(LikenessError, match="not a video"):
        VideoReader(path)


def test_no_frames(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 1)
    data = path.read_bytes()
    at = data.index(b"mdat") + 4
    size = struct.unpack(">I", data[at - 8 : at - 4])[0] - 8
    path.write_bytes(data[:at] + bytes(size) + data[at + size :])
    with pytest.raises(LikenessError, match="No frame"):
        VideoReader(path)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "clip.mp4", 1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(LikenessError, match="need the package 'av'"):
        VideoReader(path)
