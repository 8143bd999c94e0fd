"""Foot roll in IK: about heel, ball, tip of the toes, and both edges of the sole.

Between the foot's control and the place that its ankle has to reach stands a chain of hidden bones,
one for each line the foot rolls about. Each copies one axis of the roll control, to one side only.
All have the axes of the joint ``left_foot``: x to the left, y ahead, z down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...engine.core.types import JOINT_INDEX, FloatArray
from .control_bone import ControlBone
from .control_names import FEET, LIMBS, ik_control, roll_control, toe_control

COUNTER = "Toes Stay"

_UNDER = 0.08
"""Metres from the ankle down to the sole, where no vertices tell."""

Boxes = Mapping[str, tuple[FloatArray, FloatArray]]
"""Foot -> lowest and highest corner [3] of its vertices at rest, armature space."""


def foot_ankle(limb: str) -> str:
    """``left_foot`` -> ``left_foot_ankle``, the hidden bone that the ankle follows."""
    return f"{limb}_ankle"


def _pivots(limb: str) -> dict[str, tuple[str, float, float]]:
    """Hidden bone -> the axis that it copies, and the range."""
    half = math.pi
    return {
        f"{limb}_edge_left": ("y", -half, 0.0),
        f"{limb}_edge_right": ("y", 0.0, half),
        f"{limb}_heel": ("x", -half, 0.0),
        f"{limb}_ball": ("x", 0.0, half),
    }


def foot_boxes(points: FloatArray, weights: FloatArray) -> Boxes:
    """The boxes of both feet.

    Args:
        points: [V, 3] the body at rest, armature space.
        weights: [V, 55].
    """
    out = {}
    for limb in FEET:
        held = points[weights[:, [JOINT_INDEX[LIMBS[limb][2]], JOINT_INDEX[limb]]].sum(1) > 0.5]
        if len(held) >= 4:
            out[limb] = (held.min(0), held.max(0))
    return out


def roll_bones(
    limb: str, at: Mapping[str, FloatArray], ankle: ControlBone, boxes: Boxes
) -> Iterator[ControlBone]:
    """The bones of one foot, parents first; ``ankle`` is the foot's IK control."""
    front, down = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    joint, ball = at[LIMBS[limb][2]], at[limb]
    low, high = boxes.get(limb) or (
        joint + np.array([-0.04, -0.20, -_UNDER]),
        joint + np.array([0.04, 0.05, 0.0]),
    )
    floor = low[2]

    def bone(name: str, x: float, y: float, parent: str, length: float = 0.05) -> ControlBone:
        head = np.array([x, y, floor])
        return ControlBone(name, head, head + length * front, down, parent)

    behind = max(high[1], joint[1] + 0.03)  # metres; a heel is behind its ankle
    heel = behind - 0.1 * (behind - low[1])  # the round of the heel is off the floor
    edges = (("edge_left", high[0], ik_control(limb)), ("edge_right", low[0], f"{limb}_edge_left"))
    for name, x, parent in edges:
        yield bone(f"{limb}_{name}", 0.15 * ball[0] + 0.85 * x, ball[1], parent)
    yield bone(f"{limb}_heel", joint[0], heel, f"{limb}_edge_right")
    yield bone(toe_control(limb), ball[0], low[1], f"{limb}_heel", 0.04)
    # at the joint, so that the toes that stay do not slide
    yield ControlBone(f"{limb}_ball", ball, ball + 0.05 * front, down, toe_control(limb))
    yield ControlBone(foot_ankle(limb), ankle.head, ankle.tail, ankle.z, f"{limb}_ball")
    yield bone(roll_control(limb), joint[0], behind + 0.06, ik_control(limb))


def bind_roll(armature: Any, limb: str) -> Any:
    """Add the constraints of one foot.

    Returns:
        The constraint that keeps the toes on the floor; its influence is that of the IK.
    """
    bones = armature.pose.bones
    for name, (axis, low, high) in _pivots(limb).items():
        copy_rotation(bones[name], armature, roll_control(limb), axis, "REPLACE")
        limit = bones[name].constraints.new("LIMIT_ROTATION")
        limit.owner_space = "LOCAL"
        setattr(limit, f"use_limit_{axis}", True)
        setattr(limit, f"min_{axis}", low)
        setattr(limit, f"max_{axis}", high)
    counter = copy_rotation(bones[limb], armature, f"{limb}_ball", "x", "AFTER")
    counter.name = COUNTER
    counter.invert_x = True
    return counter


def copy_rotation(
    bone: Any, armature: Any, control: str, axes: str = "xyz", mix: str = "AFTER"
) -> Any:
    """Let a bone add (``AFTER``) or take (``REPLACE``) the rotation of a control."""
    copy = bone.constraints.new("COPY_ROTATION")
    copy.target, copy.subtarget = armature, control
    for axis in "xyz":
        setattr(copy, f"use_{axis}", axis in axes)
    copy.mix_mode = mix
    copy.owner_space = "LOCAL"
    copy.target_space = "LOCAL_OWNER_ORIENT" if axes == "xyz" else "LOCAL"
    return copy
