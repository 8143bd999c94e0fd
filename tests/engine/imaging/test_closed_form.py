"""Closed-form matting against the matrix of its definition, and colours whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.imaging.closed_form import estimate_foreground, solve_alpha

NOISE = 2e-5


def dense_laplacian(image: np.ndarray) -> np.ndarray:
    """The whole matting Laplacian, from equation 12 of Levin et al. (2008)."""
    height, width = image.shape[:2]
    out = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            window = [(v, u) for v in (y - 1, y, y + 1) for u in (x - 1, x, x + 1)]
            index = [v * width + u for v, u in window]
            colors = np.array([image[v, u] for v, u in window])
            covariance = np.cov(colors.T, bias=True) + NOISE / 9 * np.eye(3)
            away = colors - colors.mean(0)
            out[np.ix_(index, index)] += (
                np.eye(9) - (1 + away @ np.linalg.solve(covariance, away.T)) / 9
            )
    return out


@pytest.mark.parametrize("seed", range(4))
def test_alpha_solves_the_equations(seed: int) -> None:
    """Unknown pixels at the picture's rim included."""
    rng = np.random.default_rng(seed)
    image = rng.random((9, 12, 3)).astype(np.float32)
    alpha = (rng.random((9, 12)) > 0.5).astype(np.float64)
    unknown = rng.random((9, 12)) > 0.4
    prior, weight = rng.random(unknown.sum()), rng.uniform(0.01, 0.3, unknown.sum())
    found = solve_alpha(image, alpha, unknown, prior, weight, NOISE)
    matrix, inner = dense_laplacian(image.astype(np.float64)), unknown.ravel()
    left = matrix[np.ix_(inner, inner)] + np.diag(weight)
    right = weight * prior - matrix[np.ix_(inner, ~inner)] @ alpha.ravel()[~inner]
    np.testing.assert_allclose(found, np.linalg.solve(left, right), atol=1e-4)


def test_alpha_between_two_colours_is_their_mixture() -> None:
    """What closed-form matting promises: exact where both sides have one colour."""
    true = np.clip((np.arange(40) - 10) / 19.0, 0, 1) * np.ones((30, 1))
    image = true[..., None] * [0.9, 0.4, 0.2] + (1 - true[..., None]) * [0.1, 0.3, 0.8]
    unknown = (true > 0) & (true < 1)
    unclear, little = np.full(unknown.sum(), 0.5), np.full(unknown.sum(), 1e-6)
    found = solve_alpha(image, true, unknown, unclear, little, NOISE)
    np.testing.assert_allclose(found, true[unknown], atol=0.01)


def test_foreground_colours_are_those_that_were_mixed() -> None:
    rows, columns = np.mgrid[:96, :70] / 96.0
    front = np.stack([0.8 - 0.2 * rows, 0.3 + 0.2 * columns, 0.2 + 0 * rows], -1)
    back = np.stack([0.1 + 0.1 * columns, 0.5 + 0 * rows, 0.9 - 0.3 * rows], -1)
    alpha = np.clip(1.5 - 6 * np.abs(columns - 0.35), 0, 1)
    image = alpha[..., None] * front + (1 - alpha[..., None]) * back
    found = estimate_foreground(image, alpha)
    assert found.shape == image.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[alpha >= 1], front[alpha >= 1], atol=1e-3)
    error = np.abs(found - front)
    assert error[alpha > 0.1].max() < 0.06
    assert np.abs(image - front)[alpha > 0.1].max() > 0.4


def test_a_picture_without_background_keeps_its_colours() -> None:
    image = np.random.default_rng(0).random((5, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(estimate_foreground(image, np.ones((5, 3))), image, atol=1e-4)
