"""Sampling of a body's surface through its texture atlas (Dual-UV's precomputed texels)."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.types import BoolArray, FloatArray, IntArray
from .model import Body


@kernel()
def _cover(corners, size, triangle, bary, count):  # type: ignore[no-untyped-def]
    for i in range(corners.shape[0]):
        x0, y0 = corners[i, 0, 0], corners[i, 0, 1]
        x1, y1 = corners[i, 1, 0], corners[i, 1, 1]
        x2, y2 = corners[i, 2, 0], corners[i, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-12:
            continue
        left = max(0, int(np.floor(min(x0, x1, x2) - 0.5)))
        right = min(size - 1, int(np.ceil(max(x0, x1, x2))))
        top = max(0, int(np.floor(min(y0, y1, y2) - 0.5)))
        bottom = min(size - 1, int(np.ceil(max(y0, y1, y2))))
        for row in range(top, bottom + 1):
            for col in range(left, right + 1):
                px, py = col + 0.5, row + 0.5
                w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) / area
                w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) / area
                w2 = 1.0 - w0 - w1
                if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                    continue
                # Centres on a common edge belong to one triangle, but count once as covered.
                if w0 > 1e-9 and w1 > 1e-9 and w2 > 1e-9:
                    count[row, col] += 1
                if triangle[row, col] < 0:
                    triangle[row, col] = i
                    bary[row, col, 0] = w0
                    bary[row, col, 1] = w1
                    bary[row, col, 2] = w2


def rasterize_atlas(
    atlas_vt: FloatArray, atlas_ft: IntArray, size: int
) -> tuple[IntArray, FloatArray, IntArray]:
    """Find the triangle that covers each texel centre of a square atlas.

    Args:
        atlas_vt: [A, 2], v down (row = v * size).
        atlas_ft: [F, 3] rows of ``atlas_vt``.
        size: Side of the atlas in texels.

    Returns:
        triangle: [size, size] int32, the first that covers a centre; -1 without one.
        bary: [size, size, 3] float32 barycentric coordinates.
        count: [size, size] int32 number of triangles that cover a centre.
    """
    corners = np.asarray(atlas_vt, np.float64)[atlas_ft] * size
    triangle = np.full((size, size), -1, np.int32)
    bary = np.zeros((size, size, 3), np.float32)
    count = np.zeros((size, size), np.int32)
    _cover(corners, size, triangle, bary, count)
    return triangle, bary, count


def atlas_texels(
    body: Body, size: int, faces: BoolArray | None = None
) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """Return the surface points at the texel centres of a square map over the body's atlas.

    Args:
        body: The body.
        size: Side of the map in texels.
        faces: [F] the triangles that are sampled; None: all.

    Returns:
        triangle: [N] int32 rows of ``body.f``, one for each covered texel in row-major order.
        bary: [N, 3] float32 barycentric coordinates.
        row: [N] int32 row of the texel.
        col: [N] int32 column of the texel.
    """
    rows = np.arange(len(body.atlas_ft)) if faces is None else np.nonzero(faces)[0]
    triangle, bary, _ = rasterize_atlas(body.atlas_vt, body.atlas_ft[rows], size)
    row, col = np.nonzero(triangle >= 0)
    found = rows[triangle[row, col]].astype(np.int32)
    return (found, bary[row, col], row.astype(np.int32), col.astype(np.int32))


@kernel()
def _blend(values, f, triangle, bary, out):  # type: ignore[no-untyped-def]
    for i in range(triangle.shape[0]):
        a, b, c = f[triangle[i], 0], f[triangle[i], 1], f[triangle[i], 2]
        for k in range(values.shape[1]):
            out[i, k] = (
                bary[i, 0] * values[a, k] + bary[i, 1] * values[b, k] + bary[i, 2] * values[c, k]
            )


def surface_points(
    vertices: FloatArray, f: IntArray, triangle: IntArray, bary: FloatArray
) -> FloatArray:
    """Interpolate vertex values at points of a mesh's triangles.

    Args:
        vertices: [V, C] positions, normals or other values of the vertices.
        f: [F, 3] triangles.
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.

    Returns:
        [N, C].
    """
    out = np.empty((len(triangle), vertices.shape[1]), np.result_type(vertices, np.float32))
    _blend(vertices, f, triangle, bary, out)
    return out
