"""Names of the control bones and of their properties. No bpy here.

The 55 deforming bones have SMPL-X's names. Names of controls begin with the side, too, so that
Blender can mirror them.
"""

from __future__ import annotations

FACE = "face"
"""The bone whose custom properties are the expressions (``jawOpen``) and drive the body's shape
keys, so that pose assets and one action of the armature can hold them."""

HEAD_TARGET, EYES_TARGET = "head_target", "eyes_target"
LOOK = "look"
"""Property of both targets: 0 as posed, 1 looking at the target."""

IK = "ik"
"""Property of the hand and foot controls: 0 for FK, 1 for IK."""

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


CONTROL_BONES = (FACE, HEAD_TARGET, EYES_TARGET, *map(ik_control, LIMBS), *map(pole_control, LIMBS))
"""The controls that buttons and panels rely on."""
