"""The shared shape: against the joint solution of linear photos, and strangers left out."""

from __future__ import annotations

import numpy as np
from likeness.engine.core.types import FloatArray
from likeness.engine.tracking.fit_state import Unknowns
from likeness.engine.tracking.shape_fusion import (
    ShapeEvidence,
    fuse_shapes,
    marginalize,
    shape_distance,
)
from likeness.engine.tracking.solver import NormalEquations

B, POSE = 5, 7


def test_marginal_is_what_is_left_when_the_rest_follows() -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, B + POSE))
    system = NormalEquations(
        Unknowns(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), 0),
        rng.normal(size=B + POSE),
        A.T @ A,
    )
    betas = np.arange(B + POSE) >= POSE
    free = ~betas
    free[2] = False  # at its bound
    matrix, gradient = marginalize(system, betas, free)
    for _ in range(3):
        step = rng.normal(size=B)
        # Best answer of the free unknowns to this step of the betas, by brute force.
        rows = np.flatnonzero(free)
        right = -(system.gradient[rows] + system.matrix[np.ix_(rows, np.flatnonzero(betas))] @ step)
        whole = np.zeros(B + POSE)
        whole[betas] = step
        whole[rows] = np.linalg.solve(system.matrix[np.ix_(rows, rows)], right)
        cost = system.gradient @ whole + 0.5 * whole @ system.matrix @ whole
        at_zero = np.zeros(B + POSE)
        at_zero[rows] = np.linalg.solve(system.matrix[np.ix_(rows, rows)], -system.gradient[rows])
        cost -= system.gradient @ at_zero + 0.5 * at_zero @ system.matrix @ at_zero
        assert np.isclose(cost, gradient @ step + 0.5 * step @ matrix @ step, rtol=1e-6)


def photo(truth: FloatArray, rng: np.random.Generator, rows: int = 4, sure: float = 5.0):
    """A linear photo: ``rows`` noisy combinations of the betas, fitted with the prior."""
    A = rng.normal(size=(rows, B)) * sure
    seen = A @ truth + rng.normal(size=rows)
    prior = np.full(B, 0.5)
    betas = np.linalg.solve(A.T @ A + np.diag(prior), A.T @ seen)
    evidence = ShapeEvidence(betas, A.T @ A, A.T @ (A @ betas - seen), prior, 1.0, "head")
    return evidence, A, seen


def test_fused_is_the_joint_solution_with_one_prior() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=B)
    photos = [photo(truth, rng) for _ in range(5)]
    A = np.concatenate([p[1] for p in photos])
    seen = np.concatenate([p[2] for p in photos])
    joint = np.linalg.solve(A.T @ A + 0.5 * np.eye(B), A.T @ seen)
    found, used = fuse_shapes([p[0] for p in photos])
    assert used.all()
    np.testing.assert_allclose(found, joint, atol=1e-8)
    assert np.abs(found - truth).mean() < min(np.abs(p[0].betas - truth).mean() for p in photos)


def test_somebody_else_and_failed_photos_are_left_out() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=B)
    photos = [photo(truth, rng, 8)[0] for _ in range(4)]
    stranger = photo(truth + 3.0, rng, 8)[0]
    failed = photo(truth - 9.0, rng, 8)[0]
    failed = ShapeEvidence(failed.betas, failed.matrix, failed.gradient, failed.prior, 0.0, "head")
    found, used = fuse_shapes([photos[0], stranger, *photos[1:], failed])
    assert used.tolist() == [True, False, True, True, True, False]
    np.testing.assert_allclose(found, fuse_shapes(photos)[0])
    assert shape_distance(stranger, found) > 10 * shape_distance(photos[0], found)
