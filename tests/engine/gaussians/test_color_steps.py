"""Steps of colours, against the dense system of a few splats' weights."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import Camera, Gaussians
from likeness.engine.gaussians.refine.color_steps import ColorSteps, S
from likeness.engine.gaussians.refine.parameters import COLORS, COLUMNS
from likeness.engine.render import render_camera
from likeness.engine.render.cpu_weights import blending_weights

CAMERA = photo_camera(60.0, 20, 16)
COUNT = 12


@pytest.fixture(scope="module")
def splats() -> Gaussians:
    rng = np.random.default_rng(4)
    means = np.column_stack([rng.uniform(-0.25, 0.25, (COUNT, 2)), np.full(COUNT, -2.0)])
    quats = np.tile([1.0, 0.0, 0.0, 0.0], (COUNT, 1))
    scales = rng.uniform(0.03, 0.08, (COUNT, 3))
    opacities = rng.uniform(0.4, 0.9, COUNT)
    return Gaussians(means, quats, scales, opacities, rng.uniform(0.0, 1.0, (COUNT, 3)))


def dense_weights(splats: Gaussians, camera: Camera) -> np.ndarray:
    """[pixels, COUNT] what each splat adds to each pixel, from pictures of one white splat each."""
    columns = []
    for k in range(COUNT):
        colors = np.zeros((COUNT, 3))
        colors[k] = 1.0
        one = Gaussians(splats.means, splats.quats, splats.scales, splats.opacities, colors)
        columns.append(render_camera(one, camera, np.zeros(3)).rgb[..., 0].ravel())
    weights = np.stack(columns, 1)
    assert (weights.sum(0) > 0.5).all()
    return weights


def wide_limits() -> tuple[np.ndarray, np.ndarray]:
    return np.full((COUNT, 3), -9.0, np.float32), np.full((COUNT, 3), 9.0, np.float32)


def test_a_step_is_the_mean_residual_under_the_splat(splats: Gaussians) -> None:
    weights = dense_weights(splats, CAMERA).astype(np.float64)
    rng = np.random.default_rng(5)
    residual = rng.normal(size=(len(weights), 3))  # wanted minus drawn
    free = rng.uniform(0.2, 1.0, (COUNT, 3))
    numbers = np.zeros((COUNT, COLUMNS), np.float32)
    painted = weights.sum(0)
    ColorSteps(free, *wide_limits()).take(numbers, weights.T @ residual, painted, 0.0)
    wanted = S.relaxation * free * (weights.T @ residual) / (painted + S.damping)[:, None]
    np.testing.assert_allclose(numbers[:, COLORS], wanted, rtol=1e-4, atol=1e-6)
    assert (numbers[:, COLORS.stop :] == 0.0).all()


def test_steps_approach_the_least_squares(splats: Gaussians) -> None:
    weights = dense_weights(splats, CAMERA).astype(np.float64)
    truth = weights @ np.random.default_rng(6).uniform(0.0, 1.0, (COUNT, 3))
    numbers = np.zeros((COUNT, COLUMNS), np.float32)
    painted = blending_weights(splats, CAMERA)
    steps = ColorSteps(np.ones((COUNT, 3)), *wide_limits())
    errors = []
    for _ in range(60):
        residual = truth - weights @ numbers[:, COLORS]
        errors.append(float(np.square(residual).mean()))
        steps.take(numbers, weights.T @ residual, painted, 0.0)
    assert (np.diff(errors) < 0.0).all()
    assert errors[-1] < 0.02 * errors[0]


def test_limits_hold_and_bound_splats_stay(splats: Gaussians) -> None:
    low, high = np.full((COUNT, 3), 0.4, np.float32), np.full((COUNT, 3), 0.6, np.float32)
    free = np.ones((COUNT, 3))
    free[0] = 0.0
    numbers = np.full((COUNT, COLUMNS), 0.5, np.float32)
    residual = np.full((COUNT, 3), 500.0)
    steps = ColorSteps(free, low, high)
    for _ in range(3):
        steps.take(numbers, residual, np.ones(COUNT), 0.5)
    np.testing.assert_array_equal(numbers[0], 0.5)
    np.testing.assert_array_equal(numbers[1:, COLORS], np.float32(0.6))


def test_a_prefix_that_is_drawn_alone_moves_alone() -> None:
    numbers = np.full((COUNT, COLUMNS), 0.5, np.float32)
    steps = ColorSteps(np.ones((COUNT, 3)), *wide_limits())
    steps.take(numbers, np.full((COUNT, 3), 5e-3), np.ones(5), 0.5)
    assert (numbers[:5, COLORS] > 0.5).all()
    np.testing.assert_array_equal(numbers[5:], 0.5)
