"""How squarely a photo shows splats: at a grazing angle its colours are unreliable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..core.cameras import camera_position
from ..core.geometry import vertex_normals
from ..core.rotations import quaternion_to_matrix
from ..core.settings import register_settings
from ..core.types import Camera, FloatArray, Gaussians, IntArray
from ..render.mesh import MeshBuffer


@dataclass(frozen=True)
class SquarenessSettings:
    """Which splats may take their colours from a photo."""

    grazing: float = 0.25  # cosine to the camera below which a splat takes no colour from the photo
    square: float = 0.6  # cosine from which it takes all of it


S = register_settings("squareness", SquarenessSettings())

_ORIGIN = np.zeros(3)


def cosine_to_camera(
    points: FloatArray, normals: FloatArray, position: FloatArray = _ORIGIN
) -> FloatArray:
    """Return the cosines [N] between normals and the directions to a camera.

    Args:
        points: [N, 3] world space, metres.
        normals: [N, 3] unit.
        position: [3] of the camera; a photo's stands at the origin.
    """
    toward = position - points
    toward = toward / np.maximum(np.linalg.norm(toward, axis=1, keepdims=True), 1e-9)
    return np.asarray(np.einsum("nd,nd->n", normals, toward))


def drawn_cosines(
    drawn: MeshBuffer, vertices: FloatArray, body: Body, camera: Camera
) -> FloatArray:
    """Return the cosines [H, W] between the body's smooth normals and the directions to a camera.

    Where nothing is drawn, they say nothing.

    Args:
        drawn: the body, [H, W].
        vertices: [V, 3] world space, metres.
        body: the person's own.
        camera: that sees it.
    """
    normals = vertex_normals(vertices, body.f)
    cosine = cosine_to_camera(vertices, normals, camera_position(camera))
    return np.asarray(np.einsum("hwk,hwk->hw", drawn.bary, cosine[body.f[drawn.face]]))


def photo_trust(gaussians: Gaussians, camera: Camera, triangle: IntArray, body: Body) -> FloatArray:
    """Return how far [N] (0..1) flat splats may take the colours of a photo.

    Hair always may: its splats do not form a surface that turns away.

    Args:
        gaussians: in the photo's pose, world space; the third axis is their normal.
        camera: of the photo.
        triangle: [N] of the body, which holds each.
        body: the person's own.
    """
    normals = quaternion_to_matrix(np.asarray(gaussians.quats, np.float64))[:, :, 2]
    means = np.asarray(gaussians.means, np.float64)
    cosine = np.abs(cosine_to_camera(means, normals, camera_position(camera)))
    hair = np.array([name == "scalp" for name in body.part_names])[body.face_part[triangle]]
    square = np.clip((cosine - S.grazing) / (S.square - S.grazing), 0.0, 1.0)
    return np.asarray(np.where(hair, 1.0, square))
