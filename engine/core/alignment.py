"""Laying one set of points over another, and the rotation nearest to a matrix."""

from __future__ import annotations

import numpy as np

from .types import FloatArray


def fit_similarity(points: FloatArray, target: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Fit the similarity with the least squares of s R p + t - target (Umeyama 1991).

    Args:
        points: [N, D].
        target: [N, D], row by row where ``points`` shall go.

    Returns:
        Scale s, rotation R [D, D] (never a mirroring) and shift t [D].
    """
    mean, wanted = points.mean(0), target.mean(0)
    a, b = points - mean, target - wanted
    R, spread = _rotation_and_spread(b.T @ a)
    scale = float(spread.sum() / (a**2).sum())
    return scale, R, np.asarray(wanted - scale * R @ mean)


def fit_rigid(points: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit the motion with the least squares of R p + t - target (Kabsch 1976).

    Args:
        points: [N, 3].
        target: [N, 3], row by row where ``points`` shall go.

    Returns:
        Rotation R [3, 3] and shift t [3].
    """
    a, b = points.mean(0), target.mean(0)
    R = nearest_rotation((target - b).T @ (points - a))
    return R, b - R @ a


def nearest_rotation(matrices: FloatArray) -> FloatArray:
    """The rotations [..., D, D] nearest to matrices [..., D, D]; never a mirroring."""
    return _rotation_and_spread(matrices)[0]


def nearest_orthonormal(matrices: FloatArray) -> FloatArray:
    """The orthonormal matrices nearest to [..., M, N]; of a mirroring, a mirroring."""
    U, _, Vt = np.linalg.svd(np.asarray(matrices, np.float64), full_matrices=False)
    return np.asarray(U @ Vt)


def _rotation_and_spread(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nearest rotations and the singular values [..., D], the last negative where one mirrors."""
    U, spread, Vt = np.linalg.svd(matrices)
    sign = np.asarray(np.linalg.det(U @ Vt))
    U[..., -1] *= sign[..., None]
    spread[..., -1] *= sign
    return np.asarray(U @ Vt), spread
