"""Splats in the scene's light; run inside bpy, see test_light.py."""

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
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.addon.scene.axes import points_to_engine
from likeness.addon.scene.grade_nodes import CONTROLS, grade_name
from likeness.addon.scene.light_nodes import HAS_LIGHT, RELIGHT
from likeness.addon.scene.material import COLOR_ATTRIBUTE
from likeness.addon.scene.part_selection import list_grades
from likeness.addon.scene.read_back import read_attribute, read_avatar
from likeness.addon.scene.splat_object import MODIFIER_NAME, get_input, input_identifier, set_input
from likeness.addon.viewport.fast_splats import read_faded_colors
from likeness.engine.core.cameras import camera_position
from likeness.engine.core.color import srgb_to_linear
from likeness.engine.core.grading import Grade, grade_colors
from likeness.engine.core.types import PARTS, Avatar, FloatArray
from likeness.engine.gaussians import pose_avatar
from likeness.engine.gaussians.relight.albedo import find_reflectance
from likeness.engine.gaussians.relight.surface_normals import find_surface_normals, place_normals
from likeness.engine.render import render_camera
from likeness.engine.scene.mesh import KEPT
from mathutils import Vector

STRENGTH = 2.0


def scene_of(engine: str, samples: int, count: int = 4000) -> tuple[Avatar, AvatarObjects]:
    """A person of boxes before the photo's camera, in a black world."""
    people.empty_scene()
    likeness.register()
    avatar = people.random_avatar(5, count)
    objects = build_scene(avatar, "Person")
    scene = bpy.context.scene
    scene.camera = objects.camera
    render_setup.set_up_render(scene, objects.camera, engine, samples)
    scene.render.resolution_percentage = 100
    scene.cycles.use_denoising = False
    scene.world = bpy.data.worlds.new("Black")
    scene.world.color = (0.0, 0.0, 0.0)
    if scene.world.node_tree is not None:  # from 5.0 on
        node = next(n for n in scene.world.node_tree.nodes if n.type == "BACKGROUND")
        node.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    return avatar, objects


def add_sun(towards: tuple[float, float, float]) -> Any:
    lamp = bpy.data.lights.new("Sun", "SUN")
    lamp.energy, lamp.angle = STRENGTH, 0.0
    obj = bpy.data.objects.new("Sun", lamp)
    bpy.context.scene.collection.objects.link(obj)
    obj.rotation_euler = (-Vector(towards)).to_track_quat("-Z", "Y").to_euler()
    return obj


def draw(scene: Any = None) -> FloatArray:
    """[H, W, 4] linear, straight alpha."""
    path = Path(bpy.app.tempdir) / "drawn.png"
    render_setup.render_png(scene or bpy.context.scene, path)
    rgba = np.asarray(PIL.Image.open(path).convert("RGBA"), np.float64) / 255
    return np.concatenate([srgb_to_linear(rgba[..., :3]), rgba[..., 3:]], -1)


def slide(objects: AvatarObjects, value: float) -> None:
    set_input(objects.splats.modifiers[MODIFIER_NAME], RELIGHT, value)


def lamp(engine: str) -> dict[str, Any]:
    """A sun from each side: strength and direction against Lambert's law in numpy."""
    avatar, objects = scene_of(engine, 8 if engine == "CYCLES" else 1)
    slide(objects, 1.0)
    normals = find_surface_normals(avatar)
    found = find_reflectance(avatar, normals)
    vertices = np.asarray(avatar.body.vertices(avatar.pose)[0], np.float64)
    world = place_normals(normals, avatar, vertices)
    posed = pose_avatar(avatar)
    view = camera_position(avatar.camera) - posed.means
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    world = world - 2.0 * np.minimum((world * view).sum(1, keepdims=True), 0.0) * view
    albedo = srgb_to_linear(found.albedo.astype(np.float64)) * found.folds[:, None]
    out: dict[str, Any] = {}
    for name, towards in {
        "left": (1, -0.3, 0.2),
        "right": (-1, -0.3, 0.2),
        "top": (0, -0.6, 1),
    }.items():
        sun = add_sun(towards)
        drawn = draw()
        bpy.data.objects.remove(sun)
        light = points_to_engine(np.array(towards, float))
        light /= np.linalg.norm(light)
        cosine = np.maximum(world @ light, 0.0)
        colors = (albedo * STRENGTH / np.pi * cosine[:, None]).astype(np.float32)
        both = np.concatenate([colors, world.astype(np.float32)], 1)
        shown = render_camera(replace(posed, colors=both), avatar.camera, np.zeros(6))
        rgb = np.asarray(shown.rgb)
        solid = (np.asarray(shown.alpha).squeeze() > 0.95) & (drawn[..., 3] > 0.95)
        expected, got = rgb[solid, :3].mean(1), drawn[solid, :3].mean(1)
        out[name] = {
            "strength": float(got.mean() / expected.mean()),
            "alike": float(np.corrcoef(got, expected)[0, 1]),
            "pixels": int(solid.sum()),
        }
    return out


def amounts(folder: str) -> dict[str, Any]:
    """Slider at 0 and between; keys; a saved file without the extension; undo; links."""
    _, objects = scene_of("CYCLES", 8, 1500)
    add_sun((1, -0.3, 0.2))
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    at_zero = draw()
    set_input(modifier, HAS_LIGHT, False)
    slide(objects, 1.0)
    without = draw()
    set_input(modifier, HAS_LIGHT, True)
    full = draw()
    slide(objects, 0.5)
    half = draw()
    inside = at_zero[..., 3] > 0.95
    mean = 0.5 * (at_zero + full)[inside, :3].mean()
    out: dict[str, Any] = {
        "same": float(np.abs(at_zero - without).max()),
        "half": float(half[inside, :3].mean() / mean),
        "lit": float(np.abs(full - at_zero)[inside].mean()),
    }
    identifier = input_identifier(modifier, RELIGHT)
    path = f'modifiers["{MODIFIER_NAME}"]["{identifier}"]'
    if hasattr(modifier, "properties"):
        path = f'modifiers["{MODIFIER_NAME}"].properties.inputs.{identifier}.value'
    for frame, value in ((1, 0.0), (11, 1.0)):
        slide(objects, value)
        objects.splats.keyframe_insert(path, frame=frame)
    scene = bpy.context.scene
    scene.frame_set(1)
    out["first key"] = float(np.abs(draw() - at_zero).max())
    scene.frame_set(11)
    out["last key"] = float(np.abs(draw() - full)[inside].mean())
    file = str(Path(folder) / "lit.blend")
    scene.name = "Lit"
    objects.splats.animation_data_clear()  # linked scenes are at frame 1
    slide(objects, 1.0)
    bpy.ops.wm.save_as_mainfile(filepath=file)
    likeness.unregister()
    bpy.ops.wm.open_mainfile(filepath=file)
    out["saved"] = float(np.abs(draw() - full)[inside].mean())
    people.empty_scene()
    with bpy.data.libraries.load(file, link=True) as (source, target):
        target.scenes = source.scenes
    out["linked"] = float(np.abs(draw(target.scenes[0]) - full)[inside].mean())
    return out


def shade(engine: str) -> dict[str, Any]:
    """A proxy leaves the lit side alone; something before the lamp darkens it."""
    _, objects = scene_of(engine, 8 if engine == "CYCLES" else 1, 3000)
    slide(objects, 1.0)
    add_sun((0.5, -1, 0.5))
    plain = draw()
    inside = plain[..., 3] > 0.95
    shadow_proxy.add_proxy(objects)
    own = draw()
    place = objects.armature.matrix_world.translation + Vector((1.0, -2.0, 2.0))
    bpy.ops.mesh.primitive_plane_add(size=6, location=place)
    board = bpy.context.object
    board.rotation_euler = Vector((0.5, -1, 0.5)).to_track_quat("Z", "Y").to_euler()
    board.visible_camera = False
    blocked = draw()
    lit = inside & (plain[..., :3].mean(-1) > np.median(plain[inside, :3].mean(-1)))
    return {
        "own": float(own[lit, :3].mean() / plain[lit, :3].mean()),
        "blocked": float(blocked[inside, :3].mean() / plain[inside, :3].mean()),
    }


def turned() -> dict[str, Any]:
    """At 1 nothing of the photo's light is left: half a turn, and the other side is lit alike."""
    _, objects = scene_of("CYCLES", 8, 3000)
    slide(objects, 1.0)
    splats = objects.splats.data
    size = len(splats.polygons)
    splats.attributes["splat_albedo"].data.foreach_set("vector", np.full(3 * size, 0.5, np.float32))
    splats.update()
    out = {}
    for name, towards in {"left": (1, -0.3, 0.2), "right": (-1, -0.3, 0.2)}.items():
        sun = add_sun(towards)
        drawn = draw()
        bpy.data.objects.remove(sun)
        row = drawn[drawn[..., 3] > 0.95]
        out[name] = float(row[:, :3].mean())
    black = draw()
    out["dark"] = float(black[black[..., 3] > 0.95][:, :3].max())
    out["slider"] = float(get_input(objects.splats.modifiers[MODIFIER_NAME], RELIGHT))
    return out


def grades(folder: str) -> dict[str, Any]:
    """Grades in Blender, in what is read back, and in the fast splats against the engine."""
    people.empty_scene()
    likeness.register()
    avatar = people.random_avatar(5, 2000)
    part = np.random.default_rng(0).integers(0, len(PARTS), 2000).astype(np.uint8)
    avatar = replace(avatar, gaussians=replace(avatar.gaussians, part=part))
    objects = build_scene(avatar, "Person")
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    before = faces(objects)
    wanted = {"Skin": Grade(0.5, 0.0, 0.4), "Top": Grade(-1.0, 0.25, 1.2)}
    wanted["Hair"] = Grade(0.0, -0.3, 1.0)
    for name, grade in wanted.items():
        for control, value in zip(CONTROLS, grade, strict=True):
            set_input(modifier, grade_name(name, control), value)
    order = read_attribute(objects.splats.data, KEPT.part)
    expected = grade_colors(before[:, :3], order, wanted)
    out: dict[str, Any] = {
        "nodes": float(np.abs(faces(objects)[:, :3] - expected).max()),
        "fast": float(np.abs(read_faded_colors(objects.splats)[:, :3] - expected).max()),
        "alpha": float(np.abs(faces(objects)[:, 3] - before[:, 3]).max()),
    }
    back = read_avatar(objects)
    stored = np.round(255 * avatar.gaussians.colors.astype(np.float64)) / 255
    plain = grade_colors(srgb_to_linear(stored), part, wanted)
    given = srgb_to_linear(back.gaussians.colors.astype(np.float64))
    out["read"] = [float(np.sort(x.sum(1)).sum()) for x in (given, np.clip(plain, 0, 1))]
    out["edit"] = back.provenance["edits"]
    out["shown"] = list_grades(objects.splats)
    file = str(Path(folder) / "graded.blend")
    shown = faces(objects)
    bpy.ops.wm.save_as_mainfile(filepath=file)
    likeness.unregister()
    bpy.ops.wm.open_mainfile(filepath=file)
    splats = next(obj for obj in bpy.data.objects if MODIFIER_NAME in obj.modifiers)
    out["saved"] = float(np.abs(faces(replace(objects, splats=splats)) - shown).max())
    hair = np.full(2000, PARTS.index("hair"), np.uint8)
    bare = replace(avatar, gaussians=replace(avatar.gaussians, part=hair))
    out["of_hair"] = list_grades(build_scene(bare, "Hair").splats)
    return out


def faces(objects: AvatarObjects) -> FloatArray:
    """[N, 4] colours of the faces that Blender's modifier makes."""
    bpy.context.view_layer.update()
    mesh = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(4 * len(mesh.polygons), np.float32)
    mesh.attributes[COLOR_ATTRIBUTE].data.foreach_get("color", out)
    return out.reshape(-1, 4).astype(np.float64)
