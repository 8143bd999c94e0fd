"""Checks of names and places of avatars in the scene, run by ``inside.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import people
from likeness.addon.rig.bone_names import add_ends
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene, subject_name
from likeness.addon.scene.avatar_ops import duplicate_avatar
from likeness.addon.scene.blend_writer import blend_from_avatar
from likeness.addon.scene.orphans import delete_orphan, find_orphans, rebuild_rig
from likeness.addon.scene.shadow_proxy import add_proxy
from likeness.addon.scene.splat_object import MODIFIER_NAME, set_input
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.scene.mesh import stored_order


def span(objects: AvatarObjects) -> list[float]:
    """Lowest and highest x of the posed splats in the world, then y and z."""
    points = people.splat_corners_in_world(objects).reshape(-1, 3)
    return np.stack([points.min(0), points.max(0)], -1).ravel().tolist()


def pelvis(objects: AvatarObjects) -> list[float]:
    bpy.context.view_layer.update()
    return list(objects.armature.matrix_world @ objects.armature.pose.bones["pelvis"].head)


def named(folder: str) -> dict[str, Any]:
    """Names from the photo in an avatar file, and those of the objects."""
    avatar = people.random_avatar(3, count=50)
    avatar = replace(avatar, provenance={"source": "photos of us/anna in a very blue coat.jpg"})
    nameless = replace(avatar, provenance={})
    subjects = [
        subject_name(avatar, Path("results/anna/avatar.safetensors")),
        subject_name(avatar, Path("hero.safetensors")),
        subject_name(nameless, Path("results/anna/avatar.safetensors")),
    ]
    path = Path(folder) / "avatar.safetensors"
    save_avatar(avatar, path)
    blend_from_avatar(path, path.with_suffix(".blend"))
    bpy.ops.wm.open_mainfile(filepath=str(path.with_suffix(".blend")))
    written = sorted(o.name for o in bpy.context.scene.objects)
    again = build_scene(avatar, "anna", None)
    twice = build_scene(avatar, "anna", None)
    parts = [(o.armature.name, o.body.name, o.splats.name, o.camera.name) for o in (again, twice)]
    return {"subjects": subjects, "written": written, "parts": parts}


def placed() -> dict[str, Any]:
    """Avatars at the cursor, beside each other, beside a cube; the camera comes along."""
    people.empty_scene()
    avatar = people.random_avatar(5, count=400)
    cursor = (4.0, -3.0, 1.5)
    alone = build_scene(avatar, "Alone")
    at_origin = pelvis(alone)
    seen = alone.camera.matrix_world.translation - alone.armature.matrix_world.translation
    bpy.context.scene.cursor.location = cursor
    first = build_scene(avatar, "First")
    second, third = build_scene(avatar, "Second"), build_scene(avatar, "Third")
    copy = duplicate_avatar(first, bpy.context)
    bpy.context.view_layer.update()
    group = (first, second, third, copy)
    shifts = [
        (o.camera.matrix_world.translation - o.armature.matrix_world.translation - seen).length
        for o in group
    ]
    return {
        "origin": at_origin,
        "cursor": (np.array(pelvis(first)) - cursor).tolist(),
        "spans": [span(o)[:2] for o in group],
        "rows": [pelvis(o)[1:] for o in group],
        "cameras": shifts,
    }


def beside_a_cube(size: float, cursor: list[float]) -> float:
    """How far along x from the cursor somebody stands whom a cube of that size would enclose."""
    people.empty_scene()
    bpy.ops.mesh.primitive_cube_add(size=size)
    bpy.context.scene.cursor.location = cursor
    return float(pelvis(build_scene(people.random_avatar(5, count=50), "Person"))[0] - cursor[0])


def rebuilt(skirt: bool, ends: bool) -> dict[str, Any]:
    """The rig is removed from the file, and built again: pose, face, place, name."""
    people.empty_scene()
    avatar = people.random_avatar(9)
    if skirt:
        avatar = people.with_skirt(avatar)
    other = build_scene(people.random_avatar(10, count=50), "Other")
    objects = build_scene(avatar, "Person")
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 0.0)
    add_proxy(objects)
    if ends:
        add_ends(objects.armature)
    place = objects.armature.location.copy()
    none_before = find_orphans(bpy.context.scene)
    bpy.data.objects.remove(objects.armature)
    (orphan,) = find_orphans(bpy.context.scene)
    said = [orphan.title, sorted(orphan.parts), orphan.lacks_only_rig]
    again = rebuild_rig(orphan, bpy.context)
    errors = []
    rng = np.random.default_rng(4)
    for pose in (avatar.pose, people.random_pose(avatar, rng)):
        again.set_pose(pose, avatar.body.expression_names)
        posed = pose_avatar(avatar, pose)
        drawn = people.splat_corners(again).mean(1)
        errors.append(float(np.abs(drawn - posed.means[stored_order(avatar)]).max()))
    names = [obj.name for obj in again.armature.children]
    return {
        "none_before": len(none_before),
        "orphan": said,
        "errors": errors,
        "name": again.armature.name,
        "children": sorted(names),
        "moved": (again.armature.location - place).length,
        "left": len(find_orphans(bpy.context.scene)),
        "other": other.armature.name in bpy.data.objects,
        "from_camera": (again.camera.location - again.armature.location).length,
    }


def lost_parts() -> dict[str, Any]:
    """Other orphans: a copied armature, a body without splats; the bin takes them alone."""
    people.empty_scene()
    whole = build_scene(people.random_avatar(11, count=50), "Whole")
    before = sorted(o.name for o in bpy.data.objects)
    meshes = len(bpy.data.meshes)
    copy = whole.armature.copy()
    whole.collection.objects.link(copy)
    broken = build_scene(people.random_avatar(12, count=50), "Broken")
    bpy.data.objects.remove(broken.armature)
    bpy.data.objects.remove(broken.splats)
    found = find_orphans(bpy.context.scene)
    said = sorted([o.title, sorted(o.parts), o.lacks_only_rig] for o in found)
    for name in [o.name for o in found]:
        delete_orphan(next(o for o in find_orphans(bpy.context.scene) if o.name == name))
    after = [o.name for o in bpy.data.objects if "Likeness" not in o.name]
    return {
        "found": said,
        "kept": sorted(after) == sorted(n for n in before if "Likeness" not in n),
        "meshes": len([m for m in bpy.data.meshes if m.users]) - meshes,
        "collections": sorted(c.name for c in bpy.data.collections),
    }
