"""Distances on grids against scipy's, and against all pairs of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.distances import find_nearest, measure_depth
from scipy import ndimage


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 31), (600, 33)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_distances_are_scipys(shape: tuple[int, int], share: float) -> None:
    rng = np.random.default_rng(shape[0])
    known = rng.uniform(size=shape) < share
    known[rng.integers(shape[0]), rng.integers(shape[1])] = True
    rows, columns, distance = find_nearest(known)
    np.testing.assert_allclose(distance, ndimage.distance_transform_edt(~known), atol=1e-12)
    assert known[rows, columns].all()
    down, across = np.indices(shape) - [rows, columns]
    np.testing.assert_allclose(np.hypot(down, across), distance, atol=1e-12)
    np.testing.assert_array_equal(measure_depth(~known), distance)


def test_nearest_is_nearest_of_all() -> None:
    known = np.random.default_rng(2).uniform(size=(17, 23)) < 0.1
    at = np.argwhere(known)
    grid = np.stack(np.indices(known.shape), -1)
    apart = np.sqrt(((grid[:, :, None] - at) ** 2).sum(-1)).min(-1)
    np.testing.assert_allclose(find_nearest(known)[2], apart, atol=1e-12)


def test_nothing_known_is_farther_than_the_grid() -> None:
    rows, columns, distance = find_nearest(np.zeros((5, 7), bool))
    assert (rows == -1).all()
    assert (columns == -1).all()
    assert (distance > np.hypot(5, 7)).all()


def test_a_mask_has_no_depth_outside() -> None:
    mask = np.zeros((6, 6), bool)
    mask[1:5, 1:5] = True
    depth = measure_depth(mask)
    np.testing.assert_array_equal(depth[~mask], 0.0)
    assert depth[1, 1] == 1.0
    assert depth[2, 2] == 2.0
