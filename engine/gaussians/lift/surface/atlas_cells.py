"""The body's surface as a grid of cells over its atlas, and what a network gets to know of it.

The label network (:mod:`..garments.labels_network`) and its training share this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ....dual_uv.sampling import SurfaceSamples, sample_surface
from .labels import NamesArray, standard_rest
from .surfels import INNER_PARTS

GRID = 128  # cells along a side of the atlas
CELL_LABELS = ("skin", "hair", "upper", "lower", "shoes", "hat", "outer")
"""What the network tells apart, in its order."""
SEEN_LABELS = CELL_LABELS[:6]
"""What a photo's labels tell apart."""
NOT_SEEN = -1
CHANNELS = 4 * (len(SEEN_LABELS) + 4) + len(SEEN_LABELS) + 4
NUMBERS = 4 * len(SEEN_LABELS)

HEAD = ("face", "scalp", "ear", "eyelid", "lips", "neck")


@dataclass(frozen=True)
class CellSettings:
    """What is near what on the surface."""

    normal: float = 0.05  # metres that opposite halves of normals count for
    reach: float = 0.1  # metres at which trust in what is nearest has fallen to 1 / e
    across_normal: float = 0.06  # metres, the same where the other side is looked for
    across_depth: float = 0.15  # share of the distance from back to front that counts there
    most: int = 4000  # seen cells that are searched for the nearest
    few: int = 20  # seen cells of a label from which its colour is known


S = register_settings("lift.atlas_cells", CellSettings())


@dataclass(frozen=True)
class AtlasCells:
    """The M cells of the atlas that can be seen on a person.

    Attributes:
        samples: their centres on the surface.
        place: [M, 3] metres, as of :func:`.labels.standard_rest`.
        normal: [M, 3] unit, at rest.
        part: [M] names of the body's parts.
        mirror: [M] the cell of the other half, left for right.
        across: [M] the cell of the other side of the same limb, back for front.
        area: [M] square metres.
    """

    samples: SurfaceSamples
    place: FloatArray
    normal: FloatArray
    part: NamesArray
    mirror: IntArray
    across: IntArray
    area: FloatArray

    def grid(self, values: FloatArray) -> FloatArray:
        """Lay values [M, C] of the cells out as [C, GRID, GRID] float32, 0 elsewhere."""
        out = np.zeros((values.shape[1], GRID, GRID), np.float32)
        out[:, self.samples.row, self.samples.col] = values.T
        return out

    def around(self, count: int) -> IntArray:
        """Return the ``count`` nearest cells [M, count] of each, itself first."""
        points = _with_normals(self, S.normal)
        return np.asarray(cKDTree(points).query(points, k=count)[1])


def sample_cells(body: Body) -> SurfaceSamples:
    """Return where the cells lie on a body, whatever its shape."""
    samples = sample_surface(body, GRID)
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    return samples.take(~np.isin(part, INNER_PARTS))


def atlas_cells(body: Body) -> AtlasCells:
    """Lay the cells over a body.

    Args:
        body: the default body, or a person's own.
    """
    samples = sample_cells(body)
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    rest = standard_rest(body)
    place = samples.points(rest, body.f)
    normal = samples.points(vertex_normals(rest, body.f), body.f)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    points = np.concatenate([place, S.normal * normal], 1)
    mirror = cKDTree(points).query(points * [-1, 1, 1, -1, 1, 1])[1]
    flat = place * [1.0, 1.0, S.across_depth]
    points = np.concatenate([flat, S.across_normal * normal], 1)
    across = np.arange(len(points))
    for own in (np.isin(part, HEAD), ~np.isin(part, HEAD)):
        rows = np.flatnonzero(own)
        behind = points[rows] * [1, 1, -1, 1, 1, -1]
        across[rows] = rows[cKDTree(points[rows]).query(behind)[1]]
    return AtlasCells(
        samples, place, normal, part, np.asarray(mirror), across, _areas(body, samples, rest)
    )


def _areas(body: Body, samples: SurfaceSamples, rest: FloatArray) -> FloatArray:
    """[M] square metres of each cell; cells that straddle a chart's border count at most 4 cm²."""
    a, b, c = (rest[body.f[samples.triangle, k]] for k in range(3))
    metres = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    a, b, c = (body.atlas_vt[body.atlas_ft[samples.triangle, k]] for k in range(3))
    (x, y), (u, v) = (b - a).T, (c - a).T
    cells = np.abs(x * v - y * u) * GRID**2
    return np.asarray(np.minimum(metres / np.maximum(cells, 1e-9), 4e-4))


def _with_normals(cells: AtlasCells, weight: float) -> FloatArray:
    return np.concatenate([cells.place, weight * cells.normal], 1)


def label_inputs(
    cells: AtlasCells, label: IntArray, color: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute the network's inputs.

    Args:
        cells: over the body.
        label: [M] rows of :data:`SEEN_LABELS` where a photo shows the cell, else
            :data:`NOT_SEEN`.
        color: [M, 3] sRGB 0..1 in the photo, ignored where it is not seen.

    Returns:
        grid: [CHANNELS, GRID, GRID] float32: label, colour and whether it is seen, of the cell, its
            mirror, the other side, and the other side's mirror; then label and colour of the
            nearest seen cell, and the trust in it.
        numbers: [NUMBERS] float32: of each label, its median colour and the root of its share.
    """
    seen = label >= 0
    kinds = len(SEEN_LABELS)
    own = np.zeros((len(label), kinds + 4), np.float32)
    rows = np.flatnonzero(seen)
    own[rows, label[rows]] = 1.0
    own[rows, kinds : kinds + 3] = color[rows] - 0.5
    own[rows, kinds + 3] = 1.0
    near, trust = own[:, : kinds + 3] * 0.0, np.zeros((len(label), 1), np.float32)
    if len(rows):
        some = rows[:: -(-len(rows) // S.most)]
        points = _with_normals(cells, S.normal)
        distance, index = cKDTree(points[some]).query(points)
        near = own[some[index], : kinds + 3]
        trust = np.exp(-distance / S.reach)[:, None].astype(np.float32)
    both = cells.across[cells.mirror]
    values = [own, own[cells.mirror], own[cells.across], own[both], near, trust]
    numbers = np.zeros((kinds, 4), np.float32)
    for k in range(kinds):
        of_kind = color[label == k]
        if len(of_kind) >= S.few:
            numbers[k, :3] = np.median(of_kind, 0) - 0.5
            numbers[k, 3] = np.sqrt(len(of_kind) / len(label))
    return cells.grid(np.concatenate(values, 1)), numbers.ravel()
