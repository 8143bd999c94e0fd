"""The colour of shade on skin."""

from __future__ import annotations

import numpy as np
from likeness.engine.gaussians.lift.colors.skin_shade import S, tint_shade

LIT = np.array([0.85, 0.65, 0.55])
FALL = np.array([0.9, 1.04, 1.06])
"""Powers of the light with which the channels fall off: red goes furthest."""


def test_unseen_skin_is_shaded_as_seen_skin_is() -> None:
    """The photo shows light from 1 to 0.5; behind it is 0.4."""
    rng = np.random.default_rng(0)
    light = np.concatenate([rng.uniform(0.5, 1.0, 2000), np.full(500, 0.4)])
    seen = np.arange(2500) < 2000
    # The fitted light varies less than the photo's, around its mean.
    shade = np.repeat(np.where(seen, 0.95, 0.6)[:, None], 3, axis=1)
    color = LIT * light[:, None] ** FALL + rng.normal(0.0, 0.01, (2500, 3))
    tint = tint_shade(color, shade, 1.0 * seen)
    np.testing.assert_allclose(tint.mean(1), 1.0)
    np.testing.assert_allclose(tint[seen], 1.0, atol=1e-9)
    dark = tint[~seen][0]
    assert dark[0] > 1.02 > 0.99 > dark[2]
    wanted = (0.6 / 0.95) ** (FALL - FALL.mean())
    np.testing.assert_allclose(dark, wanted / wanted.mean(), atol=0.02)


def test_light_that_is_fitted_in_its_colours_needs_no_tint() -> None:
    light = np.random.default_rng(0).uniform(0.4, 1.0, 1000)
    shade = light[:, None] ** FALL
    np.testing.assert_allclose(tint_shade(LIT * shade, shade, np.ones(1000)), 1.0, atol=1e-6)


def test_grey_or_hardly_seen_skin_has_grey_shade() -> None:
    rng = np.random.default_rng(0)
    light = rng.uniform(0.4, 1.0, (1000, 1))
    grey = np.repeat(0.7 * light, 3, axis=1)
    shade = np.repeat(light, 3, axis=1)
    np.testing.assert_allclose(tint_shade(grey, shade, np.ones(1000)), 1.0, atol=1e-6)
    few = np.where(np.arange(1000) < S.least // 2, 1.0, 0.0)
    np.testing.assert_array_equal(tint_shade(LIT * light**FALL, shade, few), 1.0)
    # One light everywhere says nothing.
    same = np.tile(LIT, (1000, 1))
    np.testing.assert_array_equal(tint_shade(same, shade, np.ones(1000)), 1.0)
