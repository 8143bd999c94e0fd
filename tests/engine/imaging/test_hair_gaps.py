"""Gaps between strands of hair, through which an even wall shows."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.imaging.hair_gaps import open_hair_gaps
from likeness.engine.imaging.matte_check import HEAD, BodyMap
from scipy.ndimage import distance_transform_edt

SIDE = 240
BLACK, WALL = np.array([0.1, 0.09, 0.1]), np.array([0.62, 0.6, 0.58])
ROWS, COLS = np.mgrid[:SIDE, :SIDE]
FROM_MIDDLE = np.hypot(ROWS - 120, COLS - 120)
HAIR = FROM_MIDDLE < 90
BODY = FROM_MIDDLE < 55
GAPS = HAIR & (FROM_MIDDLE > 84) & (COLS % 12 < 5) & (np.abs(COLS - 120) < 30) & (ROWS < 120)
"""Slots in the hair above the head, five pixels wide."""


def _cover(photo: FloatArray, part: int = HEAD, fitted: BoolArray = BODY) -> FloatArray:
    """What the hair covers, where the matte calls all of HAIR solid."""
    noise = np.random.default_rng(0).normal(0.0, 0.004, photo.shape)
    signed = distance_transform_edt(fitted) - distance_transform_edt(~fitted)
    body = BodyMap(np.where(fitted, part, -1).astype(np.int8), np.zeros_like(BODY), signed, 2.0)
    rgb = np.clip(photo + noise, 0, 1).astype(np.float32)
    return open_hair_gaps(rgb, HAIR.astype(np.float32), body)


def _photo(gaps: BoolArray, hair: FloatArray = BLACK, wall: FloatArray = WALL) -> FloatArray:
    return np.where((HAIR & ~gaps)[..., None], hair, wall)


def test_gaps_show_the_wall() -> None:
    covered = _cover(_photo(GAPS))
    assert covered[GAPS].max() < 0.1
    assert covered[HAIR & ~GAPS].min() > 0.95


def test_what_mixes_hair_and_wall_is_partly_covered() -> None:
    """Fine strands cover half of each pixel beside the gaps."""
    beside = HAIR & ~GAPS & (distance_transform_edt(~GAPS) < 2)
    photo = _photo(GAPS)
    photo[beside] = 0.5 * (BLACK + WALL)
    covered = _cover(photo)
    assert 0.2 < float(np.median(covered[beside])) < 0.9
    assert covered[HAIR & (FROM_MIDDLE < 75)].min() > 0.95


def _uneven(most: float) -> FloatArray:
    """A wall of blotches, 8 by 8 pixels each."""
    blotches = np.random.default_rng(1).uniform(-most, most, (SIDE // 8, SIDE // 8))
    return WALL + np.kron(blotches, np.ones((8, 8)))[..., None]


@pytest.mark.parametrize(
    ("photo", "part"),
    [
        (_photo(GAPS), 0),
        (_photo(HAIR & (np.abs(FROM_MIDDLE - 68) < 3)), HEAD),
        (_photo(GAPS, WALL + 0.05), HEAD),
        (_photo(GAPS, wall=_uneven(0.085)), HEAD),
        (_photo(GAPS, WALL - 0.28, _uneven(0.06)), HEAD),
        (_photo(HAIR & (COLS % 12 < 6)), HEAD),
    ],
    ids=[
        "no-head",
        "highlight-deep-in-hair",
        "pale-hair",
        "uneven-wall",
        "too-alike",
        "striped-hat",
    ],
)
def test_what_may_be_the_person_stays(photo: FloatArray, part: int) -> None:
    assert _cover(photo, part)[HAIR].min() == 1.0


def test_a_pale_forehead_stays() -> None:
    assert _cover(_photo(GAPS), fitted=FROM_MIDDLE < 88)[GAPS & (FROM_MIDDLE < 86)].min() == 1.0


def test_too_small_a_head_is_left_alone() -> None:
    """Its gaps would be parts of pixels; the fitted body's map may be larger than the photo."""
    small = _photo(GAPS)[::2, ::2].astype(np.float32)
    signed = distance_transform_edt(BODY) - distance_transform_edt(~BODY)
    part = np.where(BODY, HEAD, -1).astype(np.int8)
    body = BodyMap(part, np.zeros_like(BODY), signed, 2.0)
    assert open_hair_gaps(small, HAIR[::2, ::2].astype(np.float32), body).min() == 1.0


def test_a_head_at_the_edge_of_the_picture() -> None:
    """The surroundings end where the picture ends."""
    cut = slice(50, None)
    signed = distance_transform_edt(BODY) - distance_transform_edt(~BODY)
    part = np.where(BODY, HEAD, -1).astype(np.int8)
    body = BodyMap(part[cut], np.zeros_like(BODY[cut]), signed[cut], 2.0)
    side = GAPS.T & (ROWS > 60)
    photo = _photo(side)[cut].astype(np.float32)
    covered = open_hair_gaps(photo, HAIR[cut].astype(np.float32), body)
    assert covered.shape == HAIR[cut].shape
    assert covered[side[cut]].max() < 0.1
