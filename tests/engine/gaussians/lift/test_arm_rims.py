"""Background along a bare arm's rim that the matte took for the arm."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.gaussians.lift.pixels.arm_rims import find_arm_rims
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM

PIXEL = 0.004  # metres
ROW, COL = np.mgrid[:60, :120]
ARM = (np.abs(ROW - 30) < 12) & (COL > 10)
PIECE = ARM & (ROW > 37) & (COL > 50) & (COL < 70)
LIGHT = np.array([0.85, 0.62, 0.5])
WALL = np.array([0.3, 0.32, 0.36])


def find(colors: FloatArray, label: int = SKIN, hand: BoolArray | None = None) -> BoolArray:
    hand = np.zeros_like(ARM) if hand is None else hand
    regions = SimpleNamespace(
        mask=ARM,
        group=np.where(ARM, LEFT_ARM, -1),
        label=np.where(ARM, label, 0),
        body=SimpleNamespace(face=np.where(ARM, 0, -1), depth=np.where(ARM, 2.0, np.inf)),
        hands_beside=np.where(hand, 2.0, np.inf),
    )
    camera = SimpleNamespace(K=np.diag([2.0 / PIXEL, 2.0 / PIXEL, 1.0]))
    return find_arm_rims(regions, colors, camera)  # type: ignore[arg-type]


def paint(piece: BoolArray, color: FloatArray = WALL) -> FloatArray:
    """An arm that grows darker towards its lower edge, with a piece of another colour."""
    shade = 1.0 - 0.5 * np.clip((ROW - 25) / 20.0, 0.0, 1.0)[..., None]
    return np.where(piece[..., None], color, shade * LIGHT)


def test_a_piece_of_background_at_the_outline_is_found() -> None:
    found = find(paint(PIECE))
    assert found[PIECE].all()
    assert (found & ~PIECE).sum() < 60  # a pixel around it
    assert not find(paint(np.zeros_like(ARM))).any()  # the shade is the arm's own


def test_marks_within_the_arm_hands_cloth_and_tattoos_stay() -> None:
    inner = ARM & (ROW > 35) & (ROW < 40) & (COL > 50) & (COL < 60)
    assert not find(paint(inner)).any()
    assert not find(paint(PIECE), hand=COL > 40).any()
    assert not find(paint(PIECE), label=UPPER).any()
    tattoo = ARM & (np.sin(COL / 3.0) > 0.5)
    assert not find(paint(PIECE | tattoo)).any()
    speck = ARM & (ROW == 41) & (COL > 50) & (COL < 54)
    assert not find(paint(speck)).any()


def test_a_strap_stays() -> None:
    strap = ARM & (COL > 60) & (COL < 65)
    assert not find(paint(strap)).any()
    assert find(paint(strap & (ROW > 34))).any()
