"""Where texel splats lie: finer on the head, coarser where the photo's frame cuts the body off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.settings import register_settings
from ...core.types import Camera, FloatArray, IntArray
from ...dual_uv.sampling import SurfaceSamples, sample_surface
from .regions import HEAD, Regions


@dataclass(frozen=True)
class TexelSampleSettings:
    """Where the budget of texels goes."""

    finer_head: float = 1.6  # times finer than the body's that a head's texels are: hair is fine
    coarser_outside: float = 0.5  # the same of what the photo's frame cuts off
    coarser_below: float = 0.6  # the same below the photo's splats
    squarely: float = 0.6  # cosine to the camera from which on these are all that is seen
    beyond: float = 0.1  # of the frame's sides beyond them that still counts as inside


S = register_settings("lift.texel_samples", TexelSampleSettings())


def texel_fineness(
    body: Body, vertices: FloatArray, groups: IntArray, regions: Regions, camera: Camera
) -> FloatArray:
    """Return how many times finer than usual each triangle's texels [F] are, along a side.

    Args:
        body: the person's own.
        vertices: [V, 3] dressed, in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        regions: of the photo.
        camera: of the regions' grid.
    """
    xy, depth = project(vertices, camera)
    size = np.array([camera.width, camera.height])
    inside = (depth > 0) & (xy > -S.beyond * size).all(1) & (xy < (1.0 + S.beyond) * size).all(1)
    normals = vertex_normals(vertices, body.f)
    ray = vertices / np.maximum(np.linalg.norm(vertices, axis=1, keepdims=True), 1e-9)
    facing = -np.einsum("vd,vd->v", normals, ray)
    col, row = np.clip(xy.astype(int), 0, size - 1).T
    shown = inside & regions.mask[row, col] & (facing > S.squarely)
    of_vertex = np.where(shown, S.coarser_below, 1.0)
    of_vertex = of_vertex * np.where(groups == HEAD, S.finer_head, 1.0)
    of_vertex = np.where(inside, of_vertex, S.coarser_outside)
    return np.asarray(of_vertex[body.f].max(1))


def sample_texels(body: Body, budget: int, fineness: FloatArray) -> tuple[SurfaceSamples, IntArray]:
    """Sample the finest atlases with at most ``budget`` texels in all.

    Args:
        body: the person's own.
        budget: texels.
        fineness: [F] of each triangle's texels along a side, relative to each other.

    Returns:
        samples: the texels.
        side: [N] texels along a side of the atlas that each is from.
    """
    levels = np.unique(fineness)
    coarse = sample_surface(body, 128)
    share = (
        np.bincount(np.searchsorted(levels, fineness[coarse.triangle]), minlength=len(levels))
        / 128**2
    )
    usual = float(np.sqrt(budget / (share * levels**2).sum()))
    while True:
        parts = []
        for level in levels:
            every = sample_surface(body, max(8, int(usual * level)))
            parts.append(every.take(fineness[every.triangle] == level))
        count = sum(len(part.triangle) for part in parts)
        if count <= budget or usual * levels.max() <= 8:
            break
        usual = min(usual - 1.0, usual * float(np.sqrt(budget / count)))
    side = np.concatenate([np.full(len(part.triangle), part.size) for part in parts])
    triangle, bary, row, col = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("triangle", "bary", "row", "col")
    )
    return SurfaceSamples(triangle, bary, row, col, max(p.size for p in parts)), side
