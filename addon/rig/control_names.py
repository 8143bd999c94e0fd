"""Names of the control bones and of their properties. No bpy here.

The 55 bones that deform have SMPL-X's names. Controls begin with the side, too, so that Blender's
mirror finds their partners.
"""

from __future__ import annotations

FACE = "face"
"""Carries the expressions as custom properties, each named as the expression (``jawOpen``), which
drive the body's shape keys; pose assets and one action of the armature can then hold them."""

HEAD_TARGET, EYES_TARGET = "head_target", "eyes_target"
LOOK = "look"
"""Property of both targets: 0 as posed, 1 looks at the target."""

IK = "ik"
"""Property of the hand and foot controls: 0 follows the bones' rotations, 1 the control."""

LIMBS: dict[str, tuple[str, str, str]] = {
    f"{side}_{end}": (f"{side}_{upper}", f"{side}_{lower}", f"{side}_{last}")
    for side in ("left", "right")
    for end, (upper, lower, last) in {
        "hand": ("shoulder", "elbow", "wrist"),
        "foot": ("hip", "knee", "ankle"),
    }.items()
}
"""``left_hand`` -> the joints of its chain: where it begins, bends and ends."""


def ik_control(limb: str) -> str:
    """``left_hand`` -> ``left_hand_ik``."""
    return f"{limb}_ik"


def pole_control(limb: str) -> str:
    """``left_hand`` -> ``left_elbow_pole``."""
    return f"{LIMBS[limb][1]}_pole"


CONTROL_BONES = (FACE, HEAD_TARGET, EYES_TARGET, *map(ik_control, LIMBS), *map(pole_control, LIMBS))
"""The controls that switches, buttons and panels count on."""
