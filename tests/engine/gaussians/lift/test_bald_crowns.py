"""Skin of the head where hair is expected: a bald crown, a forehead in the sun."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.gaussians.lift.pixels.bald_crowns import bare_bald_crown
from likeness.engine.gaussians.lift.pixels.labels_cleanup import release_lit_skin
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


@pytest.mark.parametrize(
    ("hair", "likely", "bare"),
    [
        ((12.0, 5.0, 12.0), 0.8, True),
        ((12.0, 5.0, 12.0), 0.4, False),
        ((74.0, 12.0, 24.0), 0.8, False),
    ],
)
def test_a_forehead_in_the_sun_is_skin(
    hair: tuple[float, float, float], likely: float, bare: bool
) -> None:
    """Fair hair has nearly its colours, and the parser must see skin."""
    label = np.full((40, 40), SKIN)
    label[:20] = HAIR
    lit = np.zeros((40, 40), bool)
    lit[14:20, 10:30] = True
    lab = np.empty((40, 40, 3))
    lab[:20], lab[20:], lab[lit] = hair, (55.0, 16.0, 22.0), (77.0, 14.0, 20.0)
    sees = np.where(lit, likely, 0.05)
    head = np.ones((40, 40), bool)
    made = release_lit_skin(label, lab, np.array([55.0, 16.0, 22.0]), sees, head, 15.0)
    np.testing.assert_array_equal(made, np.where(lit & bare, SKIN, label))
    curls = np.full((40, 40), HAIR)
    curls = release_lit_skin(curls, lab, np.array([55.0, 16.0, 22.0]), sees, head, 15.0)
    assert (curls == HAIR).all()
