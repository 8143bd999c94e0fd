"""3D views after an import."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Vector

from ...engine.core.types import Avatar
from .. import keys
from .avatar_objects import AvatarObjects
from .axes import points_to_blender
from .origin import photo_origin

_VIEW_WIDTH = 2 * 36.0
"""Millimetres that the longer side of a 3D view's region stands for in its lens."""

_AROUND = 1.25
"""Size of the view, in sizes of the person."""


def show_splats() -> dict[Any, list[int]]:
    """Switch solid 3D views to Material Preview, in every workspace: Solid shows grey shreds.

    Returns:
        Screen -> indices of the areas with such views.
    """
    changed: dict[Any, list[int]] = {}
    for screen in bpy.data.screens:
        for index, area in enumerate(screen.areas):
            for space in area.spaces:
                if space.type == "VIEW_3D" and space.shading.type == "SOLID":
                    space.shading.type = "MATERIAL"
                    changed.setdefault(screen, []).append(index)
    return changed


def show_splats_meanwhile() -> None:
    """:func:`show_splats` while the nodes draw fast splats; remembers the solid views."""
    for screen, indices in show_splats().items():
        screen[keys.SOLID_VIEWS] = sorted({*screen.get(keys.SOLID_VIEWS, ()), *indices})


def restore_solid_views() -> None:
    """Undo :func:`show_splats_meanwhile`."""
    for screen in bpy.data.screens:
        for index in screen.get(keys.SOLID_VIEWS, ()):
            spaces = screen.areas[index].spaces if index < len(screen.areas) else ()
            for space in spaces:
                if space.type == "VIEW_3D" and space.shading.type == "MATERIAL":
                    space.shading.type = "SOLID"
        if keys.SOLID_VIEWS in screen:
            del screen[keys.SOLID_VIEWS]


def redraw_views(window_manager: Any) -> None:
    """Draw all 3D views again."""
    for window in window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def look_at_avatar(objects: AvatarObjects, avatar: Avatar, context: Any) -> None:
    """Show the part of the person in the photo, from the front, in the screen's 3D views.

    Views through a camera do not change.

    Args:
        objects: of the avatar.
        avatar: from which they were made; its Gaussians are not used.
        context: of Blender.
    """
    low, high = (corner + photo_origin(objects.armature) for corner in _shown(avatar))
    middle = objects.armature.matrix_world @ Vector((low + high) / 2)
    size = high - low
    for area in context.screen.areas if context.screen else ():
        if area.type != "VIEW_3D":
            continue
        space = area.spaces.active
        view = space.region_3d
        region = next((r for r in area.regions if r.type == "WINDOW"), None)
        if view is None or region is None or view.view_perspective == "CAMERA":
            continue
        longer = max(region.width, region.height, 1)
        parts = (size[0] * longer / max(region.width, 1), size[2] * longer / max(region.height, 1))
        view.view_perspective = "PERSP"
        view.view_rotation = Euler((np.pi / 2, 0.0, 0.0)).to_quaternion()
        view.view_location = middle
        view.view_distance = _AROUND * max(parts) * space.lens / _VIEW_WIDTH + size[1] / 2


def _shown(avatar: Avatar) -> tuple[Any, Any]:
    """[3], [3] corners of the box around the part of the body in the photo, its space."""
    from ...engine.core.cameras import project

    vertices, _ = avatar.body.vertices(avatar.pose)
    pixels, depth = project(vertices, avatar.camera)
    width, height = avatar.camera.width, avatar.camera.height
    inside = (depth > 0) & (pixels >= 0).all(1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    points = points_to_blender(vertices[inside] if inside.any() else vertices)
    return points.min(0), points.max(0)
