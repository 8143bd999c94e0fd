"""How much of the surroundings each point of the body sees: the soft shadow in its folds.

Ears, the underside of the chin, the gaps between fingers and the armpits are darker than light
and normal alone explain. The share of unblocked directions around a point's normal, weighted by
their cosine, is found by drawing the body at rest from all around and comparing depths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import look_at, project
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import Camera, FloatArray, IntArray
from ....render.mesh import rasterize_mesh
from .surfels import INNER_PARTS


@dataclass(frozen=True)
class OcclusionSettings:
    """Soft shadows in the body's folds."""

    directions: int = 24  # views from which the body is drawn
    distance: float = 40.0  # metres to the camera: nearly parallel rays
    margin: float = 0.004  # metres in front of a point that block nothing
    side: int = 224  # pixels over the region looked at


S = register_settings("lift.colors_occlusion", OcclusionSettings())


def vertex_occlusion(body: Body) -> FloatArray:
    """Compute how open [V] (0..1, 1: nothing blocks the view) each vertex is on the body at rest.

    The head and each hand are also drawn from nearer: otherwise their folds would be smaller than
    a pixel.
    """
    vertices = np.asarray(body.v_template, np.float64)
    normals = vertex_normals(vertices, body.f)
    inner = [i for i, name in enumerate(body.part_names) if name in INNER_PARTS]
    f = body.f[~np.isin(body.face_part, inner)]
    out = np.ones(len(vertices))
    whole = np.ones(len(vertices), bool)
    hands = np.abs(vertices[:, 0]) > np.abs(body.J_template[[20, 21], 0]).min()
    head = vertices[:, 1] > body.J_template[12, 1]
    left = vertices[:, 0] > 0
    for chosen in (whole, head & ~hands, hands & left, hands & ~left):
        if not chosen.any():
            continue
        middle = 0.5 * (vertices[chosen].min(0) + vertices[chosen].max(0))
        radius = np.linalg.norm(vertices[chosen] - middle, axis=1).max()
        rows = np.nonzero(chosen)[0]
        # Only triangles near the region can shade its folds.
        near = np.linalg.norm(vertices - middle, axis=1) < 1.5 * radius
        out[rows] = _open_share(vertices, normals, f[near[f].all(1)], rows, middle, radius)
    return out


def _open_share(
    vertices: FloatArray,
    normals: FloatArray,
    f: IntArray,
    rows: IntArray,
    middle: FloatArray,
    radius: float,
) -> FloatArray:
    focal = 0.5 * S.side * S.distance / (1.02 * radius)
    K = np.array([[focal, 0.0, S.side / 2], [0.0, focal, S.side / 2], [0.0, 0.0, 1.0]])
    open_, total = np.zeros(len(rows)), np.full(len(rows), 1e-6)
    k = np.arange(S.directions) + 0.5
    pitch = np.degrees(np.arcsin(1.0 - 2.0 * k / S.directions))
    yaw = np.degrees(np.pi * (1.0 + np.sqrt(5.0)) * k)
    for p, y in zip(pitch, yaw, strict=True):
        camera = Camera(look_at(middle, S.distance, float(y), float(p)), K, S.side, S.side)
        depth = rasterize_mesh(vertices, f, camera, cull_back=True)
        xy, z = project(vertices[rows], camera)
        col = np.clip(xy[:, 0].astype(int), 0, S.side - 1)
        row = np.clip(xy[:, 1].astype(int), 0, S.side - 1)
        cosine = np.clip(-normals[rows] @ camera.viewmat[2, :3], 0.0, 1.0)
        front = np.where(depth.face[row, col] >= 0, depth.depth[row, col], np.inf)
        # A slope's depth changes within its pixel.
        slope = radius * 2.0 / S.side / np.maximum(cosine, 0.1)
        open_ += cosine * (z < front + S.margin + slope)
        total += cosine
    return np.asarray(open_ / total)
