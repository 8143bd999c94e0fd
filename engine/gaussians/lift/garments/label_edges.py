"""Edges of clothes that the photo does not show: as smooth as the border of their labels.

A texel has one label, and a border of texels is a staircase. Those that the border crosses take
the colours of both sides in proportion, as a rasteriser smooths the edge of a triangle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....dual_uv.sampling import SurfaceSamples
from ..surface.labels import LOWER, SKIN, UPPER, WORN


@dataclass(frozen=True)
class LabelEdgeSettings:
    """Edges of clothes that the photo does not show."""

    width: float = 1.0  # of a texel's radius, on either side of a border, that both colours share
    reach: float = 4.0  # radii within which the other side's colour is looked for


S = register_settings("lift.label_edges", LabelEdgeSettings())


def smooth_edges(
    color: FloatArray,
    label: IntArray,
    hidden: BoolArray,
    radius: FloatArray,
    samples: SurfaceSamples,
    vertices: FloatArray,
    f: IntArray,
    shares: FloatArray,
) -> FloatArray:
    """Mix the colours of texels that a border between skin and clothes, or clothes, crosses.

    Args:
        color: [N, 3] 0..1 of the texels.
        label: [N] index into ``labels.LABELS``.
        hidden: [N] texels whose colour may change.
        radius: [N] metres of their discs.
        samples: the texels.
        vertices: [V, 3] metres, of the surface that they lie on.
        f: [F, 3] its triangles.
        shares: [V, len(LABELS)] 0..1 of :func:`.labels_surface.label_surface`.

    Returns:
        [N, 3] the colours.
    """
    points = samples.points(vertices, f)
    worn = shares[:, list(WORN)].sum(1)
    borders = (
        ([SKIN], [UPPER, LOWER], 0.5 - worn),
        ([UPPER], [LOWER], 0.5 * (shares[:, UPPER] - shares[:, LOWER])),
    )
    out = color.copy()
    for first, second, level in borders:
        away = measure_distance(level, vertices, f, samples)
        near = np.abs(away) < S.width * radius
        for own, other in ((first, second), (second, first)):
            rows = np.nonzero(hidden & near & np.isin(label, own))[0]
            across = np.nonzero((np.abs(away) < S.reach * radius) & np.isin(label, other))[0]
            if len(rows) == 0 or len(across) == 0:
                continue
            to, index = cKDTree(points[across]).query(points[rows])
            found = to < S.reach * radius[rows]
            rows, index = rows[found], index[found]
            share = 0.5 - 0.5 * np.abs(away[rows]) / (S.width * radius[rows])
            out[rows] += share[:, None] * (color[across[index]] - color[rows])
    return out


def measure_distance(
    level: FloatArray, vertices: FloatArray, f: IntArray, samples: SurfaceSamples
) -> FloatArray:
    """Return the distance [N] in metres to where a linear function on each triangle is zero.

    Args:
        level: [V] its values; the distance has their sign, and is infinite where they are equal.
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        samples: [N] points on them.
    """
    used, of_sample = np.unique(samples.triangle, return_inverse=True)
    a, b, c = (vertices[f[used, k]] for k in range(3))
    rise = level[f[used]]
    normal = np.cross(b - a, c - a)
    twice = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    # The gradient of each barycentric coordinate is the opposite side turned by 90 degrees.
    turned = [np.cross(normal / twice, side) / twice for side in (c - b, a - c, b - a)]
    slope = np.linalg.norm(sum(rise[:, k, None] * turned[k] for k in range(3)), axis=1)
    here = np.einsum("nk,nk->n", samples.bary, rise[of_sample])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(slope[of_sample] > 1e-9, here / slope[of_sample], np.inf))
