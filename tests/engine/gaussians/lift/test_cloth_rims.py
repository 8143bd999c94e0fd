"""Clothes beside bare arms that were called their skin."""

from __future__ import annotations

import numpy as np
from likeness.engine.core.types import BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.pixels.cloth_rims import release_cloth_rims
from likeness.engine.gaussians.lift.surface.labels import LOWER, SKIN
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO

SKIN_LAB, JEANS_LAB, BLACK_LAB = (70.0, 14.0, 20.0), (68.0, -2.0, -12.0), (12.0, 0.0, 0.0)
ROWS, COLS = np.mgrid[:60, :60]
CLOTH = COLS < 30  # as the photo shows it
CALLED_SKIN = COLS >= 25  # as it was labelled


def _released(lab: FloatArray) -> tuple[IntArray, BoolArray]:
    """Labels, and pixels of the arm, of a trunk's cloth beside a bare arm."""
    label = np.where(CALLED_SKIN, SKIN, LOWER)
    group, label = release_cloth_rims(np.where(CALLED_SKIN, LEFT_ARM, TORSO), label, lab)
    assert not ((group == LEFT_ARM) & (label == LOWER)).any()
    return label, group == LEFT_ARM


def test_a_strip_of_jeans_stays_with_the_leg() -> None:
    lab = np.where(CLOTH[..., None], JEANS_LAB, SKIN_LAB)
    label, arm = _released(lab + np.random.default_rng(0).normal(0.0, 1.0, lab.shape))
    np.testing.assert_array_equal(label == LOWER, CLOTH)
    np.testing.assert_array_equal(arm, ~CLOTH)


def test_shade_and_what_does_not_touch_the_cloth_stay_with_the_arm() -> None:
    """The edge of an arm lies in deep shadow beside black cloth; a bracelet is as blue as jeans."""
    shade = np.clip((COLS - 25) / 15.0, 0.15, 1.0)[..., None] * SKIN_LAB
    dark = np.where(CALLED_SKIN[..., None], shade, BLACK_LAB)
    bracelet = (np.abs(ROWS - 30) < 3) & (COLS > 33)
    worn = np.where(bracelet[..., None], JEANS_LAB, np.where(CLOTH[..., None], JEANS_LAB, SKIN_LAB))
    for lab, cloth in ((dark, ~CALLED_SKIN), (worn, CLOTH)):
        np.testing.assert_array_equal(_released(lab)[1], ~cloth)


def test_a_black_picture_has_a_distance_to_black() -> None:
    with np.errstate(all="raise"):
        _released(np.zeros((60, 60, 3)))
