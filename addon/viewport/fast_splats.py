"""Which avatars the GPU draws, and when.

The switch is an input of the splats' modifier, so that it is saved, undone and copied with the
avatar; while it is on, the node group is empty in the viewport. In saved files it is off, and 3D
views are not solid, so that they show the avatar without the extension; properties record how it
was.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.grading import Grade, grade_colors
from ...engine.core.types import FloatArray
from ...engine.scene.mesh import ATTRIBUTES, KEPT, SPANS
from .. import keys
from ..scene.material import COLOR_ATTRIBUTE
from ..scene.node_group import FAST_INPUT, splat_group
from ..scene.read_back import read_attribute
from ..scene.splat_object import (
    MODIFIER_NAME,
    get_grades,
    get_input,
    get_sliders,
    input_names,
    set_input,
    use_group,
)
from ..scene.view3d import redraw_views, restore_solid_views, show_splats, show_splats_meanwhile
from .splat_cloud import SplatArrays, SplatCloud

MOVING_COUNT = 50_000
"""Splats of all avatars together while the view turns, bones are dragged or an animation plays."""

_SETTLED = 0.5
"""Seconds without a movement after which all splats are drawn again."""

_IN_A_ROW = 1.5
"""Seconds between two movements of one gesture; a single one keeps the detail."""

_SLICES = 128
"""In depth, where avatars overlap: each is drawn avatar by avatar."""


@dataclass
class _Movement:
    """Whether something that is looked at again and again keeps changing."""

    seen: bytes = b""
    at: float = float("-inf")
    pause: float = _SETTLED
    going: bool = False

    def update(self, seen: bytes) -> bool:
        now = time.monotonic()
        if seen != self.seen:
            self.going = now - self.at < _IN_A_ROW
            # A slow computer takes as long between two pictures of one gesture.
            self.pause = max(_SETTLED, 1.5 * (now - self.at)) if self.going else _SETTLED
            self.seen, self.at = seen, now
        elif now >= self.at + self.pause:
            self.going = False
        return self.going


@dataclass
class _Drawn:
    """State of an avatar between two redraws."""

    cloud: SplatCloud
    picture: Any
    vertices: FloatArray
    normals: FloatArray
    looks: tuple[dict[str, float], dict[str, Grade]]
    sorted_for: tuple[bytes, int] = (b"", 0)
    depths: FloatArray = field(default_factory=lambda: np.empty(0))
    pose: _Movement = field(default_factory=_Movement)


class _Store:
    handler: Any = None
    shader: Any = None
    drawn: dict[int, _Drawn] = {}  # noqa: RUF012
    clouds: dict[int, SplatCloud] = {}  # noqa: RUF012  of avatars never drawn
    views: dict[int, _Movement] = {}  # noqa: RUF012
    saved: set[int] = set()  # noqa: RUF012  session_uid of what saving switches off for a moment
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


def start_fast_steps(splats: Any) -> Generator[None, None, None]:
    """Switch drawing on the GPU on for a new avatar, and prepare its first picture, in slices."""
    set_fast(splats, True)
    arrays = read_splats(splats)
    yield
    _Store.clouds[splats.data.session_uid] = yield from SplatCloud.build_steps(arrays)


def read_splats(splats: Any) -> SplatArrays:
    """Read the splats of an avatar's mesh."""
    mesh = splats.data

    def read(name: str) -> Any:
        return read_attribute(mesh, name)

    bary_b, bary_c = read(ATTRIBUTES.bary_b), read(ATTRIBUTES.bary_c)
    known = KEPT.thickness in mesh.attributes  # missing in files of version 1
    thickness = read(KEPT.thickness) if known else np.zeros(len(bary_b), np.float32)
    return SplatArrays(
        corners=np.stack([read(name) for name in ATTRIBUTES[:3]], -1),
        bary=np.stack([1 - bary_b - bary_c, bary_b, bary_c], -1),
        inverse_rest_area=read(ATTRIBUTES.inverse_rest_area),
        offset=read(ATTRIBUTES.offset),
        axis_u=read(ATTRIBUTES.axis_u),
        axis_v=read(ATTRIBUTES.axis_v),
        thickness=thickness,
        colors=read_faded_colors(splats),
        rank=read(ATTRIBUTES.rank),
        lod_start=read(ATTRIBUTES.lod_start),
    )


def read_faded_colors(splats: Any) -> FloatArray:
    """[N, 4] linear RGB and opacity of an avatar's splats, as its sliders and grades stand."""
    colors = np.asarray(read_attribute(splats.data, COLOR_ATTRIBUTE), np.float32)
    grades = get_grades(splats)
    if grades and KEPT.part in splats.data.attributes:
        part = np.asarray(read_attribute(splats.data, KEPT.part), int)
        colors[:, :3] = grade_colors(colors[:, :3], part, grades)
    for name, value in get_sliders(splats).items():
        low, high = np.asarray(read_attribute(splats.data, SPANS[name])).T
        colors[:, 3] *= np.clip((value - low) / (high - low), 0.0, 1.0)
    return colors


def _looks(splats: Any) -> tuple[dict[str, float], dict[str, Grade]]:
    return get_sliders(splats), get_grades(splats)


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
    context: Any,
    view: Matrix,
    projection: Matrix,
    width: float,
    height: float,
    space: Any = None,
    moving: bool = False,
) -> list[Any]:
    """Draw all visible fast avatars into the current frame buffer, sorted together.

    Args:
        context: of Blender.
        view: [4, 4] world to view space.
        projection: [4, 4] view to clip space.
        width: of the view in pixels.
        height: of the view in pixels.
        space: the 3D viewport, for its local view and hidden collections.
        moving: draw at most ``MOVING_COUNT`` splats.

    Returns:
        The splat objects drawn.
    """
    shown = [
        obj
        for obj in context.view_layer.objects
        if obj.get(keys.PART) == "splats" and is_fast(obj) and obj.visible_get(viewport=space)
    ]
    depsgraph = context.evaluated_depsgraph_get() if shown else None
    ready = [(obj, drawn) for obj in shown if (drawn := _prepared(obj, depsgraph)) is not None]
    total = max(1, sum(drawn.cloud.count for _, drawn in ready))
    moving = moving or any(drawn.pose.going for _, drawn in ready)
    for obj, drawn in ready:
        cloud = drawn.cloud
        part = float(get_input(obj.modifiers[MODIFIER_NAME], "Viewport Detail"))
        if moving:
            part = min(part, MOVING_COUNT / total)
        _sort(drawn, view @ obj.matrix_world, max(1, round(part * cloud.count)))
    depth = _knows_depth(space)
    matrices = [view @ obj.matrix_world for obj, _ in ready]
    for k, first, count in _slices([drawn.depths for _, drawn in ready]):
        picture = ready[k][1].picture
        picture.draw(matrices[k], projection, width, height, (first, count), depth)
    return [obj for obj, _ in ready]


def _prepared(obj: Any, depsgraph: Any) -> _Drawn | None:
    """An avatar's state with the splats of its mesh and its present pose."""
    from . import shader

    if _Store.shader is None:
        _Store.shader = shader.make_shader()
    drawn = _Store.drawn.get(obj.data.session_uid)
    if drawn is None or drawn.cloud.count != len(obj.data.polygons):
        if obj.mode == "EDIT" or not obj.data.polygons:
            return None  # in Edit Mode the attributes of a mesh appear empty
        cloud = _Store.clouds.pop(obj.data.session_uid, None)
        if cloud is None or cloud.count != len(obj.data.polygons):
            cloud = SplatCloud(read_splats(obj))
        picture = shader.GpuSplats(_Store.shader, cloud)
        drawn = _Drawn(cloud, picture, *(np.empty((0, 3)),) * 2, _looks(obj))
        _Store.drawn[obj.data.session_uid] = drawn
    if drawn.looks != _looks(obj):
        drawn.looks = _looks(obj)
        drawn.cloud.set_colors(read_faded_colors(obj))
        drawn.picture = shader.GpuSplats(_Store.shader, drawn.cloud)
        drawn.vertices = np.empty((0, 3))
    vertices, normals = posed_body(obj, depsgraph)
    if not np.array_equal(vertices, drawn.vertices):
        drawn.picture.pose(vertices, normals)
        drawn.vertices, drawn.normals = vertices, normals
        drawn.sorted_for = (b"", 0)
    drawn.pose.update(vertices[::97].tobytes())
    return drawn


def _sort(drawn: _Drawn, model_view: Matrix, count: int) -> None:
    """Sort an avatar's splats for a view, if they are not yet."""
    away = -np.array(model_view[2], np.float32)  # Blender's views look along -z
    if drawn.sorted_for != (away.tobytes(), count):
        order, depths = drawn.cloud.order(drawn.vertices, drawn.normals, away[:3], count)
        drawn.picture.sort(order)
        drawn.depths = depths + away[3]
        drawn.sorted_for = (away.tobytes(), count)


def _slices(depths: Sequence[FloatArray]) -> Iterator[tuple[int, int, int]]:
    """What to draw one after the other: an avatar, its first splat and their number.

    Args:
        depths: of each avatar's splats, falling.
    """
    edges = np.empty(0)
    if len(depths) > 1:
        # Beyond the second farthest end, and before the second nearest, there is only one.
        far, near = sorted(d[0] for d in depths)[-2], sorted(d[-1] for d in depths)[1]
        edges = np.linspace(far, near, _SLICES) if far > near else np.array([(far + near) / 2])
    ends = [[0, *np.searchsorted(-d, -edges), len(d)] for d in depths]
    for slab in range(len(edges) + 1):
        for k, bounds in enumerate(ends):
            first, end = int(bounds[slab]), int(bounds[slab + 1])
            if end > first:
                yield k, first, end - first


def _knows_depth(space: Any) -> bool:
    """Whether the depth buffer has the scene's objects: EEVEE and Cycles only write it for the
    overlays. Without it splats are drawn over everything."""
    solid = space is None or space.shading.type in ("SOLID", "WIREFRAME")
    return solid or bool(space.overlay.show_overlays)


def _draw() -> None:
    """Blender's draw callback for each 3D view."""
    from .bone_overlay import draw_bones

    context = bpy.context
    region, view = context.region, context.region_data
    try:
        moving = _is_moving(context)
        drawn = draw_view(
            context,
            view.view_matrix,
            view.window_matrix,
            region.width,
            region.height,
            context.space_data,
            moving,
        )
        for armature in {obj.parent for obj in drawn if obj.parent is not None}:
            draw_bones(context, armature, region.width, region.height)
        if drawn and (moving or any(d.pose.going for d in _Store.drawn.values())):
            _wait_to_settle()
    except Exception as error:
        _Store.failed = f"The GPU cannot draw fast splats: {error}"
        _remove_handler()
        bpy.app.timers.register(_give_up)  # drawing must not change the file
        raise


def _is_moving(context: Any) -> bool:
    """Whether the view is being turned or an animation plays."""
    seen = np.array(context.region_data.perspective_matrix, np.float32).tobytes()
    movement = _Store.views.setdefault(context.region.as_pointer(), _Movement())
    return movement.update(seen) or context.screen.is_animation_playing


def _wait_to_settle() -> None:
    if not bpy.app.timers.is_registered(_settle):
        bpy.app.timers.register(_settle, first_interval=_SETTLED)


def _settle() -> float | None:
    """Draw all splats again once nothing has moved for a while."""
    movements = [*_Store.views.values(), *(drawn.pose for drawn in _Store.drawn.values())]
    until = max((movement.at + movement.pause for movement in movements), default=0.0)
    left = until - time.monotonic()
    if left > 0 or any(w.screen.is_animation_playing for w in bpy.context.window_manager.windows):
        return max(left, 0.1)
    for movement in movements:
        movement.going = False
    redraw_views(bpy.context.window_manager)
    return None


def _give_up() -> None:
    """Have the node group draw all splats again."""
    for obj in list_splats():
        if obj.library is None and is_fast(obj):
            set_fast(obj, False)
    show_splats()


def _forget(*_: Any) -> None:
    _Store.drawn.clear()
    _Store.clouds.clear()
    _Store.views.clear()


@bpy.app.handlers.persistent
def _changed(scene: Any, depsgraph: Any) -> None:
    """Forget splat meshes that were edited, so that they are read again."""
    if _Store.drawn:
        for update in depsgraph.updates:
            if update.is_updated_geometry and isinstance(update.id, bpy.types.Mesh):
                _Store.drawn.pop(update.id.original.session_uid, None)


@bpy.app.handlers.persistent
def _before_saving(*_: Any) -> None:
    fast = [obj for obj in list_splats() if is_fast(obj)]
    for obj in fast:
        obj[keys.FAST_SPLATS] = True
        set_fast(obj, False)
    _Store.saved = {obj.session_uid for obj in fast}
    if fast:
        show_splats_meanwhile()


@bpy.app.handlers.persistent
def _after_saving(*_: Any) -> None:
    _forget()
    saved = [obj for obj in list_splats() if obj.session_uid in _Store.saved]
    if switch_on(saved) and not any(obj.mode == "EDIT" for obj in list_splats()):
        restore_solid_views()


@bpy.app.handlers.persistent
def _opened(*_: Any) -> None:
    _forget()
    if switch_on(list_splats()):
        restore_solid_views()


@bpy.app.handlers.persistent
def _appended(*_: Any) -> None:
    switch_on(list_splats())


def switch_on(splats: Sequence[Any]) -> bool:
    """Switch on those that :data:`~likeness.addon.keys.FAST_SPLATS` marks.

    Returns:
        Whether there were any.
    """
    if find_fast_problem():
        return False  # what the file says of them stays for a Blender that can draw them
    marked = [obj for obj in splats if obj.library is None and obj.get(keys.FAST_SPLATS)]
    for obj in marked:
        del obj[keys.FAST_SPLATS]
        set_fast(obj, True)
    return bool(marked)


def list_splats() -> list[Any]:
    """The splat objects of all avatars in the file."""
    return [obj for obj in bpy.data.objects if obj.get(keys.PART) == "splats"]


def _remove_handler() -> None:
    if _Store.handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_Store.handler, "WINDOW")
        _Store.handler = None


_HANDLERS = {
    "depsgraph_update_post": _changed,
    "save_pre": _before_saving,
    "save_post": _after_saving,
    "save_post_fail": _after_saving,
    "load_post": _opened,
    "blend_import_post": _appended,
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
    if bpy.app.timers.is_registered(_settle):
        bpy.app.timers.unregister(_settle)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    for obj in list_splats():
        if is_fast(obj) and obj.library is None:
            set_fast(obj, False)
    _forget()
    _Store.shader = None
    _Store.failed = ""
