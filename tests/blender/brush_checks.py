"""The brush that retouches splats, and its tool; run inside bpy, see test_brush.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import likeness
import numpy as np
import people
from bl_ui.space_toolsystem_common import ToolSelectPanelHelper
from likeness.addon.brush_settings import BrushSettings
from likeness.addon.properties import get_session
from likeness.addon.scene import splat_places
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.scene.read_back import read_avatar, scene_camera
from likeness.addon.scene.splat_cage import PlacedSplats
from likeness.addon.scene.splat_places import SplatPlaces
from likeness.addon.viewport.brush_circle import draw_circle, trace_circle
from likeness.addon.viewport.brush_stroke import BRUSH_MODES, BrushStroke
from likeness.addon.viewport.splat_brush import BrushView, find_under_brush
from likeness.engine.core.retouch import ERASED, MOVE, SHIFT, describe_retouch
from likeness.engine.core.types import PARTS, FloatArray, LikenessError
from likeness.panels import brush_tool
from mathutils import Matrix
from retouch_checks import again, attempt, fresh, read_avatar_in_order, same, stored, stroke_point
from shared import Recorder

SIDE = 400


class Stand(SimpleNamespace):
    """Blender's context, with some of it replaced."""

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def matrices() -> tuple[FloatArray, FloatArray]:
    """World to camera and camera to clip space of the scene's camera, for a square view."""
    camera = bpy.context.scene.camera
    depsgraph = bpy.context.evaluated_depsgraph_get()
    window = camera.calc_matrix_camera(depsgraph, x=SIDE, y=SIDE)
    return np.array(camera.matrix_world.inverted()), np.array(window)


def in_view() -> Any:
    """A context in a view that is as the scene's camera, beside a sidebar."""
    view, window = matrices()
    return Stand(
        region=SimpleNamespace(x=30, y=20, width=SIDE, height=SIDE),
        region_data=SimpleNamespace(view_matrix=view, window_matrix=window),
    )


def event(kind: str, value: str = "PRESS", x: float = SIDE / 2, y: float = SIDE / 2) -> Any:
    """An event at pixels of the view of :func:`in_view`."""
    return SimpleNamespace(type=kind, value=value, mouse_x=30 + x, mouse_y=20 + y, pressure=1.0)


def project() -> FloatArray:
    """[N, 2] pixels of the splats in the view of :func:`in_view`, from where Blender draws them."""
    view, window = matrices()
    middle = people.splat_corners_in_world(again()).mean(1)
    clip = np.pad(middle, ((0, 0), (0, 1)), constant_values=1.0) @ (window @ view).T
    return (0.5 + 0.5 * clip[:, :2] / clip[:, 3:]) * SIDE


def choose_settings(**chosen: Any) -> Any:
    """The session's settings of the brush, set."""
    brush = get_session(bpy.context).brush
    for name, value in chosen.items():
        setattr(brush, name, value)
    return brush


def list_tools(mode: str) -> list[str]:
    """Identifiers of the toolbar's tools, in its order; separators are empty."""
    tools = ToolSelectPanelHelper._tool_class_from_space_type("VIEW_3D")._tools[mode]
    return [
        getattr(tool, "idname", "")
        if not isinstance(tool, tuple) or hasattr(tool, "idname")
        else "()"
        for tool in tools
    ]


def list_keymaps() -> list[str]:
    """Names of all keymaps of tools, each with its configuration and number of entries."""
    configs = bpy.context.window_manager.keyconfigs
    return sorted(
        f"{config.name} {keymap.name} {len(keymap.keymap_items)}"
        for config in (configs.default, configs.addon)
        for keymap in config.keymaps
        if "Tool" in keymap.name
    )


def tool() -> dict[str, Any]:
    """The tool is there while the extension is enabled, and leaves no trace afterwards."""
    people.empty_scene()

    def traces() -> list[str]:
        return [*list_keymaps(), *(f"{mode} {list_tools(mode)}" for mode in BRUSH_MODES)]

    before, out = traces(), {"keys": [], "active": []}
    for _ in range(2):
        likeness.register()
        out["tools"] = [brush_tool.TOOL in list_tools(mode) for mode in BRUSH_MODES]
        bpy.ops.wm.tool_set_by_id(name=brush_tool.TOOL, space_type="VIEW_3D")
        tools = bpy.context.workspace.tools
        out["active"].append(tools.from_space_view3d_mode("OBJECT").idname)
        keymap = bpy.context.window_manager.keyconfigs.addon.keymaps[
            "3D View Tool: Object, Retouch Splats"
        ]
        out["keys"] = [
            [item.idname, item.type, item.ctrl, item.shift, dict(item.properties.items())]
            for item in keymap.keymap_items
        ]
        likeness.unregister()
        out["active"].append(tools.from_space_view3d_mode("OBJECT").idname)
    out["traces"] = sorted(set(traces()) ^ set(before))
    return out


def settings() -> dict[str, Any]:
    """Panel and tool show the same settings, and the paths of the keys lead to them."""
    fresh()
    brush = choose_settings(action="TINT")
    shown: list[list[str]] = [[], []]
    brush_tool._BrushTool.draw_settings(bpy.context, Recorder(shown[0]), None)
    brush_tool.draw_brush_settings(Recorder(shown[1]), brush, color=False)
    button: list[str] = []
    brush_tool.draw_tool_button(Recorder(button), bpy.context)
    declared = (
        BrushSettings.__annotations__.keys() | BrushSettings.__mro__[1].__annotations__.keys()
    )
    own = set(bpy.ops.likeness.brush_splats.get_rna_type().properties.keys())
    paths = [
        entry[2]["properties"][0][1]
        for entry in brush_tool._BrushTool.bl_keymap
        if entry[0] == "wm.radial_control"
    ]
    return {
        "tool": shown[0],
        "panel": shown[1],
        "button": button,
        "shared": sorted(declared - own),
        "paths": [bpy.context.path_resolve(path) for path in paths],
        "values": [brush.radius, brush.strength],
        "circle": np.ptp(trace_circle((5.0, 7.0), brush.radius), axis=0).tolist(),
    }


def circle() -> dict[str, Any]:
    """The circle as drawn by the GPU, in a picture of gray; nothing where there is none."""
    import gpu

    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 8
    try:
        bpy.ops.render.render()  # starts the GPU's context, which bpy does not by itself
        side = 120
        target = gpu.types.GPUOffScreen(side, side)
    except (RuntimeError, SystemError) as error:
        return {"skip": str(error)}
    with target.bind():
        buffer = gpu.state.active_framebuffer_get()
        buffer.clear(color=(0.5, 0.5, 0.5, 1.0))
        gpu.matrix.load_matrix(Matrix.Identity(4))
        ortho = Matrix.Diagonal((2.0 / side, 2.0 / side, -1.0, 1.0))
        ortho.translation = (-1.0, -1.0, 0.0)
        gpu.matrix.load_projection_matrix(ortho)
        draw_circle((60.0, 60.0), 40.0)
        pixels = buffer.read_color(0, 0, side, side, 4, 0, "UBYTE").to_list()
    gray = np.array(pixels, int).reshape(side, side, 4)[..., 0]
    y, x = np.nonzero(gray > 200)
    away = np.hypot(x + 0.5 - 60.0, y + 0.5 - 60.0)
    return {"radii": [float(away.min()), float(away.max())], "dark": int((gray < 100).sum())}


def mouse() -> dict[str, Any]:
    """Strokes with the mouse: what they reach, Ctrl, Esc, a part alone, nothing below."""
    fresh(3000)
    choose_settings(action="ERASE", radius=30.0, strength=0.5, through=True, part="ALL")
    context, out = in_view(), {}
    first, at = stored(again()), project()
    path = [(SIDE / 2 + 12.0 * k, SIDE / 2 + 5.0 * k) for k in range(4)]
    away = np.min([np.linalg.norm(at - point, axis=1) for point in path], axis=0)

    def draw(invert: bool = False, end: str = "RELEASE") -> list[str]:
        stroke = BrushStroke(context, event("LEFTMOUSE", "PRESS", *path[0]), invert)
        said = [stroke.handle(event("MOUSEMOVE", "NOTHING", *point)) for point in path[1:]]
        said += [stroke.handle(event("TIMER1")), stroke.handle(event("Z"))]
        key = ("LEFTMOUSE", "RELEASE") if end == "RELEASE" else (end, "PRESS")
        said.append(stroke.handle(event(*key)))
        return [next(iter(answer)) for answer in said]

    out["answers"] = draw()
    changed = read_avatar_in_order(again())[:, ERASED] > 0.0
    before = read_avatar_in_order(again())[:, ERASED].sum()
    out["reached"] = [int(changed.sum()), bool((changed == (away < 30.0)).all())]
    choose_settings(strength=1.0)
    for _ in range(8):
        draw(invert=True)
    out["inverted"] = float(read_avatar_in_order(again())[:, ERASED].sum() / before)
    bpy.ops.likeness.restore_avatar()
    out["cancelled"] = [draw(end="ESC")[-1], same(first, stored(again()))]
    choose_settings(action="RESTORE")
    draw(invert=True)
    out["erased"] = int((read_avatar_in_order(again())[:, ERASED] > 0.0).sum())
    bpy.ops.likeness.restore_avatar()
    choose_settings(action="ERASE", part="hair")
    draw()
    changed = read_avatar_in_order(again())[:, ERASED] > 0.0
    hair = read_avatar_part(again()) == PARTS.index("hair")
    out["part"] = [int(changed.sum()), bool((changed == (hair & (away < 30.0))).all())]
    bpy.ops.likeness.restore_avatar()
    choose_settings(part="ALL")
    path[:] = [(5.0, 5.0)]
    out["nothing"] = draw()[-1]
    return out


def quick() -> list[float]:
    """A stroke of two points ten radii apart: shares that are erased of what is near the line
    between them, and of what is not."""
    fresh(3000)
    choose_settings(action="ERASE", radius=20.0, strength=1.0, through=True, part="ALL")
    at, middle = project(), SIDE / 2
    stroke = BrushStroke(in_view(), event("LEFTMOUSE", "PRESS", middle, middle - 100.0), False)
    stroke.handle(event("MOUSEMOVE", "NOTHING", middle, middle + 100.0))
    stroke.handle(event("LEFTMOUSE", "RELEASE"))
    erased = read_avatar_in_order(again())[:, ERASED] > 0.0
    along = np.clip(at[:, 1], middle - 100.0, middle + 100.0)
    away = np.hypot(at[:, 0] - middle, at[:, 1] - along)
    return [float(erased[away < 18.0].mean()), float(erased[away > 20.0].mean())]


def read_avatar_part(objects: Any) -> FloatArray:
    """[N] what the splats show, in the order of the mesh."""
    values = np.empty(len(objects.splats.data.polygons), np.int8)
    objects.splats.data.attributes["splat_part"].data.foreach_get("value", values)
    return values


def script_stroke(**chosen: Any) -> dict[str, Any]:
    """Properties of a stroke of one dab in the middle of the view of :func:`in_view`."""
    view, window = matrices()
    return {
        "stroke": [stroke_point(SIDE / 2, SIDE / 2)],
        "view": view.ravel().tolist(),
        "window": window.ravel().tolist(),
        "size": (SIDE, SIDE),
        "radius": 60.0,
        "strength": 1.0,
        "through": True,
        **chosen,
    }


def undo(mode: str) -> dict[str, Any]:
    """One stroke is one undo step, in Object and in Pose Mode."""
    objects = fresh()
    bpy.ops.object.mode_set(mode=mode)
    bpy.ops.ed.undo_push(message="Before")
    counts = []

    def count() -> None:
        counts.append(describe_retouch(read_avatar(again())).get("erased", 0))

    stroke = bpy.ops.likeness.brush_splats
    stroke("EXEC_DEFAULT", True, **script_stroke(action="ERASE"))
    count()
    corner = stroke_point(SIDE / 2, 0.75 * SIDE)
    stroke("EXEC_DEFAULT", True, **script_stroke(action="ERASE", stroke=[corner] * 3))
    count()
    for step in (bpy.ops.ed.undo, bpy.ops.ed.undo, bpy.ops.ed.redo):
        step()
        count()
    stroke("EXEC_DEFAULT", True, **script_stroke(action="ERASE", invert=True))
    count()
    return {"counts": counts, "mode": bpy.context.mode, "still": objects is not None}


def problems() -> dict[str, str]:
    """What is said where there is nothing to brush."""
    objects = fresh()
    context, out = in_view(), {}
    choose_settings(action="ERASE", part="ALL")

    def begin() -> str:
        try:
            BrushStroke(context, event("LEFTMOUSE"), False)
        except LikenessError as error:
            return str(error)
        return ""

    options = script_stroke(action="ERASE")
    choose_settings(part="hat")
    out["part"] = begin()
    choose_settings(part="ALL")
    objects.splats.hide_set(True)
    out["hidden"] = begin()
    objects.splats.hide_set(False)
    out["empty"] = attempt(bpy.ops.likeness.brush_splats, **options | {"stroke": []})
    stroke = BrushStroke(context, event("LEFTMOUSE"), False)
    kept, objects.splats.data = objects.splats.data, objects.splats.data.copy()
    for name, act in (("moved", lambda: stroke.handle(event("MOUSEMOVE"))), ("esc", stroke.cancel)):
        try:
            act()
        except LikenessError as error:
            out[name] = str(error)
    objects.splats.data = kept
    context.region_data = None
    out["view"] = begin()
    bpy.ops.likeness.edit_splats()
    out["mode"] = attempt(bpy.ops.likeness.brush_splats, **options)
    bpy.ops.object.mode_set(mode="OBJECT")
    build_scene(people.random_avatar(6, count=50), "Other")
    bpy.context.view_layer.objects.active = None
    out["several"] = attempt(bpy.ops.likeness.brush_splats, **options)
    bpy.ops.wm.read_homefile(app_template="", use_empty=True, use_factory_startup=True)
    out["none"] = attempt(bpy.ops.likeness.brush_splats, **options)
    return out


def places() -> dict[str, Any]:
    """Where a stroke finds the splats, at once and after changes: as the cage does."""
    objects = fresh(2000)

    def off() -> float:
        bpy.context.view_layer.update()
        found = SplatPlaces.read(again(), bpy.context)
        seen = people.splat_corners_in_world(again()).mean(1)
        return float(np.abs(found.points - seen).max())

    out: dict[str, Any] = {"off": [off()]}
    placed = PlacedSplats.read(objects, bpy.context)
    sizes = np.linalg.norm(placed.axes, axis=1).max(1)
    found = SplatPlaces.read(objects, bpy.context)
    out["sizes"] = float(np.abs(found.sizes / sizes - 1.0).max())
    kept = splat_places._Cache.binding
    out["again"] = SplatPlaces.read(objects, bpy.context) is found
    objects.armature.location.x += 0.3
    objects.armature.pose.bones["left_shoulder"].rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    out["off"].append(off())
    bpy.ops.likeness.brush_splats(
        **script_stroke(
            action="MOVE",
            stroke=[stroke_point(SIDE / 2, SIDE / 2), stroke_point(SIDE / 2 + 9.0, SIDE / 2)],
        )
    )
    out["off"].append(off())
    out["kept"] = splat_places._Cache.binding is kept
    build_scene(people.random_avatar(7, count=300), "Other")
    bpy.ops.object.select_all(action="DESELECT")
    mesh = again().splats.data
    chosen = np.arange(len(mesh.polygons)) < 100
    bpy.context.view_layer.objects.active = again().splats
    again().splats.select_set(True)
    for domain, count in ((mesh.polygons, 1), (mesh.edges, 3), (mesh.vertices, 3)):
        domain.foreach_set("select", np.repeat(chosen, count))
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.delete(type="VERT")
    bpy.ops.object.mode_set(mode="OBJECT")
    out["deleted"] = len(again().splats.data.polygons)
    out["off"].append(off())
    return out


def brush() -> dict[str, Any]:
    """The brush from the scene's camera: erases what is in front, restores, tints and drags."""
    objects = fresh(3000)
    out: dict[str, Any] = {}
    first = stored(objects)
    scene = bpy.context.scene
    camera = scene_camera(scene, bpy.context.evaluated_depsgraph_get())
    objects = again()
    seen = people.splat_corners(objects).mean(1)
    near = np.abs(seen[:, :2] - np.median(seen[:, :2], 0)).max(1) < 0.1
    aim = seen[near][seen[near][:, 2].argmax()]  # of the trunk, nearest to the camera
    eye = camera.viewmat @ np.append(aim, 1.0)
    width, height = scene.render.resolution_x, scene.render.resolution_y
    depsgraph = bpy.context.evaluated_depsgraph_get()
    window = scene.camera.calc_matrix_camera(depsgraph, x=width, y=height)
    view = scene.camera.evaluated_get(depsgraph).matrix_world.normalized().inverted()
    world = people.splat_corners_in_world(objects).mean(1)
    spot = np.array(window @ view) @ np.append(world[(seen == aim).all(1)][0], 1.0)
    at = (0.5 + 0.5 * spot[:2] / spot[3]) * [width, height]
    options: dict[str, Any] = {
        "radius": 0.05 * width,
        "strength": 1.0,
        "view": np.array(view).ravel().tolist(),
        "window": np.array(window).ravel().tolist(),
        "size": (width, height),
    }

    def point(move: float = 0.0) -> dict[str, Any]:
        return stroke_point(at[0], at[1] + move)

    def changed() -> FloatArray:
        return read_avatar_in_order(again())

    bpy.ops.likeness.brush_splats(action="ERASE", stroke=[point()] * 6, **options)
    erased = changed()[:, ERASED] > 0.9
    out["erased"] = int(erased.sum())
    out["front"] = float(
        (seen[erased] @ camera.viewmat[2, :3]).max() - eye[2] + camera.viewmat[2, 3]
    )
    bpy.ops.likeness.brush_splats(action="ERASE", through=True, stroke=[point()] * 6, **options)
    out["through"] = int((changed()[:, ERASED] > 0.9).sum())
    options["radius"] *= 3
    bpy.ops.likeness.brush_splats(action="RESTORE", through=True, stroke=[point()] * 12, **options)
    out["restored"] = same(first, stored(again()))
    bpy.ops.likeness.brush_splats(
        action="TINT", color=(1.0, 0.0, 0.0), stroke=[point()] * 3, **options
    )
    tinted = changed()[:, SHIFT]
    rows = np.flatnonzero(tinted.any(1))
    out["tinted"] = [len(rows), *(tinted[rows].mean(0) > 0).tolist()]
    bpy.ops.likeness.restore_avatar()
    bpy.ops.likeness.brush_splats(
        action="TINT", through=True, color=(1.0, 0.0, 0.0), stroke=[point()], **options
    )
    whole = changed().any(1)
    bpy.ops.likeness.brush_splats(action="RESTORE", stroke=[point()] * 12, **options)
    left = changed().any(1)
    out["back"] = [int(left.sum()), int((whole & ~left).sum())]
    bpy.ops.likeness.restore_avatar()
    bpy.ops.likeness.brush_splats(
        action="MOVE", stroke=[point(), point(5.0), point(20.0)], **options
    )
    moved = people.splat_corners(again()).mean(1) - seen
    out["dragged"] = int(changed()[:, MOVE].any(1).sum())
    center = int(np.linalg.norm(moved, axis=1).argmax())
    after = np.array(window @ view) @ np.append(
        people.splat_corners_in_world(again()).mean(1)[center], 1.0
    )
    before = np.array(window @ view) @ np.append(world[center], 1.0)
    shift = 0.5 * (after[:2] / after[3] - before[:2] / before[3]) * [width, height]
    out["pixels"] = [float(x) for x in shift]
    return out


def near_brush() -> dict[str, list[int]]:
    """A wall seen from so near that one sees between the middles of its splats, and one behind."""
    side = (np.arange(101) - 50) * 1e-3
    wall = np.stack(np.meshgrid(side, side, [0.0], indexing="ij"), -1).reshape(-1, 3)
    points = np.concatenate([wall, wall * 2.0 - [0.0, 0.0, 0.15]])
    window = np.array([[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, -1.002, -0.02], [0, 0, -1.0, 0]])
    view = BrushView(np.eye(4) + np.outer([0, 0, -1, 0], [0, 0, 0, 0.05]), window, 1000, 1000)
    out = {}
    for radius in (3.0, 30.0, 200.0):  # one millimetre is 20 pixels
        rows, _, _ = find_under_brush(
            *view.project(points),
            np.full(len(points), 1e-3),
            points[:, 2] > -1.0,
            view,
            (505.0, 505.0),
            radius,
        )
        out[str(radius)] = [int((rows < len(wall)).sum()), int((rows >= len(wall)).sum())]
    return out
