"""Checks of avatars as wholes, run by ``inside.py``: copied, deleted, linked, appended, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
import people
from likeness.addon.asset_catalogs import AssetInfo
from likeness.addon.rig.pose_tools import find_posing_problem
from likeness.addon.scene.avatar_asset import mark_as_asset
from likeness.addon.scene.avatar_objects import (
    AvatarObjects,
    build_scene,
    find_avatar,
    find_avatars,
)
from likeness.addon.scene.avatar_ops import delete_avatar, duplicate_avatar, select_avatar
from likeness.addon.scene.read_back import read_avatar
from likeness.addon.scene.shadow_proxy import add_proxy
from likeness.addon.scene.splat_object import MODIFIER_NAME, get_input, set_input
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.scene.mesh import stored_order

KINDS = ("objects", "meshes", "armatures", "cameras", "shape_keys", "collections", "actions")


def counts() -> dict[str, int]:
    return {kind: len(getattr(bpy.data, kind)) for kind in KINDS}


def build(avatar: Avatar, name: str) -> AvatarObjects:
    objects = build_scene(avatar, name)
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 0.0)
    return objects


def pose_error(objects: AvatarObjects, avatar: Avatar, seed: int) -> float:
    """Largest distance of the splats from the engine's after a pose of its own."""
    pose = people.random_pose(avatar, np.random.default_rng(seed))
    objects.set_pose(pose, avatar.body.expression_names)
    posed = pose_avatar(avatar, pose)
    drawn = people.splat_corners(objects).mean(1)
    return float(np.abs(drawn - posed.means[stored_order(avatar)]).max())


def duplicated(linked: bool) -> dict[str, Any]:
    """A copy is posed apart from its original; deleting either leaves the other whole."""
    people.empty_scene()
    build(people.random_avatar(33), "Other")
    before = counts()
    avatar = people.random_avatar(31)
    first = build(avatar, "Person")
    one = counts()
    second = duplicate_avatar(first, bpy.context, linked)
    names = [o.name for o in (first.armature, second.armature)]
    errors = [pose_error(first, avatar, 1), pose_error(second, avatar, 2)]
    still = people.splat_corners(first)
    second.armature.pose.bones["left_elbow"].rotation_quaternion = (0.7, 0.7, 0, 0)
    moved = float(np.abs(people.splat_corners(first) - still).max())
    pointers = [
        get_input(second.splats.modifiers[MODIFIER_NAME], "Body") == second.body,
        second.body.modifiers["Armature"].object == second.armature,
        second.splats.parent == second.armature,
        find_avatar(second.splats).armature == second.armature,
        second.camera != first.camera,
        first.splats.data.users == (2 if linked else 1),
        bpy.context.object == second.armature,
        second.body.hide_get(),
        not drives(second, first),
    ]
    delete_avatar(first)
    errors.append(pose_error(second, avatar, 3))
    left = counts()
    delete_avatar(second)
    return {
        "names": names,
        "errors": errors,
        "moved": moved,
        "pointers": pointers,
        "left": left == one,
        "gone": counts() == before,
        "found": len(find_avatars(bpy.context.scene)),
    }


def shared() -> dict[str, Any]:
    """Two avatars that the user has put into one collection: each has its own camera, and one
    is deleted. A copy's keys are its own, of its action and of its strips."""
    people.empty_scene()
    first = build(people.random_avatar(41, count=50), "First")
    second = build(people.random_avatar(42, count=50), "Second")
    for obj in list(first.collection.objects):
        second.collection.objects.link(obj)
        first.collection.objects.unlink(obj)
    cameras = [find_avatar(o).camera.name for o in (first.splats, second.splats)]
    own = [find_avatar(o.camera).armature == o.armature for o in (first, second)]
    bone = first.armature.pose.bones["left_elbow"]
    bone.keyframe_insert("rotation_quaternion", frame=1)
    data = first.armature.animation_data
    strip = data.nla_tracks.new().strips.new("Strip", 1, data.action.copy())
    copy = duplicate_avatar(find_avatar(first.armature), bpy.context)
    copied = copy.armature.animation_data
    pairs = [(data.action, copied.action), (strip.action, copied.nla_tracks[0].strips[0].action)]
    slots = [copied.action_slot, copied.nla_tracks[0].strips[0].action_slot]
    delete_avatar(find_avatar(first.armature))
    return {
        "cameras": cameras,
        "own": own,
        "actions": [a != b for a, b in pairs],
        "slots": [slot is not None for slot in slots],
        "left": [a.armature.name for a in find_avatars(bpy.context.scene)],
        "copy": [find_avatar(copy.camera).armature == copy.armature, copy.camera.name],
    }


def drives(one: AvatarObjects, other: AvatarObjects) -> bool:
    """Whether anything of ``one`` still points at a part of ``other``."""
    strangers = {other.armature, other.body, other.splats}
    owners = [one.armature, one.armature.data, one.body, one.body.data.shape_keys, one.splats]
    for owner in owners:
        drivers = owner.animation_data.drivers if owner.animation_data else ()
        for curve in drivers:
            for variable in curve.driver.variables:
                if any(target.id in strangers for target in variable.targets):
                    return True
    constraints = (c for bone in one.armature.pose.bones for c in bone.constraints)
    return any(getattr(c, "target", None) in strangers for c in constraints)


def saved(folder: str) -> dict[str, Any]:
    """Two avatars in a file that is saved and read again, and read with factory settings."""
    people.empty_scene()
    a, b = people.random_avatar(34), people.random_avatar(35)
    build(a, "A")
    build(b, "B")
    path = str(Path(folder) / "two.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, compress=True)
    people.empty_scene()
    bpy.ops.wm.open_mainfile(filepath=path)
    errors = []
    for avatar, objects in zip((a, b), find_avatars(bpy.context.scene)):
        errors.append(pose_error(objects, avatar, 4))
    return {"errors": errors}


def brought(folder: str, link: bool) -> dict[str, Any]:
    """The collection of another file, appended, or linked and overridden."""
    people.empty_scene()
    avatar = people.random_avatar(36)
    build(avatar, "Person")
    path = str(Path(folder) / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    people.empty_scene()
    build(people.random_avatar(37, count=100), "Person")
    with bpy.data.libraries.load(path, link=link) as (there, here):
        here.collections = ["Person"] if "Person" in there.collections else []
    (collection,) = here.collections
    scene = bpy.context.scene
    if link:
        instance = bpy.data.objects.new("Instance", None)
        instance.instance_type, instance.instance_collection = "COLLECTION", collection
        scene.collection.objects.link(instance)
        bpy.context.view_layer.update()
        depsgraph = bpy.context.evaluated_depsgraph_get()
        instanced = [
            len(i.object.data.polygons)
            for i in depsgraph.object_instances
            if i.is_instance and i.object.type == "MESH"
        ]
        collection = collection.override_hierarchy_create(scene, bpy.context.view_layer)
        bpy.data.objects.remove(instance)
    else:
        scene.collection.children.link(collection)
        instanced = []
    bpy.context.view_layer.update()
    avatars = [a for a in find_avatars(scene) if a.armature.name in collection.objects]
    (objects,) = [a for a in avatars if len(a.splats.data.polygons) == len(avatar.gaussians)]
    return {"error": pose_error(objects, avatar, 5), "instanced": instanced}


def asset(folder: str, packed: bool) -> dict[str, Any]:
    """An avatar marked as an asset, with its photo, or the picture beside its file."""
    from PIL import Image

    people.empty_scene()
    photo = Path(folder) / "photo.png"
    Image.new("RGB", (144, 192), (200, 30, 30)).save(photo)
    avatar, file = people.random_avatar(39, count=200), photo.with_suffix(".safetensors")
    objects = build_scene(avatar, "Person", photo if packed else None, avatar_path=file)
    images = len(bpy.data.images)
    mark_as_asset(objects, AssetInfo(author="Somebody", description="A test"))
    pixels = np.array(objects.collection.preview.image_pixels_float).reshape(-1, 4)
    data = objects.collection.asset_data
    return {
        "marked": data is not None,
        "author": data.author,
        "tags": [t.name for t in data.tags],
        "color": pixels.mean(0).tolist(),
        "size": list(objects.collection.preview.image_size),
        "images": len(bpy.data.images) - images,
    }


def hurt(folder: str) -> dict[str, Any]:
    """What is said of avatars that lost something, are linked, or are being edited."""
    library = str(Path(folder) / "people.blend")
    found: dict[str, Any] = {}
    people.empty_scene()
    first = build(people.random_avatar(3, 60), "Someone")
    bpy.context.view_layer.objects.active = first.splats
    bpy.ops.object.mode_set(mode="EDIT")
    mesh = bmesh.from_edit_mesh(first.splats.data)
    mesh.faces.ensure_lookup_table()
    bmesh.ops.delete(mesh, geom=mesh.faces[:20], context="FACES")
    bmesh.update_edit_mesh(first.splats.data)
    meshes = len(bpy.data.meshes)
    found["edited"] = [len(read_avatar(first).gaussians), len(bpy.data.meshes) - meshes]
    add_proxy(first)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.wm.save_as_mainfile(filepath=library)

    bones = first.armature.data
    for name in ("left_hand_ik", "left_elbow"):
        bpy.context.view_layer.objects.active = first.armature
        bpy.ops.object.mode_set(mode="EDIT")
        bones.edit_bones.remove(bones.edit_bones[name])
        bpy.ops.object.mode_set(mode="OBJECT")
        found[name] = find_posing_problem(first.armature)
    found["read"] = _said(lambda: first.get_pose(()))
    first.splats.data.clear_geometry()
    found["empty"] = _said(lambda: read_avatar(first))

    for override in (False, True):
        people.empty_scene()
        with bpy.data.libraries.load(library, link=True) as (_, wanted):
            wanted.collections = ["Someone"]
        collection = wanted.collections[0]
        bpy.context.scene.collection.children.link(collection)
        if override:
            collection.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
        there = [
            a
            for a in find_avatars(bpy.context.scene)
            if (a.armature.override_library is not None) == override
        ]
        before = counts()
        key = "override" if override else "linked"
        found[key] = [
            find_posing_problem(there[0].armature),
            _said(lambda: mark_as_asset(there[0])),  # noqa: B023
            _said(lambda: add_proxy(there[0])),  # noqa: B023
            counts() == before,
        ]

    people.empty_scene()
    first = build(people.random_avatar(3, 60), "Someone")
    bpy.context.view_layer.layer_collection.children["Someone"].exclude = True
    bpy.context.view_layer.update()
    found["hidden"] = _said(lambda: select_avatar(first, bpy.context))
    return found


def _said(work: Any) -> str:
    try:
        work()
    except LikenessError as error:
        return str(error)
    return ""
