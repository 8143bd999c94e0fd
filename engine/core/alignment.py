"""Fits of one point set to another, and the rotation nearest to a matrix."""

from __future__ import annotations

import numpy as np

from .types import FloatArray


def fit_similarity(points: FloatArray, target: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Fit s, R and t to the least squares of s R p + t - target (Umeyama 1991).

    Args:
        points: [N, D].
        target: [N, D], the target of each point.

    Returns:
        s: Scale.
        R: [D, D] rotation, never a reflection.
        t: [D] translation.
    """
    mean, wanted = points.mean(0), target.mean(0)
    a, b = points - mean, target - wanted
    R, spread = _rotation_and_spread(b.T @ a)
    scale = float(spread.sum() / (a**2).sum())
    return scale, R, np.asarray(wanted - scale * R @ mean)


def fit_rigid(points: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit R and t to the least squares of R p + t - target (Kabsch 1976).

    Args:
        points: [N, 3].
        target: [N, 3], the target of each point.

    Returns:
        R: [3, 3] rotation.
        t: [3] translation.
    """
    a, b = points.mean(0), target.mean(0)
    R = nearest_rotation((target - b).T @ (points - a))
    return R, b - R @ a


def nearest_rotation(matrices: FloatArray) -> FloatArray:
    """Return the rotations nearest to matrices, never reflections.

    Args:
        matrices: [..., D, D].

    Returns:
        [..., D, D].
    """
    return _rotation_and_spread(matrices)[0]


def nearest_orthonormal(matrices: FloatArray) -> FloatArray:
    """Return the orthonormal matrices nearest to matrices; a reflection stays one.

    Args:
        matrices: [..., M, N].

    Returns:
        [..., M, N].
    """
    U, _, Vt = np.linalg.svd(np.asarray(matrices, np.float64), full_matrices=False)
    return np.asarray(U @ Vt)


def _rotation_and_spread(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return nearest rotations and singular values [..., D], the last negative for a reflection."""
    U, spread, Vt = np.linalg.svd(matrices)
    sign = np.asarray(np.linalg.det(U @ Vt))
    U[..., -1] *= sign[..., None]
    spread[..., -1] *= sign
    return np.asarray(U @ Vt), spread
