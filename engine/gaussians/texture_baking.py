"""The colours of splats baked into a texture: every texel looks back along its own normal.

A ray comes from outside along the texel's normal, and the splats it meets are composited front to
back as a rasteriser would, so what is worn hides the skin below it. Texels that see nothing take
what their neighbours on the surface have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..body.atlas import rasterize_atlas, surface_points
from ..core.distances import find_nearest
from ..core.geometry import vertex_normals
from ..core.kernels import kernel
from ..core.rotations import quaternion_to_matrix
from ..core.threads import run_parts
from ..core.types import Avatar, BoolArray, FloatArray, IntArray
from .binding import place_gaussians
from .mesh_diffusion import diffuse_values, mesh_laplacian

CELL = 0.008  # metres: side of a grid cell
OUT, IN = 0.035, 0.020  # metres of a ray in front of and behind the surface
REACH = 2.6  # standard deviations: as far as a splat counts
MAX_PER_RAY = 96
RAYS_PER_PART = 256  # at least, for a thread
SOLID = 0.6  # alpha above which a texel is trusted
_MEAN_LIMIT = 0.012  # metres: greatest standard deviation; larger ones are haze


@dataclass(frozen=True)
class BakedState:
    """An expression in which some triangles are baked, because at rest they are folded away.

    Attributes:
        triangles: [F] which.
        moves: [V, 3] metres by which the expression moves the vertices.
    """

    triangles: BoolArray
    moves: FloatArray


def bake_colors(
    avatar: Avatar,
    body: Body,
    uv: FloatArray,
    uv_f: IntArray,
    size: int,
    groups: IntArray,
    states: Sequence[BakedState] = (),
) -> tuple[FloatArray, FloatArray]:
    """Bake a texture and vertex colours.

    Args:
        avatar: whose splats are baked, at rest.
        body: the surface, ``v_template`` [V, 3] in metres.
        uv: [T, 2] 0..1, v down.
        uv_f: [F, 3] rows of ``uv``.
        size: pixels of the texture's side.
        groups: [F] splats on triangles of one group only colour texels of the same.
        states: of triangles that are not baked at rest.

    Returns:
        texture: [size, size, 3] float32 0..1.
        colors: [V, 3] float32 0..1, of the vertices.
    """
    triangle, bary, _ = rasterize_atlas(uv, uv_f, size)
    row, col = np.nonzero(triangle >= 0)
    face, weights = triangle[row, col], bary[row, col].astype(np.float64)
    rgb, alpha = np.zeros((len(face), 3)), np.zeros(len(face))
    left = np.ones(len(face), bool)
    still = np.zeros((len(body.v_template), 3))
    for state in (*states, BakedState(np.ones(len(body.f), bool), still)):
        rows = np.nonzero(left & state.triangles[face])[0]
        left[rows] = False
        if len(rows):
            rgb[rows], alpha[rows] = _look(
                avatar, body, face[rows], weights[rows], groups, state.moves
            )
    colors = _vertex_colors(body, face, weights, rgb, alpha)
    behind = surface_points(colors, body.f, face, weights)
    share = np.clip(alpha / SOLID, 0, 1)[:, None]
    texture = np.zeros((size, size, 3), np.float32)
    texture[row, col] = np.clip(share * rgb + (1 - share) * behind, 0, 1)
    return _padded(texture, triangle >= 0), np.clip(colors, 0, 1).astype(np.float32)


def _look(
    avatar: Avatar,
    body: Body,
    face: IntArray,
    weights: FloatArray,
    groups: IntArray,
    moves: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Straight colours [N, 3] and alphas [N] of rays from outside onto surface points."""
    vertices = np.asarray(body.v_template, np.float64) + moves
    points = surface_points(vertices, body.f, face, weights)
    normals = surface_points(vertex_normals(vertices, body.f), body.f, face, weights)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    group = groups[face]
    rgb, alpha = np.zeros((len(points), 3)), np.zeros(len(points))
    bound = avatar.gaussians
    gaussians = place_gaussians(bound, avatar.body.v_template + moves, avatar.body)
    home = groups[bound.triangle]
    # Smoothed a little, as a rasteriser's pixels are: thin splats leave no gaps between rays.
    scales = np.clip(gaussians.scales.astype(np.float64), 3e-4, _MEAN_LIMIT)
    R = quaternion_to_matrix(gaussians.quats.astype(np.float64))
    precision = np.einsum("nab,nb,ncb->nac", R, scales**-2.0, R)
    for number in np.unique(group):
        texel, splat = group == number, home == number
        if not splat.any():
            continue
        means = gaussians.means[splat].astype(np.float64)
        start, index, origin, shape = _grid(means, REACH * scales[splat].max(1))
        seen_rgb, seen_alpha = np.zeros((texel.sum(), 3)), np.zeros(texel.sum())
        run_parts(
            _rays,
            len(seen_rgb),
            points[texel],
            normals[texel],
            means,
            np.ascontiguousarray(precision[splat]),
            gaussians.opacities[splat].astype(np.float64),
            gaussians.colors[splat].astype(np.float64),
            start,
            index,
            origin,
            shape,
            seen_rgb,
            seen_alpha,
            least=RAYS_PER_PART,
        )
        rgb[texel], alpha[texel] = seen_rgb, seen_alpha
    return rgb, alpha


def _grid(means: FloatArray, radius: FloatArray) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Cells and the balls that touch them: ``index[start[c]:start[c + 1]]`` of cell c."""
    origin = (means - radius[:, None]).min(0) - CELL
    shape = np.ceil(((means + radius[:, None]).max(0) - origin) / CELL).astype(np.int64) + 2
    first = np.floor((means - radius[:, None] - origin) / CELL).astype(np.int64)
    last = np.floor((means + radius[:, None] - origin) / CELL).astype(np.int64)
    counts = _count(first, last, shape)
    start = np.concatenate([[0], np.cumsum(counts)])
    return start, _fill(first, last, shape, start), origin, shape


@kernel()
def _count(first, last, shape):  # type: ignore[no-untyped-def]
    counts = np.zeros(shape[0] * shape[1] * shape[2], np.int64)
    for i in range(first.shape[0]):
        for x in range(first[i, 0], last[i, 0] + 1):
            for y in range(first[i, 1], last[i, 1] + 1):
                for z in range(first[i, 2], last[i, 2] + 1):
                    counts[(x * shape[1] + y) * shape[2] + z] += 1
    return counts


@kernel()
def _fill(first, last, shape, start):  # type: ignore[no-untyped-def]
    index = np.empty(start[-1], np.int32)
    free = start[:-1].copy()
    for i in range(first.shape[0]):
        for x in range(first[i, 0], last[i, 0] + 1):
            for y in range(first[i, 1], last[i, 1] + 1):
                for z in range(first[i, 2], last[i, 2] + 1):
                    cell = (x * shape[1] + y) * shape[2] + z
                    index[free[cell]] = i
                    free[cell] += 1
    return index


@kernel()
def _rays(  # type: ignore[no-untyped-def]
    first,
    beyond,
    points,
    normals,
    means,
    precision,
    opacities,
    colors,
    start,
    index,
    origin,
    shape,
    rgb,
    alpha,
):
    """Straight colours and alphas of a range of rays; ``rgb`` is zero before."""
    steps = int(np.ceil((OUT + IN) / (0.5 * CELL)))
    heights = np.empty(MAX_PER_RAY)
    strengths = np.empty(MAX_PER_RAY)
    which = np.empty(MAX_PER_RAY, np.int64)
    for i in range(first, beyond):
        found = 0
        p, n = points[i], normals[i]
        before = -1
        for step in range(steps + 1):
            h = OUT - step * 0.5 * CELL
            x = int(np.floor((p[0] + h * n[0] - origin[0]) / CELL))
            y = int(np.floor((p[1] + h * n[1] - origin[1]) / CELL))
            z = int(np.floor((p[2] + h * n[2] - origin[2]) / CELL))
            if not (0 <= x < shape[0] and 0 <= y < shape[1] and 0 <= z < shape[2]):
                continue
            cell = (x * shape[1] + y) * shape[2] + z
            if cell == before:
                continue
            before = cell
            for k in range(start[cell], start[cell + 1]):
                j = index[k]
                P = precision[j]
                dx, dy, dz = p[0] - means[j, 0], p[1] - means[j, 1], p[2] - means[j, 2]
                ax = P[0, 0] * n[0] + P[0, 1] * n[1] + P[0, 2] * n[2]
                ay = P[1, 0] * n[0] + P[1, 1] * n[1] + P[1, 2] * n[2]
                az = P[2, 0] * n[0] + P[2, 1] * n[1] + P[2, 2] * n[2]
                nn = ax * n[0] + ay * n[1] + az * n[2]
                dn = ax * dx + ay * dy + az * dz
                top = -dn / nn
                if top > OUT or top < -IN:
                    continue
                bx = P[0, 0] * dx + P[0, 1] * dy + P[0, 2] * dz
                by = P[1, 0] * dx + P[1, 1] * dy + P[1, 2] * dz
                bz = P[2, 0] * dx + P[2, 1] * dy + P[2, 2] * dz
                away = bx * dx + by * dy + bz * dz - dn * dn / nn
                if away > REACH * REACH:
                    continue
                strength = opacities[j] * np.exp(-0.5 * away)
                if strength < 1.0 / 255.0:
                    continue
                seen = False
                for m in range(found):
                    if which[m] == j:
                        seen = True
                        break
                if seen:
                    continue
                m = found
                if found < MAX_PER_RAY:
                    found += 1
                elif heights[found - 1] >= top:
                    continue
                else:
                    m = found - 1
                while m > 0 and heights[m - 1] < top:
                    heights[m], strengths[m], which[m] = (
                        heights[m - 1],
                        strengths[m - 1],
                        which[m - 1],
                    )
                    m -= 1
                heights[m], strengths[m], which[m] = top, strength, j
        through = 1.0
        for m in range(found):
            share = through * min(strengths[m], 0.999)
            for c in range(3):
                rgb[i, c] += share * colors[which[m], c]
            through *= 1.0 - min(strengths[m], 0.999)
            if through < 1e-3:
                break
        alpha[i] = 1.0 - through
        if alpha[i] > 1e-6:
            for c in range(3):
                rgb[i, c] /= alpha[i]


def _vertex_colors(
    body: Body, face: IntArray, bary: FloatArray, rgb: FloatArray, alpha: FloatArray
) -> FloatArray:
    """[V, 3] means of the solid texels around each vertex, carried to those that have none."""
    count = len(body.v_template)
    total, mean = np.zeros(count), np.zeros((count, 3))
    solid = np.where(alpha >= SOLID, alpha, 0.0)
    for corner in range(3):
        weight = solid * bary[:, corner] ** 2
        vertex = body.f[face, corner]
        total += np.bincount(vertex, weight, count)
        for c in range(3):
            mean[:, c] += np.bincount(vertex, weight * rgb[:, c], count)
    seen = total > 0
    if not seen.any():
        return np.full((count, 3), 0.5)
    mean[seen] /= total[seen, None]
    trust = np.where(seen, 50.0 * np.minimum(total / np.median(total[seen]), 1.0), 0.0)
    return diffuse_values(mesh_laplacian(body.f, count), mean, trust, mean[seen].mean(0), 1e-6)


def _padded(texture: FloatArray, covered: BoolArray) -> FloatArray:
    """Charts grown over their borders, so that smaller mip levels show no seams."""
    rows, cols, _ = find_nearest(covered)
    return np.asarray(texture[rows, cols])
