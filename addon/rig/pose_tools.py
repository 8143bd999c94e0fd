"""Whole poses: set, mirror, put on the floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ...engine.core.rotations import axis_angle_to_matrix, find_heading, matrix_to_axis_angle
from ...engine.core.types import JOINT_NAMES
from .. import keys
from ..motion.bone_pose import PELVIS, apply_pose, read_bone_pose
from ..scene.body_object import get_expression, set_expression
from .bone_names import RigBones
from .control_names import (
    ADDED_CONTROLS,
    CONTROL_BONES,
    EYES_TARGET,
    FACE,
    HEAD_TARGET,
    IK,
    LIMBS,
    PARENT,
    PARENTS,
    STRETCH,
    ik_control,
    pole_control,
)
from .controls import EYES, eye_target, show_controls
from .evaluated_pose import (
    carry_matrix,
    evaluate_armature,
    move_bone,
    place_bone,
    seen_matrices,
    set_rotation,
)
from .person_data import read_photo_pose

LINKED = "This avatar is linked. Use Object > Library Override > Make to pose it"

_BODY = list(PARENTS).index("Pelvis")
"""The first of the parents that is part of the body."""

_SIDES = {"left": "right", "right": "left"}


def find_posing_problem(armature: Any) -> str:
    """Why operators cannot pose this avatar's rig; empty if they can."""
    bones = RigBones(armature)
    if FACE not in bones and not any(name in bones for name in CONTROL_BONES):
        return "An older version made this avatar, without controls. Import it again"
    gone = [name for name in (*JOINT_NAMES, *CONTROL_BONES) if name not in bones]
    if gone:
        return f"The bone '{gone[0]}' was removed or renamed. Undo that, or import the avatar again"
    if armature.library is not None:
        return LINKED
    return ""


def set_named_pose(armature: Any, body: Any, name: str) -> None:
    """Set a pose of ``engine/poses``.

    Position, direction, expression and the height of the body's lowest point are kept.
    """
    from ...engine.poses import find_pose

    joints = find_pose(name).joints
    now = read_bone_pose(armature, np.zeros(0))
    height = find_lowest_height(armature, body)
    pose = replace(now, full_pose=np.zeros_like(now.full_pose)).with_joints(**joints)
    turned = find_heading(now.full_pose[0]) @ axis_angle_to_matrix(pose.full_pose[0])
    apply_pose(pose.with_joints(pelvis=matrix_to_axis_angle(turned)), armature)
    move_to_height(armature, body, height)


def set_photo_pose(armature: Any, names: tuple[str, ...]) -> None:
    """Set the pose, position and expression of the photo.

    Raises:
        LikenessError: The scene does not contain them.
    """
    pose = read_photo_pose(armature)
    apply_pose(pose, armature)
    set_expression(armature, names, pose.expression)


def find_lowest_height(armature: Any, body: Any) -> float:
    """World height in metres of the body's lowest displayed point. Skirts are ignored: a long one
    would lift the person off the floor."""
    evaluate_armature(armature)
    seen = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(seen.data.vertices), np.float32)
    seen.data.attributes["position"].data.foreach_get("vector", points)
    points = points.reshape(-1, 3)[: body.data.get(keys.OWN_VERTICES, len(seen.data.vertices))]
    up = np.array(body.matrix_world)[2]
    return float((points @ up[:3]).min() + up[3])


def move_to_height(armature: Any, body: Any, height: float) -> float:
    """Move the person vertically until the lowest point is at a world height.

    The pelvis bone and the controls in IK move.

    Args:
        armature: of the avatar.
        body: its body object.
        height: metres.

    Returns:
        The movement in metres.
    """
    rise, seen = height - find_lowest_height(armature, body), seen_matrices(armature)
    move = armature.matrix_world.to_3x3().inverted() @ Vector((0.0, 0.0, rise))
    names = [PELVIS]
    for limb in LIMBS:
        control = RigBones(armature).get(ik_control(limb))
        # those that hang on the body come along
        if control is not None and control[IK] > 0.0 and control.get(PARENT, 0) < _BODY:
            names += [ik_control(limb), pole_control(limb)]
    for name in names:
        move_bone(RigBones(armature)[name], move, seen)
    armature.update_tag()
    return rise


def reset_bones(armature: Any, names: Iterable[str]) -> None:
    """Reset bones to rest. The pelvis keeps its position, and controls of IK and looking return to
    their rest position relative to it."""
    bones, seen = RigBones(armature), seen_matrices(armature)
    moved = seen[PELVIS].translation - bones[PELVIS].bone.matrix_local.translation
    free = _free_controls()
    for name in names:
        bone = bones[name]
        set_rotation(bone, Quaternion())
        bone.scale = (1.0, 1.0, 1.0)
        if name in free:
            place = bone.bone.matrix_local.translation + moved
            bone.location = carry_matrix(bone, seen).inverted() @ place
        elif name != PELVIS:
            bone.location = (0.0, 0.0, 0.0)
    armature.update_tag()


def mirror_pose(armature: Any) -> None:
    """Mirror the whole pose: bones, controls, switches and face.

    The person keeps position and direction: the mirror plane is vertical, through the pelvis and
    along its direction. Bones with a parent swap rotations with y and z negated, as in Blender's
    Paste Flipped.
    """
    bones, seen = RigBones(armature), seen_matrices(armature)
    names = [n for n in (*JOINT_NAMES, *list_movable_controls()) if n in bones]
    was = {n: (bones[n].matrix_basis.copy(), bones[n].location.copy()) for n in names}
    place, side = seen[PELVIS].translation, seen[PELVIS].col[0].xyz
    side = Vector((side.x, side.y, 0.0))
    side = side.normalized() if side.length > 1e-3 else Vector((1.0, 0.0, 0.0))
    free = [n for n in names if n == PELVIS or n in _free_controls()]
    for name in names:
        other, bone = mirror_bone_name(name), bones[name]
        if name not in free:
            w, x, y, z = was[other][0].to_quaternion()
            set_rotation(bone, Quaternion((w, x, -y, -z)))
            x, y, z = was[other][1]
            bone.location = (-x, y, z)
    place_bone(bones[PELVIS], _reflected(seen[PELVIS], place, side), seen)
    limbs = [limb for limb in LIMBS if ik_control(limb) in bones]
    for prop in (IK, PARENT, STRETCH):
        switches = {limb: bones[ik_control(limb)].get(prop) for limb in limbs}
        for limb in limbs:
            if switches[limb] is not None:
                bones[ik_control(limb)][prop] = switches[mirror_bone_name(limb)]
    if limbs:
        show_controls(armature)
    # parents before what hangs on them: the body, then the head, which turns to its target
    for turn in ([HEAD_TARGET], [n for n in free if n not in (PELVIS, HEAD_TARGET)]):
        now = seen_matrices(armature)
        for name in turn:
            if name in free:
                place_bone(bones[name], _reflected(seen[mirror_bone_name(name)], place, side), now)
    values = get_expression(armature)
    flipped = [values[mirror_expression_name(n, values)] for n in values]
    set_expression(armature, tuple(values), np.array(flipped))


def mirror_bone_name(name: str) -> str:
    """``left_hip`` -> ``right_hip``; middle bones map to themselves."""
    side, _, rest = name.partition("_")
    return f"{_SIDES[side]}_{rest}" if side in _SIDES else name


def mirror_expression_name(name: str, names: Iterable[str]) -> str:
    """``mouthLeft`` -> ``mouthRight``; expressions of both sides map to themselves."""
    for end, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(end) and name.removesuffix(end) + other in names:
            return name.removesuffix(end) + other
    return name


def list_movable_controls() -> list[str]:
    """The control bones of both sides, and those of the middle that a mirror changes."""
    return [*_free_controls(), *(eye_target(eye) for eye in EYES), *ADDED_CONTROLS]


def _free_controls() -> list[str]:
    """The controls that stay when the body moves."""
    out = [name for limb in LIMBS for name in (ik_control(limb), pole_control(limb))]
    return [*out, HEAD_TARGET, EYES_TARGET]


def _reflected(matrix: Matrix, place: Vector, side: Vector) -> Matrix:
    """A matrix, mirrored at the plane through ``place`` with normal ``side``.

    Rest axes of left and right are mirrored with x negated, so the result's x is negated, too.
    """
    mirror = np.eye(3) - 2.0 * np.outer(side, side)
    turn = mirror @ np.array(matrix.to_3x3().normalized()) @ np.diag([-1.0, 1.0, 1.0])
    out = Matrix(turn.tolist()).to_4x4()
    out.translation = place + Vector((mirror @ np.array(matrix.translation - place)).tolist())
    return out
