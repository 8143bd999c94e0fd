"""A bald crown between hair at the sides."""

from __future__ import annotations

import numpy as np
from likeness.engine.gaussians.lift.pixels.bald_crowns import bare_bald_crown
from likeness.engine.gaussians.lift.surface.labels import HAIR, NONE, SKIN

ROWS, COLS = np.mgrid[:80, :80]
FROM_MIDDLE = np.abs(COLS - 40)
HEAD = np.hypot(ROWS - 40, 1.2 * FROM_MIDDLE) < 36
FACE = HEAD & (ROWS > 34) & (FROM_MIDDLE < 24)
CROWN = HEAD & (ROWS < 30) & (FROM_MIDDLE < 16)
LABEL = np.select([FACE, HEAD], [SKIN, HAIR], NONE)
PALE, GREY = np.array([68.0, 14.0, 18.0]), np.array([38.0, 1.0, 4.0])


def bare(lab: np.ndarray, of_skin: np.ndarray, head: np.ndarray = HEAD) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.0, 2.0, lab.shape)
    return bare_bald_crown(LABEL, lab + noise, of_skin, FACE, head)


def test_a_crown_in_the_skins_colours_is_bald_and_its_sides_are_not() -> None:
    lab = np.where((FACE | CROWN)[..., None], PALE, GREY)
    shine = lab + np.where((np.hypot(ROWS - 16, COLS - 40) < 6)[..., None], [22.0, -3.0, -4.0], 0.0)
    said = np.where(FACE | CROWN, 0.9, 0.1)
    found = bare(shine, said)
    wrong = (found == SKIN) != (FACE | CROWN)
    assert wrong[HEAD].mean() < 0.04
    assert (found[~HEAD] == NONE).all()


def test_fair_hair_and_foreheads_stay() -> None:
    fair = np.where(HEAD[..., None], PALE, GREY)
    crown = np.where((FACE | CROWN)[..., None], PALE, GREY)
    skin, sure = np.where(FACE, 0.9, 0.1), np.where(FACE | CROWN, 0.9, 0.1)
    high = HEAD & (ROWS > 28)  # a little of it may be
    for lab, said in ((fair, skin), (np.where(FACE[..., None], PALE, GREY), sure), (crown, skin)):
        np.testing.assert_array_equal(bare(lab, said), LABEL)
    np.testing.assert_array_equal(bare(crown, np.where(FACE | high, 0.9, 0.1)), LABEL)
    np.testing.assert_array_equal(bare(crown, sure, HEAD & False), LABEL)
