"""Cloth laid flat: each chart's own coordinates in metres, in which patterns are painted.

A chart is a piece of cloth whose texture coordinates hang together: what a tailor cuts. Its
coordinates go ``across`` and ``up`` (against the limb's direction: up the trunk and the legs,
from the wrist to the shoulder on sleeves), as seen from outside, on the T-pose. They are the
least-squares answer to gradients of length one in these directions, a Poisson equation: patterns
neither swim with the pose nor stretch with the texture's layout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from ..core.types import FloatArray, IntArray
from ..wardrobe.cloth_mesh import Cloth
from ..wardrobe.cloth_pieces import limb_shares

UP = np.array([[0, 1, 0], [-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], float)


@dataclass(frozen=True)
class Charts:
    """A cloth's charts.

    Attributes:
        chart: [F] of each triangle.
        limb: [charts] row of :data:`LIMBS`.
        across_up: [F, 3, 2] metres, of the triangles' corners.
        area: [charts] square metres.
    """

    chart: IntArray
    limb: IntArray
    across_up: FloatArray
    area: FloatArray


def flatten_cloth(cloth: Cloth, chart: IntArray | None = None) -> Charts:
    """Lay a cloth flat.

    Args:
        cloth: at rest.
        chart: [F] of each triangle; None: by the texture coordinates.
    """
    f = cloth.f
    if chart is None:
        cell = (np.round(cloth.uv * 8192).astype(np.int64) + (1 << 17)) & 0x3FFFF
        keys = f.astype(np.int64) << 36 | cell[..., 0] << 18 | cell[..., 1]
    else:
        keys = f.astype(np.int64) << 36 | chart.astype(np.int64)[:, None]
    unique, row = np.unique(keys, return_inverse=True)
    corner, count = row.reshape(f.shape), len(unique)
    vertex = unique >> 36
    links = (corner.ravel(), corner[:, [1, 2, 0]].ravel())
    table = sparse.coo_matrix((np.ones(f.size), links), (count, count))
    charts, of_point = connected_components(table, directed=False)
    chart = of_point[corner[:, 0]]

    p = np.asarray(cloth.rest, np.float64)[f]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    double = np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    normal /= double[:, None]
    area = np.bincount(chart, double / 2, charts)
    shares = limb_shares(cloth.skinning)[f].mean(1) * double[:, None]
    limb = np.stack([np.bincount(chart, s, charts) for s in shares.T], 1).argmax(1)

    axis = UP[limb][chart]
    up = axis - (axis * normal).sum(1, keepdims=True) * normal
    sure = np.linalg.norm(up, axis=1, keepdims=True)  # 0 where the cloth lies across the limb
    up /= np.maximum(sure, 1e-6)
    across = np.cross(up, normal)
    # Gradients of the three hat functions of each triangle.
    opposite = np.stack([p[:, 2] - p[:, 1], p[:, 0] - p[:, 2], p[:, 1] - p[:, 0]], 1)
    hats = np.cross(normal[:, None], opposite) / double[:, None, None]
    faces = np.arange(len(f))
    rows = np.broadcast_to(3 * faces[:, None, None] + np.arange(3), (len(f), 3, 3))
    columns = np.broadcast_to(corner[..., None], (len(f), 3, 3))
    gradient = sparse.csr_matrix(
        (hats.ravel(), (rows.ravel(), columns.ravel())), (3 * len(f), count)
    )
    weighted = gradient.T @ sparse.diags(np.repeat(double * (0.05 + sure[:, 0]), 3))
    system = (weighted @ gradient).tocsc()
    system = system + sparse.identity(count, format="csc") * (1e-9 * system.diagonal().mean())
    wanted = np.stack([across.reshape(-1), up.reshape(-1)], 1)
    flat = splu(system).solve(np.asarray(weighted @ wanted))
    held = np.bincount(of_point, minlength=charts)
    height = (cloth.rest[vertex] * UP[limb][of_point]).sum(1)
    for k, target in ((0, np.zeros(count)), (1, height)):
        off = np.bincount(of_point, target - flat[:, k], charts) / held
        flat[:, k] += off[of_point]
    return Charts(chart, limb, flat[corner], np.asarray(area, np.float64))


def pack_charts(charts: Charts) -> FloatArray:
    """[F, 3, 2] texture coordinates (v down): all charts at one scale, on shelves of a square."""
    number = int(charts.chart.max()) + 1
    low = np.full((number, 2), np.inf)
    high = np.full((number, 2), -np.inf)
    for k in range(3):
        np.minimum.at(low, charts.chart, charts.across_up[:, k])
        np.maximum.at(high, charts.chart, charts.across_up[:, k])
    size = high - low
    gap = 0.012
    order = np.argsort(-size[:, 1], kind="stable")
    scale = 0.9 / np.sqrt(size.prod(1).sum())
    while True:
        place = np.zeros((number, 2))
        x, y, shelf = gap, gap, 0.0
        for k in order:
            w, h = size[k] * scale
            if x + w + gap > 1.0:
                x, y, shelf = gap, y + shelf + gap, 0.0
            place[k] = x, y
            x, shelf = x + w + gap, max(shelf, h)
        if y + shelf + gap <= 1.0 and (size[:, 0] * scale + 2 * gap <= 1.0).all():
            break
        scale *= 0.97
    uv = (charts.across_up - low[charts.chart][:, None]) * scale + place[charts.chart][:, None]
    uv[..., 1] = 1.0 - uv[..., 1]
    return np.asarray(uv)
