"""Slivers beside arms that were taken for the trunk's cloth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from likeness.engine.core.types import BoolArray
from likeness.engine.gaussians.lift.pixels.sleeve_slivers import find_sleeve_slivers
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, TORSO

PIXEL = 0.004  # metres
ROW, COL = np.mgrid[:120, :160]
TRUNK = (COL > 40) & (COL < 90) & (ROW > 20)
ARM = (COL >= 90) & (COL < 120) & (ROW > 20)


def find(trunk: BoolArray, label: int = UPPER, drawn: BoolArray = TRUNK) -> BoolArray:
    """What is found where ``trunk`` [H, W] was taken for it, beside and within an arm."""
    mask = trunk | ARM
    regions = SimpleNamespace(
        mask=mask,
        group=np.where(trunk, TORSO, np.where(mask, LEFT_ARM, -1)),
        label=np.where(trunk & ~TRUNK, label, UPPER),
        trunk=SimpleNamespace(face=np.where(drawn, 0, -1), depth=np.where(drawn, 2.0, np.inf)),
    )
    camera = SimpleNamespace(K=np.diag([2.0 / PIXEL, 2.0 / PIXEL, 1.0]))
    return find_sleeve_slivers(regions, camera)  # type: ignore[arg-type]


def test_teeth_and_slivers_of_a_sleeve_are_found() -> None:
    tooth = (COL >= 90) & (COL < 97) & (ROW > 60) & (ROW < 65)
    sliver = (COL > 100) & (COL < 112) & (ROW > 80) & (ROW < 84)
    found = find(TRUNK | tooth | sliver)
    assert found[sliver].all()
    assert found[tooth].mean() > 0.8
    assert not found[~(tooth | sliver)].any()


def test_skin_wider_parts_and_what_lies_on_the_body_stay() -> None:
    tooth = (COL >= 90) & (COL < 97) & (ROW > 60) & (ROW < 65)
    assert find(TRUNK | tooth).any()
    assert not find(TRUNK | tooth, label=SKIN).any()
    assert not find(TRUNK | tooth, drawn=TRUNK | tooth).any()
    wide = (COL >= 90) & (COL < 105) & (ROW > 50) & (ROW < 75)
    assert find(TRUNK | wide).sum() < 0.05 * wide.sum()  # corners


def test_the_trunks_own_narrow_parts_stay() -> None:
    strip = (COL > 85) & (COL < 90) & (ROW > 5) & (ROW <= 20)  # away from the arm, such as a strap
    assert not find(TRUNK & (COL < 86) | strip).any()
    assert not find(np.zeros_like(TRUNK), drawn=np.zeros_like(TRUNK)).any()
    # What the frame cuts goes on beyond it, and is thicker than it looks.
    cut = (COL >= 90) & (COL < 97) & (ROW > 116)
    assert find(TRUNK | cut).sum() < 0.4 * cut.sum()
