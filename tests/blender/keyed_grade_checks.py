"""Grades and sliders that are keyed and driven; run inside bpy, see test_keyed_grades.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
import PIL.Image
from likeness.addon.scene import render_setup
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.addon.scene.frame_recorder import record_frames
from likeness.addon.scene.grade_nodes import grade_name
from likeness.addon.scene.material import COLOR_ATTRIBUTE
from likeness.addon.scene.read_back import read_avatar
from likeness.addon.scene.splat_object import MODIFIER_NAME, input_identifier, set_input
from likeness.addon.scene.steps import run_to_end
from likeness.addon.viewport.fast_splats import read_faded_colors
from likeness.engine.core.attributes import (
    APPEARS,
    STAYS,
    Attribute,
    apply_attributes,
    constant_span,
)
from likeness.engine.core.color import linear_to_srgb, srgb_to_linear
from likeness.engine.core.grading import Grade, grade_colors
from likeness.engine.core.types import PARTS, Avatar, FloatArray
from likeness.engine.gaussians.lod import order_by_importance
from likeness.engine.scene.frames import SceneFrames

FIRST, LAST = 1, 11
EXPOSURE, HUE = grade_name("Top", "Exposure"), grade_name("Bottom", "Hue")
SATURATION = grade_name("Hair", "Saturation")
ENDS = {EXPOSURE: (0.0, -2.0), HUE: (0.0, 0.4)}
"""Input -> its value in the first and the last frame."""


def dressed(count: int = 3000) -> Avatar:
    """A person whose upper half, lower half and top are clothes and hair, with a hat at 1."""
    avatar = people.random_avatar(5, count)
    height = avatar.body.v_template[avatar.body.f[avatar.gaussians.triangle]].mean(1)[:, 1]
    middle, high = np.quantile(height, (0.5, 0.85))
    part = np.full(count, PARTS.index("lower"), np.uint8)
    part[height > middle] = PARTS.index("upper")
    part[height > high] = PARTS.index("hair")
    span = constant_span(STAYS, count)
    span[::5] = APPEARS
    hat = Attribute("hat", "hat", "cap", "#112233", 1.0, span)
    worn = replace(avatar, gaussians=replace(avatar.gaussians, part=part), attributes=(hat,))
    return order_by_importance(worn)


def scene_of(avatar: Avatar) -> AvatarObjects:
    people.empty_scene()
    likeness.register()
    objects = build_scene(avatar, "Person")
    scene = bpy.context.scene
    scene.camera = objects.camera
    scene.frame_start, scene.frame_end, scene.frame_step = FIRST, LAST, 5
    return objects


def input_path(objects: AvatarObjects, name: str) -> str:
    """Path of a slider from its object, as keys and drivers have it."""
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    identifier = input_identifier(modifier, name)
    if hasattr(modifier, "properties"):
        return f'modifiers["{MODIFIER_NAME}"].properties.inputs.{identifier}.value'
    return f'modifiers["{MODIFIER_NAME}"]["{identifier}"]'


def set_ends(objects: AvatarObjects, end: int) -> None:
    """Set the sliders as in the first or the last frame, unkeyed."""
    for name, values in ENDS.items():
        set_input(objects.splats.modifiers[MODIFIER_NAME], name, values[end])


def key_ends(objects: AvatarObjects) -> None:
    for end, frame in enumerate((FIRST, LAST)):
        set_ends(objects, end)
        for name in ENDS:
            objects.splats.keyframe_insert(input_path(objects, name), frame=frame)


def draw(path: Path, scene: Any = None) -> FloatArray:
    """[H, W, 4] as a file has it, 0..1."""
    render_setup.render_png(scene or bpy.context.scene, path)
    return np.asarray(PIL.Image.open(path).convert("RGBA"), np.float64) / 255


def distance(a: FloatArray, b: FloatArray) -> float:
    """Mean difference of the colours where both are opaque."""
    inside = (a[..., 3] > 0.95) & (b[..., 3] > 0.95)
    return float(np.abs(a - b)[inside, :3].mean())


def renders(engine: str, folder: str) -> dict[str, Any]:
    """Pictures of two frames with keys, against sliders set by hand: in the scene, in a saved file
    without the extension, and in a scene that links it."""
    root = Path(folder)
    objects = scene_of(dressed())
    scene = bpy.context.scene
    render_setup.set_up_render(scene, objects.camera, engine, 1)
    wanted = []
    for end in (0, 1):
        set_ends(objects, end)
        wanted.append(draw(root / f"{engine}_by_hand_{end}.png"))
    key_ends(objects)

    def both(name: str, scene: Any) -> list[float]:
        out = []
        for end, frame in enumerate((FIRST, LAST)):
            scene.frame_set(frame)
            out.append(distance(draw(root / f"{engine}_{name}_{frame}.png", scene), wanted[end]))
        return out

    out: dict[str, Any] = {"apart": distance(*wanted), "keyed": both("keyed", scene)}
    file = str(root / f"{engine}.blend")
    scene.name = "Keyed"
    bpy.ops.wm.save_as_mainfile(filepath=file)
    likeness.unregister()
    bpy.ops.wm.open_mainfile(filepath=file)
    out["saved"] = both("saved", bpy.context.scene)
    people.empty_scene()
    with bpy.data.libraries.load(file, link=True) as (source, target):
        target.collections = [name for name in source.collections if name == "Person"]
    made = bpy.context.scene
    made.collection.children.link(target.collections[0])
    camera = next(one for one in target.collections[0].all_objects if one.type == "CAMERA")
    render_setup.set_up_render(made, camera, engine, 1)
    made.camera = camera
    out["linked"] = both("linked", made)
    return out


def recorded(folder: str) -> dict[str, Any]:
    """What the worker gets of three frames against the engine's grades: keys, a driver, and a hat's
    slider; what Blender draws against the fast splats; then of one frame."""
    avatar = dressed()
    objects = scene_of(avatar)
    modifier, scene = objects.splats.modifiers[MODIFIER_NAME], bpy.context.scene
    scene.camera = None  # for which Blender would sort the splats
    key_ends(objects)
    for frame, value in ((FIRST, 0.0), (LAST, 1.0)):
        set_input(modifier, "Hat", value)
        objects.splats.keyframe_insert(input_path(objects, "Hat"), frame=frame)
    curve = objects.splats.driver_add(input_path(objects, SATURATION))
    curve.driver.expression = "frame / 10"
    frames = [FIRST, 6, LAST]
    scene.frame_set(6)
    run_to_end(record_frames(bpy.context, [objects], frames, Path(folder), camera=False))
    read = SceneFrames.load(Path(folder))
    out: dict[str, Any] = {"after": scene.frame_current, "off": [], "fast": [], "counts": []}
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        found = read.posed(0, t)
        rgba = np.column_stack([found.colors, found.opacities])
        wanted = expected(avatar, frame)
        out["counts"].append([len(rgba), len(wanted)])
        out["off"].append(float(np.abs(rgba - wanted).max()))
        fast = np.asarray(read_faded_colors(objects.splats), np.float64)
        out["fast"].append(float(np.abs(fast[fast[:, 3] > 0] - drawn(objects)).max()))
    scene.frame_set(6)
    run_to_end(record_frames(bpy.context, [objects], [6], Path(folder), camera=False))
    once = SceneFrames.load(Path(folder)).posed(0, 0)
    rgba = np.column_stack([once.colors, once.opacities])
    out["one"] = float(np.abs(rgba - expected(avatar, 6)).max())
    return out


def expected(avatar: Avatar, frame: int) -> FloatArray:
    """[N, 4] sRGB and opacity that the keys and the driver of :func:`recorded` make."""
    part = (frame - FIRST) / (LAST - FIRST)  # keys ease in and out alike: right in the middle, too
    grades = {
        "Top": Grade(exposure=part * ENDS[EXPOSURE][1]),
        "Bottom": Grade(hue=part * ENDS[HUE][1]),
        "Hair": Grade(saturation=frame / 10),
    }
    (hat,) = avatar.attributes
    shown = apply_attributes(replace(avatar, attributes=(replace(hat, value=part),))).gaussians
    stored = np.round(255 * shown.colors.astype(np.float64)) / 255  # as meshes keep them
    rgb = grade_colors(srgb_to_linear(stored), shown.part, grades)
    return np.column_stack([linear_to_srgb(np.clip(rgb, 0, 1)), shown.opacities])


def drawn(objects: AvatarObjects) -> FloatArray:
    """[N, 4] linear colour and opacity of the splats that Blender's modifier makes."""
    bpy.context.view_layer.update()
    mesh = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(4 * len(mesh.polygons), np.float32)
    mesh.attributes[COLOR_ATTRIBUTE].data.foreach_get("color", out)
    rgba = out.reshape(-1, 4)
    return np.asarray(rgba[rgba[:, 3] > 0], np.float64)


def animation(folder: str) -> dict[str, Any]:
    """Render Animation and a sequence of PLY files follow the keys."""
    from likeness.engine.formats.ply import read_ply

    root = Path(folder)
    objects = scene_of(dressed())
    key_ends(objects)
    scene = bpy.context.scene
    scene.render.film_transparent = True
    scene.render.filepath = str(root / "shot_")
    bpy.ops.likeness.draw(animation=True, kind="PNG")
    bpy.ops.likeness.export_splats(filepath=str(root / "s.ply"), animation=True, up="y")
    found = [np.asarray(PIL.Image.open(p), float) / 255 for p in sorted(root.glob("shot_*.png"))]
    scene.frame_set(FIRST)
    first = read_avatar(objects).gaussians.colors.mean(0)
    scene.frame_set(LAST)
    last = read_avatar(objects).gaussians.colors.mean(0)
    means = [read_ply(p).colors.mean(0) for p in sorted(root.glob("s_*.ply"))]
    return {
        "pictures": len(found),
        "apart": [distance(found[0], one) for one in found],
        "first": float(np.abs(means[0] - first).max()),
        "last": float(np.abs(means[-1] - last).max()),
        "files": len(means),
    }
