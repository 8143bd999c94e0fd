"""The control bones, with their constraints.

None of them deforms, and no joint is their child: the joints keep SMPL-X's tree, and the pelvis
follows the root and the centre of gravity by a constraint. Hands, feet, poles and targets hang on a
hidden bone that follows what their property ``parent`` names. Hand and foot controls have the rest
position and axes of their joint's bone, so the joint copies their rotation as it is. Spine, neck
and finger controls add their rotation to that of the joints. ``ik``, ``stretch``, ``look`` and
``parent`` drive constraints (drivers without Python).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from mathutils import Matrix

from ...engine.core.types import JOINT_INDEX, JOINT_NAMES, FloatArray
from ...engine.core.types import PARENTS as JOINT_PARENTS
from ..compat import get_hide_owner, hide_bone
from .bone_names import RigBones
from .control_bone import ControlBone
from .control_names import (
    ADDED_CONTROLS,
    CHEST,
    COG,
    EYES_TARGET,
    FACE,
    FEET,
    FINGERS,
    FOLLOW,
    HEAD_TARGET,
    HIPS,
    IK,
    LIMBS,
    LOOK,
    NECK,
    PARENT,
    PARENTS,
    ROOT,
    SIDES,
    finger_control,
    hand_control,
    ik_control,
    parent_bone,
    pole_control,
    roll_control,
    toe_control,
)
from .drivers import add_choice, add_property, drive
from .foot_roll import Boxes, bind_roll, copy_rotation, foot_ankle, roll_bones
from .joint_limits import add_limit, add_limits, joint_limits, set_limits
from .stretch import bind_stretch, make_reach_bone

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

SPREAD = {"index": (0.5, False), "ring": (0.5, True), "pinky": (1.0, True)}
"""Finger -> share of the hand control's rotation about z, and whether it is reversed."""

PARENTED = (*map(ik_control, LIMBS), HEAD_TARGET, EYES_TARGET)
"""The controls whose parent can be chosen."""


def eye_target(eye: str) -> str:
    """``left_eye_smplhf`` -> ``left_eye_target``, the target of that eye."""
    return eye.replace("_smplhf", "_target")


def control_bones(
    axes: dict[str, FloatArray], heads: FloatArray, boxes: Boxes, root: FloatArray, cog: FloatArray
) -> list[ControlBone]:
    """The controls of a person, parents before their children.

    Args:
        axes: joint -> [4, 4] rest matrix of its bone, with the bone's length in the last corner.
        heads: [55, 3] rest joints in metres, armature space.
        boxes: of the feet, armature space.
        root: [3] place of the root bone, armature space.
        cog: [3] place of the centre of gravity, armature space: the pelvis at rest or, for rigs
            of earlier versions, whose rest is elsewhere, in the photo's pose.
    """
    at = {name: heads[j] for name, j in JOINT_INDEX.items()}
    up, front = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])

    def like(joint: str, name: str, parent: str, away: FloatArray | float = 0.0) -> ControlBone:
        R, length, head = axes[joint][:3, :3], axes[joint][3, 3], at[joint] + away
        return ControlBone(name, head, head + length * R[:, 1], R[:, 2], parent)

    def hung(control: str, place: FloatArray, tail: FloatArray, z: FloatArray) -> list[ControlBone]:
        parent = ControlBone(parent_bone(control), place, place + 0.05 * front, up)
        return [parent, ControlBone(control, place, tail, z, parent.name)]

    # axes of the root and the centre of gravity are those of the object
    out = [ControlBone(ROOT, root, root - 0.3 * front, up)]
    out.append(ControlBone(COG, cog, cog - 0.15 * front, up, ROOT))
    out.append(like("spine1", HIPS, COG, cog - at["pelvis"]))
    out.append(like("spine2", CHEST, "pelvis"))
    out.append(like("neck", NECK, "spine3"))
    for side in SIDES:
        out.append(like(f"{side}_middle1", hand_control(side), f"{side}_wrist"))
        for finger in FINGERS:
            name = finger_control(side, finger)
            out.append(like(f"{side}_{finger}1", name, f"{side}_wrist"))
    for limb, (upper, lower, last) in LIMBS.items():
        control = like(last, ik_control(limb), parent_bone(ik_control(limb)))
        out += hung(control.name, control.head, control.tail, control.z)
        reach = POLE_DISTANCE * float(np.linalg.norm(at[lower] - at[upper]))
        place = at[lower] - reach * axes[lower][:3, 2]
        out.append(ControlBone(pole_control(limb), place, place + 0.06 * up, front, control.parent))
        length = float(axes[upper][3, 3] + axes[lower][3, 3])
        carrier = JOINT_NAMES[JOINT_PARENTS[JOINT_INDEX[upper]]]
        out.append(make_reach_bone(limb, at, length, carrier))
        if limb in FEET:
            out += roll_bones(limb, at, control, boxes)
    eyes = np.stack([at[eye] for eye in EYES])
    middle = eyes.mean(0)
    place = at["head"] + 0.9 * front
    out += hung(HEAD_TARGET, place, place + 0.08 * front, up)
    place = middle + 0.45 * front
    out += hung(EYES_TARGET, place, place + 0.05 * front, up)
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
    _bind_body(armature)
    add_look(armature)
    for limb in LIMBS:
        _bind_limb(armature, limb)
    add_limits(armature)
    _bind_free(armature)
    release_controls(armature)


def add_new_controls(armature: Any) -> None:
    """:func:`bind_controls` for a rig of an earlier version that just got the bones it lacked."""
    bones = armature.pose.bones
    before = {name: len(bones[name].constraints) for name in JOINT_NAMES}
    _bind_body(armature)
    for name, count in before.items():  # what adds to a rotation comes before what limits it
        for k in range(count, len(bones[name].constraints)):
            bones[name].constraints.move(k, k - count)
    _bind_free(armature)
    show_controls(armature)


def _bind_body(armature: Any) -> None:
    """Let the pelvis follow the centre of gravity, and spine, neck and fingers their controls."""
    follow = armature.pose.bones["pelvis"].constraints.new("ARMATURE")
    follow.name = FOLLOW
    target = follow.targets.new()
    target.target, target.subtarget = armature, COG
    _share_rotations(armature)


def _bind_free(armature: Any) -> None:
    """Bind feet to their roll, limbs to their reach and controls to what they follow, drive what
    is visible, and lock the rest."""
    for limb in FEET:
        _bind_foot(armature, limb)
    for limb in LIMBS:
        bind_stretch(armature, limb, foot_ankle(limb) if limb in FEET else ik_control(limb))
    for control in PARENTED:
        _bind_parent(armature, control)
    _drive_visibility(armature)
    _lock(armature)


def _bind_foot(armature: Any, limb: str) -> None:
    """Let the ankle follow the end of the foot's roll instead of the control itself."""
    bones = armature.pose.bones
    _, lower, last = LIMBS[limb]
    for bone, name in ((bones[lower], SOLVER), (bones[last], COPY_ROTATION)):
        if name in bone.constraints:  # an older rig's may have been removed
            bone.constraints[name].subtarget = foot_ankle(limb)
    path = f'pose.bones["{ik_control(limb)}"]["{IK}"]'
    drive(bind_roll(armature, limb), "influence", armature, path)


def _share_rotations(armature: Any) -> None:
    """Let hips, spine, neck and fingers add the rotation of their controls."""
    bones = armature.pose.bones
    copy_rotation(bones["pelvis"], armature, HIPS)
    for axis in "zyx":  # the inverse of a rotation about x, y and z, in this order
        back = copy_rotation(bones["spine1"], armature, HIPS, axis, "BEFORE")
        back.euler_order = "XYZ"
        setattr(back, f"invert_{axis}", True)
    for control, joints in ((CHEST, ("spine1", "spine2", "spine3")), (NECK, ("neck", "head"))):
        for joint in joints:
            copy_rotation(bones[joint], armature, control).influence = 1.0 / len(joints)
    for side in SIDES:
        for finger in FINGERS:
            control, whole = finger_control(side, finger), hand_control(side)
            for k in (1, 2, 3):
                axes = "xz" if k == 1 else "x"
                copy_rotation(bones[f"{side}_{finger}{k}"], armature, control, axes)
            copy_rotation(bones[control], armature, whole, "x")
            if finger in SPREAD:
                spread = copy_rotation(bones[control], armature, whole, "z")
                spread.influence, spread.invert_z = SPREAD[finger]


def _bind_parent(armature: Any, control: str) -> None:
    """Let a control's hidden parent follow the bone that the control's property names."""
    bones = armature.pose.bones
    # what turns towards the target cannot carry it
    names = [name for name in PARENTS if not (control == HEAD_TARGET and name == "Head")]
    text = "What this control follows. The button in the panel switches without a jump"
    path = add_choice(bones[control], PARENT, names, names.index("Root"), text)
    follow = bones[parent_bone(control)].constraints.new("ARMATURE")
    follow.name = FOLLOW
    for k, name in enumerate(names):
        if PARENTS[name] is not None:
            target = follow.targets.new()
            target.target, target.subtarget = armature, PARENTS[name]
            drive(target, "weight", armature, path, f"value == {k}")


def _lock(armature: Any) -> None:
    """Lock what would tear the body apart, or does nothing; scripts and motions still can."""
    bones, every = armature.pose.bones, (True, True, True)
    poles = [pole_control(limb) for limb in LIMBS]
    for name in (*JOINT_NAMES[1:], *ADDED_CONTROLS, FACE):
        bones[name].lock_location = every
    for name in (*JOINT_NAMES[1:], *ADDED_CONTROLS, FACE, *poles, *map(ik_control, LIMBS)):
        bones[name].lock_scale = every
    for name in (FACE, *poles):
        bones[name].lock_rotation, bones[name].lock_rotation_w = every, True


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
    """Switch off IK, look-at and limits, and reset the controls that add rotation and the centre
    of gravity, so that only the root and the joints' rotations count.

    Everything that sets a whole pose calls this, so that exactly this pose is displayed. Scenes of
    older formats have fewer controls.
    """
    bones = RigBones(armature)
    reset_added(armature, (COG, *ADDED_CONTROLS))
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


def reset_added(armature: Any, names: Iterable[str]) -> None:
    """Reset the transforms of controls; those that an older rig lacks are skipped."""
    for name in names:
        if name in RigBones(armature):
            RigBones(armature)[name].matrix_basis = Matrix()


def limb_controls(limb: str) -> tuple[str, ...]:
    """The controls of a limb in IK."""
    out = (ik_control(limb), pole_control(limb))
    return (*out, roll_control(limb), toe_control(limb)) if limb in FEET else out


def show_controls(armature: Any) -> None:
    """Show the controls and targets that are in use, hide the others, and hide the joints of limbs
    that are wholly in IK. Rigs of earlier versions need it; in others, drivers do the same."""
    bones = RigBones(armature)
    for name, switch, prop, when_on in _visibility_rules():
        if name in bones and switch in bones:
            value = bones[switch][prop]
            hide_bone(bones[name], value >= 1.0 if when_on else value == 0.0)


def _drive_visibility(armature: Any) -> None:
    """Add drivers that do the same as :func:`show_controls`, also for keyed switches."""
    for name, switch, prop, when_on in _visibility_rules():
        owner = get_hide_owner(armature.pose.bones[name])
        path = f'pose.bones["{switch}"]["{prop}"]'
        drive(owner, "hide", armature, path, "value >= 1" if when_on else "value == 0")


def _visibility_rules() -> Iterator[tuple[str, str, str, bool]]:
    """Each bone, the bone and property that hide it, and whether at 1 or at 0."""
    for limb, joints in LIMBS.items():
        yield from ((name, ik_control(limb), IK, True) for name in joints)
        yield from ((name, ik_control(limb), IK, False) for name in limb_controls(limb))
    for target, names in ((HEAD_TARGET, ()), (EYES_TARGET, map(eye_target, EYES))):
        yield from ((name, target, LOOK, False) for name in (target, *names))


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
            share = f"{NECK_SHARE} * value" if joint == "neck" else ""
            drive(track, "influence", armature, path, share)
            limit = add_limit(bones[joint], LOOK_LIMIT, LOOK_PARTS.get(joint, 1.0))
            drive(limit, "influence", armature, path)
