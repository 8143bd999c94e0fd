"""Cloth as a mesh: cutting it to a pattern, keeping it outside the body, giving it an edge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..core.geometry import vertex_normals
from ..core.kernels import kernel
from ..core.types import BoolArray, FloatArray, IntArray
from .mesh_parts import LABEL

NEIGHBOURS = 10  # triangles, nearest by centre, that are searched for the closest point


@dataclass(frozen=True)
class Cloth:
    """A garment on a person in the T-pose, before it is posed and painted.

    Attributes:
        name: for messages.
        rest: [V, 3] metres.
        skinning: [V, 55].
        f: [F, 3].
        uv: [F, 3, 2] of the corners, v down, 0..1.
        label: [F] uint8 rows of :data:`.mesh_parts.LABELS`.
    """

    name: str
    rest: FloatArray
    skinning: FloatArray
    f: IntArray
    uv: FloatArray
    label: NDArray[np.uint8]


def _unique_edges(edges: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Edges [U, 2] without direction or repetition.

    Also the row of each of ``edges`` [E, 2] among them, and how often each occurs.
    """
    low, high = edges.min(1).astype(np.int64), edges.max(1).astype(np.int64)
    key, row, count = np.unique(low << 32 | high, return_inverse=True, return_counts=True)
    return np.stack([key >> 32, key & 0xFFFFFFFF], 1), row.reshape(-1), count


def split_triangles(
    points: FloatArray, f: IntArray, values: FloatArray
) -> tuple[FloatArray, IntArray, IntArray, BoolArray]:
    """Cut triangles along the line where ``values`` change their sign.

    Args:
        points: [V, K] whatever is interpolated along the edges.
        f: [F, 3] triangles.
        values: [V] whose sign decides.

    Returns:
        points [V', K] (the new ones last), triangles [F', 3], the row in ``f`` that each comes
        from, and whether it lies on the positive side.
    """
    above = values > 0
    count = above[f].sum(1)
    mixed = (count == 1) | (count == 2)
    cut = f[mixed]
    lone = np.where(count[mixed] == 1, above[cut].argmax(1), above[cut].argmin(1))
    a, b, c = np.take_along_axis(cut, (lone[:, None] + np.arange(3)) % 3, 1).T
    edges = np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)])
    unique, row, _ = _unique_edges(edges)
    ab, ac = len(points) + row.reshape(2, -1)
    low, high = values[unique[:, 0]], values[unique[:, 1]]
    share = (low / np.where(low == high, 1.0, low - high))[:, None]
    new = points[unique[:, 0]] * (1 - share) + points[unique[:, 1]] * share
    pieces = [
        f[~mixed],
        np.stack([a, ab, ac], 1),
        np.stack([ab, b, c], 1),
        np.stack([ab, c, ac], 1),
    ]
    rows = np.flatnonzero(mixed)
    sides = [above[f[~mixed, 0]], above[a], above[b], above[b]]
    parent = np.concatenate([np.flatnonzero(~mixed), rows, rows, rows])
    return np.concatenate([points, new]), np.concatenate(pieces), parent, np.concatenate(sides)


def compact_mesh(points: FloatArray, f: IntArray) -> tuple[FloatArray, IntArray]:
    """Drop the points that no triangle uses.

    Args:
        points: [V, K] whatever belongs to the vertices.
        f: [F, 3] triangles.

    Returns:
        The used points [U, K], and the triangles [F, 3] in their rows.
    """
    used, f_new = np.unique(f, return_inverse=True)
    return points[used], f_new.reshape(f.shape)


def subdivide_cloth(cloth: Cloth) -> Cloth:
    """Make four triangles of each, the new vertices on a curved surface.

    Phong tessellation (Boubekeur and Alexa 2008).
    """
    f, count = cloth.f, len(cloth.rest)
    normals = vertex_normals(cloth.rest, f)
    unique, row, _ = _unique_edges(f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2))
    a, b = cloth.rest[unique[:, 0]], cloth.rest[unique[:, 1]]
    middle = (a + b) / 2
    for end, n in ((a, normals[unique[:, 0]]), (b, normals[unique[:, 1]])):
        middle = middle - 0.3 * ((((a + b) / 2 - end) * n).sum(1, keepdims=True)) * n
    m = count + row.reshape(-1, 3)
    f_new = np.concatenate(
        [
            np.stack([f[:, 0], m[:, 0], m[:, 2]], 1),
            np.stack([f[:, 1], m[:, 1], m[:, 0]], 1),
            np.stack([f[:, 2], m[:, 2], m[:, 1]], 1),
            m,
        ]
    )
    uv, half = cloth.uv, (cloth.uv + cloth.uv[:, [1, 2, 0]]) / 2
    uv_new = np.concatenate(
        [
            np.stack([uv[:, 0], half[:, 0], half[:, 2]], 1),
            np.stack([uv[:, 1], half[:, 1], half[:, 0]], 1),
            np.stack([uv[:, 2], half[:, 2], half[:, 1]], 1),
            half,
        ]
    )
    skinning = (cloth.skinning[unique[:, 0]] + cloth.skinning[unique[:, 1]]) / 2
    return replace(
        cloth,
        rest=np.concatenate([cloth.rest, middle]),
        skinning=np.concatenate([cloth.skinning, skinning]),
        f=f_new,
        uv=uv_new,
        label=np.tile(cloth.label, 4),
    )


def border_edges(f: IntArray) -> IntArray:
    """Find the edges that only one triangle has.

    Args:
        f: [F, 3] triangles.

    Returns:
        [E, 2] vertices, in the triangle's own direction.
    """
    directed = f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    _, row, count = _unique_edges(directed)
    out: IntArray = directed[count[row] == 1]
    return out


def border_distance(points: FloatArray, f: IntArray, asked: FloatArray | None = None) -> FloatArray:
    """Measure how far points are from a mesh's open edge.

    Args:
        points: [V, 3] the mesh's vertices, metres.
        f: [F, 3] triangles.
        asked: [N, 3] points to measure, metres; None: the mesh's vertices.

    Returns:
        [N] metres; 10 where the mesh has no open edge.
    """
    asked = points if asked is None else asked
    edges = border_edges(f)
    if not len(edges):
        return np.full(len(asked), 10.0)
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    return np.asarray(cKDTree(np.concatenate([a, (a + b) / 2])).query(asked)[0])


def neighbour_mean_matrix(f: IntArray, count: int, along_border: bool = True) -> sparse.csr_matrix:
    """[V, V] sparse: takes values at vertices to the mean of their neighbours'.

    Args:
        f: [F, 3] triangles.
        count: number of vertices.
        along_border: whether vertices of an open edge follow that edge only, so that it stays a
            smooth line.
    """
    edges = f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    border = border_edges(f)
    if along_border and len(border):
        on_edge = np.zeros(count, bool)
        on_edge[border] = True
        inner = edges[~on_edge[edges[:, 0]]]
        back = edges[~on_edge[edges[:, 1]]][:, ::-1]
        edges = np.concatenate([inner, back, border, border[:, ::-1]])
    else:
        edges = np.concatenate([edges, edges[:, ::-1]])
    table = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    table.data[:] = 1.0
    total = np.asarray(table.sum(1)).ravel()
    alone = np.flatnonzero(total == 0)
    table = table + sparse.csr_matrix((np.ones(len(alone)), (alone, alone)), (count, count))
    return sparse.diags(1.0 / np.maximum(total, 1.0)) @ table


@kernel()
def _nearest(points, corners, candidates, far, size, closest, face, weights):  # type: ignore[no-untyped-def]
    for i in range(len(points)):
        best = 1e30
        for rank in range(candidates.shape[1]):
            k = candidates[i, rank]
            # No point of the triangle can be nearer than its centre less its size.
            least_far = far[i, rank] - size[k]
            if least_far > 0.0 and least_far * least_far > best:
                continue
            a, b, c = corners[k, 0], corners[k, 1], corners[k, 2]
            e, g, p = b - a, c - a, points[i] - a
            ee, eg, gg, pe, pg = e @ e, e @ g, g @ g, p @ e, p @ g
            det = ee * gg - eg * eg
            v = w = -1.0
            if det > 1e-24:
                v, w = (gg * pe - eg * pg) / det, (ee * pg - eg * pe) / det
            if v < 0.0 or w < 0.0 or v + w > 1.0:
                # Outside: the nearest point lies on one of the sides.
                least = 1e30
                bv, bw = 0.0, 0.0
                for side in range(3):
                    if side == 0:
                        t = min(1.0, max(0.0, pe / max(ee, 1e-24)))
                        sv, sw = t, 0.0
                    elif side == 1:
                        t = min(1.0, max(0.0, pg / max(gg, 1e-24)))
                        sv, sw = 0.0, t
                    else:
                        h = g - e
                        t = min(1.0, max(0.0, ((p - e) @ h) / max(h @ h, 1e-24)))
                        sv, sw = 1.0 - t, t
                    d = p - sv * e - sw * g
                    if d @ d < least:
                        least, bv, bw = d @ d, sv, sw
                v, w = bv, bw
            q = a + v * e + w * g
            d = points[i] - q
            if d @ d < best:
                best = d @ d
                closest[i] = q
                face[i] = k
                weights[i, 0], weights[i, 1], weights[i, 2] = 1.0 - v - w, v, w


class TriangleSurface:
    """Triangles that can be searched for the nearest point.

    Args:
        vertices: [V, 3] metres.
        f: [F, 3] those that count.
        normals: [V, 3] of the whole mesh, if these are only a part of it.
    """

    def __init__(self, vertices: FloatArray, f: IntArray, normals: FloatArray | None = None):
        self.f = f
        self.normals = vertex_normals(vertices, f) if normals is None else normals
        self._corners = np.ascontiguousarray(vertices[f], np.float64)
        centres = self._corners.mean(1)
        self._size = np.linalg.norm(self._corners - centres[:, None], axis=2).max(1, initial=0.0)
        self._tree = cKDTree(centres) if len(f) else None

    def nearest(
        self, points: FloatArray, reach: float = np.inf
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Find the closest points of the surface.

        Args:
            points: [N, 3] metres.
            reach: how far to search, metres.

        Returns:
            Closest points [N, 3], the surface's unit normals there [N, 3], and how far outside of
            it the points are [N], metres (negative inside, inf beyond ``reach``).
        """
        closest, normals = np.zeros((len(points), 3)), np.zeros((len(points), 3))
        signed = np.full(len(points), np.inf)
        if self._tree is None:
            return closest, normals, signed
        k = min(NEIGHBOURS, len(self.f))
        far, rows = self._tree.query(points, k=k, distance_upper_bound=reach + 0.05)
        rows, far = rows.reshape(len(points), k), far.reshape(len(points), k)
        near = np.flatnonzero(np.isfinite(far[:, 0]))
        candidates = np.where(np.isfinite(far[near]), rows[near], rows[near, :1])
        c, face, weights = (
            np.zeros((len(near), 3)),
            np.zeros(len(near), np.int64),
            np.zeros((len(near), 3)),
        )
        p = np.ascontiguousarray(points[near], np.float64)
        _nearest(p, self._corners, candidates, far[near], self._size, c, face, weights)
        n = (self.normals[self.f[face]] * weights[..., None]).sum(1)
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)
        d = np.linalg.norm(p - c, axis=1) * np.where(((p - c) * n).sum(1) < 0, -1.0, 1.0)
        closest[near], normals[near] = c, n
        signed[near] = np.where(np.abs(d) <= reach, d, np.inf)
        return closest, normals, signed


def push_outside(
    points: FloatArray, surface: TriangleSurface, clearance: float, reach: float, rounds: int = 3
) -> FloatArray:
    """Move points until they lie outside a surface.

    Args:
        points: [N, 3] metres.
        surface: to stay outside of.
        clearance: least distance from it, metres.
        reach: metres; points deeper inside stay: there another limb went through, which no cloth
            can fix.
        rounds: at most.

    Returns:
        [N, 3] metres.
    """
    out = np.array(points, np.float64)
    rows = np.arange(len(out))
    for _ in range(rounds):
        closest, normals, signed = surface.nearest(out[rows], reach)
        low = signed < clearance
        rows = rows[low]
        if not len(rows):
            break
        out[rows] = closest[low] + normals[low] * (clearance + 2e-4)
    return out


def keep_outside(
    vertices: FloatArray,
    near: sparse.csr_matrix,
    surfaces: list[TriangleSurface],
    clearance: float,
    reach: float,
) -> FloatArray:
    """Keep a cloth off what lies under it.

    Args:
        vertices: [V, 3] of the cloth, metres.
        near: [V, V] means over neighbours.
        surfaces: that it must stay outside of.
        clearance: least distance from them, metres.
        reach: as for :func:`push_outside`.

    Returns:
        [V, 3] metres.
    """
    # Only what is near a surface now can meet it later.
    close = [surface.nearest(vertices, reach)[2] < clearance + 0.008 for surface in surfaces]

    def push(points: FloatArray) -> FloatArray:
        out = np.array(points)
        for surface, rows in zip(surfaces, close):
            out[rows] = push_outside(out[rows], surface, clearance, reach)
        return out

    # Neighbours follow half of the way, so that no single vertex stands out.
    shift = push(vertices) - vertices
    for _ in range(2):
        still = np.linalg.norm(shift, axis=1, keepdims=True) == 0
        shift = np.where(still, 0.5 * (near @ shift), shift)
    return push(vertices + shift)


def is_covered(points: FloatArray, normals: FloatArray, cloth: Cloth, margin: float) -> BoolArray:
    """Find the points of a surface that lie under a cloth at rest.

    Points near the cloth's open edge, where one can look under it, don't count.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] of the surface at the points.
        cloth: at rest.
        margin: distance from its open edge, metres.

    Returns:
        [N] whether each is covered.
    """
    surface = TriangleSurface(cloth.rest, cloth.f)
    closest, n, signed = surface.nearest(points, 0.05)
    # In a shoe also what looks another way is covered: the skin between the toes.
    shoe = len(cloth.label) > 0 and bool((cloth.label == LABEL["shoes"]).all())
    under = (signed < 0.004) & (((n * normals).sum(1) > 0.0) | shoe)
    under &= border_distance(cloth.rest, cloth.f, closest) >= margin
    return np.asarray(under)


def add_thickness(
    vertices: FloatArray, f: IntArray, uv: FloatArray, thickness: float
) -> tuple[FloatArray, IntArray, FloatArray, IntArray]:
    """Turn the cloth's open edges in, so that it shows its thickness.

    Args:
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        uv: [F, 3, 2] texture coordinates of the corners.
        thickness: metres.

    Returns:
        vertices [V', 3], triangles [F', 3] and corner coordinates [F', 3, 2] with those of the
        turned edge last, and the row [F'] in ``f`` that each triangle takes its label from.
    """
    corners = f[:, [[0, 1], [1, 2], [2, 0]]]
    _, row, count = _unique_edges(corners.reshape(-1, 2))
    open_side = np.flatnonzero(count[row] == 1)
    if not len(open_side):
        return vertices, f, uv, np.arange(len(f))
    face, side = open_side // 3, open_side % 3
    a, b = corners[face, side].T
    ends, index = np.unique(np.concatenate([a, b]), return_inverse=True)
    ia, ib = (len(vertices) + index).reshape(2, -1)
    inner = vertices[ends] - vertex_normals(vertices, f)[ends] * thickness
    uv_a, uv_b = uv[face, side], uv[face, (side + 1) % 3]
    f_new = np.concatenate([f, np.stack([b, a, ia], 1), np.stack([b, ia, ib], 1)])
    uv_new = np.concatenate([uv, np.stack([uv_b, uv_a, uv_a], 1), np.stack([uv_b, uv_a, uv_b], 1)])
    parent = np.concatenate([np.arange(len(f)), face, face])
    return np.concatenate([vertices, inner]), f_new, uv_new, parent
