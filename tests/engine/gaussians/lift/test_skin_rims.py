"""Pixels of clothes beside a bare arm that show its colour."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import BoolArray
from likeness.engine.gaussians.lift.photo.skin_rims import S, doubt_skin_rims
from likeness.engine.gaussians.lift.shape.depth_sheets import LimbBorders
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO

SIDE, ARM, METRE = 60, 12, 0.005
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
    nothing = np.zeros((SIDE, SIDE), bool)
    borders = LimbBorders(
        nothing, nothing, np.zeros((SIDE, SIDE, 2), int), np.zeros((2, SIDE, SIDE, 2), int)
    )
    camera = photo_camera(2.0 / METRE, SIDE, SIDE)
    out = doubt_skin_rims(borders, regions, colors, camera)
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


def test_a_wide_patch_of_the_skins_own_colour_is_trusted() -> None:
    """It is skin or a sleeve of its colour: painted as the clothes beside it, it would be lost."""
    black = np.array([0.1, 0.1, 0.1])
    reach = int(S.spill / METRE)
    assert doubted(SKIN_COLOR, black, width=reach)[:, ARM : ARM + reach].all()
    assert not doubted(SKIN_COLOR, black, width=reach + 2).any()
