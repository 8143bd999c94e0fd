"""Texture quilted from patches, and turned over to the other side of a limb."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.core.types import FloatArray
from likeness.engine.gaussians.lift.grids.quilt import quilt_texture
from likeness.engine.gaussians.lift.surface.colors_unroll import UnrolledLimb
from likeness.engine.gaussians.lift.surface.limb_grid import LimbGrid
from scipy import ndimage


def quilted(picture: FloatArray, shown: np.ndarray, flip: bool = False) -> FloatArray:
    out = quilt_texture(
        picture[..., None], shown, shown, ~shown, 0.005, flip, np.random.default_rng(0)
    )
    assert out is not None
    return out[..., 0]


def test_stripes_go_on_in_phase_around_a_limb() -> None:
    v, _ = np.mgrid[:80, :100]
    stripes = np.where(np.mod(v, 8) < 4, 1.0, -1.0)
    shown = np.zeros((80, 100), bool)
    shown[:, 25:75] = True
    out = quilted(np.where(shown, stripes, 9.0), shown)
    assert np.abs(out).max() < 3  # nothing of what is not shown
    assert np.corrcoef(out[~shown], stripes[~shown])[0, 1] > 0.95


def test_folds_keep_their_contrast_and_meet_what_is_shown() -> None:
    rng = np.random.default_rng(4)
    wave = ndimage.gaussian_filter(rng.standard_normal((90, 120)), 3, mode="wrap")
    wave /= wave.std()
    shown = np.zeros((90, 120), bool)
    shown[:, 30:90] = True
    out = quilted(np.where(shown, wave, 9.0), shown, flip=True)
    assert 0.7 < out[~shown].std() < 1.3
    across = np.abs(np.diff(out, axis=1))
    assert across[:, [29, 89]].mean() < 2.0 * across.mean()  # no border where the photo ends
    assert np.abs(out[:, 0] - out[:, -1]).mean() < 2.0 * across.mean()  # nor where columns wrap
    np.testing.assert_array_equal(out[shown], wave[shown])


def test_the_front_turned_over_meets_itself_at_the_sides_of_a_limb() -> None:
    unrolled = UnrolledLimb(
        np.repeat(np.arange(0.0, 0.4, 0.01), 100), np.zeros(4000), np.ones(4000)
    )
    unrolled = replace(unrolled, arc=np.tile((np.arange(100) + 0.5) / 100, 40))
    grid = LimbGrid.over(unrolled, np.arange(4000))
    columns = grid.shape[1]
    away = np.minimum(np.arange(columns), columns - np.arange(columns)) / columns
    front = np.broadcast_to(away < 0.25, grid.shape)
    values = np.broadcast_to(away[None, :, None], (*grid.shape, 1))
    turned = grid.turned_over(values, front)
    assert turned is not None
    assert (turned[1] | front).all()
    both = np.where(front[..., None], values, turned[0])[0, :, 0]
    assert np.abs(np.diff(np.append(both, both[0]))).max() < 1.5 / columns
    assert grid.turned_over(values, np.zeros(grid.shape, bool)) is None


def test_texture_that_is_laid_stays_and_patches_join_it() -> None:
    v, _ = np.mgrid[:80, :100]
    stripes = np.where(np.mod(v, 8) < 4, 1.0, -1.0)
    shown, laid = np.zeros((2, 80, 100), bool)
    shown[:, 30:70], laid[:, :20], laid[:, 80:] = True, True, True
    given = np.where(shown, stripes, 9.0)[..., None]
    rng = np.random.default_rng(0)
    cloth = (-stripes[..., None], laid)
    out = quilt_texture(given, shown, shown, ~shown, 0.005, False, rng, laid=cloth)
    assert out is not None
    np.testing.assert_array_equal(out[laid], -stripes[laid, None])
    assert np.abs(out).max() < 3


def test_without_a_window_there_is_no_texture() -> None:
    shown = np.zeros((30, 30), bool)
    shown[::2] = True
    grid = np.zeros((30, 30, 1))
    assert quilt_texture(grid, shown, shown, ~shown, 0.01, True, np.random.default_rng(0)) is None
