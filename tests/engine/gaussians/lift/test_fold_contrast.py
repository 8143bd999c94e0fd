"""The contrast of folds that no photo shows, from those that it shows."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.gaussians.lift.colors.colors_detail import S as DETAIL
from likeness.engine.gaussians.lift.colors.colors_detail import (
    _Cloth,
    _fold_contrasts,
    _pass_on_light,
    _usual_contrast,
)
from likeness.engine.gaussians.lift.colors.folds import USUAL_BANDS
from likeness.engine.gaussians.lift.surface.labels import UPPER
from likeness.engine.gaussians.lift.surface.limb_grid import LimbGrid
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM
from scipy import ndimage

EVEN = np.zeros((60, 100))


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body().personalised(np.zeros(4))


def test_folds_have_a_usual_contrast_where_none_are_seen_and_a_greatest() -> None:
    grid = LimbGrid(np.zeros(0), np.zeros(0), (60, 100), 0.006, 0.0)
    light = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=grid.shape), 2.0)
    light /= light.std()
    usual = DETAIL.usual_fold * USUAL_BANDS

    def contrasts(deviation: float, seen: float) -> np.ndarray:
        source = np.arange(100) < 100 * seen + np.zeros((60, 1))
        none = np.zeros(0, bool)
        cloth = _Cloth(
            grid, none, none, np.zeros((60, 100, 3)), deviation * light, EVEN, source, source, True
        )
        return _fold_contrasts([cloth], [1.0], DETAIL.usual_fold)

    np.testing.assert_allclose(contrasts(0.2, 0.0), usual)
    fine, *_, broad = seen = contrasts(0.07, 0.6)
    assert np.linalg.norm(seen) == pytest.approx(0.07 * np.linalg.norm(USUAL_BANDS), rel=0.25)
    assert fine < 0.3 * broad  # no more is left by a blur of 12 mm
    most = DETAIL.strongest_fold * USUAL_BANDS
    assert np.linalg.norm(contrasts(0.9, 0.6)) == pytest.approx(np.linalg.norm(most))
    # White cloth lights its own folds.
    assert _usual_contrast(np.zeros((5, 3))) == DETAIL.usual_fold
    assert _usual_contrast(np.ones((5, 3))) == pytest.approx(DETAIL.bright_fold)
    assert _usual_contrast(np.zeros((0, 3))) == DETAIL.usual_fold


def test_weave_does_not_count_as_folds() -> None:
    """Grain all over is the cloth's own; edges here and there are of folds."""
    grid = LimbGrid(np.zeros(0), np.zeros(0), (60, 100), 0.006, 0.0)
    rng = np.random.default_rng(0)
    every, none = np.ones((60, 100), bool), np.zeros(0, bool)

    def cloth(weave: np.ndarray) -> _Cloth:
        texture = np.repeat(weave[..., None], 3, axis=2)
        return _Cloth(grid, none, none, texture, EVEN, EVEN, every, every, True)

    grainy = cloth(0.05 * rng.normal(size=(60, 100)))
    edged = cloth(np.where(rng.random((60, 100)) < 0.05, 0.2, 0.0))
    for made, most in ((grainy, 0.2), (edged, np.inf)):
        folds, weave = made.fold_variance
        assert folds[0] < most * weave
    assert edged.fold_variance[1] < 0.1 * edged.fold_variance[0][0]


def test_a_print_seen_on_the_trunk_alone_goes_on_over_the_sleeves(body: Body) -> None:
    u, v = np.divmod(np.arange(6000), 100)
    grid = LimbGrid(u.astype(float), v.astype(float), (60, 100), 0.006, 0.0)
    none, every = np.zeros((60, 100), bool), np.ones((60, 100), bool)
    print_ = 0.3 * np.random.default_rng(0).normal(size=(60, 100, 3))
    no_rows = np.zeros(0, int)
    trunk = _Cloth(grid, np.zeros(6000, bool), no_rows, print_, None, EVEN, every, every, False)
    plain = np.zeros((60, 100, 3))
    rows = np.arange(6000)
    sleeve = _Cloth(grid, rows >= 0, rows, plain, EVEN, EVEN, none, none, True)
    none_seen = 1e-6 * USUAL_BANDS
    texture = sleeve.textured(np.full((6000, 3), 0.5), UPPER, [trunk], none_seen, LEFT_ARM, body)
    assert texture.std() > 0.05


def test_a_hood_keeps_its_folds_though_none_are_painted_on_a_head(body: Body) -> None:
    u, v = np.divmod(np.arange(6000), 100)
    grid = LimbGrid(u.astype(float), v.astype(float), (60, 100), 0.006, 0.0)
    light = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=grid.shape), 2.0)
    source = np.arange(100) < 50 + np.zeros((60, 1))
    wanted = v >= 50
    rows, plain = np.nonzero(wanted)[0], np.zeros((60, 100, 3))
    folds = 0.05 * light / light.std()
    cloth = _Cloth(grid, wanted, rows, plain, folds, EVEN, source, source, True)
    contrasts = _fold_contrasts([cloth], [1.0], DETAIL.usual_fold)
    texture = cloth.textured(np.full((6000, 3), 0.5), UPPER, [], contrasts, HEAD, body)
    assert 0.01 < texture.std() < 0.05


def test_an_arms_shade_ends_sooner_than_other_light() -> None:
    """A shirt was as dark where arms had been as it is in their shade below them."""
    v, u = (c.ravel() + 0.5 for c in np.indices((60, 100)))
    grid = LimbGrid(v, u, (60, 100), 0.006, 0.0)
    below = v > 50
    seen = below | (v < 10)
    nowhere = np.zeros(6000, bool)
    light = np.where(below, -0.3, 0.0)
    dark, bright = (_pass_on_light(light, seen, arm, grid) for arm in (nowhere, below))
    near, far = slice(49, 52), slice(30, 35)
    np.testing.assert_allclose(bright[near], dark[near], atol=0.08)  # no edge beside what is seen
    assert (dark[far] < -0.05).all()
    assert (bright[far] > -0.03).all()
    lit = _pass_on_light(-light, seen, below, grid)
    np.testing.assert_allclose(lit, -dark, atol=0.01)  # arms throw no light
    folds = np.random.default_rng(0).normal(0.0, 0.1, 6000)
    usual, shaded = (_pass_on_light(folds, seen, arm, grid) for arm in (nowhere, below))
    np.testing.assert_allclose(shaded, usual, atol=0.03)
