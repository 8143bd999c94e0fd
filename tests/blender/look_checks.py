"""How avatars look in Blender; run inside bpy, see test_look.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
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
from likeness.engine.core.types import Avatar, FloatArray, Gaussians, LikenessError
from likeness.engine.gaussians import pose_avatar
from likeness.engine.render import render_camera
from mathutils import Matrix


def fresh() -> None:
    """An empty scene with the extension's operators."""
    people.empty_scene()
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
    out["notes"] = [render_setup.find_changing_transform(scene)]
    bpy.ops.likeness.render_setup(groups={"colors"})
    out["notes"].append(render_setup.find_changing_transform(scene))
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
    scene.render.filepath = str(Path(folder) / "polished_###")
    out["results"].append(list(bpy.ops.likeness.draw(kind="EXR", polish=True)))
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
    out["rgb_db"] = decibels((cycles[..., :3] - drawn[1][..., :3])[inside])
    out["alpha_db"] = decibels(cycles[..., 3] - drawn[1][..., 3])
    out["exr"] = _read_exr(Path(folder) / "shot_003.exr", expected[1])
    out["polished"] = _read_exr(Path(folder) / "polished_003.exr", expected[1])
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


def decibels(difference: FloatArray) -> float:
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
    bust.splats.data.clear_geometry()
    try:
        shadow_proxy.add_proxy(bust)
    except LikenessError:
        out["kept"] = shadow_proxy.find_proxy(bust) == proxy
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


def wrapped() -> dict[str, int]:
    """The longest lines of a note in a sidebar of 252 pixels, with and without an icon."""
    from likeness.panels.base import draw_wrapped

    def longest(icon: str) -> int:
        lines: list[str] = []
        layout = SimpleNamespace(label=lambda text, **_: lines.append(text))
        layout.column = lambda **_: layout
        region = SimpleNamespace(type="UI", width=252)
        draw_wrapped(layout, SimpleNamespace(region=region), "somebody waves " * 9, icon)
        return max(map(len, lines))

    return {icon: longest(icon) for icon in ("NONE", "INFO")}
