"""Our joints under Mixamo's names, without its prefix; many BVH files have them, too."""

from __future__ import annotations

_MIDDLE = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
    "jaw": "Jaw",
}
_SIDES = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "eye_smplhf": "Eye",
    **{
        f"{finger}{k}": f"Hand{finger.title()}{k}"
        for finger in ("index", "middle", "ring", "pinky", "thumb")
        for k in (1, 2, 3)
    },
}
MIXAMO = _MIDDLE | {
    f"{side}_{ours}": side.title() + name
    for side in ("left", "right")
    for ours, name in _SIDES.items()
}
