"""Where a trunk ends behind the arm beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from likeness.engine.gaussians.lift.shape.outlines import S, find_sheet_outline, measure_excess
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS, TORSO

ROWS = "..TTTTaaaaa..", "..TTTTaaaaaTT", "..aaaTTTT....", "..TTTTssss...", "aaaaa........"


def regions_of(*rows: str, unit: float = 3.0) -> Any:
    """Regions of T (a clothed trunk), a (a bare arm), s (a sleeve) and background."""
    grid = np.array([list(row) for row in rows])
    group = np.where(np.isin(grid, ["a", "s"]), ARMS[0], TORSO)
    label = np.where(grid == "a", SKIN, UPPER)
    return SimpleNamespace(mask=grid != ".", group=group, label=label, unit=unit)


def test_only_a_bare_arm_between_trunk_and_background_bounds_the_trunk():
    excess = measure_excess(regions_of(*ROWS))
    away = np.arange(5) + 0.5
    np.testing.assert_allclose(excess[0, 6:11], np.maximum(away - 5 * S.behind_arm, 0.0))
    np.testing.assert_allclose(excess[2, 2:5], np.maximum(away[:3] - 3 * S.behind_arm, 0.0)[::-1])
    assert not excess[[1, 3, 4]].any()  # trunk on both sides, a sleeve, no trunk
    assert np.count_nonzero(excess) == np.count_nonzero(excess[[0, 2]])


def test_a_cuff_that_may_be_the_sleeves_says_nothing_of_the_trunk() -> None:
    """Cloth below a sleeve of the same cloth, off the trunk; below a bare arm it counts."""
    for worn, counts in ((UPPER, False), (SKIN, True)):
        group = np.full((40, 40), TORSO)
        group[5:15, 20:30] = ARMS[0]
        label = np.where(group == ARMS[0], worn, UPPER)
        mask = np.zeros((40, 40), bool)
        mask[2:38, 5:20] = mask[5:19, 20:30] = True  # four rows of a cuff below the arm
        rest = np.zeros((40, 40, 3))
        rest[..., 0] = np.where(np.arange(40) >= 24, -0.5, -0.3)
        regions: Any = SimpleNamespace(
            mask=mask, group=group, label=label, unit=12.0, places=SimpleNamespace(rest=rest)
        )
        outline = find_sheet_outline(regions, 0, None)
        assert outline is not None
        assert outline.counts[17, 29] == counts
        assert outline.counts[18, 20]  # beside the upper arm
        assert outline.counts[30, 19]  # far below, the trunk ends where it seems to
        assert outline.counts[25, 4]


def test_a_forearm_across_the_trunk_bounds_nothing():
    assert not measure_excess(regions_of(ROWS[0], unit=1.0)).any()
