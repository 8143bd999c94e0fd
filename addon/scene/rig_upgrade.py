"""Rigs of earlier versions brought up to date, with their poses and actions.

What an action keys stays as it is: the bones keep their rest relative to each other, so their
channels mean the same. The armature's origin moves to the floor below the person, and the new
controls are added at rest, where they change nothing.
"""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ...engine.core.types import Avatar, FloatArray, LikenessError
from .. import keys
from ..rig.bone_collections import arrange_bones
from ..rig.control_names import CONTROL_BONES, ROOT
from ..rig.controls import add_new_controls
from ..rig.foot_roll import foot_boxes
from ..rig.person_data import fit_rig
from .armature import add_controls, edit_armature
from .avatar_objects import SCENE_FORMAT, AvatarObjects, find_origins
from .axes import points_to_blender
from .origin import photo_origin, set_origin, template_origin
from .selection import enter_object_mode

_PLACING = ("location", "rotation", "scale", "delta")


def is_outdated(armature: Any) -> bool:
    """Whether a rig has controls, but not those of this version."""
    bones = armature.data.bones
    return ROOT not in bones and all(name in bones for name in CONTROL_BONES)


def upgrade_rig(objects: AvatarObjects, context: Any) -> None:
    """Add what an earlier version's rig lacks. Pose, place and actions do not change.

    Raises:
        LikenessError: The rig cannot be changed here; nothing was.
    """
    from ...engine.scene.files import unpack_avatar

    armature, body = objects.armature, objects.body
    name, kept = armature.name, body.data.get(keys.PERSON)
    if kept is None:
        raise LikenessError(
            f"'{name}' was made by an older version of Likeness.", "Import its avatar file again."
        )
    for block in (armature, armature.data, body.data):
        if block.library is not None or block.override_library is not None:
            raise LikenessError(f"'{name}' is linked.", "Upgrade the rig in its own file.")
    if armature.data.users > 1 or body.data.users > 1:
        raise LikenessError(
            f"'{name}' shares its armature or body with another object.",
            "Use Object > Relations > Make Single User > Object & Data first.",
        )
    if not armature.visible_get():
        raise LikenessError(f"'{name}' is hidden.", "Show it, and upgrade it then.")
    avatar = unpack_avatar(bytes(kept), name)
    posing = context.mode == "POSE"
    enter_object_mode(context)
    if keys.ORIGIN not in armature and not _is_place_animated(armature):
        _move_origin(objects, find_origins(avatar)[0])
    _add_bones(armature, avatar, context)
    add_new_controls(armature)
    arrange_bones(armature)
    fit_rig(avatar, armature, body)
    armature[keys.FORMAT] = SCENE_FORMAT
    armature.update_tag()
    if posing:
        bpy.ops.object.mode_set(mode="POSE")


def _move_origin(objects: AvatarObjects, photo: FloatArray) -> None:
    """Move the armature's origin; everything stays where it is in the world.

    Args:
        objects: of the avatar.
        photo: [3] of the photo's space, whose origin was the armature's, in the new space.
    """
    armature, move = objects.armature, Matrix.Translation(photo.tolist())
    armature.data.transform(move)
    objects.body.data.transform(move, shape_keys=True)
    armature.matrix_basis = armature.matrix_basis @ move.inverted()
    for child in armature.children:
        if child.parent_type != "BONE" and child not in (objects.body, objects.splats):
            child.matrix_parent_inverse = move @ child.matrix_parent_inverse
    set_origin(armature, photo, photo)


def _add_bones(armature: Any, avatar: Avatar, context: Any) -> None:
    place = template_origin(armature)
    heads = points_to_blender(avatar.body.J_template) + place
    points = points_to_blender(avatar.body.v_template) + place
    boxes = foot_boxes(points, avatar.body.weights)
    root = photo_origin(armature) - find_origins(avatar)[0]
    pelvis = points_to_blender(avatar.body.vertices(avatar.pose)[1][0])
    before = set(armature.pose.bones.keys())
    with edit_armature(armature, context):
        add_controls(armature.data, heads, boxes, root, photo_origin(armature) + pelvis)
    for bone in armature.pose.bones:
        if bone.name not in before:
            bone.rotation_mode = "QUATERNION"


def _is_place_animated(armature: Any) -> bool:
    """Whether keys, drivers or constraints move the object, so that its origin has to stay."""
    if armature.constraints:
        return True
    data = armature.animation_data
    if data is None:
        return False
    actions = {data.action, *(strip.action for track in data.nla_tracks for strip in track.strips)}
    curves = [*data.drivers]
    for action in actions - {None}:
        for layer in action.layers:
            for strip in layer.strips:
                curves += [curve for bag in strip.channelbags for curve in bag.fcurves]
    return any(curve.data_path.startswith(_PLACING) for curve in curves)
