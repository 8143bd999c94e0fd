"""Smoothing over the pixels of a mask, and their order of elimination."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.gaussians.lift.grids.pixel_grids import neighbour_links
from likeness.engine.gaussians.lift.grids.pixel_smoother import PixelSmoother, S, dissect_pixels
from likeness.engine.gaussians.mesh_diffusion import factorize
from scipy import ndimage, sparse


def some_mask(height: int = 40, width: int = 53) -> np.ndarray:
    noise = np.random.default_rng(0).random((height, width))
    return ndimage.gaussian_filter(noise, 2.0) > 0.48


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (70, 1), (40, 53)])
def test_an_order_has_every_pixel_once(shape: tuple[int, int]) -> None:
    mask = some_mask(*shape) | (np.indices(shape).sum(0) == 0)
    order = dissect_pixels(mask)
    np.testing.assert_array_equal(np.sort(order), np.arange(mask.sum()))


def test_a_cut_parts_the_others_and_comes_last() -> None:
    mask = np.ones((11, 21), bool)
    cut = np.unravel_index(dissect_pixels(mask)[-11:], mask.shape)
    assert set(cut[1]) == {10}


def test_dissection_fills_less_than_minimum_degree() -> None:
    mask = np.ones((90, 110), bool)
    first, second, _ = neighbour_links(mask)
    A = sparse.csr_matrix((np.ones(len(first)), (first, second)), (mask.size, mask.size))
    system = (sparse.diags(np.full(mask.size, 9.0)) - (A + A.T)).tocsc()
    order = dissect_pixels(mask)
    dissected = factorize(system[order][:, order], ordered=True)
    assert dissected.L.nnz < factorize(system).L.nnz


def test_smoothed_values_solve_the_system() -> None:
    mask, rng = some_mask(), np.random.default_rng(1)
    lab = rng.uniform(0.0, 30.0, (*mask.shape, 3))
    values = rng.normal(size=(mask.sum(), 4))
    calm = ndimage.gaussian_filter(lab, (0.7, 0.7, 0.0))
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    dense = S.hold * np.eye(mask.sum())
    for (y, x), a in np.ndenumerate(number):
        for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
            v, u = y + dy, x + dx
            if a >= 0 and v < mask.shape[0] and 0 <= u < mask.shape[1] and number[v, u] >= 0:
                b, step = number[v, u], np.linalg.norm(calm[y, x] - calm[v, u])
                link = (np.exp(-0.5 * (step / S.edge) ** 2) + 1e-3) / np.hypot(dy, dx)
                dense[[a, b], [a, b]] += link
                dense[[a, b], [b, a]] -= link
    wanted = np.linalg.solve(dense, S.hold * values)
    np.testing.assert_allclose(PixelSmoother(lab, mask)(values), wanted, atol=1e-10)
