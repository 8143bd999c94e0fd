"""Names and numberings that several rooms share: surface parts, landmarks, expressions."""

from __future__ import annotations

PART_NAMES = (
    "face",
    "scalp",
    "ear",
    "neck",
    "torso",
    "arm",
    "hand",
    "leg",
    "foot",
    "eye",
    "eye_back",
    "eye_socket",
    "mouth",
    "teeth",
    "tongue",
    "lips",
    "eyelid",
)
"""What a triangle of the default body can be. ``eye`` is the front of the eyeball."""

POSE_JOINTS: dict[int, str] = {
    11: "left_shoulder",
    12: "right_shoulder",
    13: "left_elbow",
    14: "right_elbow",
    15: "left_wrist",
    16: "right_wrist",
    17: "left_wrist",
    18: "right_wrist",
    19: "left_wrist",
    20: "right_wrist",
    21: "left_wrist",
    22: "right_wrist",
    23: "left_hip",
    24: "right_hip",
    25: "left_knee",
    26: "right_knee",
    27: "left_ankle",
    28: "right_ankle",
    29: "left_ankle",
    30: "right_ankle",
    31: "left_foot",
    32: "right_foot",
}
"""The joint that holds each of the 33 body landmarks; those not named belong to the head."""

POSE_MIRROR = (
    0,
    4,
    5,
    6,
    1,
    2,
    3,
    8,
    7,
    10,
    9,
    *(k + 1 if k % 2 else k - 1 for k in range(11, 33)),
)
"""The body landmark on the other side of each."""

HAND_JOINTS = (
    "wrist",
    "thumb1",
    "thumb2",
    "thumb3",
    "thumb3",
    "index1",
    "index2",
    "index3",
    "index3",
    "middle1",
    "middle2",
    "middle3",
    "middle3",
    "ring1",
    "ring2",
    "ring3",
    "ring3",
    "pinky1",
    "pinky2",
    "pinky3",
    "pinky3",
)
"""The joint (without its side) that holds each of the 21 hand landmarks."""


def _sided(*names: str) -> tuple[str, ...]:
    return tuple(name + side for name in names for side in ("Left", "Right"))


ARKIT_EXPRESSIONS = tuple(
    sorted(
        (
            "browInnerUp",
            "cheekPuff",
            "jawForward",
            "jawLeft",
            "jawOpen",
            "jawRight",
            "mouthClose",
            "mouthFunnel",
            "mouthLeft",
            "mouthPucker",
            "mouthRight",
            "mouthRollLower",
            "mouthRollUpper",
            "mouthShrugLower",
            "mouthShrugUpper",
            "tongueOut",
            *_sided(
                "browDown",
                "browOuterUp",
                "cheekSquint",
                "eyeBlink",
                "eyeLookDown",
                "eyeLookIn",
                "eyeLookOut",
                "eyeLookUp",
                "eyeSquint",
                "eyeWide",
                "mouthDimple",
                "mouthFrown",
                "mouthLowerDown",
                "mouthPress",
                "mouthSmile",
                "mouthStretch",
                "mouthUpperUp",
                "noseSneer",
            ),
        )
    )
)
"""The 52 facial actions of Apple's ARKit, by name."""
