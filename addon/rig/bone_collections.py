"""Bone collections and colours."""

from __future__ import annotations

from typing import Any

from ...engine.core.types import JOINT_NAMES
from .control_names import CHEST, COG, CONTROL_BONES, FINGERS, HIPS, LIMBS, NECK, ROOT
from .controls import EYES, eye_target

ROOT_BONES, BODY, FACE_BONES, CONTROLS = "Root", "Body", "Face", "Controls"
MECHANISM = "Mechanism"
"""Hidden bones between the controls and the joints."""
LIMB_COLLECTIONS = ("Left Arm", "Right Arm", "Left Leg", "Right Leg")
HAND_COLLECTIONS = ("Left Hand", "Right Hand")
FINGER_COLLECTIONS = ("Left Fingers", "Right Fingers")
"""Every joint of the fingers, apart from the controls that move them together."""
COLLECTIONS = (
    ROOT_BONES,
    BODY,
    *LIMB_COLLECTIONS,
    *HAND_COLLECTIONS,
    *FINGER_COLLECTIONS,
    FACE_BONES,
    CONTROLS,
    MECHANISM,
)
"""The limbs' collections are children of ``Body``."""

_COLORS = {
    "left": (0.30, 0.62, 1.0),
    "right": (1.0, 0.36, 0.32),
    "middle": (1.0, 0.78, 0.22),
    "control": (0.35, 0.85, 0.42),
}
"""Brighter than the theme's palettes, whose thin wires are hard to see on dark grey."""


def bone_collection(name: str) -> str:
    """The collection of a joint's bone or of a control."""
    if name in (ROOT, COG):
        return ROOT_BONES
    if name in (HIPS, CHEST, NECK):
        return BODY
    if name in (*CONTROL_BONES, *map(eye_target, EYES)) or name.endswith(("_roll", "_tip")):
        return CONTROLS
    if name == "jaw" or name in EYES:
        return FACE_BONES
    side = name.partition("_")[0].title()
    if any(finger in name for finger in (*FINGERS, "fingers")):
        return f"{side} {'Fingers' if name in JOINT_NAMES else 'Hand'}"
    if name not in JOINT_NAMES:
        return MECHANISM
    for limb, joints in LIMBS.items():
        if name in joints or (name.endswith("_foot") and limb == name):
            return f"{side} {'Arm' if limb.endswith('hand') else 'Leg'}"
    return BODY


def bone_color(name: str) -> tuple[float, float, float]:
    """The colour of a bone, by its side; controls have their own."""
    side = name.partition("_")[0]
    if name not in JOINT_NAMES and side not in ("left", "right"):
        return _COLORS["control"]
    return _COLORS.get(side, _COLORS["middle"])


def arrange_bones(armature: Any) -> None:
    """Assign the bones of an armature to collections, and colour them. Collections that are there
    are used."""
    data = armature.data
    groups: dict[str, Any] = {}
    for name in COLLECTIONS:
        parent = groups[BODY] if name in LIMB_COLLECTIONS else None
        found = data.collections_all.get(name)
        groups[name] = found or data.collections.new(name, parent=parent)
    groups[MECHANISM].is_visible = False
    for bone in data.bones:
        for home in [home for home in bone.collections if home.name in COLLECTIONS]:
            home.unassign(bone)  # of an older rig
        groups[bone_collection(bone.name)].assign(bone)
        bone.color.palette = "CUSTOM"
        bone.color.custom.normal = normal = bone_color(bone.name)
        bone.color.custom.select = tuple(0.5 + 0.5 * c for c in normal)
        bone.color.custom.active = (1.0, 1.0, 1.0)
