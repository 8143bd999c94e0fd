"""Joint limits: generous anatomical ranges about each bone's own axes.

There are two kinds. *Limit Rotation* constraints limit posing by hand. They are off by default,
because poses from photos and videos may slightly exceed them and must not change. *IK limits* of
knees and elbows are always on; they only keep the solver from bending these joints backwards.

x closes a joint (see ``addon/scene/armature.py``), y twists it, z is the third axis. The table is
for the left side; on the right y and z change their sign.
"""

from __future__ import annotations

import math
from typing import Any

from ...engine.core.types import JOINT_NAMES
from .bone_names import RigBones

LIMIT = "Limit"
"""Name of the constraint."""

Range = tuple[float, float]

_FINGERS = ("index", "middle", "ring", "pinky")
_DEGREES: dict[str, tuple[Range, Range, Range]] = {
    "spine1": ((-40, 60), (-45, 45), (-40, 40)),
    "spine2": ((-40, 60), (-45, 45), (-40, 40)),
    "spine3": ((-40, 60), (-45, 45), (-40, 40)),
    "neck": ((-60, 70), (-70, 70), (-50, 50)),
    "head": ((-60, 60), (-75, 75), (-50, 50)),
    "jaw": ((-10, 45), (-20, 20), (-20, 20)),
    "eye_smplhf": ((-40, 40), (-15, 15), (-55, 55)),
    "collar": ((-45, 45), (-40, 40), (-25, 60)),
    "shoulder": ((-70, 145), (-110, 110), (-105, 125)),
    "elbow": ((-10, 160), (-110, 110), (-25, 25)),
    "wrist": ((-90, 95), (-110, 110), (-50, 50)),
    "hip": ((-145, 60), (-75, 75), (-95, 50)),
    "knee": ((-10, 165), (-45, 45), (-20, 20)),
    "ankle": ((-55, 80), (-45, 45), (-45, 45)),
    "foot": ((-80, 60), (-20, 20), (-25, 25)),
    **{f"{finger}1": ((-45, 100), (-25, 25), (-35, 35)) for finger in _FINGERS},
    **{f"{finger}{k}": ((-25, 120), (-12, 12), (-18, 18)) for finger in _FINGERS for k in (2, 3)},
    "thumb1": ((-80, 80), (-80, 80), (-80, 80)),
    "thumb2": ((-50, 90), (-40, 40), (-50, 50)),
    "thumb3": ((-50, 100), (-20, 20), (-25, 25)),
}
"""Ranges in degrees about x, y and z; the pelvis has none."""


def joint_limits(joint: str, part: float = 1.0) -> tuple[Range, Range, Range] | None:
    """Ranges in radians about x, y and z of a joint's bone, or None without limits.

    Args:
        joint: name.
        part: factor of the ranges.
    """
    side, _, rest = joint.partition("_")
    found = _DEGREES.get(rest if side in ("left", "right") else joint)
    if found is None:
        return None
    x, y, z = (tuple(part * math.radians(v) for v in pair) for pair in found)
    if side == "right":
        y, z = (-y[1], -y[0]), (-z[1], -z[0])
    return x, y, z  # type: ignore[return-value]


def add_limit(bone: Any, name: str = LIMIT, part: float = 1.0) -> Any | None:
    """Add a Limit Rotation constraint to a pose bone; None if it has no limits."""
    ranges = joint_limits(bone.name, part)
    if ranges is None:
        return None
    constraint = bone.constraints.new("LIMIT_ROTATION")
    constraint.name = name
    constraint.owner_space = "LOCAL"
    for axis, (low, high) in zip("xyz", ranges):
        setattr(constraint, f"use_limit_{axis}", True)
        setattr(constraint, f"min_{axis}", low)
        setattr(constraint, f"max_{axis}", high)
    return constraint


def add_limits(armature: Any) -> None:
    """Add the constraints of all joints, disabled."""
    for joint in JOINT_NAMES:
        constraint = add_limit(armature.pose.bones[joint])
        if constraint is not None:
            constraint.enabled = False


def set_limits(armature: Any, on: bool) -> None:
    """Enable or disable the joints' limits."""
    for joint in JOINT_NAMES:
        constraint = RigBones(armature)[joint].constraints.get(LIMIT)
        if constraint is not None:
            constraint.enabled = on


def has_active_limits(armature: Any) -> bool:
    """Whether any joint's limit is enabled."""
    bones = (RigBones(armature)[joint] for joint in JOINT_NAMES)
    return any(c.enabled for bone in bones if (c := bone.constraints.get(LIMIT)) is not None)
