"""How avatars look in Blender; run inside bpy, see test_look.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
import PIL.Image
from likeness.addon.scene import render_setup, shadow_proxy
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.scene.camera import has_photo_shape, toggle_camera_view
from likeness.addon.scene.origin import photo_matrix
from likeness.addon.scene.read_back import scene_camera, splat_count
from likeness.engine.core.color import linear_to_srgb
from likeness.engine.core.types import Avatar, FloatArray, Gaussians
from likeness.engine.gaussians import pose_avatar
from likeness.engine.gaussians.lod import order_by_importance, simplify_avatar
from likeness.engine.render import render_camera
from mathutils import Matrix


def fresh() -> None:
    """An empty scene with the extension's operators."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    likeness.register()


def settings() -> dict[str, Any]:
    """The setup: what it announces, what it does, what it leaves alone, and the way back."""
    fresh()
    scene = bpy.context.scene
    first = build_scene(people.random_avatar(1, count=50), "Person")
    scene.render.resolution_x, scene.render.resolution_percentage = 1000, 50
    render_setup.plan_changes(scene, render_setup.RenderOptions())  # enables Cycles
    before = _snapshot(scene)
    out: dict[str, Any] = {}
    bounces = scene.cycles.max_bounces
    out["notes"] = [render_setup.describe_view_transform(scene)]
    bpy.ops.likeness.render_setup(groups={"colors"})
    out["notes"].append(render_setup.describe_view_transform(scene))
    out["only_colors"] = sorted(_different(before, _snapshot(scene)))
    bpy.ops.likeness.render_restore()
    announced = render_setup.plan_changes(scene, render_setup.RenderOptions(), first.camera)
    out["texts"] = [str(change) for change in announced]
    bpy.ops.likeness.render_setup()
    changed = _different(before, _snapshot(scene))
    out["as_announced"] = sorted(changed) == sorted(change.path for change in announced)
    out["again"] = len(render_setup.plan_changes(scene, render_setup.RenderOptions(), first.camera))
    bpy.ops.likeness.render_setup(engine="EEVEE", samples=4)
    out["engine"] = scene.render.engine
    bpy.ops.likeness.render_restore()
    out["after_restore"] = sorted(_different(before, _snapshot(scene)))
    out["can_restore"] = render_setup.can_restore(scene)
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.view_layer.objects.active = first.armature
    bpy.ops.likeness.render_setup()
    out["lit_bounces"] = scene.cycles.max_bounces == bounces
    out["lit_layers"] = scene.cycles.min_transparent_bounces
    return out


_PATHS = [
    path
    for setup in ("CYCLES", "EEVEE")
    for _, path, _ in render_setup._wanted(render_setup.RenderOptions(setup), None)
]
_PATHS += [
    "render.resolution_x",
    "render.resolution_y",
    "render.resolution_percentage",
    "render.pixel_aspect_x",
    "render.pixel_aspect_y",
]


def _snapshot(scene: Any) -> dict[str, Any]:
    out = {}
    for path in _PATHS:
        owner, name = render_setup._owner(scene, path)
        out[path] = getattr(owner, name)
    return out


def _different(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [path for path in before if before[path] != after[path]]


def numbers() -> list[int]:
    """Splats shown in the viewport and rendered, after presets for each."""
    fresh()
    objects = build_scene(people.random_avatar(1, count=900), "Person")
    bpy.ops.likeness.set_detail(target="Viewport Detail", count=90)
    bpy.ops.likeness.set_detail(target="Render Detail", count=450)
    shown = [splat_count(objects, f"{name} Detail") for name in ("Viewport", "Render")]
    seen = len(people.splat_corners(objects))
    bpy.ops.likeness.set_detail(target="Viewport Detail", count=0)
    return [*shown, seen, splat_count(objects, "Viewport Detail")]


def pictures(folder: str) -> dict[str, Any]:
    """Two avatars drawn by the worker as PNG, EXR and frames, against the engine here."""
    fresh()
    scene = bpy.context.scene
    avatars = [people.random_avatar(5, count=3000), people.random_avatar(6, count=3000)]
    objects = [build_scene(avatar, f"Person {k}") for k, avatar in enumerate(avatars)]
    objects[1].armature.location.x += 0.3
    objects[1].armature.location.y += 0.2
    for k, avatar in enumerate(avatars):
        posed = people.random_pose(avatar, np.random.default_rng(k), 0.2)
        objects[k].set_pose(replace(posed, transl=avatar.pose.transl), avatar.body.expression_names)
    camera = objects[0].camera
    camera.data.shift_x += 0.04
    for frame, x in ((1, 0.0), (5, 0.2)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    render_setup.set_up_render(scene)
    width, height = avatars[0].camera.width, avatars[0].camera.height
    scene.render.resolution_x, scene.render.resolution_y = 2 * width, 2 * height
    scene.render.resolution_percentage = 50
    scene.render.filepath = str(Path(folder) / "shot_###.jpg")
    scene.frame_start, scene.frame_end, scene.frame_step = 1, 5, 2
    scene.frame_set(3)
    out: dict[str, Any] = {"results": []}
    for options in ({"kind": "PNG", "animation": True}, {"kind": "EXR"}):
        out["results"].append(list(bpy.ops.likeness.draw(**options)))
    out["files"] = sorted(path.name for path in Path(folder).iterdir())
    out["frame"] = scene.frame_current
    expected = []
    for frame in (1, 3):
        scene.frame_set(frame)
        gaussians = _together(objects, avatars)
        seen = scene_camera(scene, bpy.context.evaluated_depsgraph_get())
        expected.append(render_camera(gaussians, seen))
    drawn = [_pixels(Path(folder) / f"shot_{frame:03d}.png") for frame in (1, 3)]
    out["png"] = max(_worst(a, b) for a, b in zip(drawn, expected))
    out["moves"] = float(np.abs(drawn[0] - drawn[1]).max())
    out["depth"] = [float(x) for x in expected[1].depth[expected[1].alpha > 0.9][:3]]
    scene.render.filepath = str(Path(folder) / "cycles.png")
    bpy.ops.render.render(write_still=True)
    cycles = _pixels(Path(folder) / "cycles.png")
    inside = expected[1].alpha > 0.5
    out["rgb_db"] = _db((cycles[..., :3] - drawn[1][..., :3])[inside])
    out["alpha_db"] = _db(cycles[..., 3] - drawn[1][..., 3])
    out["exr"] = _read_exr(Path(folder) / "shot_003.exr", expected[1])
    node = bpy.types.CompositorNodeZcombine.bl_rna.name
    out["compositing"] = [node, bpy.types.ViewLayer.bl_rna.properties["use_pass_z"].name]
    scene.render.film_transparent = False
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = (1.0, 0.0, 0.0)
    if scene.world.node_tree is not None:  # from 5.0 on
        node = next(n for n in scene.world.node_tree.nodes if n.type == "BACKGROUND")
        node.inputs["Color"].default_value = (1.0, 0.0, 0.0, 1.0)
    scene.render.filepath = str(Path(folder) / "ground_###")
    bpy.ops.likeness.draw()
    out["ground"] = (255 * _pixels(Path(folder) / "ground_003.png")[0, 0, :3]).round().tolist()
    scene.render.filepath = "//nowhere/"
    try:
        bpy.ops.likeness.draw()
    except RuntimeError as error:
        out["unsaved"] = str(error)
    return out


def _together(objects: list[Any], avatars: list[Avatar]) -> Gaussians:
    """The Gaussians of all avatars where Blender has them, by way of the engine's poses."""
    parts = []
    for made, avatar in zip(objects, avatars):
        posed = pose_avatar(avatar, made.get_pose(avatar.body.expression_names))
        moved = (made.armature.matrix_world @ photo_matrix(made.armature)).translation
        moved = np.array(moved)[[0, 2, 1]] * [1, 1, -1]
        parts.append(replace(posed, means=posed.means + moved))
    names = ("means", "quats", "scales", "opacities", "colors")
    return Gaussians(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def _pixels(path: Path) -> FloatArray:
    return np.asarray(PIL.Image.open(path).convert("RGBA"), np.float64) / 255


def _worst(picture: FloatArray, expected: Any) -> float:
    alpha = picture[..., 3]
    rgb = np.abs(picture[..., :3] * alpha[..., None] - expected.rgb).max()
    return float(max(rgb, np.abs(alpha - expected.alpha).max()))


def _db(difference: FloatArray) -> float:
    return float(-10 * np.log10(np.mean(np.square(difference)) + 1e-12))


def _read_exr(path: Path, expected: Any) -> dict[str, Any]:
    """Through Blender itself: what an artist's compositor gets."""
    image = bpy.data.images.load(str(path))
    if bpy.app.version < (5, 0, 0):
        bpy.context.scene.use_nodes = True
        tree = bpy.context.scene.node_tree
    else:
        tree = bpy.data.node_groups.new("Comp", "CompositorNodeTree")
    node = tree.nodes.new("CompositorNodeImage")
    node.image = image
    outputs = [socket.name for socket in node.outputs if socket.enabled]
    return {"outputs": outputs, "covered": float((expected.alpha > 0.5).mean())}


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
    out["rgb_db"] = _db((rgb - straight)[inside])
    out["alpha_db"] = _db(picture[..., 3] - expected.alpha)
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
        return _db((rgb - wanted)[solid])

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


def shadows() -> dict[str, Any]:
    """The floor's light beside a person, without and with a proxy, and in another pose."""
    fresh()
    scene = bpy.context.scene
    avatar = people.random_avatar(5, count=4000)
    objects = build_scene(avatar, "Person")
    bpy.ops.mesh.primitive_plane_add(size=20)
    bpy.ops.object.light_add(type="SUN")
    bpy.context.object.data.energy = 3.0
    bpy.context.view_layer.objects.active = objects.armature
    objects.splats.hide_render = True  # only the floor counts
    scene.render.resolution_x = scene.render.resolution_y = 48
    above = bpy.data.objects.new("Above", bpy.data.cameras.new("Above"))
    scene.collection.objects.link(above)
    above.data.type, above.data.ortho_scale, above.location.z = "ORTHO", 3.0, 5.0
    scene.camera = above
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    out: dict[str, Any] = {}

    def dark() -> FloatArray:
        path = Path(bpy.app.tempdir) / "floor.png"
        render_setup.render_png(scene, path)
        return _pixels(path)[..., 0] < 0.2

    out["without"] = float(dark().mean())
    bpy.ops.likeness.add_shadow_proxy()
    first = dark()
    out["with"] = float(first.mean())
    proxy = shadow_proxy.find_proxy(objects)
    out["in the way"] = not proxy.hide_get()
    proxy.hide_set(False)
    out["bare"] = _span(objects.body)
    out["reach"] = _span(proxy)
    objects.armature.location.x += 0.5
    second = dark()
    out["follows"] = float((first & ~second).mean())
    bpy.ops.likeness.add_shadow_proxy(catcher=True)
    out["one"] = len([o for o in objects.armature.children if o.get("likeness_part") == "shadow"])
    bpy.ops.likeness.remove_shadow_proxy()
    out["removed"] = shadow_proxy.find_proxy(objects) is None
    left = [attribute.name for attribute in objects.body.data.attributes]
    out["left"] = [name for name in left if "reach" in name]
    legs = [k for k, name in enumerate(avatar.body.part_names) if name in ("leg", "foot")]
    shown = ~np.isin(avatar.body.face_part[avatar.gaussians.triangle], legs)
    bust = build_scene(replace(avatar, gaussians=avatar.gaussians.take(shown)), "Bust")
    proxy = shadow_proxy.add_proxy(bust)
    proxy.hide_set(False)
    out["bust"] = _span(bust.body), _span(proxy)
    return out


def _span(obj: Any) -> list[float]:
    points = people._evaluated_points(obj, Matrix.Identity(4))
    return np.ptp(points, axis=0).tolist()


def photo_view() -> dict[str, Any]:
    """Through the photo's camera and back, in a 3D view of the start-up screen."""
    likeness.register()
    bpy.ops.wm.read_factory_settings()
    objects = build_scene(people.random_avatar(1, count=50), "Person")
    scene = bpy.context.scene
    other = scene.camera
    area = next(a for a in bpy.context.window.screen.areas if a.type == "VIEW_3D")
    space = area.spaces.active
    out: dict[str, Any] = {"shape": has_photo_shape(scene, objects.camera)}
    for name in ("there", "back"):
        toggle_camera_view(scene, objects.camera, space)
        out[name] = [space.region_3d.view_perspective, space.camera.name if space.camera else ""]
    out["cameras"] = [other.name, objects.camera.name]
    out["scene_camera"] = scene.camera.name
    return out


def photo_behind(photo: str) -> dict[str, Any]:
    """How the photo lies behind its camera's view, for three shapes of the scene."""
    likeness.register()
    bpy.ops.wm.read_factory_settings()
    avatar = people.random_avatar(1, count=50)
    objects = build_scene(avatar, "Person", Path(photo))
    space = next(a for a in bpy.context.window.screen.areas if a.type == "VIEW_3D").spaces.active
    out: dict[str, Any] = {"hidden": objects.camera.hide_get(), "methods": {}}
    camera, scene = objects.camera, bpy.context.scene
    for method, sides in {"wide": (1600, 900), "tall": (900, 1600)}.items():
        scene.render.resolution_x, scene.render.resolution_y = sides
        camera.hide_set(True)
        toggle_camera_view(scene, camera, space)
        toggle_camera_view(scene, camera, space)
        background = camera.data.background_images[0]
        out["methods"][method] = [background.frame_method, camera.hide_get()]
    out["shown"] = camera.data.show_background_images
    out["photo"] = [*objects.camera.data.background_images[0].image.size, camera.data.sensor_fit]
    return out
