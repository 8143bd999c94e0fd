"""Names and numberings that several rooms share: surface parts, landmarks, expressions."""

from __future__ import annotations

PART_NAMES = tuple(
    "face scalp ear neck torso arm hand leg foot eye eye_back eye_socket mouth teeth tongue lips"
    " eyelid".split()
)
"""Parts of the default body's surface. ``eye`` is the front of the eyeball."""

POSE_JOINTS: dict[int, str] = {
    k: f"{'left' if k % 2 else 'right'}_{joint}"
    for joint, landmarks in {
        "shoulder": (11, 12),
        "elbow": (13, 14),
        "wrist": range(15, 23),
        "hip": (23, 24),
        "knee": (25, 26),
        "ankle": range(27, 31),
        "foot": (31, 32),
    }.items()
    for k in landmarks
}
"""The joint that each of the 33 body landmarks moves with; the others belong to the head."""

POSE_MIRROR = (
    *(0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9),
    *(k + 1 if k % 2 else k - 1 for k in range(11, 33)),
)
"""The body landmark on the other side of each."""

HAND_JOINTS = (
    *("wrist", "thumb1", "thumb2", "thumb3", "thumb3"),
    *(f"{finger}{k}" for finger in ("index", "middle", "ring", "pinky") for k in (1, 2, 3, 3)),
)
"""The joint (without its side) that each of the 21 hand landmarks moves with."""


_MIDDLE = """
browInnerUp cheekPuff jawForward jawLeft jawOpen jawRight mouthClose mouthFunnel mouthLeft
mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper tongueOut
"""
_SIDED = """
browDown browOuterUp cheekSquint eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint
eyeWide mouthDimple mouthFrown mouthLowerDown mouthPress mouthSmile mouthStretch mouthUpperUp
noseSneer
"""
ARKIT_EXPRESSIONS = tuple(
    sorted(_MIDDLE.split() + [name + side for name in _SIDED.split() for side in ("Left", "Right")])
)
"""The 52 facial actions of Apple's ARKit, by name."""

LOOK_RADIANS = 0.52
"""An eye's turn at a weight of 1 of ``eyeLookUp`` and the like."""

JAW_ACTION = "jawOpen"
"""The action that opens the mouth; a body without it opens its mouth at the jaw's joint."""

LIPS_ACTION = "mouthClose"
"""The action that brings the lips of an open mouth together."""

BLINK_ACTION = "eyeBlink"
"""The action that closes an eye, without its side."""

LID_ACTIONS = ("eyeLookDown", "eyeLookUp", "eyeSquint", "eyeWide")
"""The other actions that move an eye's lids up or down, without their sides."""

OWN_EXPRESSION = "expression_"
"""How the names of a body's own expressions begin, which have numbers only (SMPL-X, FLAME)."""
