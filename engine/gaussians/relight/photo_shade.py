"""The light of the photo, found again in an avatar's splats, for whatever is added to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.rotations import quaternion_to_matrix
from ...core.settings import register_settings
from ...core.types import LAYERS, PARTS, Avatar, FloatArray, Gaussians
from ..binding import place_gaussians
from ..lift.photo.photo_light import PhotoLight, fit_light


@dataclass(frozen=True)
class PhotoShadeSettings:
    """How the light is found."""

    shown: int = 20_000  # splats of the photo that tell its light
    colored: float = 0.35  # share of its colour that holds for what the photo does not show


S = register_settings("relight.photo_shade", PhotoShadeSettings())

_PHOTO = LAYERS.index("photo")


def find_normals(placed: Gaussians) -> FloatArray:
    """Return the unit normals [N, 3] of flat splats.

    Args:
        placed: the splats, in any space.
    """
    return np.asarray(quaternion_to_matrix(np.asarray(placed.quats, np.float64))[:, :, 2])


def turn_to_camera(normals: FloatArray, avatar: Avatar) -> FloatArray:
    """Return normals [N, 3] in the axes of the photo's camera: x right, y up, z to the camera.

    Args:
        normals: [N, 3] unit, world space, the photo's pose.
        avatar: with the camera.
    """
    turn = np.diag([1.0, -1.0, -1.0]) @ np.asarray(avatar.camera.viewmat, np.float64)[:3, :3]
    return np.asarray(normals @ turn.T)


def find_light(
    avatar: Avatar, facing: FloatArray | None = None, caution: float = 1.0
) -> PhotoLight:
    """Estimate the light of the photo from the splats of its pixels.

    Args:
        avatar: with its attributes.
        facing: [N, 3] normals of all splats as of :func:`turn_to_camera`; None takes the splats'
            own axes, which costs less and tells the light less well.
        caution: as of :func:`.fit_light`.
    """
    rows = np.nonzero((avatar.gaussians.layer == _PHOTO) & (avatar.gaussians.opacities > 0.5))[0]
    rows = rows[:: max(1, len(rows) // S.shown)]
    bound = avatar.gaussians.take(rows)
    if facing is None:
        placed = place_gaussians(bound, avatar.body.vertices(avatar.pose)[0], avatar.body)
        normals = turn_to_camera(find_normals(placed), avatar)
        normals = normals * np.where(normals[:, 2:] < 0.0, -1.0, 1.0)
    else:
        normals = facing[rows]
    usual = np.isin(bound.part, [PARTS.index(name) for name in ("skin", "face", "upper", "lower")])
    surface = np.where(usual, bound.part.astype(int), -1)
    colors, weight = np.asarray(bound.colors, np.float64), np.maximum(normals[:, 2], 0.0)
    return fit_light(normals, colors, surface, weight, caution=caution)


def light_all_around(light: PhotoLight, normals: FloatArray) -> FloatArray:
    """Return the light [N, 3], a factor on the albedo, also where normals face away.

    Args:
        light: of the photo.
        normals: [N, 3] unit, as of :func:`turn_to_camera`.
    """
    nothing = np.zeros(len(normals))
    shade = light.all_around(normals, nothing.astype(int), nothing)
    grey = shade.mean(1, keepdims=True)
    return np.asarray(grey + S.colored * (shade - grey))
