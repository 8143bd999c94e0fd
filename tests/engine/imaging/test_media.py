"""Photo or video, by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging.media import is_video
from likeness.engine.imaging.video_writer import VideoWriter
from PIL import Image


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif"])
def test_pictures(name: str, tmp_path: Path) -> None:
    Image.fromarray(pixels()).save(tmp_path / name)
    assert not is_video(tmp_path / name)
    disguised = tmp_path / "a.mp4"
    disguised.write_bytes((tmp_path / name).read_bytes())
    assert not is_video(disguised)


def test_moving_pictures(tmp_path: Path) -> None:
    frames = [Image.fromarray(pixels(i)) for i in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert is_video(tmp_path / "a.gif")


def test_videos_of_any_name(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "a.mp4", 128, 96, 10.0) as writer:
        for i in range(3):
            writer.write(pixels(i))
    content = (tmp_path / "a.mp4").read_bytes()
    for name in ("a.mp4", "a.jpg", "a"):
        (tmp_path / name).write_bytes(content)
        assert is_video(tmp_path / name)


def test_a_damaged_picture_is_still_a_picture(tmp_path: Path) -> None:
    Image.fromarray(pixels()).save(tmp_path / "a.png")
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.png").read_bytes()[:3000])
    assert not is_video(tmp_path / "a.mp4")


def test_neither_is_said_in_the_words_of_its_name(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.mp4"):
        (tmp_path / name).write_text("neither")
    with pytest.raises(LikenessError, match="not a picture"):
        is_video(tmp_path / "a.jpg")
    assert is_video(tmp_path / "a.mp4")  # whoever opens it says what is wrong
    with pytest.raises(LikenessError, match="does not exist"):
        is_video(tmp_path / "no.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(LikenessError, match="empty"):
        is_video(tmp_path / "empty.png")
