"""Laying one set of points over another."""

from __future__ import annotations

import numpy as np

from .types import FloatArray


def fit_similarity(points: FloatArray, target: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Scale s, rotation R [D, D] and shift t [D] with the least squares of s R p + t - target.

    Args:
        points, target: [N, D] (Umeyama 1991). No mirroring.
    """
    mean, wanted = points.mean(0), target.mean(0)
    a, b = points - mean, target - wanted
    U, spread, Vt = np.linalg.svd(b.T @ a)
    signs = np.ones(len(spread))
    signs[-1] = np.sign(np.linalg.det(U @ Vt))
    R = U @ np.diag(signs) @ Vt
    scale = float((spread * signs).sum() / (a**2).sum())
    return scale, np.asarray(R), np.asarray(wanted - scale * R @ mean)
