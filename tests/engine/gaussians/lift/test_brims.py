"""Brims known by the outline of a head alone: hats in the colours of hair."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.gaussians.lift.pixels.brims import find_brim
from likeness.engine.gaussians.lift.surface.labels import HAIR, HAT, SKIN
from scipy import ndimage

from .test_lift_hats import BRIM, Wearer

DARK, BROWN = np.array([15.0, 3.0, 4.0]), np.array([45.0, 15.0, 30.0])
SHOULDERS = 110
"""Row from which on pixels are not the head's."""


def look(wearer: Wearer, hair: int = 0, color: FloatArray = DARK) -> tuple[IntArray, IntArray]:
    """Labels where the hat was taken for hair, and what was found.

    Hair of another colour hangs beside the face from below the brim, ``hair`` pixels far.
    """
    regions = wearer.regions
    hat = regions.label == HAT
    lab = np.where(hat[..., None], BROWN, [65.0, 15.0, 20.0])
    lab = lab + np.random.default_rng(0).normal(0.0, 2.0, lab.shape)
    row = np.mgrid[: len(hat), :1][0]
    label = np.where(hat, HAIR, regions.label)
    rim = np.nonzero(hat.any(1))[0].max()
    locks = ndimage.binary_dilation(regions.face, iterations=8) & ~regions.face & ~hat
    locks &= (row > rim - 8) & (row < rim + hair)
    label = np.where(locks, HAIR, label)
    lab[locks] = color + np.random.default_rng(1).normal(0.0, 2.0, (locks.sum(), 3))
    head = (regions.mask | locks) & (row < SHOULDERS)
    brow = float(np.nonzero(regions.face.any(1))[0].min()) + 0.3 * regions.unit
    return label, find_brim(label, lab, head, brow, regions.unit)


@pytest.mark.parametrize("hair", [0, 40])
def test_a_hat_in_the_colour_of_hair_is_known_by_its_brim(average: Body, hair: int) -> None:
    wearer = Wearer.of(average, BRIM, tilt=0.1)
    hat = wearer.regions.label == HAT
    label, found = look(wearer, hair)
    assert (found[hat] == HAT).mean() > 0.93
    locks = (label == HAIR) & ~hat
    assert locks.any() == bool(hair)
    if hair:
        assert (found[locks] == HAIR).mean() > 0.8
    others = label != HAIR
    np.testing.assert_array_equal(found[others], label[others])


@pytest.mark.parametrize("hair", [0, 40])
def test_a_head_without_a_brim_keeps_its_hair(average: Body, hair: int) -> None:
    label, found = look(Wearer.of(average, 0.0, tilt=0.1), hair)
    assert (label == SKIN).any()
    np.testing.assert_array_equal(found, label)


def test_nothing_is_found_in_an_empty_picture() -> None:
    nothing = np.zeros((20, 20), int)
    found = find_brim(nothing, np.zeros((20, 20, 3)), nothing > 0, 5.0, 4.0)
    np.testing.assert_array_equal(found, nothing)
