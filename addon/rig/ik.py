"""Switching between FK and IK without moving the limb."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mathutils import Matrix, Vector

from .bone_names import RigBones, plain_name
from .control_names import FEET, IK, LIMBS, PARENT, ik_control, pole_control
from .controls import GUARD, POLE_DISTANCE, limb_controls, reset_added, show_controls
from .evaluated_pose import place_bone, restore_seen, seen_matrices
from .stretch import find_stretched

_STILL_METRES, _STILL_ANGLE = 1e-3, 0.0087
"""Tolerated movement at the switch; more means that a joint exceeds its IK limit."""


def get_ik_influence(armature: Any, limb: str) -> float:
    """Influence of IK on a limb, 0..1."""
    return float(RigBones(armature)[ik_control(limb)][IK])


def switch_to_ik(armature: Any, limbs: Iterable[str]) -> list[str]:
    """Place controls and poles at the limbs, and switch the limbs to IK.

    Returns:
        The limbs whose elbow or knee is bent backwards. Their IK limit is disabled until the next
        switch to IK, because they would jump.
    """
    limbs = list(limbs)
    bones, seen = RigBones(armature), seen_matrices(armature)
    for limb in limbs:
        joints = LIMBS[limb]
        restore_seen(armature, joints, seen)
        reset_added(armature, limb_controls(limb)[2:])
        place_bone(bones[ik_control(limb)], seen[joints[2]], seen)
        place_bone(bones[pole_control(limb)], _pole_matrix(armature, limb, seen), seen)
        _guard(armature, limb, True)
        bones[ik_control(limb)][IK] = 1.0
    show_controls(armature)
    now = seen_matrices(armature)
    moved = [limb for limb in limbs if any(_moved(seen[n], now[n]) for n in LIMBS[limb])]
    for limb in moved:
        _guard(armature, limb, False)
    if moved:
        armature.update_tag()
    return moved


def switch_to_fk(armature: Any, limbs: Iterable[str]) -> list[str]:
    """Set the limbs' bones to their displayed rotations, and switch to FK.

    Returns:
        The limbs that were stretched, which FK cannot be: their ends move.
    """
    limbs, seen = list(limbs), seen_matrices(armature)
    for limb in limbs:
        toes = (limb,) if limb in FEET else ()
        restore_seen(armature, (*LIMBS[limb], *toes), seen)
        RigBones(armature)[ik_control(limb)][IK] = 0.0
    show_controls(armature)
    armature.update_tag()
    return find_stretched(armature, limbs, seen)


def switch_parent(armature: Any, control: str, parent: int) -> tuple[str, ...]:
    """Let a control follow another bone, without a jump.

    Args:
        armature: of the avatar.
        control: of a hand, a foot, or a target.
        parent: value of its property ``parent``.

    Returns:
        The bones that were placed anew.
    """
    bones, seen = RigBones(armature), seen_matrices(armature)
    carrier = bones[control].parent
    moved = tuple(plain_name(bone) for bone in carrier.children)
    bones[control][PARENT] = parent
    now = seen_matrices(armature)
    for name in moved:
        place_bone(bones[name], seen[name], now)
    armature.update_tag()
    return moved


def _guard(armature: Any, limb: str, on: bool) -> None:
    lower = RigBones(armature)[LIMBS[limb][1]]
    lower.constraints[GUARD].enabled = on
    lower.use_ik_limit_x = on


def _pole_matrix(armature: Any, limb: str, seen: dict[str, Matrix]) -> Matrix:
    """Matrix of the pole with which the solver does not move the limb: off the line from the upper
    to the last joint, in the direction of the upper bone's -z."""
    upper, lower, last = (seen[name] for name in LIMBS[limb])
    line = (last.translation - upper.translation).normalized()
    bend = lower.translation - upper.translation
    side: Vector = -upper.col[2].xyz
    side = (side - side.dot(line) * line).normalized()
    bone = RigBones(armature)[pole_control(limb)].bone
    out: Matrix = bone.matrix_local.copy()
    reach = (1.0 + POLE_DISTANCE) * bend.length
    out.translation = upper.translation + bend.dot(line) * line + reach * side
    return out


def _moved(before: Matrix, now: Matrix) -> bool:
    angle = before.to_quaternion().rotation_difference(now.to_quaternion()).angle
    # q and -q are the same rotation
    angle = min(angle, abs(6.283185307179586 - angle))
    away = (before.translation - now.translation).length
    return bool(away > _STILL_METRES or angle > _STILL_ANGLE)
