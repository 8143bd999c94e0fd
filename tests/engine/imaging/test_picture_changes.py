"""What was edited in a picture, and what only was saved again."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, LikenessError, Portrait
from likeness.engine.imaging.load import load_portrait
from likeness.engine.imaging.picture_changes import find_changes, match_frame
from PIL import Image


def shown(rgb: FloatArray, size: tuple[int, int] | None = None) -> Portrait:
    h, w = rgb.shape[:2]
    return Portrait(rgb, None, Path("picture.png"), None, size or (w, h))


def saved(rgb: FloatArray, side: int, quality: int) -> Portrait:
    """A picture scaled, saved as JPEG, and read again."""
    data = io.BytesIO()
    image = Image.fromarray((255 * rgb).round().astype(np.uint8)).resize((side, side))
    image.save(data, "JPEG", quality=quality)
    return shown(np.asarray(Image.open(data), np.float32) / 255.0)


@pytest.fixture(scope="module")
def photo(sample_portrait: Path) -> Portrait:
    return load_portrait(sample_portrait)


@pytest.mark.parametrize(("side", "quality"), [(512, 60), (300, 85), (700, 80)])
def test_a_picture_that_was_only_saved_again_has_no_changes(
    photo: Portrait, side: int, quality: int
) -> None:
    again = match_frame(photo, saved(photo.rgb, side, quality))
    assert again.rgb.shape == photo.rgb.shape
    assert not find_changes(photo, again).any()


@pytest.mark.parametrize(("side", "quality"), [(512, 75), (400, 90), (700, 80)])
def test_an_edit_is_found_where_it_is(photo: Portrait, side: int, quality: int) -> None:
    edited = np.array(photo.rgb)
    truth = np.zeros(edited.shape[:2], bool)
    truth[100:130, 210:250] = truth[300:304, 100:220] = True
    edited[truth] = [0.1, 0.35, 0.7]
    found = find_changes(photo, match_frame(photo, saved(edited, side, quality)))
    assert found[truth].mean() > 0.97
    rows, cols = np.nonzero(found & ~truth)
    inside = np.argwhere(truth)
    away = [np.abs(inside - [r, c]).max(1).min() for r, c in zip(rows, cols, strict=True)]
    assert max(away, default=0) <= 5


def test_a_slight_change_of_all_colours_is_not_an_edit(photo: Portrait) -> None:
    warmer = np.clip(photo.rgb * np.float32([1.02, 1.0, 0.98]), 0.0, 1.0)
    assert not find_changes(photo, shown(warmer)).any()


def test_a_cut_out_portrait_is_compared_with_a_flattened_one(photo: Portrait) -> None:
    alpha = np.zeros(photo.rgb.shape[:2], np.float32)
    alpha[60:, 100:400] = 1.0
    cut = replace(photo, alpha=alpha)
    flat = np.where(alpha[..., None] > 0, photo.rgb, np.float32(1.0))
    assert not find_changes(cut, shown(flat)).any()
    flat[200:220, 200:220] = [0.0, 1.0, 0.0]
    assert find_changes(cut, shown(flat))[205:215, 205:215].all()


def test_another_frame_is_refused(photo: Portrait) -> None:
    half = shown(photo.rgb[:, :256])
    with pytest.raises(LikenessError, match=r"256 x 512 pixels, but .* 512 x 512"):
        match_frame(photo, half)
