"""Whole avatars: independent copies and removal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ...engine.core.types import LikenessError
from .. import keys
from ..motion.motion_list import own_motions
from ..rig.bone_shapes import remove_unused_shapes
from . import surface_proxy
from .avatar_objects import AvatarObjects, find_avatar, find_avatars
from .placing import stand_beside
from .selection import enter_object_mode, select_only
from .splat_object import MODIFIER_NAME, set_input


def duplicate_avatar(
    objects: AvatarObjects, context: Any, linked_splats: bool = False, beside: bool = True
) -> Any:
    """Create an independent copy.

    Blender's own duplicate skips the hidden body, so its splats would follow the first avatar.

    Args:
        objects: of the avatar.
        context: of Blender.
        linked_splats: share the splat mesh, which takes most of the memory.
        beside: move it out of the other avatars.

    Returns:
        The copy's :class:`AvatarObjects`.
    """
    enter_object_mode(context)
    name = objects.armature.name
    collection = bpy.data.collections.new(name)
    parent = next(
        (c for c in _collections(context.scene) if objects.collection in c.children[:]),
        context.scene.collection,
    )
    parent.children.link(collection)
    copies: dict[Any, Any] = {}
    for original in _members(objects):
        copy = original.copy()
        if original.data is not None and not (linked_splats and original == objects.splats):
            copy.data = original.data.copy()
        collection.objects.link(copy)
        copies[original] = copy
    for original, copy in copies.items():
        copy.parent = copies.get(original.parent, original.parent)
        copy.matrix_parent_inverse = original.matrix_parent_inverse
        for owner in _owners(copy):
            _point_at(owner, copies)
        if original.get(keys.CAMERA_OF) in copies:
            copy[keys.CAMERA_OF] = copies[original[keys.CAMERA_OF]]
        if copy.get(keys.PART) == surface_proxy.PART:
            surface_proxy.own_texture(copy)
        _own_actions(copy)
        copy.hide_set(original.hide_get())
    copied = find_avatar(copies[objects.armature])
    assert copied is not None
    modifier = copied.splats.modifiers.get(MODIFIER_NAME)
    if modifier is not None:
        set_input(modifier, "Body", copied.body)
    if beside:
        context.view_layer.update()
        others = [a.armature for a in find_avatars(context.scene) if a.armature != copied.armature]
        stand_beside(copied.armature, copied.camera, others)
    select_avatar(copied, context)
    return copied


def delete_avatar(objects: AvatarObjects) -> None:
    """Remove an avatar's objects, their data if nothing else uses it, and its collection if it
    is then empty."""
    collection = objects.collection
    for obj in _members(objects):
        data = obj.data
        bpy.data.objects.remove(obj)
        if data is not None and not data.users:
            bpy.data.batch_remove([data])
    if collection is not None and not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)
    remove_unused_shapes()


def select_avatar(objects: AvatarObjects, context: Any) -> None:
    """Make the armature the active object and the only one selected.

    Raises:
        LikenessError: The armature is not in the view layer.
    """
    if objects.armature.name not in context.view_layer.objects:
        raise LikenessError(
            f"'{objects.armature.name}' is not in the view layer.", "Enable its collection."
        )
    enter_object_mode(context)
    select_only(objects.armature, context)


def show_body(objects: AvatarObjects, shown: bool, context: Any) -> None:
    """Show and select the body, as a wireframe, or hide it and select the armature.

    Raises:
        LikenessError: The armature is not in the view layer.
    """
    select_avatar(objects, context)
    objects.body.hide_set(not shown)
    if shown:
        objects.body.hide_viewport = False
        select_only(objects.body, context)


def _members(objects: AvatarObjects) -> list[Any]:
    """The avatar's parts and their children in its collection."""
    home = objects.collection.objects if objects.collection is not None else ()
    parts = [objects.armature, objects.body, objects.splats]
    if objects.camera is not None:
        parts.append(objects.camera)
    return parts + [obj for obj in home if obj not in parts and obj.parent in parts]


def _own_actions(obj: Any) -> None:
    """Copy the actions of a copied object, so that keys on one avatar do not move the other."""
    copies: dict[Any, Any] = {}
    own_motions(obj, copies)
    data = obj.animation_data
    if data is None:
        return
    strips = [strip for track in data.nla_tracks for strip in track.strips]
    for owner in (data, *strips):
        if owner.action is None:
            continue
        slot = owner.action_slot.identifier if owner.action_slot is not None else None
        if owner.action not in copies:
            copies[owner.action] = owner.action.copy()
        owner.action = copies[owner.action]
        if slot is not None:
            owner.action_slot = owner.action.slots[slot]


def _owners(obj: Any) -> Iterator[Any]:
    """Everything of an object that can point at another."""
    yield obj
    yield from obj.modifiers
    yield from obj.constraints
    if obj.pose is not None:
        for bone in obj.pose.bones:
            yield from bone.constraints
    yield from driver_targets(obj)
    if obj.data is not None:
        yield from driver_targets(obj.data)
        yield from driver_targets(getattr(obj.data, "shape_keys", None))


def driver_targets(owner: Any) -> Iterator[Any]:
    """The targets of a data block's drivers; ``owner`` may be None."""
    if owner is None or owner.animation_data is None:
        return
    for curve in owner.animation_data.drivers:
        for variable in curve.driver.variables:
            yield from variable.targets


def _point_at(owner: Any, copies: dict[Any, Any]) -> None:
    """Let every pointer of ``owner`` to an original point at its copy."""
    table: dict[Any, Any] = {}
    for original, copy in copies.items():
        table[original] = copy
        if original.data is not None and copy.data != original.data:
            table[original.data] = copy.data
            keys = getattr(original.data, "shape_keys", None)
            if keys is not None:
                table[keys] = copy.data.shape_keys
    for item in owner.bl_rna.properties:
        if item.type == "POINTER" and not item.is_readonly and item.identifier != "data":
            present = getattr(owner, item.identifier)
            if isinstance(present, bpy.types.ID) and present in table:
                setattr(owner, item.identifier, table[present])


def _collections(scene: Any) -> list[Any]:
    return [scene.collection, *scene.collection.children_recursive]
