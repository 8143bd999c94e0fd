"""Pixels of clothes beside a bare arm that show its colour."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoolArray
from likeness.engine.gaussians.lift.depth_sheets import LimbBorders
from likeness.engine.gaussians.lift.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.limbs import LEFT_ARM, TORSO
from likeness.engine.gaussians.lift.skin_rims import S, doubt_skin_rims, doubt_slits

SIDE, ARM, METRE = 60, 12, 0.005
CAMERA = photo_camera(2.0 / METRE, SIDE, SIDE)
NOTHING = np.zeros((SIDE, SIDE), bool)
NO_BORDERS = LimbBorders(
    NOTHING, NOTHING, np.zeros((SIDE, SIDE, 2), int), np.zeros((2, SIDE, SIDE, 2), int), NOTHING
)
SKIN_COLOR, SHADE = np.array([0.80, 0.60, 0.50]), np.array([0.45, 0.28, 0.20])


def doubted(rim: np.ndarray, clothes: np.ndarray, width: int = 3) -> BoolArray:
    """Pixels that are not trusted; an arm in the left columns, then ``width`` of a ``rim``."""
    cols = np.broadcast_to(np.arange(SIDE), (SIDE, SIDE))
    arm, seam = cols < ARM, (cols >= ARM) & (cols < ARM + width)
    colors = np.where(arm[..., None], SKIN_COLOR, np.where(seam[..., None], rim, clothes))
    drawn: Any = SimpleNamespace(face=np.zeros((SIDE, SIDE), int), depth=np.full((SIDE, SIDE), 2.0))
    regions: Any = SimpleNamespace(
        label=np.where(arm, SKIN, UPPER), group=np.where(arm, LEFT_ARM, TORSO), body=drawn
    )
    out = doubt_skin_rims(NO_BORDERS, regions, colors, CAMERA)
    row, col = out.nearer[out.behind].T
    assert (col == ARM - 1).all()  # the arm's nearest pixel
    np.testing.assert_array_equal(row, np.nonzero(out.behind)[0])
    return out.behind


@pytest.mark.parametrize("clothes", [(0.95, 0.95, 0.95), (0.1, 0.1, 0.1), (0.2, 0.3, 0.7)])
def test_a_shaded_rim_of_skin_is_doubted(clothes: tuple[float, float, float]) -> None:
    found = doubted(SHADE, np.array(clothes))
    cols = np.broadcast_to(np.arange(SIDE), (SIDE, SIDE))
    np.testing.assert_array_equal(found, (cols >= ARM) & (cols < ARM + 3))


def test_clothes_of_one_colour_are_trusted() -> None:
    white = np.array([0.95, 0.95, 0.95])
    assert not doubted(white, white).any()
    assert not doubted(0.5 * white, white).any()  # a shadow on white


def test_far_from_the_arm_the_hue_is_the_clothes_own() -> None:
    found = doubted(SHADE, np.array([0.95, 0.95, 0.95]), width=30)
    reach = ARM + S.band / METRE
    assert not found[:, int(reach) + 1 :].any()


def test_cloth_between_fingers_is_doubted() -> None:
    """Two bars of skin 15 mm apart, which end in the middle: not the cloth beside them."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    slit = (rows >= 20) & (rows < 23) & (cols < 30)
    skin = (rows >= 14) & (rows < 29) & (cols < 30) & ~slit
    drawn: Any = SimpleNamespace(face=np.zeros((SIDE, SIDE), int), depth=np.full((SIDE, SIDE), 2.0))
    regions: Any = SimpleNamespace(
        label=np.where(skin, SKIN, UPPER), group=np.where(skin, LEFT_ARM, TORSO), body=drawn
    )
    out = doubt_slits(NO_BORDERS, regions, CAMERA)
    assert out.slits[slit & (cols < 27)].all()
    assert not out.slits[~slit].any()
    np.testing.assert_array_equal(out.behind, out.slits)
    row, col = out.nearer[out.slits].T
    assert skin[row, col].all()
    regions.group[:] = TORSO  # a bare midriff
    assert not doubt_slits(NO_BORDERS, regions, CAMERA).slits.any()
