"""Where sleeves end: at a step in colour."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.gaussians.lift.pixels.sleeve_ends import settle_sleeve_ends
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, RIGHT_ARM, TORSO

ROWS, COLUMNS = 40, 80
METRE = 0.01  # of a pixel: the arm reaches 0.8 metres from the body's middle
SKIN_LAB, CLOTH_LAB = np.array([80.0, 8.0, 14.0]), np.array([94.0, 0.0, 0.0])


def photograph(
    hem: float, labelled: float, arm: int = LEFT_ARM
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """An arm beside a trunk in pale cloth, whose sleeve ends ``hem`` metres from the middle.

    Its label ends elsewhere. Limbs, labels, colours and places at rest.
    """
    rows, cols = np.mgrid[:ROWS, :COLUMNS]
    x = (cols + 0.5) * METRE
    on_arm = (x > 0.16) & (rows < 10)
    trunk = x < 0.16
    group = np.select([on_arm, trunk], [arm, TORSO], -1)
    label = np.where(on_arm & (x > labelled), SKIN, UPPER) * (group >= 0)
    bare = on_arm & (x > hem)
    shade = 12.0 * np.sin(np.pi * (rows / 10.0)) - 6.0  # an arm is round
    lab = np.where(bare[..., None], SKIN_LAB, CLOTH_LAB) + np.zeros((ROWS, COLUMNS, 3))
    lab[..., 0] -= np.where(on_arm, shade, 0.0)
    lab += np.random.default_rng(2).normal(0.0, 0.8, lab.shape)
    rest = np.stack([x if arm == LEFT_ARM else -x, 0.45 - rows * METRE, np.zeros_like(x)], -1)
    return group, label, lab, rest


@pytest.mark.parametrize(("arm", "hem"), [(LEFT_ARM, 0.28), (LEFT_ARM, 0.40), (RIGHT_ARM, 0.28)])
def test_a_sleeve_ends_where_the_colours_change(arm: int, hem: float) -> None:
    group, label, lab, rest = photograph(hem, labelled=0.60, arm=arm)
    out = settle_sleeve_ends(group, label, lab, rest)
    own = group == arm
    ends = np.abs(rest[..., 0])[own & (out == UPPER)].max()
    assert ends == pytest.approx(hem, abs=0.015)
    assert (out[~own] == label[~own]).all()


@pytest.mark.parametrize("arm", [LEFT_ARM, RIGHT_ARM])
def test_a_bare_arm_has_none(arm: int) -> None:
    group, label, lab, rest = photograph(hem=0.0, labelled=0.50, arm=arm)
    out = settle_sleeve_ends(group, label, lab, rest)
    assert (out[group == arm] == SKIN).mean() > 0.98
    assert (out[(group == TORSO) & (np.abs(rest[..., 0]) < 0.1)] == UPPER).all()


def test_a_hem_that_shows_stays() -> None:
    group, label, lab, rest = photograph(hem=0.40, labelled=0.40)
    out = settle_sleeve_ends(group, label, lab, rest)
    np.testing.assert_array_equal(out, label)


def test_cloth_in_the_skins_colour_stays() -> None:
    group, label, lab, rest = photograph(hem=2.0, labelled=0.60)
    out = settle_sleeve_ends(group, label, lab, rest)
    np.testing.assert_array_equal(out, label)


def test_a_border_in_another_colour_belongs_to_the_sleeve() -> None:
    """White passes into yellow and that into skin, which it resembles more."""
    group, label, lab, rest = photograph(hem=0.44, labelled=0.60)
    yellow = (group == LEFT_ARM) & (rest[..., 0] > 0.36) & (rest[..., 0] < 0.44)
    lab[yellow] += SKIN_LAB - CLOTH_LAB
    lab[yellow, 2] += 12.0
    out = settle_sleeve_ends(group, label, lab, rest)
    assert (out[yellow] == UPPER).all()
    assert rest[..., 0][(group == LEFT_ARM) & (out == UPPER)].max() == pytest.approx(
        0.44, abs=0.015
    )


def test_a_bare_arm_across_the_chest_leaves_the_other_shoulder_dressed() -> None:
    group, label, lab, rest = photograph(hem=0.0, labelled=0.50)
    other = np.zeros_like(group, bool)
    other[10:20, 30:45] = True  # below the forearm
    group[other], label[other] = TORSO, UPPER
    rest[other] = [-0.14, 0.35, 0.0]
    lab[other] = SKIN_LAB
    out = settle_sleeve_ends(group, label, lab, rest)
    assert (out[group == LEFT_ARM] == SKIN).mean() > 0.98
    assert (out[other] == UPPER).all()
