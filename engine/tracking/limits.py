"""How far joints can turn: anatomical limits of the 55-joint body, written by hand.

A joint's rotation is split into a twist about its bone and the swing that follows it
(R = swing . twist), since components of an axis-angle vector mean nothing by themselves where
two axes turn far (shoulder, hip). The twist has a range; the swing, as a rotation vector at right
angles to the bone, lies in a polygon, so that the cone is wider forwards than backwards.

The numbers are the ranges of motion that textbooks and public norms give, about two standard
deviations beyond the mean of healthy adults, so that limber people are inside: American Academy
of Orthopaedic Surgeons, *Joint Motion: Method of Measuring and Recording* (1965); Boone and Azen,
"Normal range of motion of joints in male subjects", JBJS 61-A (1979); Roaas and Andersson (hip,
knee, ankle; Acta Orthop. Scand. 53, 1982); Soucie et al. (the normal joint study of the US
Centers for Disease Control; Haemophilia 17, 2011); White and Panjabi, *Clinical Biomechanics of
the Spine* (1990); Youdas et al. (neck; Phys. Ther. 72, 1992); Hume et al. (fingers and thumb;
J. Hand Surg. 15-A, 1990); Ludewig et al. (clavicle; JBJS 91-A, 2009). The chain of three spine
joints, and neck and head, divide what the books give for the whole; each has half as much again
as its share, since people do not bend evenly. A shoulder moves with its collar: the arm's whole
range is the sum of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..rotations import (
    axis_angle_to_quaternion,
    quaternion_multiply,
    quaternion_to_axis_angle,
    swing_twist,
)
from ..types import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, BoolArray, FloatArray, IntArray

MIRROR = np.array([1.0, -1.0, -1.0])
"""Turns a left joint's axis-angle into the right one's, and back."""

TOLERANCE = 1e-7
"""Radians; what rounding may leave of a clamped joint's violation."""


@dataclass(frozen=True)
class JointLimit:
    """The limits of one joint, for the left side or the middle of the body.

    Attributes:
        frame: [3, 3] rows: the bone's axis (twist), then the two axes of the swing polygon.
        twist: lowest and highest turn about the bone, radians.
        swing: [P, 2] corners of a convex polygon around zero, counter-clockwise, radians.
    """

    frame: FloatArray
    twist: tuple[float, float]
    swing: FloatArray

    def parts(self, axis_angle: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Twist [...] and swing [..., 2] in this joint's frame of rotations [..., 3]."""
        quats = axis_angle_to_quaternion(np.asarray(axis_angle, np.float64))
        twist, swing = swing_twist(quats, self.frame[0])
        return twist, swing @ self.frame[1:].T

    def clamp(self, twist: FloatArray, swing: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The nearest twist [...] and swing [..., 2] within the limits."""
        return np.clip(twist, *self.twist), nearest_in_polygon(swing, self.swing)

    def whole(self, twist: FloatArray, swing: FloatArray) -> FloatArray:
        """[..., 3] axis-angle; the inverse of :meth:`parts`."""
        first = axis_angle_to_quaternion(twist[..., None] * self.frame[0])
        then = axis_angle_to_quaternion(swing @ self.frame[1:])
        return quaternion_to_axis_angle(quaternion_multiply(then, first))


def nearest_in_polygon(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Points [..., 2] -> [..., 2], those outside moved to the nearest point of the polygon.

    Args:
        corners: [P, 2] of a convex polygon, counter-clockwise.

    >>> square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
    >>> nearest_in_polygon(np.array([[3.0, 0.5], [0.2, 0.3], [2.0, 2.0]]), square)
    array([[1. , 0.5],
           [0.2, 0.3],
           [1. , 1. ]])
    """
    edge = np.roll(corners, -1, axis=0) - corners
    away = points[..., None, :] - corners  # [..., P, 2]
    outside = (edge[:, 0] * away[..., 1] - edge[:, 1] * away[..., 0]).min(-1) < 0
    along = np.clip((away * edge).sum(-1) / (edge * edge).sum(-1), 0.0, 1.0)
    candidates = corners + along[..., None] * edge
    distance = ((points[..., None, :] - candidates) ** 2).sum(-1)
    best = np.take_along_axis(candidates, distance.argmin(-1)[..., None, None], axis=-2)[..., 0, :]
    out: FloatArray = np.where(outside[..., None], best, points)
    return out


_X, _Y, _Z = np.eye(3)


def _limit(
    axis: FloatArray, twist: tuple[float, float], *corners: tuple[float, float]
) -> JointLimit:
    """From degrees; the swing's axes are the two others of x, y, z in that order.

    A bone that lies askew keeps y as its first swing axis.
    """
    axis = axis / np.linalg.norm(axis)
    if axis[1] > 0.9:
        first, second = _X, _Z
    elif axis[2] > 0.9:
        first, second = _X, _Y
    else:
        first = _Y - (_Y @ axis) * axis
        first = first / np.linalg.norm(first)
        second = np.cross(axis, first)
    low, high = np.radians(twist)
    polygon = np.radians(corners)
    x, y = polygon.T
    if (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0:
        polygon = polygon[::-1]
    return JointLimit(np.stack([axis, first, second]), (float(low), float(high)), polygon)


def _box(
    axis: FloatArray,
    twist: tuple[float, float],
    first: tuple[float, float],
    second: tuple[float, float],
) -> JointLimit:
    """Limits of the two swing axes that do not depend on one another; degrees."""
    corners = [(first[0], second[0]), (first[1], second[0]),
               (first[1], second[1]), (first[0], second[1])]  # fmt: skip
    return _limit(axis, twist, *corners)


def _in_palm(degrees: float) -> FloatArray:
    """A finger's axis: the direction that lies between the hand's and its own at rest."""
    return np.array([np.cos(np.radians(degrees)), 0.0, np.sin(np.radians(degrees))])


_FINGER_AXES = {"index": 4.0, "middle": -2.0, "ring": -9.0, "pinky": -12.0}
_THUMB_AXIS = np.array([0.7, -0.5, 0.5])

#: Left side and middle. Bones along x (arm): swing (y, z); along y: (x, z); along z: (x, y).
LIMITS: dict[str, JointLimit] = {
    # Thighs: forwards -x, outwards +z; toes outwards +y. Bent hips spread wider (cross-legged).
    "left_hip": _limit(
        _Y, (-48, 62), (32, -12), (32, 28), (8, 62), (-45, 80), (-105, 72), (-140, 30),
        (-140, -15), (-90, -42), (-20, -38), (22, -26),
    ),
    "left_knee": _box(_Y, (-30, 38), (-8, 158), (-12, 12)),
    # Toes up -x, down +x; the sole turned inwards -z, outwards +z.
    "left_ankle": _box(_Y, (-32, 32), (-42, 62), (-40, 30)),
    "left_foot": _box(_Z, (-15, 15), (-80, 45), (-20, 20)),
    "spine1": _limit(_Y, (-20, 20), (48, -12), (48, 12), (15, 25), (-12, 25), (-28, 10),
                     (-28, -10), (-12, -25), (15, -25)),
    "spine2": _limit(_Y, (-25, 25), (42, -12), (42, 12), (15, 25), (-12, 25), (-25, 10),
                     (-25, -10), (-12, -25), (15, -25)),
    "spine3": _limit(_Y, (-28, 28), (38, -12), (38, 12), (15, 25), (-12, 25), (-25, 10),
                     (-25, -10), (-12, -25), (15, -25)),
    "neck": _limit(_Y, (-50, 50), (48, -12), (48, 12), (10, 34), (-25, 34), (-45, 15),
                   (-45, -15), (-25, -34), (10, -34)),
    "head": _limit(_Y, (-60, 60), (45, -15), (45, 15), (15, 34), (-20, 34), (-45, 15),
                   (-45, -15), (-20, -34), (15, -34)),
    "jaw": _limit(_Z, (-8, 8), (-4, -12), (20, -12), (40, -3), (40, 3), (20, 12), (-4, 12)),
    # Up -x, to the left +y.
    "left_eye_smplhf": _limit(
        _Z, (-12, 12), (-42, -22), (-42, 22), (-22, 52), (25, 52), (52, 22), (52, -22),
        (25, -52), (-22, -52),
    ),
    # Clavicle: forwards -y, upwards +z.
    "left_collar": _limit(_X, (-35, 35), (-32, -12), (-12, -22), (20, -22), (35, -8), (35, 15),
                          (20, 42), (-20, 42), (-38, 20)),
    # The arm from the side: forwards -y, backwards +y, up +z, down -z; inward rotation +x.
    "left_shoulder": _limit(
        _X, (-115, 125), (0, 110), (-75, 105), (-125, 60), (-145, 5), (-120, -70), (-50, -115),
        (0, -115), (55, -95), (85, -60), (75, -10), (60, 45), (35, 90),
    ),
    # Bending -y; the hand turned palm down (from the side: backwards) +x. Far bent, a forearm
    # beside the hinge's plane is a turn of the upper arm, so the hinge has more room there.
    "left_elbow": _limit(_X, (-100, 95), (12, -15), (12, 15), (-80, 38), (-130, 38), (-158, 22),
                         (-158, -22), (-130, -38), (-80, -38)),
    # The wrist itself does not twist, but bodies of this rig turn the forearm's skin by it.
    # Towards the thumb -y, the little finger +y; palm -z, back of the hand +z.
    "left_wrist": _limit(_X, (-62, 62), (-28, -40), (-10, -92), (22, -92), (45, -40), (45, 35),
                         (20, 85), (-12, 85), (-28, 40)),
    **{f"left_{finger}1": _box(_in_palm(angle), (-22, 22), (-32, 32), (-102, 48))
       for finger, angle in _FINGER_AXES.items()},
    **{f"left_{finger}2": _box(_in_palm(angle), (-22, 22), (-12, 12), (-120, 15))
       for finger, angle in _FINGER_AXES.items()},
    **{f"left_{finger}3": _box(_in_palm(angle), (-22, 22), (-12, 12), (-95, 22))
       for finger, angle in _FINGER_AXES.items()},
    # About the bone; then across the palm +, away from it -; then up and down.
    "left_thumb1": _box(_THUMB_AXIS, (-45, 45), (-45, 55), (-50, 50)),
    "left_thumb2": _box(_THUMB_AXIS, (-25, 25), (-25, 72), (-30, 30)),
    "left_thumb3": _box(_THUMB_AXIS, (-20, 20), (-35, 92), (-20, 20)),
}  # fmt: skip


def _joints() -> tuple[tuple[JointLimit, IntArray, FloatArray], ...]:
    """Each limit with the joints [n] it is for and the signs [n, 3] that make them left ones."""
    out = []
    for name, limit in LIMITS.items():
        names = [name] if not name.startswith("left_") else [name, name.replace("left", "right", 1)]
        index = np.array([JOINT_INDEX[n] for n in names])
        out.append((limit, index, np.stack([np.ones(3), MIRROR])[: len(names)]))
    return tuple(out)


_TABLE = _joints()
FREE = tuple(n for n in JOINT_NAMES if not any(JOINT_INDEX[n] in index for _, index, _ in _TABLE))
"""Joints without limits: the pelvis, which turns with the whole body."""


def _each(
    full_pose: FloatArray,
) -> Iterator[tuple[JointLimit, IntArray, FloatArray, FloatArray, FloatArray]]:
    """Every limit with its joints, their signs, and their twist [..., n] and swing [..., n, 2]."""
    pose = np.asarray(full_pose, np.float64)
    if pose.shape[-2:] != (NUM_JOINTS, 3):
        raise ValueError(f"full_pose must be [..., 55, 3], got {pose.shape}")
    for limit, index, sign in _TABLE:
        yield limit, index, sign, *limit.parts(pose[..., index, :] * sign)


def violations(full_pose: FloatArray) -> FloatArray:
    """How far joints are beyond their limits: [..., 55, 3] axis-angle -> [..., 55] radians.

    0 inside; outside, the length of what twist and swing must give up to be inside.

    >>> pose = np.zeros((55, 3))
    >>> pose[JOINT_INDEX["left_knee"], 0] = np.radians(-48)    # bent forwards
    >>> float(np.degrees(violations(pose)[JOINT_INDEX["left_knee"]]).round(6))
    40.0
    """
    out = np.zeros(np.shape(full_pose)[:-1])
    for limit, index, _, twist, swing in _each(full_pose):
        inside_twist, inside_swing = limit.clamp(twist, swing)
        beyond = np.hypot(np.linalg.norm(swing - inside_swing, axis=-1), twist - inside_twist)
        out[..., index] = np.where(beyond > TOLERANCE, beyond, 0.0)
    return out


def clamped(full_pose: FloatArray, joints: BoolArray | None = None) -> FloatArray:
    """The nearest pose within the limits, joint by joint; what is inside stays as it is.

    Nearest in twist and swing, each by itself: a knee that bends 10 degrees forwards comes back
    to the limit of its hinge and keeps its twist.

    Args:
        full_pose: [..., 55, 3] axis-angle.
        joints: [55] which joints to look at; all by default.
    """
    out = np.array(full_pose, dtype=np.float64)
    chosen = np.ones(NUM_JOINTS, bool) if joints is None else np.asarray(joints, bool)
    beyond = (violations(full_pose) > 0) & chosen
    for limit, index, sign, twist, swing in _each(full_pose):
        turned = limit.whole(*limit.clamp(twist, swing)) * sign
        out[..., index, :] = np.where(beyond[..., index, None], turned, out[..., index, :])
    return out
