"""Gaps in a matte that show the background, and its colour in hair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, FloatArray, IntArray, Matte, Portrait
from likeness.engine.imaging.gaps import open_gaps
from likeness.engine.imaging.matte_check import ARMS, HEAD, BodyMap
from scipy.ndimage import distance_transform_edt

SIDE = 200
PINK, GREY, BLACK = (
    np.array([0.8, 0.25, 0.55]),
    np.array([0.6, 0.6, 0.6]),
    np.array([0.1, 0.09, 0.1]),
)
ROWS, COLS = np.mgrid[:SIDE, :SIDE]
PERSON = np.hypot(ROWS - 100, COLS - 100) < 70
BODY = np.hypot(ROWS - 100, COLS - 100) < 25
GAP = (np.abs(ROWS - 100) < 10) & (np.abs(COLS - 145) < 8)


def _open(photo: FloatArray, part: int | IntArray = 0, fitted: BoolArray = BODY) -> Matte:
    """The matte after the gaps were looked for; before, all of PERSON was solid."""
    rng = np.random.default_rng(0)
    rgb = np.clip(photo + rng.normal(0.0, 0.005, photo.shape), 0, 1).astype(np.float32)
    portrait = Portrait(rgb, None, Path("photo.png"))
    signed = distance_transform_edt(fitted) - distance_transform_edt(~fitted)
    body = BodyMap(np.where(fitted, part, -1).astype(np.int8), np.zeros_like(fitted), signed, 2.0)
    matte = Matte(PERSON.astype(np.float32), rgb)
    return open_gaps(portrait, matte, body)


@pytest.mark.parametrize("background", [PINK, GREY])
def test_a_gap_shows_the_background(background: FloatArray) -> None:
    photo = np.where((PERSON & ~GAP)[..., None], BLACK, background)
    alpha = _open(photo).alpha
    deep = distance_transform_edt(GAP) > 3
    assert alpha[deep].max() < 0.1
    assert alpha[PERSON & (distance_transform_edt(~GAP) > 4)].min() > 0.95


def test_an_arm_fitted_aside_covers_no_gap() -> None:
    """It is drawn over most of a gap; anything else of the body there would be a pale garment."""
    photo = np.where((PERSON & ~GAP)[..., None], BLACK, GREY)
    arm = (np.abs(COLS - 147) < 6) & (np.abs(ROWS - 100) < 50)
    covered = (distance_transform_edt(GAP) > 2) & (COLS > 146)
    body = (np.hypot(ROWS - 100, COLS - 100) < 30) | arm
    of_arm = _open(photo, np.where(arm, ARMS[0], 0), body).alpha
    of_trunk = _open(photo, 0, body).alpha
    assert of_arm[covered].max() < 0.1
    assert of_trunk[covered].min() > 0.9
    assert of_arm[PERSON & (distance_transform_edt(~GAP) > 4)].min() > 0.95


def test_a_piece_of_an_uneven_background_is_not_the_persons() -> None:
    """A wall that grows darker, above a black table whose edge the matte took for the person's."""
    wall = GREY - (0.0008 * COLS)[..., None]
    behind = np.where((ROWS > 110)[..., None], 0.02, wall)
    piece = PERSON & (COLS > 153) & (ROWS < 108)
    photo = np.where((PERSON & ~piece)[..., None], [0.8, 0.3, 0.1], behind)
    alpha = _open(photo).alpha
    assert alpha[distance_transform_edt(piece) > 3].max() < 0.1
    assert alpha[PERSON & (distance_transform_edt(~piece) > 4)].min() > 0.95


def test_what_looks_like_the_background_may_be_the_person() -> None:
    """A pale shirt in front of a pale wall, a shadow in front of a black one, a thin highlight."""
    shirt = np.where(PERSON[..., None], GREY + 0.01, GREY)
    shadow = np.where((PERSON & ~GAP)[..., None], GREY, np.full(3, 0.02))
    thin = (np.abs(ROWS - 100) < 1) & (np.abs(COLS - 145) < 12)
    highlight = np.where((PERSON & ~thin)[..., None], BLACK, GREY)
    on_body = np.where((PERSON & ~BODY)[..., None], BLACK, GREY)
    for photo in (shirt, shadow, highlight, on_body):
        np.testing.assert_array_equal(_open(photo).alpha, PERSON)


def test_the_side_of_a_pale_dress_stays() -> None:
    """It fades into the wall at one place, and only the body's outline parts it from the rest."""
    from_edge = distance_transform_edt(PERSON) - distance_transform_edt(~PERSON)
    sharp, soft = (np.clip(0.5 + from_edge / width, 0.0, 1.0) for width in (1.0, 60.0))
    side = PERSON & (COLS > 150) & (ROWS > 105)
    share = np.where(side | (COLS > 150) & (ROWS > 120), soft, sharp)
    arm = PERSON & (COLS > 140) & (ROWS < 105)
    photo = np.where(arm[..., None], BLACK, GREY + 0.06 * share[..., None])
    np.testing.assert_array_equal(_open(photo, 0, PERSON & ~side).alpha, PERSON)


def test_a_white_sleeve_before_a_white_wall_stays() -> None:
    """No edge parts it from the wall, but a seam does from the creased shirt, which is as white."""
    sleeve = PERSON & (COLS > 156) & (ROWS > 100)
    seam = PERSON & (COLS > 154) & (COLS <= 156) & (ROWS > 100)
    creases = np.random.default_rng(1).normal(0.0, 0.05, (SIDE, SIDE)) * (PERSON & ~sleeve)
    photo = np.where(seam[..., None], BLACK, GREY + creases[..., None])
    np.testing.assert_array_equal(_open(photo, 0, PERSON & (COLS < 155)).alpha, PERSON)


def test_hair_lets_a_strong_colour_through() -> None:
    """Half of what the rim's pixels show is the pink wall behind them."""
    rim = PERSON & (np.hypot(ROWS - 100, COLS - 100) > 62)
    photo = np.where(PERSON[..., None], BLACK, PINK)
    photo = np.where(rim[..., None], 0.5 * (BLACK + PINK), photo)
    found = _open(photo, HEAD)
    inner = rim & (np.hypot(ROWS - 100, COLS - 100) < 68)
    assert 0.2 < float(np.median(found.alpha[inner])) < 0.8
    assert found.alpha[PERSON & ~rim & (np.hypot(ROWS - 100, COLS - 100) < 60)].min() > 0.95
    # Its colour is the hair's, not a mixture.
    tint = found.foreground[inner].mean(0) - BLACK
    assert np.abs(tint).max() < 0.6 * np.abs(0.5 * (PINK - BLACK)).max()
    # The limbs' rims stay: only hair lets light through.
    np.testing.assert_array_equal(_open(photo, 2).alpha, PERSON)


def test_a_white_collar_before_a_blue_wall_is_not_hair() -> None:
    """White lies off the way from dark hair to blue; and deep inside nothing shines through."""
    blue, white = np.array([0.4, 0.65, 0.9]), np.array([0.95, 0.95, 0.97])
    collar = (np.hypot(ROWS - 140, COLS - 100) < 12) | (PERSON & (ROWS > 155) & (COLS < 90))
    photo = np.where(PERSON[..., None], BLACK, blue)
    photo = np.where(collar[..., None], white, photo)
    assert _open(photo, HEAD).alpha[collar].min() > 0.95
    tinted = np.where(collar[..., None], 0.3 * BLACK + 0.7 * blue, photo)
    deep = np.hypot(ROWS - 140, COLS - 100) < 12
    assert _open(tinted, HEAD).alpha[deep].min() > 0.95


PALETTE = np.array([[0.1, 0.15, 0.3], [0.05, 0.3, 0.25], [0.15, 0.1, 0.1]])
BUSY = PALETTE[np.random.default_rng(3).integers(0, 3, (25, 25))].repeat(8, 0).repeat(8, 1)
WORN = np.array([0.9, 0.5, 0.2])
ARM = (np.abs(COLS - 140) < 10) & (np.abs(ROWS - 100) < 50)
FACE = (np.hypot(ROWS - 40, COLS - 80) < 6) & PERSON
OF_PARTS = np.select([FACE, ARM], [HEAD, ARMS[0]], 0)


def test_a_thing_behind_an_arm_is_not_the_persons() -> None:
    """A busy background has its colours beside the arm, and nobody wears them there."""
    thing = PERSON & (COLS > 152) & (np.abs(ROWS - 100) < 11)
    photo = np.where((PERSON & ~thing)[..., None], WORN, BUSY)
    alpha = _open(photo, OF_PARTS, ARM | FACE).alpha
    assert alpha[distance_transform_edt(thing) > 3].max() < 0.1
    assert alpha[PERSON & (distance_transform_edt(~thing) > 4)].min() > 0.95
    # Beside a leg it may be held, and without a head the fit is not believed.
    for other in (np.select([FACE, ARM], [HEAD, 4], 0), np.where(ARM, ARMS[0], 0)):
        assert _open(photo, other, ARM | FACE).alpha[thing].mean() > 0.5


WEB = (np.abs(ROWS - 100) < (COLS - 149) / 2) & PERSON
FITTED = ARM | FACE | ((np.abs(ROWS - 100) < 3) & (COLS >= 140) & PERSON)


def _open_web(photo: FloatArray) -> FloatArray:
    """Alpha of :data:`WEB` within the border, where a finger was fitted across it."""
    grain = np.random.default_rng(4).normal(0.0, 0.02, (SIDE, SIDE, 1))  # else it is a calm piece
    part = np.select([FACE, FITTED], [HEAD, ARMS[0]], 0)
    return _open(photo + grain, part, FITTED).alpha[distance_transform_edt(WEB) > 2]


def test_the_web_between_a_thumb_and_the_fingers_is_not_the_persons() -> None:
    """It lies within the hand as it is fitted, so that only a clear border tells."""
    assert _open_web(np.where((PERSON & ~WEB)[..., None], WORN, PALETTE[0])).max() < 0.1
    # Without an edge at the hand it is the hand's own shade, and with one at the wall a thing.
    fading = np.clip((COLS - 149) / 30.0, 0.0, 1.0)[..., None] * WEB[..., None]
    shade = np.where(PERSON[..., None], (1.0 - fading) * WORN + fading * PALETTE[0], PALETTE[0])
    thing = np.where(WEB[..., None], PALETTE[0], np.where(PERSON[..., None], WORN, [0.5, 0.6, 0.8]))
    for kept in (shade, thing):
        assert _open_web(kept).mean() > 0.5


def test_what_has_the_backgrounds_colours_beside_an_arm_may_be_the_persons() -> None:
    """A wide sleeve of one of them, a large bag, and dark hair that falls beside the arm."""
    large = PERSON & (COLS > 152) & (np.abs(ROWS - 100) < 25)
    hair = PERSON & (COLS > 152) & (ROWS > 60) & (ROWS < 100)
    head = np.hypot(ROWS - 66, COLS - 152) < 7
    with_hair = np.select([head, ARM], [HEAD, ARMS[0]], 0)
    grain = np.random.default_rng(4).normal(0.0, 0.02, (SIDE, SIDE, 1))
    for dark, worn, part in (
        (PERSON, PALETTE[0], OF_PARTS),
        (large, WORN, OF_PARTS),
        (hair, WORN, with_hair),
    ):
        color = np.where(dark[..., None], PALETTE[0] + grain, worn)
        photo = np.where(PERSON[..., None], color, BUSY)
        np.testing.assert_array_equal(_open(photo, part, ARM | (part == HEAD)).alpha, PERSON)
