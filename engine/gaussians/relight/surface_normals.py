"""Normals of the dressed surface, one for each splat.

A splat's own axis is that of the body's triangle or of the photo's pixel grid, so hair and hats
would be lit like the head below them. Here everything that is solid is put into a grid and blurred:
its slope points out of hair as a whole. Clothes take the normals of the body pushed out to them and
smoothed, so that no navel shows; bare skin and skirts, which have a mesh of their own, the body's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    gaussian_filter,
    map_coordinates,
)
from scipy.sparse import csr_array

from ...core.geometry import triangle_frames, vertex_normals
from ...core.settings import register_settings
from ...core.types import PARTS, Avatar, BoolArray, BoundGaussians, FloatArray, IntArray
from ..binding import place_gaussians


@dataclass(frozen=True)
class NormalSettings:
    """How normals are found."""

    cell: float = 0.008  # metres of a cell of the grid
    blur: float = 0.016  # metres, standard deviation before the slope is taken
    margin: float = 0.06  # metres of free space around the person
    thick: int = 2  # cells by which it grows before it is filled, and shrinks after
    steps: int = 6  # points between the body and a splat that count as solid
    rounds: int = 5  # of smoothing over clothes, each over a vertex's neighbours
    solid: float = 0.3  # opacity from which a splat counts
    skin_share: float = 0.15  # of the body's normal in what is loose, where the slope is weak
    max_cells: int = 30_000_000


S = register_settings("relight.surface_normals", NormalSettings())

_LOOSE = [PARTS.index(name) for name in ("hair", "hat", "headphones", "scarf", "held")]
_CLOTHES = [PARTS.index(name) for name in ("upper", "lower", "shoes")]


def find_surface_normals(avatar: Avatar) -> FloatArray:
    """Compute the unit normals [N, 3] float32 of an avatar's splats, in their triangles' frames.

    Args:
        avatar: the avatar; the photo's pose, in which it is dressed, shows the surface.
    """
    bound, body = avatar.gaussians, avatar.body
    local = np.zeros((len(bound), 3))
    local[:, 2] = 1.0  # the frame's third axis is the body's smooth normal
    if not len(bound):
        return local.astype(np.float32)
    vertices = np.asarray(body.vertices(avatar.pose)[0], np.float64)
    frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    world = frames.R[:, :, 2].copy()
    dressed = np.flatnonzero(np.isin(bound.part, _CLOTHES))
    if len(dressed):
        smooth = _clothes_normals(bound.take(dressed), vertices, body.f)
        corner = body.f[bound.triangle[dressed]]
        world[dressed] = np.einsum("nk,nkc->nc", bound.bary[dressed], smooth[corner])
    loose = np.flatnonzero(np.isin(bound.part, _LOOSE))
    if len(loose):
        means = np.asarray(place_gaussians(bound, vertices, body).means, np.float64)
        used = bound.opacities > S.solid
        slope = _slopes(means, frames.origin, used, vertices, loose)
        world[loose] = slope + S.skin_share * world[loose]
    for rows in (dressed, loose):
        unit = _unit(world[rows], frames.R[rows, :, 2])
        local[rows] = np.einsum("nab,na->nb", frames.R[rows], unit)
    return local.astype(np.float32)


def _clothes_normals(bound: BoundGaussians, vertices: FloatArray, f: IntArray) -> FloatArray:
    """[V, 3] normals of the body pushed out to its clothes, smoothed under them.

    Args:
        bound: the splats of clothes.
        vertices: [V, 3] posed, metres.
        f: [F, 3] triangles.
    """
    count = len(vertices)
    corner, share = f[bound.triangle].ravel(), np.asarray(bound.bary, np.float64).ravel()
    height = np.repeat(np.maximum(bound.offset[:, 2], 0.0), 3)
    weight = np.bincount(corner, share, count)
    reach = np.bincount(corner, share * height, count) / np.maximum(weight, 1e-9)
    ends = (f.ravel(), f[:, [1, 2, 0]].ravel())
    near = csr_array((np.ones(f.size), ends), (count, count))
    near = near + near.T + csr_array((np.ones(count), (np.arange(count),) * 2), (count, count))
    total = np.maximum(np.asarray(near.sum(1)), 1.0)[:, None]
    reach = ((near @ reach[:, None]) / total)[:, 0]
    own = vertex_normals(vertices, f)
    out = vertex_normals(vertices + reach[:, None] * own, f)
    covered = (weight > 0)[:, None]
    for _ in range(S.rounds):
        out = np.where(covered, (near @ out) / total, own)
    return np.asarray(out)


def place_normals(normals: FloatArray, avatar: Avatar, vertices: FloatArray) -> FloatArray:
    """Turn the normals of :func:`find_surface_normals` into world space.

    Args:
        normals: [N, 3] in the triangles' frames.
        avatar: the avatar.
        vertices: [V, 3] posed, world space, metres.

    Returns:
        [N, 3] unit.
    """
    g, body = avatar.gaussians, avatar.body
    frames = triangle_frames(vertices, body.f, body.v_template, g.triangle, g.bary)
    return np.asarray(np.einsum("nab,nb->na", frames.R, np.asarray(normals, np.float64)))


def _slopes(
    means: FloatArray, roots: FloatArray, used: BoolArray, vertices: FloatArray, rows: IntArray
) -> FloatArray:
    """[M, 3] outward slope of what is solid at some splats; unit, or shorter where it is weak."""
    solid = [vertices]
    for k in range(S.steps):
        share = (k + 1) / S.steps
        solid.append(roots[used] + share * (means[used] - roots[used]))
    points = np.concatenate(solid)
    low, high = points.min(0) - S.margin, points.max(0) + S.margin
    cell = max(S.cell, float(np.cbrt(np.prod(high - low) / S.max_cells)))
    shape = np.ceil((high - low) / cell).astype(int) + 1
    grid = np.zeros(shape, bool)
    grid[tuple(((points - low) / cell).astype(int).T)] = True
    # Filled while it is thick: sparse splats leave pores.
    grid = binary_fill_holes(binary_dilation(grid, iterations=S.thick))
    grid = binary_erosion(grid, iterations=S.thick)
    soft = gaussian_filter(grid.astype(np.float32), S.blur / cell)
    place = ((means[rows] - low) / cell - 0.5).T
    slope = -np.stack(
        [map_coordinates(np.gradient(soft, axis=k), place, order=1) for k in range(3)], -1
    )
    # A flat wall's slope, blurred, is 1 / (sqrt(2 pi) sigma) at its surface.
    steep = slope * (np.sqrt(2.0 * np.pi) * S.blur / cell)
    long = np.linalg.norm(steep, axis=1, keepdims=True)
    return np.asarray(steep / np.maximum(long, 0.5))


def _unit(vectors: FloatArray, fallback: FloatArray) -> FloatArray:
    """Vectors [N, 3] of length one; those without a direction are ``fallback``."""
    long = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.where(long > 1e-6, vectors / np.maximum(long, 1e-9), fallback))
