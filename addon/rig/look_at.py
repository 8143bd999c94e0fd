"""Look-at of head (with the neck) and eyes, switched on and off without a jump."""

from __future__ import annotations

import math
from typing import Any

from mathutils import Matrix, Quaternion, Vector

from .bone_names import RigBones, plain_name
from .control_names import EYES_TARGET, HEAD_TARGET, LOOK
from .controls import EYES, LOOK_LIMIT, LOOK_PARTS, NECK_SHARE, eye_target, show_controls
from .evaluated_pose import place_bone, restore_seen, seen_matrices
from .joint_limits import joint_limits

JOINTS = {HEAD_TARGET: ("neck", "head"), EYES_TARGET: EYES}
"""Target -> the bones that turn towards it."""

_DISTANCE = {HEAD_TARGET: 0.9, EYES_TARGET: 0.45}
"""Distance in metres of a newly placed target."""

_ROOM = math.radians(1.0)


def list_target_bones(target: str) -> tuple[str, ...]:
    """The bones that ``look_at`` moves."""
    return (target, *map(eye_target, EYES)) if target == EYES_TARGET else (target,)


def look_at(armature: Any, target: str) -> None:
    """Place the target where head or eyes look now, and switch look-at on."""
    bones, seen = RigBones(armature), seen_matrices(armature)
    joints = EYES if target == EYES_TARGET else ("head",)  # those that point straight at it
    restore_seen(armature, JOINTS[target], seen)
    axis = 2 if target == HEAD_TARGET else 1  # the face looks along z, an eye along y
    points = {n: seen[n].translation + _DISTANCE[target] * seen[n].col[axis].xyz for n in joints}
    middle = sum(points.values(), Vector()) / len(points)
    rest = bones[target].bone.matrix_local
    matrix = rest.copy()
    matrix.translation = middle
    place_bone(bones[target], matrix, seen)
    bones[target].scale = (1.0, 1.0, 1.0)
    for joint in joints if target == EYES_TARGET else ():
        bone = bones[eye_target(joint)]  # child of the target, which has its rest axes again
        at = matrix @ rest.inverted() @ bone.bone.matrix_local
        bone.location = at.to_3x3().inverted() @ (points[joint] - at.translation)
    for joint in JOINTS[target]:
        _widen(bones[joint])
    if target == HEAD_TARGET:
        before = {**seen, "neck": _before_share(seen["neck"], middle)}
        restore_seen(armature, ("neck",), before)
    bones[target][LOOK] = 1.0
    show_controls(armature)
    armature.update_tag()


def stop_looking(armature: Any, target: str) -> None:
    """Set head or eyes to their displayed rotation, and switch look-at off."""
    restore_seen(armature, JOINTS[target], seen_matrices(armature))
    RigBones(armature)[target][LOOK] = 0.0
    show_controls(armature)
    armature.update_tag()


def is_looking(armature: Any, target: str) -> bool:
    """Whether look-at has any influence."""
    return bool(RigBones(armature)[target][LOOK] > 0.0)


def _before_share(neck: Matrix, target: Vector) -> Matrix:
    """The neck's matrix from which its share of the turn ends at the displayed one."""
    ahead, to = neck.col[2].xyz, target - neck.translation
    rest = ahead.angle(to)  # what is left of the way
    back = -rest * NECK_SHARE / (1.0 - NECK_SHARE)
    out: Matrix = Quaternion(ahead.cross(to), back).to_matrix().to_4x4() @ neck
    out.translation = neck.translation
    return out


def _widen(bone: Any) -> None:
    """Set the natural limits, extended to include the current pose."""
    name = plain_name(bone)
    ranges = joint_limits(name, LOOK_PARTS.get(name, 1.0))
    assert ranges is not None
    limit = bone.constraints[LOOK_LIMIT]
    for axis, (low, high), angle in zip("xyz", ranges, bone.matrix_basis.to_euler("XYZ")):
        setattr(limit, f"min_{axis}", min(low, angle - _ROOM))
        setattr(limit, f"max_{axis}", max(high, angle + _ROOM))
