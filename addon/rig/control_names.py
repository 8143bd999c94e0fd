"""Names of the control bones and of their properties. No bpy here.

The 55 deforming bones have SMPL-X's names. Names of controls begin with the side, too, so that
Blender can mirror them.
"""

from __future__ import annotations

FACE = "face"
"""The bone whose custom properties are the expressions (``jawOpen``) and drive the body's shape
keys, so that pose assets and one action of the armature can hold them."""

ROOT, COG = "root", "cog"
"""The root moves everything; the centre of gravity, its child, moves the body, not the IK."""

HIPS, CHEST, NECK = "hips", "chest", "neck_control"
"""Controls: the first turns the pelvis under a chest that keeps its direction; the rotation of the
others is shared by ``spine1`` to ``spine3``, and by neck and head."""

HEAD_TARGET, EYES_TARGET = "head_target", "eyes_target"
LOOK = "look"
"""Property of both targets: 0 as posed, 1 looking at the target."""

PARENT = "parent"
"""Property of the hand and foot controls and of both targets: index of ``PARENTS``."""

PARENTS = {"World": None, "Root": ROOT, "Pelvis": "pelvis", "Chest": "spine3", "Head": "head"}
"""What a control follows -> the bone; the world is the armature object's space."""

FOLLOW = "Follow"
"""Constraint of the pelvis and of the hidden parents."""

IK = "ik"
"""Property of the hand and foot controls: 0 for FK, 1 for IK."""

STRETCH = "stretch"
"""Property of the hand and foot controls: fraction of the missing length that limbs stretch by."""

LIMBS: dict[str, tuple[str, str, str]] = {
    f"{side}_{end}": (f"{side}_{upper}", f"{side}_{lower}", f"{side}_{last}")
    for side in ("left", "right")
    for end, (upper, lower, last) in {
        "hand": ("shoulder", "elbow", "wrist"),
        "foot": ("hip", "knee", "ankle"),
    }.items()
}
"""``left_hand`` -> the joints at the start, bend and end of its chain."""


def ik_control(limb: str) -> str:
    """``left_hand`` -> ``left_hand_ik``."""
    return f"{limb}_ik"


def pole_control(limb: str) -> str:
    """``left_hand`` -> ``left_elbow_pole``."""
    return f"{LIMBS[limb][1]}_pole"


def parent_bone(control: str) -> str:
    """``left_hand_ik`` -> ``left_hand_ik_parent``, the hidden bone that follows what it has to."""
    return f"{control}_parent"


FINGERS = ("index", "middle", "ring", "pinky", "thumb")
SIDES = ("left", "right")


def finger_control(side: str, finger: str) -> str:
    """``left``, ``index`` -> ``left_index_curl``."""
    return f"{side}_{finger}_curl"


def hand_control(side: str) -> str:
    """``left`` -> ``left_fingers``, which curls and spreads all of them."""
    return f"{side}_fingers"


def roll_control(limb: str) -> str:
    """``left_foot`` -> ``left_foot_roll``."""
    return f"{limb}_roll"


def toe_control(limb: str) -> str:
    """``left_foot`` -> ``left_foot_tip``, about which a foot in IK turns on its toes."""
    return f"{limb}_tip"


FEET = tuple(limb for limb in LIMBS if limb.endswith("foot"))

ADDED_CONTROLS = (
    HIPS,
    CHEST,
    NECK,
    *(hand_control(side) for side in SIDES),
    *(finger_control(side, finger) for side in SIDES for finger in FINGERS),
    *map(roll_control, FEET),
    *map(toe_control, FEET),
)
"""The controls whose rotation adds to that of the joints; they have a parent and no location."""

CONTROL_BONES = (FACE, HEAD_TARGET, EYES_TARGET, *map(ik_control, LIMBS), *map(pole_control, LIMBS))
"""The controls that buttons and panels rely on."""
