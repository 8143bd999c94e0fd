"""Nearest points on a triangle mesh."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..core.kernels import kernel
from ..core.types import FloatArray, IntArray

CANDIDATES = 24
"""Triangles, by the distance of their middles, among which :func:`nearest_facing` searches."""

_MARGIN = 1e-9
"""Metres by which distances may be rounded."""


@kernel()
def _closest_bary(p, a, b, c):  # type: ignore[no-untyped-def]
    """Barycentric coordinates of the point of triangle abc nearest to p.

    Region by region as in Ericson, Real-Time Collision Detection, section 5.1.5.
    """
    ab, ac, ap = b - a, c - a, p - a
    d1, d2 = ab @ ap, ac @ ap
    if d1 <= 0.0 and d2 <= 0.0:
        return 1.0, 0.0, 0.0
    bp = p - b
    d3, d4 = ab @ bp, ac @ bp
    if d3 >= 0.0 and d4 <= d3:
        return 0.0, 1.0, 0.0
    cp = p - c
    d5, d6 = ab @ cp, ac @ cp
    if d6 >= 0.0 and d5 <= d6:
        return 0.0, 0.0, 1.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0 and d1 > d3:  # a side without length has no point
        t = d1 / (d1 - d3)
        return 1.0 - t, t, 0.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0 and d2 > d6:
        t = d2 / (d2 - d6)
        return 1.0 - t, 0.0, t
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 >= d3 and d5 >= d6 and (d4 - d3) + (d5 - d6) > 0.0:
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return 0.0, 1.0 - t, t
    total = va + vb + vc
    return va / total, vb / total, vc / total


@kernel()
def _distance(point, corner):  # type: ignore[no-untyped-def]
    """Squared distance to a triangle [3, 3], and the nearest point's barycentric coordinates."""
    a, b, c = corner[0], corner[1], corner[2]
    u, v, w = _closest_bary(point, a, b, c)
    ray = u * a + v * b + w * c - point
    return ray @ ray, u, v, w


@kernel()
def _search(points, corners, middle, radius, away, triangle, bary):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        best = np.inf
        for k in range(corners.shape[0]):
            x = points[i, 0] - middle[k, 0]
            y = points[i, 1] - middle[k, 1]
            z = points[i, 2] - middle[k, 2]
            reach = away[i] + radius[k]
            if x * x + y * y + z * z > reach * reach:
                continue
            distance, u, v, w = _distance(points[i], corners[k])
            if distance < best:
                best = distance
                triangle[i] = k
                bary[i, 0], bary[i, 1], bary[i, 2] = u, v, w


def closest_on_mesh(
    points: FloatArray, vertices: FloatArray, f: IntArray, faces: IntArray
) -> tuple[IntArray, FloatArray]:
    """Find the nearest surface points.

    Args:
        points: [N, 3] metres.
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        faces: [n] rows of ``f`` to search.

    Returns:
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.
    """
    corners = np.ascontiguousarray(np.asarray(vertices, np.float64)[f[faces]])
    triangle = np.zeros(len(points), np.int64)
    bary = np.zeros((len(points), 3))
    middle, radius = _spheres(corners)
    # No nearest point lies farther than the nearest triangle's middle: all triangles that are
    # wholly beyond are left out.
    away, _ = cKDTree(middle).query(points)
    given = np.ascontiguousarray(points, np.float64)
    _search(given, corners, middle, radius, away + _MARGIN, triangle, bary)
    return faces[triangle], bary


def _spheres(corners: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middles [n, 3] of triangles [n, 3, 3], and how far [n] their corners lie from them."""
    middle = corners.mean(1)
    return middle, np.linalg.norm(corners - middle[:, None], axis=2).max(1)


@kernel()
def _search_among(  # type: ignore[no-untyped-def]
    points, normals, corners, radius, facing, candidates, away, cosine, triangle, bary
):
    for i in range(points.shape[0]):
        best = np.inf
        for j in range(candidates.shape[1]):
            k = candidates[i, j]
            least = away[i, j] - radius[k] - _MARGIN
            if least > 0.0 and least * least > best:  # none of its points can be nearer
                continue
            if normals[i] @ facing[k] < cosine:
                continue
            distance, u, v, w = _distance(points[i], corners[k])
            if distance < best:
                best = distance
                triangle[i] = k
                bary[i, 0], bary[i, 1], bary[i, 2] = u, v, w


def nearest_facing(
    points: FloatArray,
    normals: FloatArray,
    vertices: FloatArray,
    f: IntArray,
    faces: IntArray,
    cosine: float,
) -> tuple[IntArray, FloatArray]:
    """Find near surface points that face the same way, among the triangles next to each point.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit vectors.
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        faces: [n] rows of ``f`` to search.
        cosine: Least cosine between a point's normal and the triangle's; -1 takes any.

    Returns:
        triangle: [N] rows of ``f``, -1 where none of the near ones faces that way.
        bary: [N, 3] barycentric coordinates.
    """
    corners = np.ascontiguousarray(np.asarray(vertices, np.float64)[f[faces]])
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    count = min(CANDIDATES, len(faces))
    middle, radius = _spheres(corners)
    away, candidates = cKDTree(middle).query(points, k=count)
    triangle = np.full(len(points), -1)
    bary = np.zeros((len(points), 3))
    _search_among(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(normals, np.float64),
        corners,
        radius,
        facing,
        candidates.reshape(len(points), count),
        away.reshape(len(points), count),
        cosine,
        triangle,
        bary,
    )
    return np.where(triangle >= 0, faces[triangle], -1), bary
