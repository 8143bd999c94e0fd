"""Which avatars the GPU draws, and when.

The switch is an input of the splats' modifier, so that it is saved, undone and copied with the
avatar; while it is on, the node group is empty in the viewport. In saved files it is off, so that
they show the avatar without the extension, and a property records to switch it on again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.types import FloatArray
from ...engine.scene.mesh import ATTRIBUTES, KEPT
from .. import keys
from ..scene.material import COLOR_ATTRIBUTE
from ..scene.node_group import FAST_INPUT, splat_group
from ..scene.read_back import read_attribute
from ..scene.splat_object import MODIFIER_NAME, get_input, input_names, set_input, use_group
from .splat_cloud import SplatArrays, SplatCloud


@dataclass
class _Drawn:
    """State of an avatar between two redraws."""

    cloud: SplatCloud
    picture: Any
    vertices: FloatArray
    sorted_for: tuple[bytes, int] = (b"", 0)


class _Store:
    handler: Any = None
    shader: Any = None
    drawn: dict[int, _Drawn] = {}  # noqa: RUF012
    failed = ""


def find_fast_problem() -> str:
    """Why fast splats are not available; empty if they are."""
    if _Store.failed:
        return _Store.failed
    return "Blender runs without a window" if bpy.app.background else ""


def is_fast(splats: Any) -> bool:
    """Whether the GPU draws the splats."""
    modifier = splats.modifiers.get(MODIFIER_NAME)
    if modifier is None or FAST_INPUT not in input_names(modifier.node_group):
        return False
    return bool(get_input(modifier, FAST_INPUT))


def set_fast(splats: Any, on: bool) -> None:
    """Switch drawing on the GPU on or off.

    An avatar of an older file gets the current node group first.
    """
    modifier = splats.modifiers[MODIFIER_NAME]
    if FAST_INPUT not in input_names(modifier.node_group):
        use_group(modifier, splat_group())
    set_input(modifier, FAST_INPUT, on)


def read_cloud(splats: Any) -> SplatCloud:
    """Read the splats of an avatar's mesh."""
    mesh = splats.data

    def read(name: str) -> Any:
        return read_attribute(mesh, name)

    bary_b, bary_c = read(ATTRIBUTES.bary_b), read(ATTRIBUTES.bary_c)
    known = KEPT.thickness in mesh.attributes  # missing in files of version 1
    thickness = read(KEPT.thickness) if known else np.zeros(len(bary_b), np.float32)
    return SplatCloud(
        SplatArrays(
            corners=np.stack([read(name) for name in ATTRIBUTES[:3]], -1),
            bary=np.stack([1 - bary_b - bary_c, bary_b, bary_c], -1),
            inverse_rest_area=read(ATTRIBUTES.inverse_rest_area),
            offset=read(ATTRIBUTES.offset),
            axis_u=read(ATTRIBUTES.axis_u),
            axis_v=read(ATTRIBUTES.axis_v),
            thickness=thickness,
            colors=read(COLOR_ATTRIBUTE),
            rank=read(ATTRIBUTES.rank),
            lod_start=read(ATTRIBUTES.lod_start),
        )
    )


def posed_body(splats: Any, depsgraph: Any) -> tuple[FloatArray, FloatArray]:
    """Vertices in metres and normals [V, 3] of the posed body, in the splats' space."""
    body = get_input(splats.modifiers[MODIFIER_NAME], "Body").evaluated_get(depsgraph)
    vertices = read_attribute(body.data, "position")
    normals = np.empty(3 * len(vertices), np.float32)
    body.data.vertex_normals.foreach_get("vector", normals)
    normals = normals.reshape(-1, 3)
    matrix = splats.matrix_world.inverted_safe() @ body.matrix_world
    if matrix != Matrix.Identity(4):
        linear = np.array(matrix.to_3x3())
        vertices = vertices @ linear.T + np.array(matrix.translation)
        normals = normals @ np.linalg.inv(linear)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return vertices.astype(np.float32), normals.astype(np.float32)


def draw_view(
    context: Any, view: Matrix, projection: Matrix, width: float, height: float, space: Any = None
) -> int:
    """Draw all visible fast avatars into the current frame buffer.

    Args:
        context: of Blender.
        view: [4, 4] world to view space.
        projection: [4, 4] view to clip space.
        width: of the view in pixels.
        height: of the view in pixels.
        space: the 3D viewport, for its local view and hidden collections.

    Returns:
        Number of avatars drawn.
    """
    from . import shader

    shown = [
        obj
        for obj in context.view_layer.objects
        if obj.get(keys.PART) == "splats" and is_fast(obj) and obj.visible_get(viewport=space)
    ]
    if not shown:
        return 0
    if _Store.shader is None:
        _Store.shader = shader.make_shader()
    depsgraph = context.evaluated_depsgraph_get()
    # Farther avatars first; overlapping ones are not sorted splat by splat.
    shown.sort(key=lambda obj: (view @ _middle(obj)).z)
    for obj in shown:
        drawn = _Store.drawn.get(obj.data.session_uid)
        if drawn is None or drawn.cloud.count != len(obj.data.polygons):
            if obj.mode == "EDIT" or not obj.data.polygons:
                continue  # in Edit Mode the attributes of a mesh appear empty
            cloud = read_cloud(obj)
            drawn = _Drawn(cloud, shader.GpuSplats(_Store.shader, cloud), np.empty((0, 3)))
            _Store.drawn[obj.data.session_uid] = drawn
        vertices, normals = posed_body(obj, depsgraph)
        moved = not np.array_equal(vertices, drawn.vertices)
        if moved:
            drawn.picture.pose(vertices, normals)
            drawn.vertices = vertices
        model_view = view @ obj.matrix_world
        away = -np.array(model_view[2][:3], np.float32)  # Blender's views look along -z
        part = float(get_input(obj.modifiers[MODIFIER_NAME], "Viewport Detail"))
        count = max(1, round(part * drawn.cloud.count))
        if moved or drawn.sorted_for != (away.tobytes(), count):
            drawn.picture.sort(drawn.cloud.order(vertices, normals, away, count))
            drawn.sorted_for = (away.tobytes(), count)
        drawn.picture.draw(model_view, projection, width, height, _knows_depth(space))
    return len(shown)


def _knows_depth(space: Any) -> bool:
    """Whether the depth buffer has the scene's objects: EEVEE and Cycles only write it for the
    overlays. Without it splats are drawn over everything."""
    solid = space is None or space.shading.type in ("SOLID", "WIREFRAME")
    return solid or bool(space.overlay.show_overlays)


def _middle(obj: Any) -> Any:
    body = get_input(obj.modifiers[MODIFIER_NAME], "Body")
    corners = np.array([corner[:] for corner in body.bound_box])
    return body.matrix_world @ Matrix.Translation(corners.mean(0)).to_translation()


def _draw() -> None:
    """Blender's draw callback for each 3D view."""
    context = bpy.context
    region, view = context.region, context.region_data
    try:
        draw_view(
            context,
            view.view_matrix,
            view.window_matrix,
            region.width,
            region.height,
            context.space_data,
        )
    except Exception as error:
        _Store.failed = f"The GPU cannot draw fast splats: {error}"
        _remove_handler()
        raise


def _forget(*_: Any) -> None:
    _Store.drawn.clear()


@bpy.app.handlers.persistent
def _changed(scene: Any, depsgraph: Any) -> None:
    """Forget splat meshes that were edited, so that they are read again."""
    if _Store.drawn:
        for update in depsgraph.updates:
            if update.is_updated_geometry and isinstance(update.id, bpy.types.Mesh):
                _Store.drawn.pop(update.id.session_uid, None)


@bpy.app.handlers.persistent
def _before_saving(*_: Any) -> None:
    for obj in _splats():
        if is_fast(obj):
            obj[keys.FAST_SPLATS] = True
            set_fast(obj, False)


@bpy.app.handlers.persistent
def _switch_on_again(*_: Any) -> None:
    _forget()
    for obj in _splats():
        if obj.get(keys.FAST_SPLATS):
            del obj[keys.FAST_SPLATS]
            if not find_fast_problem() and obj.library is None:
                set_fast(obj, True)


def _splats() -> list[Any]:
    return [obj for obj in bpy.data.objects if obj.get(keys.PART) == "splats"]


def _remove_handler() -> None:
    if _Store.handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_Store.handler, "WINDOW")
        _Store.handler = None


_HANDLERS = {
    "depsgraph_update_post": _changed,
    "save_pre": _before_saving,
    "save_post": _switch_on_again,
    "save_post_fail": _switch_on_again,
    "load_post": _switch_on_again,
}


def register() -> None:
    """Called when the extension is enabled."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    if not bpy.app.background:
        _Store.handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    """Called when the extension is disabled: the node group draws the splats again."""
    _remove_handler()
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    for obj in _splats():
        if is_fast(obj) and obj.library is None:
            set_fast(obj, False)
    _forget()
    _Store.shader = None
    _Store.failed = ""
