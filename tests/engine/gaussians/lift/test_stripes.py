"""Striped cloth that goes on where the photo does not show it."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, FloatArray
from likeness.engine.gaussians.lift.colors.stripes import continue_stripes
from likeness.engine.gaussians.lift.surface.limb_grid import LimbGrid
from scipy import ndimage

STEP = 0.005
GRID = LimbGrid(np.zeros(0), np.zeros(0), (90, 176), STEP, 0.0)
ROW, COLUMN = np.mgrid[: GRID.shape[0], : GRID.shape[1]].astype(float)


def cloth(across: FloatArray, period: float) -> FloatArray:
    """[R, C, 3] a broad dark and a narrow light stripe in each ``period`` cells ``across``."""
    part = np.mod(across / period, 1.0)
    shape = np.where(part < 0.65, -0.3, 0.4)
    return ndimage.gaussian_filter(shape[..., None] * [1.0, 0.8, 0.5], (0.6, 0.6, 0.0))


def front() -> BoolArray:
    """[R, C] the half around column 0, its edges uneven, without a row of buttons."""
    aside = np.minimum(COLUMN, GRID.shape[1] - COLUMN)
    return (aside < 40 + 3 * np.sin(ROW / 9)) & (aside > 2) & (ROW > 8)


def only(texture: FloatArray) -> FloatArray:
    """The texture where it is seen, noise elsewhere."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, texture.shape)
    return np.where(front()[..., None], texture, noise)


def agree(a: FloatArray, b: FloatArray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("period", [8.0, 11.0])  # 22 and 16 stripes: whole numbers of them
def test_stripes_along_a_limb_close_behind_in_phase(period: float) -> None:
    truth = cloth(COLUMN, period)
    drawn = continue_stripes(only(truth), front(), GRID)
    assert drawn is not None
    assert agree(drawn, truth) > 0.85  # also behind, and in the rows that show nothing
    assert 0.7 < drawn.std() / truth.std() < 1.3


def test_stripes_that_do_not_fit_are_widened_a_little_and_not_broken() -> None:
    drawn = continue_stripes(only(cloth(COLUMN - 88.0, 9.3)), front(), GRID)
    assert drawn is not None
    light = drawn[50, 45:131, 0] - drawn[50, 45:131, 0].mean()
    rises = np.nonzero((light[:-1] < 0.0) & (light[1:] >= 0.0))[0]
    assert np.diff(rises).min() >= 8
    assert np.diff(rises).max() <= 11


def test_stripes_around_a_limb_keep_their_height() -> None:
    truth = cloth(ROW + 0.02 * np.abs(COLUMN - 88.0), 7.0)
    drawn = continue_stripes(only(truth), front(), GRID)
    assert drawn is not None
    shown = ROW > 8
    assert agree(drawn[shown & front()], truth[shown & front()]) > 0.85
    behind = shown & (np.abs(COLUMN - 88.0) < 20)
    level = drawn[..., 0] - drawn[:, 88:89, 0]
    assert np.abs(level[behind]).mean() < 0.5 * np.abs(drawn[behind][..., 0]).mean()


def test_spots_folds_and_scraps_of_cloth_are_no_stripes() -> None:
    rng = np.random.default_rng(1)
    spots = 3.0 * ndimage.gaussian_filter(rng.normal(size=(*GRID.shape, 3)), (2.0, 2.0, 0.0))
    assert continue_stripes(spots, front(), GRID) is None
    folds = ndimage.gaussian_filter1d(rng.normal(size=GRID.shape[1]), 4.0)  # have no period
    straight = np.broadcast_to(folds[None, :, None], (*GRID.shape, 3))
    assert continue_stripes(straight, front(), GRID) is None
    scrap = front() & (ROW < 11)
    assert continue_stripes(cloth(COLUMN, 8.0), scrap, GRID) is None
    two = front() & (ROW > 8) & (ROW < 46)
    assert continue_stripes(cloth(ROW, 18.0), two, GRID) is None
    assert continue_stripes(cloth(ROW, 11.0), two, GRID) is not None
    assert continue_stripes(cloth(ROW, 8.0), two, GRID, folds=True) is None  # a waist's gathers
    assert continue_stripes(cloth(ROW, 6.0), two, GRID, folds=True) is not None  # a down jacket
