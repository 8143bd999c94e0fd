"""Bones drawn again over fast splats, which cover Blender's own drawing of them.

Blender draws bones with the other overlays, before any extension draws. Its selection does not look
at colours, so bones can be clicked where they are seen.
"""

from __future__ import annotations

from typing import Any

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from ...engine.core.types import FloatArray

_RIM, _RIM_COLOR = 3.0, (0.0, 0.0, 0.0, 0.6)
"""Pixels and colour of the rim around lines, which shows them on cloth of their own colour."""


def draw_bones(context: Any, armature: Any, width: float, height: float) -> None:
    """Draw the shapes of an armature's visible bones, in world space, into the frame buffer.

    Args:
        context: of Blender, in a 3D view's draw callback.
        armature: the object; drawn only if its bones are in front of everything.
        width: of the view in pixels.
        height: of the view in pixels.
    """
    overlay = context.space_data.overlay
    if not (overlay.show_overlays and overlay.show_bones and armature.show_in_front):
        return
    if not armature.visible_get(viewport=context.space_data):
        return
    posed = armature.evaluated_get(context.evaluated_depsgraph_get())
    posing = armature.mode == "POSE"
    plain = (*_object_color(context, armature), 1.0)
    places, colors, wire = [], [], 1.0
    for bone in posed.pose.bones:
        if not _is_visible(bone):
            continue
        points = _wires(bone)
        if not len(points):
            continue
        places.append(points)
        color = (*_bone_color(context, bone), 1.0) if posing else plain
        colors.append(np.tile(np.array(color, np.float32), (len(points), 1)))
        if posing:
            wire = max(wire, bone.custom_shape_wire_width)
    if not places:
        return
    matrix = np.array(armature.matrix_world, np.float32)
    world = np.concatenate(places) @ matrix[:3, :3].T + matrix[:3, 3]
    shader = gpu.shader.from_builtin("POLYLINE_FLAT_COLOR")
    tints = np.concatenate(colors)
    dark = np.tile(np.array(_RIM_COLOR, np.float32), (len(tints), 1))
    shader.bind()
    shader.uniform_float("viewportSize", (width, height))
    gpu.state.blend_set("ALPHA")
    # In Object Mode the person matters, and bones are thin.
    passes = [(dark, wire + _RIM), (tints, wire)] if posing else [(tints, wire)]
    try:
        for tint, pixels in passes:
            lines = batch_for_shader(shader, "LINES", {"pos": world, "color": tint})
            shader.uniform_float("lineWidth", pixels * context.preferences.system.pixel_size)
            lines.draw(shader)
    finally:
        gpu.state.blend_set("NONE")


def _is_visible(bone: Any) -> bool:
    hidden = bone.hide if hasattr(bone, "hide") else bone.bone.hide  # a pose bone's from 5.0 on
    homes = bone.bone.collections
    return not hidden and (not homes or any(home.is_visible_effectively for home in homes))


def _wires(bone: Any) -> FloatArray:
    """[2 E, 3] ends of the lines of a bone's shape, in the armature's space."""
    shape = bone.custom_shape
    if shape is None:
        return np.array([bone.head, bone.tail], np.float32)
    mesh = shape.data
    if not len(mesh.edges):
        return np.empty((0, 3), np.float32)
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    ends = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", ends)
    inner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", inner)
    outline = np.bincount(inner, minlength=len(mesh.edges)) < 2  # not between two faces
    ends = ends.reshape(-1, 2)[outline].ravel()
    scale = np.array(bone.custom_shape_scale_xyz, np.float32)
    if bone.use_custom_shape_bone_size:
        scale = scale * bone.bone.length
    turn = bone.custom_shape_rotation_euler.to_matrix().to_4x4()
    placed = (bone.custom_shape_transform or bone).matrix
    matrix = np.array(placed @ Matrix.Translation(bone.custom_shape_translation) @ turn, np.float32)
    at: FloatArray = (points.reshape(-1, 3)[ends] * scale) @ matrix[:3, :3].T + matrix[:3, 3]
    return at


def _bone_color(context: Any, bone: Any) -> Any:
    palette, number = bone.color, bone.color.palette
    if number == "DEFAULT":  # the pose has no colour of its own: the armature's
        palette, number = bone.bone.color, bone.bone.color.palette
    theme = context.preferences.themes[0]
    if number == "DEFAULT":
        view = theme.view_3d
        chosen = {"normal": view.wire, "select": view.bone_pose, "active": view.bone_pose_active}
    else:
        colors = (
            palette.custom if number == "CUSTOM" else theme.bone_color_sets[int(number[5:]) - 1]
        )
        chosen = {name: getattr(colors, name) for name in ("normal", "select", "active")}
    selected = bone.select if hasattr(bone, "select") else bone.bone.select  # likewise from 5.0
    if not selected:
        return chosen["normal"][:3]
    active = context.active_pose_bone
    same = active is not None and active.name == bone.name
    return chosen["active" if same else "select"][:3]


def _object_color(context: Any, armature: Any) -> Any:
    view = context.preferences.themes[0].view_3d
    if not armature.select_get():
        return view.wire[:3]
    active = context.view_layer.objects.active == armature
    return (view.object_active if active else view.object_selected)[:3]
