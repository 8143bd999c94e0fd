"""The control bones of hands, feet, elbows, knees, head, eyes and face, with their constraints.

None of them deforms. Hands, feet, poles and targets have no parent, so they stay when the body
moves. Hand and foot controls have the rest position and axes of their joint's bone, so the joint
copies their rotation as it is. ``ik`` and ``look`` drive the influence of the constraints (drivers
without Python); both are 0 in a new rig.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.core.types import JOINT_INDEX, FloatArray
from ..compat import hide_bone
from .control_names import EYES_TARGET, FACE, HEAD_TARGET, IK, LIMBS, LOOK, ik_control, pole_control
from .drivers import add_property, drive
from .joint_limits import add_limit, add_limits, joint_limits, set_limits

EYES = ("left_eye_smplhf", "right_eye_smplhf")

POLE_ANGLE = -math.pi / 2
"""Poles lie on the -z side of the limb, to which knees and elbows point when bending about +x."""

POLE_DISTANCE = 0.8
"""Distance of the pole from the elbow or knee, in lengths of the upper bone."""

GUARD_ANGLE = math.radians(0.25)
"""Minimum bend of the limb that the IK solver starts from, which cannot be straight."""

HINGE_STIFFNESS = 0.9
"""Stiffness of elbows and knees about y and z, so that the solver bends them about x."""

NECK_SHARE = 0.35
"""Share of the turn to the target that the neck takes; without it the head turns like an owl's."""

LOOK_PARTS = {"neck": 0.6, "head": 0.7}
"""Share of the joint ranges for look-at; both full ranges would turn the face backwards."""

GUARD = "IK Start"
LOOK_LIMIT = "Look Limit"
COPY_ROTATION, SOLVER, TRACK = "Copy Control", "IK", "Look"


@dataclass(frozen=True)
class ControlBone:
    """A bone to create.

    Attributes:
        name: of the bone.
        head: [3] metres, Blender's axes.
        tail: [3] metres, Blender's axes.
        z: [3] direction of the bone's z axis, Blender's axes.
        parent: name of the parent, or None.
    """

    name: str
    head: FloatArray
    tail: FloatArray
    z: FloatArray
    parent: str | None = None


def eye_target(eye: str) -> str:
    """``left_eye_smplhf`` -> ``left_eye_target``, the target of that eye."""
    return eye.replace("_smplhf", "_target")


def control_bones(axes: dict[str, FloatArray], heads: FloatArray) -> list[ControlBone]:
    """The controls of a person.

    Args:
        axes: joint -> [4, 4] rest matrix of its bone, with the bone's length in the last corner.
        heads: [55, 3] rest joints in metres, Blender's axes.
    """
    at = {name: heads[j] for name, j in JOINT_INDEX.items()}
    up, front = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
    out = []
    for limb, (upper, lower, last) in LIMBS.items():
        R, length = axes[last][:3, :3], axes[last][3, 3]
        out.append(ControlBone(ik_control(limb), at[last], at[last] + length * R[:, 1], R[:, 2]))
        reach = POLE_DISTANCE * float(np.linalg.norm(at[lower] - at[upper]))
        place = at[lower] - reach * axes[lower][:3, 2]
        out.append(ControlBone(pole_control(limb), place, place + 0.06 * up, front))
    eyes = np.stack([at[eye] for eye in EYES])
    middle = eyes.mean(0)
    place = at["head"] + 0.9 * front
    out.append(ControlBone(HEAD_TARGET, place, place + 0.08 * front, up))
    place = middle + 0.45 * front
    out.append(ControlBone(EYES_TARGET, place, place + 0.05 * front, up))
    for eye in EYES:
        place = at[eye] + 0.45 * front
        out.append(ControlBone(eye_target(eye), place, place + 0.03 * front, up, EYES_TARGET))
    place = middle + 0.24 * up
    out.append(ControlBone(FACE, place, place + 0.05 * front, up, "head"))
    return out


def bind_controls(armature: Any) -> None:
    """Add constraints, properties and limits to an armature with the control bones, in object mode.

    Controls and targets are hidden until they are used.
    """
    bones = armature.pose.bones
    add_look(armature)
    for limb in LIMBS:
        _bind_limb(armature, limb)
    add_limits(armature)
    face = bones[FACE]
    face.lock_location = face.lock_rotation = face.lock_scale = (True, True, True)
    face.lock_rotation_w = True
    for limb in LIMBS:
        bones[pole_control(limb)].lock_rotation = bones[pole_control(limb)].lock_scale = (
            True,
            True,
            True,
        )
        bones[pole_control(limb)].lock_rotation_w = True
    release_controls(armature)


def _bind_limb(armature: Any, limb: str) -> None:
    bones = armature.pose.bones
    upper, lower, last = LIMBS[limb]
    text = "0: the bones of the limb are rotated (FK). 1: the limb follows this control (IK)"
    path = add_property(bones[ik_control(limb)], IK, 0.0, 1.0, (0.0, 1.0), text)
    guard = bones[lower].constraints.new("LIMIT_ROTATION")
    guard.name = GUARD
    guard.owner_space = "LOCAL"
    guard.use_limit_x = True
    straight = -_rest_bend(bones[upper].bone, bones[lower].bone)
    guard.min_x, guard.max_x = straight + GUARD_ANGLE, math.pi
    drive(guard, "influence", armature, path)
    solver = bones[lower].constraints.new("IK")
    solver.name = SOLVER
    solver.target = solver.pole_target = armature
    solver.subtarget, solver.pole_subtarget = ik_control(limb), pole_control(limb)
    solver.pole_angle = POLE_ANGLE
    solver.chain_count = 2
    solver.use_stretch = False
    drive(solver, "influence", armature, path)
    copy = bones[last].constraints.new("COPY_ROTATION")
    copy.name = COPY_ROTATION
    copy.target, copy.subtarget = armature, ik_control(limb)
    copy.owner_space = copy.target_space = "POSE"
    drive(copy, "influence", armature, path)
    ranges = joint_limits(lower)
    assert ranges is not None
    bones[lower].use_ik_limit_x = True
    bones[lower].ik_min_x, bones[lower].ik_max_x = straight, ranges[0][1]
    bones[lower].ik_stiffness_y = bones[lower].ik_stiffness_z = HINGE_STIFFNESS


def _rest_bend(upper: Any, lower: Any) -> float:
    """Bend of a limb at rest about +x, radians: knees are not quite straight."""
    above, below = upper.matrix_local.col[1].xyz, lower.matrix_local.col[1].xyz
    across = above.cross(below).dot(lower.matrix_local.col[0].xyz)
    return math.atan2(across, above.dot(below))


def release_controls(armature: Any) -> None:
    """Switch off IK, look-at and limits, so that only the joints' rotations count.

    Everything that sets a whole pose calls this, so that exactly this pose is displayed. Scenes of
    format 1 have no controls.
    """
    bones = armature.pose.bones
    for name, prop in (
        *((ik_control(limb), IK) for limb in LIMBS),
        (HEAD_TARGET, LOOK),
        (EYES_TARGET, LOOK),
    ):
        if name in bones:
            bones[name][prop] = 0.0
    show_controls(armature)
    set_limits(armature, False)
    armature.update_tag()


def show_controls(armature: Any) -> None:
    """Show the controls and targets that are in use, and hide the others."""
    bones = armature.pose.bones
    switches: dict[tuple[str, ...], tuple[str, str]] = {
        (ik_control(limb), pole_control(limb)): (ik_control(limb), IK) for limb in LIMBS
    }
    switches[(HEAD_TARGET,)] = (HEAD_TARGET, LOOK)
    switches[(EYES_TARGET, *map(eye_target, EYES))] = (EYES_TARGET, LOOK)
    for names, (holder, prop) in switches.items():
        for name in names:
            if name in bones:
                hide_bone(bones[name], bones[holder][prop] == 0.0)


def add_look(armature: Any) -> None:
    """Add the look-at constraints of neck, head and eyes, with limits."""
    bones = armature.pose.bones
    text = "0: as posed. 1: turned to this target, within natural limits"
    for target, joints, axis in (
        (HEAD_TARGET, {"neck": HEAD_TARGET, "head": HEAD_TARGET}, "TRACK_Z"),
        (EYES_TARGET, {eye: eye_target(eye) for eye in EYES}, "TRACK_Y"),
    ):
        path = add_property(bones[target], LOOK, 0.0, 1.0, (0.0, 1.0), text)
        for joint, at in joints.items():
            track = bones[joint].constraints.new("DAMPED_TRACK")
            track.name = TRACK
            track.target, track.subtarget, track.track_axis = armature, at, axis
            drive(track, "influence", armature, path, NECK_SHARE if joint == "neck" else 1.0)
            limit = add_limit(bones[joint], LOOK_LIMIT, LOOK_PARTS.get(joint, 1.0))
            drive(limit, "influence", armature, path)
