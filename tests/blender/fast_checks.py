"""Splats drawn by the graphics card; run inside bpy, see test_look.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.scene.origin import photo_matrix
from likeness.addon.scene.read_back import scene_camera
from likeness.engine.core.color import linear_to_srgb
from likeness.engine.core.types import Avatar, FloatArray, Gaussians
from likeness.engine.gaussians import pose_avatar
from likeness.engine.gaussians.lod import order_by_importance, simplify_avatar
from likeness.engine.render import render_camera
from look_checks import decibels, fresh


def fast_splats(count: int) -> dict[str, Any]:
    """Splats drawn by the graphics card into a picture of our own, against the engine's."""
    fresh()
    import gpu
    from likeness.addon.viewport import fast_splats as fast

    avatar = order_by_importance(people.random_avatar(5, count=5000))
    objects = build_scene(avatar, "Person")
    objects.armature.rotation_euler.z = 0.3
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"  # a first render makes the graphics context
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    width, height = avatar.camera.width, avatar.camera.height
    scene.render.resolution_x, scene.render.resolution_y = width, height
    pose = people.random_pose(avatar, np.random.default_rng(6), 0.2)
    objects.set_pose(pose, avatar.body.expression_names)
    bpy.context.view_layer.update()
    bpy.ops.likeness.set_detail(target="Viewport Detail", count=count)
    out: dict[str, Any] = {"why_not": fast.find_fast_problem(), "off": fast.is_fast(objects.splats)}
    fast.set_fast(objects.splats, True)
    out["in_viewport"] = len(people.splat_corners(objects))
    screen = gpu.types.GPUOffScreen(width, height, format="RGBA16F")

    def draw(depth: float) -> tuple[int, FloatArray]:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        camera = objects.camera
        projection = camera.calc_matrix_camera(depsgraph, x=width, y=height)
        with screen.bind():
            buffer = gpu.state.active_framebuffer_get()
            buffer.clear(color=(0, 0, 0, 0), depth=depth)
            drawn = fast.draw_view(
                bpy.context, camera.matrix_world.inverted(), projection, width, height
            )
            pixels = buffer.read_color(0, 0, width, height, 4, 0, "FLOAT")
        return len(drawn), np.array(pixels.to_list()).reshape(height, width, 4)[::-1]

    out["drawn"], picture = draw(1.0)
    out["behind"] = float(draw(0.0)[1].max())
    expected = _turned(simplify_avatar(avatar, count) if count else avatar, pose, objects)
    inside = expected.alpha > 0.5
    alpha = np.maximum(picture[..., 3:], 1e-6)
    rgb = linear_to_srgb(np.clip(picture[..., :3] / alpha, 0, 1))
    straight = expected.rgb / np.maximum(expected.alpha[..., None], 1e-6)
    out["covered"] = float(inside.mean())
    out["rgb_db"] = decibels((rgb - straight)[inside])
    out["alpha_db"] = decibels(picture[..., 3] - expected.alpha)
    out |= _order_error(objects, fast)
    out["back"] = len(people.splat_corners(objects))
    fast._forget()
    fast._Store.shader = None
    screen.free()
    return out


def fast_pair() -> dict[str, Any]:
    """Two avatars that stand in each other, drawn together and one after the other."""
    fresh()
    import gpu
    from likeness.addon.viewport import fast_splats as fast

    scene = bpy.context.scene
    avatars = [order_by_importance(people.random_avatar(seed, count=4000)) for seed in (5, 6)]
    pair = [build_scene(avatar, "Person") for avatar in avatars]
    scene.render.engine = "BLENDER_WORKBENCH"  # a first render makes the graphics context
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    pair[1].armature.location = pair[0].armature.location
    pair[1].armature.location.x += 0.08
    camera = pair[0].camera
    scene.camera = camera
    width, height = avatars[0].camera.width, avatars[0].camera.height
    scene.render.resolution_x, scene.render.resolution_y = width, height
    for objects in pair:
        fast.set_fast(objects.splats, True)
    bpy.context.view_layer.update()
    screen = gpu.types.GPUOffScreen(width, height, format="RGBA16F")

    def draw() -> FloatArray:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        projection = camera.calc_matrix_camera(depsgraph, x=width, y=height)
        view = camera.matrix_world.inverted()
        with screen.bind():
            buffer = gpu.state.active_framebuffer_get()
            buffer.clear(color=(0, 0, 0, 0), depth=1.0)
            fast.draw_view(bpy.context, view, projection, width, height)
            pixels = buffer.read_color(0, 0, width, height, 4, 0, "FLOAT")
        return np.array(pixels.to_list()).reshape(height, width, 4)[::-1]

    parts = [_in_world(a, a.pose, o) for a, o in zip(avatars, pair)]
    names = ("means", "quats", "scales", "opacities", "colors")
    every = Gaussians(*(np.concatenate([getattr(part, n) for part in parts]) for n in names))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    expected = render_camera(every, scene_camera(scene, depsgraph), samples=1)
    solid = expected.alpha > 0.9
    wanted = expected.rgb / np.maximum(expected.alpha[..., None], 1e-6)

    def error() -> float:
        picture = draw()
        rgb = linear_to_srgb(np.clip(picture[..., :3] / np.maximum(picture[..., 3:], 1e-6), 0, 1))
        return decibels((rgb - wanted)[solid])

    out = {"together": error(), "covered": float(solid.mean())}
    fast._SLICES = 1
    out["apart"] = error()
    fast._forget()
    fast._Store.shader = None
    screen.free()
    return out


def moving_detail() -> dict[str, Any]:
    """How many splats are drawn: still, after one step, in a gesture, and afterwards."""
    fresh()
    from likeness.addon.viewport import fast_splats as fast

    clock = [100.0]
    fast.time = type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])})
    movement, out = fast._Movement(), []
    for seconds, view in ((0, b"a"), (5, b"b"), (0.1, b"c"), (0.1, b"d"), (0.3, b"d"), (0.5, b"d")):
        clock[0] += seconds
        out.append(movement.update(view))
    return {"going": out}


def _turned(avatar: Avatar, pose: Any, objects: Any) -> Any:
    """The engine's picture of the turned person, with one sample per pixel like the shader's."""
    posed = _in_world(avatar, pose, objects)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return render_camera(posed, scene_camera(bpy.context.scene, depsgraph), samples=1)


def _in_world(avatar: Avatar, pose: Any, objects: Any) -> Gaussians:
    """The posed Gaussians where the armature stands, in the engine's axes."""
    from likeness.engine.scene.frames import transform_gaussians

    matrix = np.array(objects.armature.matrix_world @ photo_matrix(objects.armature))
    axes = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    return transform_gaussians(pose_avatar(avatar, pose), axes @ matrix @ axes.T)


def _order_error(objects: Any, fast: Any) -> dict[str, float]:
    """How far the order of drawing is from that of the true depths."""
    cloud = fast.SplatCloud(fast.read_splats(objects.splats))
    vertices, normals = fast.posed_body(objects.splats, bpy.context.evaluated_depsgraph_get())
    view = np.array([0.2, 0.9, -0.3], np.float32)
    fast.set_fast(objects.splats, False)
    bpy.ops.likeness.set_detail(target="Viewport Detail", count=0)
    corners = people._evaluated_points(objects.splats, objects.splats.matrix_world)
    means = corners.reshape(-1, 3, 3).mean(1) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    order, sorted_depth = cloud.order(vertices, normals, view, cloud.count)
    depth = (means @ view)[order]
    wrong = np.abs(depth - np.sort(depth)[::-1])
    off = np.abs(depth - sorted_depth)
    return {
        "order_mm": float(1000 * np.quantile(wrong, 0.99)),
        "depth_mm": float(1000 * np.quantile(off, 0.99)),
    }


def fast_in_edit_mode(folder: str) -> dict[str, Any]:
    """Edit Mode, entered with the button and by hand, also in a saved file, and left again."""
    fresh()
    from likeness.addon.viewport import edit_mode
    from likeness.addon.viewport import fast_splats as fast

    fast.find_fast_problem = lambda: ""  # as with a window
    objects = build_scene(people.random_avatar(1, count=50), "Person")
    fast.set_fast(objects.splats, True)
    areas = (area for screen in bpy.data.screens for area in screen.areas)
    space = next(s for area in areas for s in area.spaces if s.type == "VIEW_3D")
    out: dict[str, Any] = {}

    def note(name: str, wait: bool = True) -> None:
        bpy.context.view_layer.update()
        soon = bpy.app.timers.is_registered(edit_mode.follow_modes)
        if soon:  # a script has no timers
            bpy.app.timers.unregister(edit_mode.follow_modes)
        if soon and wait:
            edit_mode.follow_modes()
        splats = bpy.data.objects["Splats Person"]
        out[name] = [fast.is_fast(splats), space.shading.type]

    space.shading.type = "SOLID"
    note("before")
    bpy.context.view_layer.objects.active = objects.armature
    bpy.ops.likeness.edit_splats()
    note("button")
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "edited.blend"), copy=True)
    note("saved")
    bpy.ops.object.mode_set(mode="OBJECT")
    note("left")
    bpy.ops.object.mode_set(mode="EDIT")
    note("by hand")
    bpy.ops.object.mode_set(mode="OBJECT")
    note("left, as undo finds it", wait=False)
    edit_mode._undone()
    note("undone")
    fast.set_fast(objects.splats, False)
    bpy.ops.likeness.edit_splats()
    bpy.ops.object.mode_set(mode="OBJECT")
    note("was off")
    return out


def fast_in_files(folder: str) -> dict[str, Any]:
    """A saved file shows the avatar without the extension, also in views that were solid, and is as
    before for those who have it."""
    fresh()
    from likeness.addon.viewport import fast_splats as fast

    def seen() -> list[Any]:
        splats = bpy.data.objects["Splats Person"]
        return [fast.is_fast(splats), sorted({space.shading.type for space in view_spaces()})]

    def view_spaces() -> list[Any]:
        areas = (area for screen in bpy.data.screens for area in screen.areas)
        return [s for area in areas for s in area.spaces if s.type == "VIEW_3D"]

    fast.find_fast_problem = lambda: ""  # as with a window
    objects = build_scene(people.random_avatar(1, count=50), "Person")
    fast.set_fast(objects.splats, True)
    for space in view_spaces():
        space.shading.type = "SOLID"
    view_spaces()[0].shading.type = "WIREFRAME"
    out = {"before": seen()}
    path = Path(folder) / "fast.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    out["after"] = seen()
    likeness.unregister()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    out["without"] = seen()
    likeness.register()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    out["with"] = seen()
    left = [screen for screen in bpy.data.screens if "likeness_solid_views" in screen]
    return out | {"left": len(left)}


def fast_appended(folder: str) -> dict[str, Any]:
    """Avatars that come from another file are drawn by the GPU at once if they were there, and
    saving changes neither them nor those that were not."""
    fresh()
    from likeness.addon.compat import open_empty_file
    from likeness.addon.viewport import fast_splats as fast

    fast.find_fast_problem = lambda: ""  # as with a window
    for name, on in (("Fast", True), ("Slow", False)):
        fast.set_fast(build_scene(people.random_avatar(1, count=50), name).splats, on)
    source = Path(folder) / "source.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(source))
    names = ["Splats Fast", "Splats Slow"]

    def states() -> list[bool]:
        return [fast.is_fast(bpy.data.objects[name]) for name in names]

    def get(link: bool) -> None:
        open_empty_file()
        collections = [{"name": name.split()[1]} for name in names]
        inside = f"{source}/Collection/"
        bpy.ops.wm.link(filepath=inside + "Fast", directory=inside, files=collections, link=link)

    out: dict[str, Any] = {}
    for kind, link in (("appended", False), ("linked", True)):
        get(link)
        out[kind] = states()
        out[f"{kind} shapes"] = [o.name for o in bpy.context.scene.objects if "Shape" in o.name]
        bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / f"{kind}.blend"))
        out[f"{kind} and saved"] = states()
        bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / f"{kind}.blend"))
        out[f"{kind} and opened"] = states()
    get(True)
    linked = bpy.data.collections["Fast"]
    scene = bpy.context.scene
    linked.override_hierarchy_create(scene, bpy.context.view_layer)
    splats = next(obj for obj in bpy.data.objects if obj.override_library and "Splats" in obj.name)
    out["overridden"] = fast.is_fast(splats)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "overridden.blend"))
    out["overridden and saved"] = fast.is_fast(splats)
    return out
