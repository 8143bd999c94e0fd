"""What the 3D view shows: Fast Splats and the photo behind the avatar. Run by inside.py."""

from __future__ import annotations

import importlib
from typing import Any

import bpy
import numpy as np
from scenarios import Steps, avatars, fresh, open_avatar, ours, running


def pixels(ui: Any) -> Steps:
    """What the 3D view shows: [h, w, 3] 0..1, the lowest row first."""
    gpu = importlib.import_module("gpu")
    region = next(r for r in ui.areas("VIEW_3D")[0].regions if r.type == "WINDOW")
    read: list[Any] = []

    def draw() -> None:
        if bpy.context.region == region:
            frame = gpu.state.active_framebuffer_get()
            size = region.width, region.height
            read[:] = [frame.read_color(0, 0, *size, 3, 0, "FLOAT").to_list()]

    handler = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")
    try:
        ui.redraw()
        yield lambda: bool(read)
    finally:
        bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    return np.array(read[0])


def fast_splats(ui: Any, avatar: str) -> Steps:
    """An opened avatar in the solid view: in colour, its bones over it, and they can be clicked."""
    view3d_utils = importlib.import_module("bpy_extras.view3d_utils")
    yield from fresh(ui)
    space = ui.areas("VIEW_3D")[0].spaces.active
    found = yield from open_avatar(ui, avatar, fast=True)
    yield 1.0
    out: dict[str, Any] = {
        "fast": ours("addon.viewport.fast_splats").is_fast(found.splats),
        "shading": space.shading.type,
    }
    with ui.override():
        bpy.ops.object.mode_set("EXEC_DEFAULT", True, mode="POSE")
        bpy.ops.pose.select_all("EXEC_DEFAULT", True, action="DESELECT")
    yield 0.5
    yield from ui.shot("fast_bones")
    over = yield from pixels(ui)
    found.splats.hide_set(True)
    yield 0.5
    alone = yield from pixels(ui)
    found.splats.hide_set(False)
    blue = [(p[..., 2] > 0.75) & (p[..., 0] < 0.45) for p in (over, alone)]
    out["bone pixels"] = [int(seen.sum()) for seen in blue]
    out["hidden"] = float((blue[1] & ~blue[0]).sum() / blue[1].sum())
    out["covered"] = float((np.abs(over - alone).max(2) > 0.1).mean())
    area = ui.areas("VIEW_3D")[0]
    region = next(r for r in area.regions if r.type == "WINDOW")
    bone = found.armature.pose.bones["left_elbow"]
    shape = bone.custom_shape.data.vertices[0].co
    place = bone.matrix @ (
        importlib.import_module("mathutils").Vector(bone.custom_shape_translation)
        + shape * importlib.import_module("mathutils").Vector(bone.custom_shape_scale_xyz)
    )
    at = view3d_utils.location_3d_to_region_2d(
        region, space.region_3d, found.armature.matrix_world @ place
    )
    ui.press("LEFTMOUSE", (region.x + round(at.x), region.y + round(at.y)))
    yield 0.5
    active = bpy.context.view_layer.objects.active.data.bones.active
    out["clicked"] = active.name if active else ""
    yield from ui.shot("fast_clicked")
    with ui.override():
        bpy.ops.likeness.fast_splats("EXEC_DEFAULT", True)
    yield 0.5
    views = [a.spaces.active for s in bpy.data.screens for a in s.areas if a.type == "VIEW_3D"]
    out["solid views without fast splats"] = sum(v.shading.type == "SOLID" for v in views)
    return out


def photo_behind(ui: Any, avatar: str, photo: str) -> Steps:
    """Through the photo's camera: how the background's colour changes with the photo."""
    yield from fresh(ui)
    ours("addon.preferences").get_preferences(bpy.context).show_splats = True
    with ui.override():
        bpy.ops.likeness.import_avatar("INVOKE_DEFAULT", filepath=avatar, photo=photo)
    yield lambda: running() is None
    yield lambda: len(avatars()) > 0
    yield 0.5
    with ui.override():
        bpy.ops.likeness.look_through_photo("INVOKE_DEFAULT", True)
    yield 0.5
    yield from ui.shot("photo_behind")
    shown = yield from pixels(ui)
    with ui.override():
        bpy.ops.likeness.photo_background("INVOKE_DEFAULT", True)
    yield 0.5
    without = yield from pixels(ui)
    return {"changed": float((np.abs(shown - without).max(2) > 0.05).mean())}
