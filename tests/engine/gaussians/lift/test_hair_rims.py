"""The border of a face and the hair beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.photo.border_pixels import settle_hair
from likeness.engine.gaussians.lift.pixels.hair_rims import claim_hair_rims
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN
from likeness.engine.gaussians.lift.surface.limbs import HEAD, TORSO

TONE = np.array([0.85, 0.65, 0.55])
UNIT = 50.0  # pixels between the eyes


def face_and_hair(
    hair: FloatArray = 0.2 * TONE, skin: FloatArray = TONE, side: int = 60
) -> tuple[IntArray, FloatArray]:
    """Labels, and colours [H, W, 3]: hair reaches two columns farther than it is labelled."""
    rng = np.random.default_rng(0)
    column = np.arange(side)
    label = np.tile(np.where(column < 20, HAIR, SKIN), (side, 1))
    colors = np.where((column < 22)[:, None], hair, skin) * np.ones((side, 1, 1))
    return label, colors * rng.uniform(0.95, 1.05, (side, side, 1))


def test_skin_in_the_colour_of_the_hair_beside_it_is_hair() -> None:
    label, colors = face_and_hair()
    everywhere = np.ones(label.shape, bool)
    brow = (slice(40, 44), slice(40, 50))  # as dark, and far from it
    colors[brow] = 0.2 * TONE
    lab = rgb_to_lab(colors)
    out = claim_hair_rims(label, lab, everywhere, UNIT)
    assert (out[:, :22] == HAIR).all()
    assert (out[:, 22:] == SKIN).all()
    hand = everywhere.copy()
    hand[:30] = False
    assert (claim_hair_rims(label, lab, hand, UNIT)[:30] == label[:30]).all()
    bald = np.full_like(label, SKIN)
    np.testing.assert_array_equal(claim_hair_rims(bald, lab, everywhere, UNIT), bald)


def test_neither_fair_hair_nor_an_earring_beside_hair_is_taken_for_it() -> None:
    label, colors = face_and_hair(hair=0.97 * TONE)
    everywhere = np.ones(label.shape, bool)
    np.testing.assert_array_equal(
        claim_hair_rims(label, rgb_to_lab(colors), everywhere, UNIT), label
    )
    label, colors = face_and_hair()
    colors[20:26, 20:22] = [0.1, 0.2, 0.7]
    out = claim_hair_rims(label, rgb_to_lab(colors), everywhere, UNIT)
    assert (out[20:26, 20:22] == SKIN).all()


@pytest.mark.parametrize("group", [HEAD, TORSO])
def test_fine_pixels_of_a_faces_rim_go_to_the_hair(group: int) -> None:
    """A shoulder that long hair borders on has no such rim."""
    label, colors = face_and_hair()
    regions = SimpleNamespace(label=label, group=np.full(label.shape, group))
    view: Any = SimpleNamespace(regions=regions, colors=colors)
    fine = colors.repeat(2, 0).repeat(2, 1)
    row, col = np.indices(fine.shape[:2]) // 2
    of_row, of_col, moved = settle_hair(fine, row, col, view)
    rim: BoolArray = (col >= 20) & (col < 22) & (group == HEAD)
    np.testing.assert_array_equal(moved, rim)
    assert (label[of_row, of_col][rim] == HAIR).all()
    np.testing.assert_array_equal(of_col[~rim], col[~rim])
    regions.label = np.full_like(label, SKIN)
    assert not settle_hair(fine, row, col, view)[2].any()
