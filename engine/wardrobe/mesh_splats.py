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
    faint: float = 0.004  # opacity below which a splat is left out


S = register_settings("wardrobe.mesh_splats", MeshSplatSettings())

_STEPS = np.array([0.7548776662466927, 0.5698402909980532])
"""Of the R2 sequence (Roberts 2018), whose points cover a square evenly at any count."""


def cover_mesh(part: MeshPart, spacing: float) -> tuple[Gaussians, FloatArray]:
    """Cover a mesh with splats in the colours of its material, without light.

    Args:
        part: of the mesh, at rest.
        spacing: metres between splats.

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
    uv = np.einsum("nk,nkd->nd", bary, part.uv[triangle])
    rgba = _look_up(part.material.color, uv)
    size = S.clear if rgba[:, 3].max() < 0.99 else S.sigma
    points = _keep_inside(points, part, S.inset * S.sigma * spacing)
    overlap = S.overlap * (size / S.sigma) ** 2
    opacity = 1.0 - (1.0 - S.opacity * rgba[:, 3]) ** (1.0 / overlap)
    opacity = np.where(rgba[:, 3] > 0.99, S.opacity, opacity)
    splats = make_discs(points, normals, np.full(count, size * spacing), rgba[:, :3], opacity)
    shown = opacity > S.faint
    if part.material.normal is not None:
        relief = _look_up(part.material.normal, uv)
        normals = _add_relief(part, triangle, normals, relief)
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


def _keep_inside(points: FloatArray, part: MeshPart, margin: float) -> FloatArray:
    """Points moved off the open edges of a mesh, so that splats end there in one line."""
    edges = np.sort(part.f[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    pairs, count = np.unique(edges, axis=0, return_counts=True)
    ends = part.vertices[pairs[count == 1]]
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
