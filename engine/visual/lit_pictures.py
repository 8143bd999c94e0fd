"""Pictures of an avatar in the light of a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..core.rotations import quaternion_to_matrix
from ..core.types import Avatar, Camera, FloatArray, Gaussians
from ..gaussians.relight.albedo import find_reflectance
from ..gaussians.relight.scene_light import SceneLight
from ..gaussians.relight.surface_normals import find_surface_normals
from ..render import render_camera
from ..render.raster_types import RenderOutput


def lit_drawing(
    avatar: Avatar, light: SceneLight, turns_with: Camera | None = None
) -> Callable[[Gaussians, Camera, FloatArray | None, str], RenderOutput]:
    """Get what draws an avatar's placed Gaussians in a light (``clip_cameras.DrawPicture``).

    Args:
        avatar: the avatar; its normals and albedo are found once.
        light: fixed in world space.
        turns_with: the first camera of a turntable. As later ones circle, the light goes along, so
            that it is the person who turns in it. None: the light stays.

    Returns:
        Draws placed Gaussians for a camera over a background [3] or None, by a backend.
    """
    normals = find_surface_normals(avatar)
    found = find_reflectance(avatar, normals)
    bound = quaternion_to_matrix(np.asarray(avatar.gaussians.quats, np.float64))
    own = np.einsum("nab,na->nb", bound, normals)  # in the splats' own axes

    def draw(
        placed: Gaussians, camera: Camera, background: FloatArray | None, backend: str
    ) -> RenderOutput:
        R = quaternion_to_matrix(np.asarray(placed.quats, np.float64))
        world = np.einsum("nab,nb->na", R, own)
        if turns_with is not None:
            first, now = (np.asarray(c.viewmat)[:3, :3] for c in (turns_with, camera))
            world = world @ (first.T @ now).T
        shaded = light.shade(placed.colors, found, world).astype(np.float32)
        return render_camera(replace(placed, colors=shaded), camera, background, backend)

    return draw
