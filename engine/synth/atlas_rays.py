"""Rays against the triangles of a dressed person: what a place of the body looks like from outside.

A uniform grid of cells sorts the triangles; a ray visits the cells on its way in order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.kernels import kernel
from ..core.types import BoolArray, FloatArray, IntArray
from .raster_scene import RasterScene
from .raster_textures import Textures, sample_alpha, sample_texture

CELL = 0.012  # metres along a cell's sides
ALPHA_TEXELS = 128  # across a texture, in which strands and gaps of hair mix as to an eye
FAR = 1e30


class TriangleGrid(NamedTuple):
    """Triangles sorted into the cells of a grid.

    Attributes:
        vertices: [V, 3] float64, metres.
        f: [F, 3] int64 triangles.
        low: [3] the grid's corner, metres.
        dim: [3] number of cells along each axis.
        start: [cells + 1] first item of each cell.
        items: [I] rows of ``f``, cell by cell.
    """

    vertices: FloatArray
    f: IntArray
    low: FloatArray
    dim: IntArray
    start: IntArray
    items: IntArray


class RayHits(NamedTuple):
    """The first hits of N rays.

    Attributes:
        distance: [N] metres along each ray, -1 where nothing was hit.
        face: [N] triangle, -1 where nothing was hit.
        bary: [N, 3] barycentric coordinates on it.
    """

    distance: FloatArray
    face: IntArray
    bary: FloatArray


def build_grid(vertices: FloatArray, f: IntArray, chosen: BoolArray | None = None) -> TriangleGrid:
    """Sort triangles into a grid.

    Args:
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        chosen: [F] those that rays can hit; all if None.
    """
    v, f = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(f, np.int64)
    rows = np.arange(len(f)) if chosen is None else np.flatnonzero(chosen)
    corners = v[f[rows]]
    low = corners.min((0, 1)) - CELL
    dim = np.ceil((corners.max((0, 1)) + CELL - low) / CELL).astype(np.int64)
    first = ((corners.min(1) - low) / CELL).astype(np.int64)
    last = ((corners.max(1) - low) / CELL).astype(np.int64)
    start, items = _sort_into_cells(first, last, rows, dim)
    return TriangleGrid(v, f, low, dim, start, items)


@kernel()
def _sort_into_cells(first, last, rows, dim):  # type: ignore[no-untyped-def]
    """Counting sort: TriangleGrid.start and TriangleGrid.items."""
    start = np.zeros(dim[0] * dim[1] * dim[2] + 1, np.int64)
    for i in range(len(rows)):
        for x in range(first[i, 0], last[i, 0] + 1):
            for y in range(first[i, 1], last[i, 1] + 1):
                for z in range(first[i, 2], last[i, 2] + 1):
                    start[(x * dim[1] + y) * dim[2] + z + 1] += 1
    start = np.cumsum(start)
    at, items = start[:-1].copy(), np.empty(start[-1], np.int64)
    for i in range(len(rows)):
        for x in range(first[i, 0], last[i, 0] + 1):
            for y in range(first[i, 1], last[i, 1] + 1):
                for z in range(first[i, 2], last[i, 2] + 1):
                    cell = (x * dim[1] + y) * dim[2] + z
                    items[at[cell]] = rows[i]
                    at[cell] += 1
    return start, items


def first_entries(
    grid: TriangleGrid, origins: FloatArray, directions: FloatArray, skip: float, reach: float
) -> FloatArray:
    """Return how far each ray goes until it meets the outside of a surface.

    Args:
        grid: of a closed surface, its triangles counter-clockwise from outside.
        origins: [N, 3] metres.
        directions: [N, 3] unit vectors.
        skip: metres from the origin within which nothing counts.
        reach: metres from the origin beyond which nothing counts.

    Returns:
        [N] metres, -1 where there is none.
    """
    n = len(origins)
    out = np.empty(n)
    _enter(grid, origins, directions, skip, reach, out)
    return out


@kernel()
def _enter(grid, origins, directions, skip, reach, out):  # type: ignore[no-untyped-def]
    hit = np.empty(4)
    for r in range(len(origins)):
        state = _begin(grid, origins[r], directions[r], 0.0, reach)
        best = FAR
        while state[0] >= 0.0 and state[0] <= min(reach, best):
            cell = _cell(grid, state)
            for k in range(grid.start[cell], grid.start[cell + 1]):
                if not _meet(grid, grid.items[k], origins[r], directions[r], hit):
                    continue
                if hit[3] > 0.0 and skip <= hit[0] <= reach and hit[0] < best:
                    best = hit[0]
            _step(grid, state)
        out[r] = best if best < FAR else -1.0


def first_opaque_hits(
    grid: TriangleGrid,
    scene: RasterScene,
    textures: Textures,
    origins: FloatArray,
    directions: FloatArray,
    reach: FloatArray,
    solid: float,
) -> RayHits:
    """Find the first triangle on each ray that is opaque there.

    Args:
        grid: the chosen triangles of ``scene``.
        scene: the figure.
        textures: of the figure.
        origins: [N, 3] metres.
        directions: [N, 3] unit vectors.
        reach: [N] metres from the origin beyond which nothing counts.
        solid: alpha, 0..1, above which a card is opaque.
    """
    n = len(origins)
    hits = RayHits(np.empty(n), np.empty(n, np.int64), np.zeros((n, 3)))
    _opaque(grid, scene, textures, origins, directions, reach, solid, hits)
    return hits


@kernel()
def _opaque(grid, scene, textures, origins, directions, reach, solid, hits):  # type: ignore[no-untyped-def]
    hit = np.empty(4)
    for r in range(len(origins)):
        state = _begin(grid, origins[r], directions[r], 0.0, reach[r])
        best, face, b1, b2 = FAR, -1, 0.0, 0.0
        while state[0] >= 0.0 and state[0] <= min(reach[r], best):
            cell = _cell(grid, state)
            for k in range(grid.start[cell], grid.start[cell + 1]):
                i = grid.items[k]
                if not _meet(grid, i, origins[r], directions[r], hit):
                    continue
                if hit[0] < 0.0 or hit[0] > reach[r] or hit[0] >= best:
                    continue
                if scene.holes[i]:
                    u, v = _texture_place(scene, i, 1.0 - hit[1] - hit[2], hit[1], hit[2])
                    m = scene.material[i]
                    level = int(np.log2(max(textures.size[m, 0, 1] / ALPHA_TEXELS, 1.0)) + 0.5)
                    if sample_alpha(textures, m, u, v, level) < solid:
                        continue
                best, face, b1, b2 = hit[0], i, hit[1], hit[2]
            _step(grid, state)
        hits.distance[r] = best if face >= 0 else -1.0
        hits.face[r] = face
        hits.bary[r, 0], hits.bary[r, 1], hits.bary[r, 2] = 1.0 - b1 - b2, b1, b2


@kernel(inline="always")
def _begin(grid, origin, direction, first, reach):  # type: ignore[no-untyped-def]
    """Begin a ray's walk through the cells.

    Returns:
        [10] distance at which the ray enters the present cell (-1 once it has left the grid); the
        cell; the ray's length within a cell along each axis, signed; distances at which it leaves
        the cell along each axis.
    """
    state = np.empty(10)
    enter, leave = first, reach
    for k in range(3):
        low, high = grid.low[k], grid.low[k] + grid.dim[k] * CELL
        if abs(direction[k]) < 1e-12:
            if origin[k] < low or origin[k] >= high:
                enter, leave = 1.0, 0.0
        else:
            a, b = (low - origin[k]) / direction[k], (high - origin[k]) / direction[k]
            enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    state[0] = enter if enter <= leave else -1.0
    for k in range(3):
        place = (origin[k] + enter * direction[k] - grid.low[k]) / CELL
        cell = min(max(np.floor(place), 0.0), grid.dim[k] - 1.0)
        state[1 + k] = cell
        state[4 + k], state[7 + k] = 1.0, FAR
        if abs(direction[k]) >= 1e-12:
            border = grid.low[k] + (cell + (1.0 if direction[k] > 0 else 0.0)) * CELL
            state[4 + k] = CELL / direction[k]
            state[7 + k] = (border - origin[k]) / direction[k]
    return state


@kernel(inline="always")
def _cell(grid, state):  # type: ignore[no-untyped-def]
    return (int(state[1]) * grid.dim[1] + int(state[2])) * grid.dim[2] + int(state[3])


@kernel(inline="always")
def _step(grid, state):  # type: ignore[no-untyped-def]
    """Go on to the next cell."""
    k = 0
    if state[8] < state[7]:
        k = 1
    if state[9] < state[7 + k]:
        k = 2
    state[0] = state[7 + k]
    state[1 + k] += 1.0 if state[4 + k] > 0 else -1.0
    state[7 + k] += abs(state[4 + k])
    if state[1 + k] < 0 or state[1 + k] >= grid.dim[k]:
        state[0] = -1.0


@kernel(inline="always")
def _meet(grid, i, o, d, hit):  # type: ignore[no-untyped-def]
    """Whether a ray's line meets a triangle.

    ``hit`` takes the distance, the second and the third barycentric coordinate, and a number that
    is positive where the line enters through the front.
    """
    v, f = grid.vertices, grid.f
    a, b, c = f[i, 0], f[i, 1], f[i, 2]
    e1x, e1y, e1z = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
    e2x, e2y, e2z = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
    px, py, pz = d[1] * e2z - d[2] * e2y, d[2] * e2x - d[0] * e2z, d[0] * e2y - d[1] * e2x
    det = e1x * px + e1y * py + e1z * pz
    if abs(det) < 1e-14:
        return False
    tx, ty, tz = o[0] - v[a, 0], o[1] - v[a, 1], o[2] - v[a, 2]
    u = (tx * px + ty * py + tz * pz) / det
    if u < 0.0 or u > 1.0:
        return False
    qx, qy, qz = ty * e1z - tz * e1y, tz * e1x - tx * e1z, tx * e1y - ty * e1x
    w = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    if w < 0.0 or u + w > 1.0:
        return False
    hit[0] = (e2x * qx + e2y * qy + e2z * qz) / det
    hit[1], hit[2], hit[3] = u, w, det
    return True


@kernel(inline="always")
def _texture_place(scene, i, b0, b1, b2):  # type: ignore[no-untyped-def]
    u = b0 * scene.uv[i, 0, 0] + b1 * scene.uv[i, 1, 0] + b2 * scene.uv[i, 2, 0]
    v = b0 * scene.uv[i, 0, 1] + b1 * scene.uv[i, 1, 1] + b2 * scene.uv[i, 2, 1]
    return u, v


@kernel()
def hit_colors(hits, scene, textures, width):  # type: ignore[no-untyped-def]
    """Return the unlit colours [N, 3], linear, of hits; black where there is none.

    Args:
        hits: :class:`RayHits` on ``scene``.
        scene: the figure.
        textures: of the figure.
        width: metres over which a colour is a mean.
    """
    out = np.zeros((len(hits.face), 3))
    texel = np.empty(7)
    for r in range(len(hits.face)):
        i = hits.face[r]
        if i < 0:
            continue
        b = hits.bary[r]
        u, v = _texture_place(scene, i, b[0], b[1], b[2])
        e1 = scene.vertices[scene.f[i, 1]] - scene.vertices[scene.f[i, 0]]
        e2 = scene.vertices[scene.f[i, 2]] - scene.vertices[scene.f[i, 0]]
        area = np.sqrt((np.cross(e1, e2) ** 2).sum())
        m = scene.material[i]
        texels = scene.uv_area[i] * textures.size[m, 0, 0] * textures.size[m, 0, 1]
        level = np.floor(0.5 * np.log2(max(texels / max(area, 1e-12), 1e-9) * width**2) + 0.5)
        sample_texture(textures, m, u, v, int(level), texel)
        for k in range(3):
            out[r, k] = texel[k]
    return out
