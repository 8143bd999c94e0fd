"""Checks of the way back from Blender's objects to the engine, run by ``inside.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
import people
from bpy_extras.object_utils import world_to_camera_view
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.scene.axes import points_to_blender, points_to_engine
from likeness.addon.scene.frame_recorder import record_frames
from likeness.addon.scene.read_back import body_vertices, read_avatar, scene_camera
from likeness.addon.scene.splat_object import MODIFIER_NAME, set_input
from likeness.addon.scene.steps import run_to_end
from likeness.engine.core.cameras import project
from likeness.engine.core.types import LikenessError
from likeness.engine.gaussians.lod import order_by_importance
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.scene.frames import SceneFrames
from mathutils import Vector


def avatar_again() -> dict[str, Any]:
    """An avatar, and what its objects say after a pose; then with splats deleted."""
    people.empty_scene()
    avatar = order_by_importance(people.random_avatar(21))
    objects = build_scene(avatar, "Person")
    pose = people.random_pose(avatar, np.random.default_rng(3))
    objects.set_pose(pose, avatar.body.expression_names)
    bpy.context.view_layer.update()
    again = read_avatar(objects)
    wanted, found = pose_avatar(avatar, pose), pose_avatar(again)
    turned = np.abs((wanted.quats * found.quats).sum(1))
    rms = [
        float(np.abs(x).max())
        for x in (
            wanted.means - found.means,
            (wanted.scales - found.scales) / wanted.scales,
            wanted.opacities - found.opacities,
            255 * (wanted.colors - found.colors),
        )
    ]
    mesh = objects.splats.data
    gone = np.zeros(len(mesh.polygons), bool)
    gone[::4] = True
    mesh.attributes["splat_rank"].data.foreach_get("value", ranks := np.empty(len(gone), np.int32))
    edited = bmesh.new()
    edited.from_mesh(mesh)
    chosen = [face for face, out in zip(edited.faces, gone) if out]
    bmesh.ops.delete(edited, geom=chosen, context="FACES")
    edited.to_mesh(mesh)
    edited.free()
    fewer = read_avatar(objects)
    expected = np.sort(ranks[~gone])
    return {
        "errors": rms,
        "turned": float(1.0 - turned.min()),
        "layers": bool((avatar.gaussians.layer == again.gaussians.layer).all()),
        "lod": float(np.abs(avatar.lod_start - again.lod_start).max()),
        "provenance": again.provenance == avatar.provenance,
        "fewer": [len(fewer.gaussians), int((~gone).sum())],
        "those": float(np.abs(fewer.gaussians.offset - avatar.gaussians.offset[expected]).max()),
    }


def frames_again(folder: str) -> dict[str, Any]:
    """Two moving avatars, one of them scaled, against where Blender draws their splats."""
    people.empty_scene()
    first, second = people.random_avatar(22), people.random_avatar(23, count=500)
    a, b = build_scene(first, "A"), build_scene(second, "B")
    for objects in (a, b):
        set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 0.0)
    b.armature.scale = (1.5, 1.5, 1.5)
    b.armature.location = (0.7, 0.2, 0.1)
    b.armature.rotation_euler = (0.1, 0.2, 0.9)
    elbow = a.armature.pose.bones["left_elbow"]
    for frame, turn in ((1, 0.0), (5, 1.0)):
        elbow.rotation_quaternion = (np.cos(turn / 2), np.sin(turn / 2), 0.0, 0.0)
        elbow.keyframe_insert("rotation_quaternion", frame=frame)
        a.camera.location.x = 0.1 * frame
        a.camera.keyframe_insert("location", frame=frame)
    scene = bpy.context.scene
    scene.camera = a.camera
    scene.frame_set(2)
    wanted = [1, 3, 5]
    run_to_end(record_frames(bpy.context, [a, b], wanted, Path(folder)))
    after = scene.frame_current
    frames = SceneFrames.load(Path(folder))
    errors, cameras = [], []
    for t, frame in enumerate(wanted):
        scene.frame_set(frame)
        for k, objects in enumerate((a, b)):
            drawn = people.splat_corners_in_world(objects).mean(1)
            order = np.argsort(ranks(objects))
            errors.append(
                float(np.abs(points_to_blender(frames.posed(k, t).means) - drawn[order]).max())
            )
        where = points_to_engine(np.array(a.camera.matrix_world.translation))
        view = frames.viewmats[t]
        cameras.append(float(np.abs(-view[:3, :3].T @ view[:3, 3] - where).max()))
    return {
        "errors": errors,
        "cameras": cameras,
        "after": after,
        "count": len(frames.gaussians(0)),
        "frames": frames.frames.tolist(),
        "rate": frames.frame_rate,
        "size": list(frames.size),
    }


def ranks(objects: Any) -> Any:
    out = np.empty(len(objects.splats.data.polygons), np.int32)
    objects.splats.data.attributes["splat_rank"].data.foreach_get("value", out)
    return out


def cameras() -> dict[str, Any]:
    """Points as the engine's camera projects them, and as Blender does."""
    people.empty_scene()
    avatar = people.random_avatar(24)
    objects = build_scene(avatar, "Person")
    scene, camera = bpy.context.scene, objects.camera
    depsgraph = bpy.context.evaluated_depsgraph_get()
    photo = scene_camera(scene, depsgraph)
    lens = float(np.abs(photo.K - avatar.camera.K).max())
    rng = np.random.default_rng(0)
    worst = 0.0
    for fit in ("AUTO", "HORIZONTAL", "VERTICAL"):
        for size in ((300, 200), (200, 300)):
            data = camera.data
            data.sensor_fit, data.sensor_width, data.sensor_height = fit, 32.0, 20.0
            data.lens, data.shift_x, data.shift_y = 40.0, 0.1, -0.2
            scene.render.resolution_x, scene.render.resolution_y = size
            scene.render.resolution_percentage = 50
            scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = 1.0, 1.25
            camera.rotation_mode, camera.scale = "XYZ", (2.0, 2.0, 2.0)
            camera.rotation_euler = (1.4, 0.1, 0.3)
            bpy.context.view_layer.update()
            seen = scene_camera(scene, bpy.context.evaluated_depsgraph_get())
            points = rng.normal(0, 0.3, (8, 3)) + np.array(camera.matrix_world.translation)
            points += np.array(camera.matrix_world.to_3x3() @ Vector((0, 0, -1.5)))
            pixels, _ = project(points_to_engine(points), seen)
            for point, pixel in zip(points, pixels):
                x, y, _ = world_to_camera_view(scene, camera, Vector(point))
                worst = max(
                    worst, float(np.abs(pixel - [x * seen.width, (1 - y) * seen.height]).max())
                )
    said = []
    for spoil in ("ortho", "none"):
        camera.data.type = "ORTHO"
        scene.camera = camera if spoil == "ortho" else None
        bpy.context.view_layer.update()
        try:
            scene_camera(scene, bpy.context.evaluated_depsgraph_get())
        except LikenessError as error:
            said.append(str(error))
    return {"lens": lens, "worst": worst, "said": said, "size": [seen.width, seen.height]}


def refused() -> list[str]:
    """What is said of objects that cannot be read back."""
    people.empty_scene()
    avatar = people.random_avatar(25, count=200)
    said = []
    for spoil in ("old", "attribute", "modifier", "kept"):
        objects = build_scene(replace(avatar), "Person")
        if spoil == "old":
            del objects.body.data["likeness_person"]
        elif spoil == "attribute":
            mesh = objects.splats.data
            mesh.attributes.remove(mesh.attributes["splat_rgb"])
        elif spoil == "modifier":
            objects.body.modifiers.new("Subdivision", "SUBSURF")
        else:
            objects.body.data["likeness_person"] = b"no avatar"
        try:
            bpy.context.view_layer.update()
            body_vertices(objects, bpy.context.evaluated_depsgraph_get())
            read_avatar(objects)
        except LikenessError as error:
            said.append(str(error))
    return said
