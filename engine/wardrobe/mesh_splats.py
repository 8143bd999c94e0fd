"""Meshes turned into flat splats that cover their surface evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..core.geometry import vertex_normals
from ..core.rotations import matrix_to_quaternion
from ..core.settings import register_settings
from ..core.types import FloatArray, Gaussians, IntArray
from ..gaussians.lift.surface.surfels import closest_barycentric
from .mesh_parts import MeshPart


@dataclass(frozen=True)
class MeshSplatSettings:
    """How a mesh is covered."""

    sigma: float = 0.85  # standard deviation of a splat in steps of the spacing
    thin: float = 0.06  # third axis over the others
    opacity: float = 0.94  # of a splat of an opaque surface
    overlap: float = 4.0  # splats that lie over one another at any place
    clear: float = 1.6  # the same of see-through surfaces, where few overlaps show as specks
    inset: float = 0.8  # standard deviations that splats keep from a sheet's edge
    fold: float = 0.8  # cosine of half the angle between two sides from which on it is a fold
    hem_inset: float = 2.2  # the same where slender splats follow the edge:
    hem_rows: tuple[float, ...] = (0.32, 0.95, 1.6)  # steps of the spacing from it to their rows,
    hem_step: float = 0.8  # between them along it,
    hem_long: float = 0.7  # their standard deviation along it in steps between them
    hem_wide: float = 0.3  # and across in steps of the spacing
    faint: float = 0.004  # opacity below which a splat is left out


S = register_settings("wardrobe.mesh_splats", MeshSplatSettings())

_STEPS = np.array([0.7548776662466927, 0.5698402909980532])
"""Of the R2 sequence (Roberts 2018), whose points cover a square evenly at any count."""


def cover_mesh(part: MeshPart, spacing: float, sharp: bool = False) -> tuple[Gaussians, FloatArray]:
    """Cover a mesh with splats in the colours of its material, without light.

    Args:
        part: of the mesh, at rest.
        spacing: metres between splats.
        sharp: whether slender splats along open edges and folds make them sharp, as of cloth.

    Returns:
        splats: N in the mesh's space.
        normals: [N, 3] unit, outwards, with the relief of the material's normal map.
    """
    triangle, bary = scatter_evenly(np.asarray(part.vertices[part.f], np.float64), spacing)
    count = len(triangle)
    corner = part.f[triangle]
    points = np.einsum("nk,nkd->nd", bary, part.vertices[corner])
    normals = np.einsum("nk,nkd->nd", bary, vertex_normals(part.vertices, part.f)[corner])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    if sharp:  # at a fold, the mean of both sides is neither's
        own = face_normals(part)[triangle]
        turned = (own * normals).sum(1) < S.fold
        normals[turned] = own[turned]
    uv = np.einsum("nk,nkd->nd", bary, part.uv[triangle])
    rgba = _look_up(part.material.color, uv)
    size = S.clear if rgba[:, 3].max() < 0.99 else S.sigma
    inset = S.hem_inset if sharp else S.inset
    points = _keep_inside(points, part, inset * S.sigma * spacing, sharp)
    overlap = S.overlap * (size / S.sigma) ** 2
    opacity = 1.0 - (1.0 - S.opacity * rgba[:, 3]) ** (1.0 / overlap)
    opacity = np.where(rgba[:, 3] > 0.99, S.opacity, opacity)
    splats = make_discs(points, normals, np.full(count, size * spacing), rgba[:, :3], opacity)
    shown = opacity > S.faint
    if part.material.normal is not None:
        relief = _look_up(part.material.normal, uv)
        normals = _add_relief(part, triangle, normals, relief)
    splats, normals = splats.take(shown), normals[shown]
    hems = _cover_hems(part, spacing) if sharp else None
    if hems is not None:
        splats = Gaussians.concatenate([splats, hems[0]])
        normals = np.concatenate([normals, hems[1]])
    return splats, normals


def _cover_hems(part: MeshPart, spacing: float) -> tuple[Gaussians, FloatArray] | None:
    """Slender splats along the open edges of a mesh, and their normals; None without edges."""
    face, side = _find_edges(part, folds=True)
    sides = part.f[:, [[0, 1], [1, 2], [2, 0]]]
    if not len(face):
        return None
    a, b = np.asarray(part.vertices[sides[face, side]], np.float64).transpose(1, 0, 2)
    long = np.linalg.norm(b - a, axis=1)
    steps = np.maximum(np.ceil(long / (S.hem_step * spacing)).astype(int), 1)
    pick = np.repeat(np.arange(len(face)), steps)
    share = (np.arange(len(pick)) - np.repeat(np.cumsum(steps) - steps, steps) + 0.5)[:, None]
    on_edge = a[pick] + (b - a)[pick] * share / steps[pick, None]
    normals = face_normals(part)[face][pick]
    along = (b - a)[pick] / np.maximum(long[pick, None], 1e-9)
    inward = np.cross(normals, along)
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    out = np.cross(along, inward)
    R = np.stack([along, inward, out], -1)
    made = []
    for row_inset in S.hem_rows:
        points = on_edge + row_inset * spacing * inward
        bary = closest_barycentric(points, part.vertices[part.f[face[pick]]])
        rgba = _look_up(part.material.color, np.einsum("nk,nkd->nd", bary, part.uv[face[pick]]))
        scales = spacing * np.array([S.hem_long * S.hem_step, S.hem_wide, S.thin])
        made.append(
            Gaussians(
                points.astype(np.float32),
                matrix_to_quaternion(R).astype(np.float32),
                np.tile(scales.astype(np.float32), (len(points), 1)),
                (S.opacity * rgba[:, 3]).astype(np.float32),
                rgba[:, :3].astype(np.float32),
            )
        )
    splats, normals = Gaussians.concatenate(made), np.tile(out, (len(made), 1))
    shown = np.asarray(splats.opacities) > S.faint
    return splats.take(shown), normals[shown]


def _add_relief(
    part: MeshPart, triangle: IntArray, normals: FloatArray, relief: FloatArray
) -> FloatArray:
    """[N, 3] unit normals, turned by those of a normal map [N, 3] 0..1 (tangent space)."""
    corners, uv = part.vertices[part.f], part.uv
    e, g = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (a, b), (c, d) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    side = np.sign(a * d - b * c)[:, None]
    right = (side * (d[:, None] * e - b[:, None] * g))[triangle]
    down = (side * (a[:, None] * g - c[:, None] * e))[triangle]
    out = np.clip(2.0 * relief[:, 2:] - 1.0, 0.2, 1.0) * normals
    for way, amount in ((right, relief[:, :1]), (down, 1.0 - relief[:, 1:2])):
        flat = way - (way * normals).sum(1, keepdims=True) * normals
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        out = out + (2.0 * amount - 1.0) * flat
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9))


def scatter_evenly(corners: FloatArray, spacing: float) -> tuple[IntArray, FloatArray]:
    """Scatter points evenly over triangles.

    Args:
        corners: [F, 3, 3] metres.
        spacing: metres between points.

    Returns:
        triangle: [N] ascending.
        bary: [N, 3] barycentric coordinates on them.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    ends = np.cumsum(area) / spacing**2
    count = max(int(ends[-1]), 1)
    triangle = np.searchsorted(ends, (np.arange(count) + 0.5) * ends[-1] / count)
    u, v = np.mod(0.5 + np.arange(count)[:, None] * _STEPS, 1.0).T
    beyond = u + v > 1.0
    u, v = np.where(beyond, 1.0 - u, u), np.where(beyond, 1.0 - v, v)
    return triangle, np.stack([1.0 - u - v, u, v], 1)


def make_discs(
    points: FloatArray,
    normals: FloatArray,
    sigma: FloatArray,
    colors: FloatArray,
    opacities: FloatArray,
) -> Gaussians:
    """Make round flat splats.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit.
        sigma: [N] metres.
        colors: [N, 3] sRGB 0..1.
        opacities: [N] 0..1.
    """
    other = np.where(np.abs(normals[:, :1]) < 0.7, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    first = np.cross(normals, other)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    R = np.stack([first, np.cross(normals, first), normals], -1)
    scales = sigma[:, None] * [1.0, 1.0, S.thin]
    return Gaussians(
        points.astype(np.float32),
        matrix_to_quaternion(R).astype(np.float32),
        scales.astype(np.float32),
        opacities.astype(np.float32),
        np.clip(colors, 0.0, 1.0).astype(np.float32),
    )


def no_discs() -> Gaussians:
    """Return an empty set of splats."""
    nowhere = np.zeros((0, 3))
    return make_discs(nowhere, nowhere, np.zeros(0), nowhere, np.zeros(0))


def face_normals(part: MeshPart) -> FloatArray:
    """Return the unit normals [F, 3] of a mesh's triangles."""
    e = np.diff(np.asarray(part.vertices[part.f], np.float64), axis=1)
    out = np.cross(e[:, 0], e[:, 1])
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def _find_edges(part: MeshPart, folds: bool) -> tuple[IntArray, IntArray]:
    """The open edges of a mesh, and its sharp folds: triangle [E] and its side 0..2."""
    edges = np.sort(part.f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, row, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    row = row.reshape(-1)
    ends = count[row] == 1
    if folds:
        normals = np.repeat(face_normals(part), 3, axis=0)
        both = np.stack([np.bincount(row, n, len(count)) for n in normals.T], 1)
        # Of two unit normals, the sum is as long as twice the cosine of half their angle.
        ends |= (count[row] == 2) & (np.linalg.norm(both, axis=1)[row] < 2.0 * S.fold)
    face, side = np.divmod(np.nonzero(ends)[0], 3)
    return face, side


def _keep_inside(points: FloatArray, part: MeshPart, margin: float, folds: bool) -> FloatArray:
    """Points moved off the open edges of a mesh, so that splats end there in one line."""
    face, side = _find_edges(part, folds)
    ends = part.vertices[part.f[:, [[0, 1], [1, 2], [2, 0]]][face, side]]
    if len(ends) == 0:
        return points
    along = np.linspace(0.0, 1.0, 5)[None, :, None]
    rim = (ends[:, :1] * (1.0 - along) + ends[:, 1:] * along).reshape(-1, 3)
    distance, nearest = cKDTree(rim).query(points, distance_upper_bound=margin)
    close = np.nonzero(distance < margin)[0]
    away = points[close] - rim[nearest[close]]
    length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    out = np.array(points)
    out[close] = rim[nearest[close]] + away / length * margin
    return out


def _look_up(picture: NDArray[np.uint8], uv: FloatArray) -> FloatArray:
    """[N, C] a picture's values 0..1 at texture coordinates, which repeat."""
    size = np.array(picture.shape[1::-1])
    col, row = np.minimum((np.mod(uv, 1.0) * size).astype(int), size - 1).T
    return np.asarray(picture[row, col] / 255.0)
