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

from dataclasses import dataclass, replace

import numpy as np

from ..core.rotations import (
    MIRROR,
    axis_angle_to_quaternion,
    quaternion_multiply,
    quaternion_to_axis_angle,
    swing_twist,
)
from ..core.types import JOINT_NAMES, NUM_JOINTS, BoolArray, FloatArray, IntArray
from .fit_state import PosedJoints
from .solver import NormalEquations

TOLERANCE = 1e-7
"""Radians; what rounding may leave of a clamped joint's violation."""


@dataclass(frozen=True)
class JointLimit:
    """The limits of one joint, for the left side or the middle of the body.

    Attributes:
        frame: [3, 3] rows: the bone's axis (twist), then the two axes of the swing polygon.
        twist: lowest and highest turn about the bone, radians.
        swing: [P, 2] corners of a convex polygon around zero, counter-clockwise, radians.
        less_twist: what the lowest twist rises by, per radian of swing about minus the last axis.
    """

    frame: FloatArray
    twist: tuple[float, float]
    swing: FloatArray
    less_twist: float = 0.0


def nearest_in_polygon(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Move points outside a convex polygon to its nearest point; others stay.

    Args:
        points: [..., 2].
        corners: [..., P, 2] of convex polygons, counter-clockwise; corners may repeat.

    Returns:
        [..., 2].

    >>> square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
    >>> nearest_in_polygon(np.array([[3.0, 0.5], [0.2, 0.3], [2.0, 2.0]]), square)
    array([[1. , 0.5],
           [0.2, 0.3],
           [1. , 1. ]])
    """
    edge = np.roll(corners, -1, axis=-2) - corners
    away = points[..., None, :] - corners  # [..., P, 2]
    outside = (edge[..., 0] * away[..., 1] - edge[..., 1] * away[..., 0]).min(-1) < 0
    length2 = np.maximum((edge * edge).sum(-1), 1e-12)
    along = np.clip((away * edge).sum(-1) / length2, 0.0, 1.0)
    candidates = corners + along[..., None] * edge
    distance = ((points[..., None, :] - candidates) ** 2).sum(-1)
    best = np.take_along_axis(candidates, distance.argmin(-1)[..., None, None], axis=-2)[..., 0, :]
    out: FloatArray = np.where(outside[..., None], best, points)
    return out


_X, _Y, _Z = np.eye(3)


def _limit(axis: FloatArray, twist: tuple[float, float], corners: str | FloatArray) -> JointLimit:
    """From degrees; the swing's axes are the two others of x, y, z in that order.

    A bone that lies askew keeps y as its first swing axis.

    Args:
        axis: [3] of the bone.
        twist: lowest and highest turn about it.
        corners: [P, 2] of the swing, or as text, "x y, x y, ...".
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
    if isinstance(corners, str):
        corners = np.array([pair.split() for pair in corners.split(",")], np.float64)
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
    corners = [(first[0], second[0]), (first[1], second[0])]
    corners += [(first[1], second[1]), (first[0], second[1])]
    return _limit(axis, twist, np.array(corners, np.float64))


def _finger(degrees: float, twist: float, bend: float, stretch: float, spread: float) -> JointLimit:
    """Limits of a finger's joint, in degrees.

    It bends about -z to ``bend``, back to ``stretch``, and sideways by ``spread`` when straight.
    The hinges of ring and little finger are askew in the hand, while rigs often bend all fingers
    about one axis: ``degrees`` lies between the finger's own direction at rest and the hand's, and
    strongly bent fingers have room for either.
    """
    axis = np.array([np.cos(np.radians(degrees)), 0.0, np.sin(np.radians(degrees))])
    wide = spread + 22
    half = [(spread, stretch), (wide, -45), (wide, -bend)]
    corners = [(-spread, stretch), *half, (-wide, -bend), (-wide, -45)]
    return _limit(axis, (-twist, twist), np.array(corners, np.float64))


_FINGERS = {
    "index": (4.0, 22.0),
    "middle": (-2.0, 22.0),
    "ring": (-9.0, 34.0),
    "pinky": (-12.0, 42.0),
}
"""Direction of the twist axis from the hand's towards the thumb, and how far it may twist."""

_THUMB_AXIS = np.array([0.7, -0.5, 0.5])

#: Left side and middle. Bones along x (arm): swing (y, z); along y: (x, z); along z: (x, y).
LIMITS: dict[str, JointLimit] = {
    # Thighs: forwards -x, outwards +z; toes outwards +y. Bent hips spread wider (cross-legged).
    "left_hip": _limit(
        _Y,
        (-48, 62),
        "32 -12, 32 28, 8 62, -45 80, -105 72, -140 30, -140 -15, -90 -42, -20 -38, 22 -26",
    ),
    "left_knee": _box(_Y, (-30, 38), (-8, 158), (-12, 12)),
    # Toes up -x, down +x; the sole turned inwards -z, outwards +z.
    "left_ankle": _box(_Y, (-32, 32), (-42, 62), (-40, 30)),
    "left_foot": _box(_Z, (-15, 15), (-80, 45), (-20, 20)),
    "spine1": _limit(
        _Y, (-20, 20), "48 -12, 48 12, 15 25, -12 25, -28 10, -28 -10, -12 -25, 15 -25"
    ),
    "spine2": _limit(
        _Y, (-25, 25), "42 -12, 42 12, 15 25, -12 25, -25 10, -25 -10, -12 -25, 15 -25"
    ),
    "spine3": _limit(
        _Y, (-28, 28), "38 -12, 38 12, 15 25, -12 25, -25 10, -25 -10, -12 -25, 15 -25"
    ),
    "neck": _limit(_Y, (-50, 50), "48 -12, 48 12, 10 34, -25 34, -45 15, -45 -15, -25 -34, 10 -34"),
    "head": _limit(_Y, (-60, 60), "45 -15, 45 15, 15 34, -20 34, -45 15, -45 -15, -20 -34, 15 -34"),
    "jaw": _limit(_Z, (-8, 8), "-4 -12, 20 -12, 40 -3, 40 3, 20 12, -4 12"),
    # Up -x, to the left +y.
    "left_eye_smplhf": _limit(
        _Z, (-12, 12), "-42 -22, -42 22, -22 52, 25 52, 52 22, 52 -22, 25 -52, -22 -52"
    ),
    # Clavicle: forwards -y, upwards +z.
    "left_collar": _limit(
        _X, (-35, 35), "-32 -12, -12 -22, 20 -22, 35 -8, 35 15, 20 42, -20 42, -38 20"
    ),
    # The arm from the side: forwards -y, backwards +y, up +z, down -z; inward rotation +x. An arm
    # that hangs turns outwards by 30 degrees less.
    "left_shoulder": replace(
        _limit(
            _X,
            (-115, 125),
            "0 110, -75 105, -125 60, -145 5, -120 -70, -50 -115, 0 -115, 55 -95, 85 -60, 75 -10, "
            "60 45, 35 90",
        ),
        less_twist=1.0 / 3.0,
    ),
    # Bending -y; the hand turned palm down (from the side: backwards) +x. Far bent, a forearm
    # beside the hinge's plane is a turn of the upper arm, so the hinge has more room there.
    "left_elbow": _limit(
        _X, (-100, 95), "12 -15, 12 15, -80 38, -130 38, -158 22, -158 -22, -130 -38, -80 -38"
    ),
    # The wrist itself does not twist, but bodies of this rig turn the forearm's skin by it.
    # Towards the thumb -y, the little finger +y; palm -z, back of the hand +z.
    "left_wrist": _limit(
        _X, (-62, 62), "-28 -40, -10 -92, 22 -92, 45 -40, 45 35, 20 85, -12 85, -28 40"
    ),
    **{
        f"left_{finger}{k}": _finger(*shape, bend, stretch, spread)
        for finger, shape in _FINGERS.items()
        for k, bend, stretch, spread in ((1, 102, 48, 30), (2, 122, 15, 10), (3, 95, 22, 10))
    },
    # About the bone; then across the palm +, away from it -; then up and down.
    "left_thumb1": _box(_THUMB_AXIS, (-45, 45), (-45, 55), (-50, 50)),
    "left_thumb2": _box(_THUMB_AXIS, (-45, 45), (-25, 75), (-32, 32)),
    "left_thumb3": _box(_THUMB_AXIS, (-50, 50), (-35, 95), (-38, 38)),
}


@dataclass(frozen=True)
class _Stack:
    """The limits of n joints as arrays.

    Attributes:
        sign: [n, 3] that makes them left joints.
        frame: [n, 3, 3] as in :class:`JointLimit`.
        low: [n] least twist, radians.
        high: [n] greatest twist, radians.
        swing: [n, P, 2] polygons, radians.
        less_twist: [n] as in :class:`JointLimit`.
    """

    sign: FloatArray
    frame: FloatArray
    low: FloatArray
    high: FloatArray
    swing: FloatArray
    less_twist: FloatArray

    @staticmethod
    def of_all() -> _Stack:
        """All 55 joints; those without limits get limits that nothing exceeds."""
        most = max(len(limit.swing) for limit in LIMITS.values())
        free = _box(_Y, (-1e4, 1e4), (-1e4, 1e4), (-1e4, 1e4))
        rows = [LIMITS.get(name.replace("right_", "left_", 1), free) for name in JOINT_NAMES]
        return _Stack(
            np.array([MIRROR if n.startswith("right_") else np.ones(3) for n in JOINT_NAMES]),
            np.stack([limit.frame for limit in rows]),
            np.array([limit.twist[0] for limit in rows]),
            np.array([limit.twist[1] for limit in rows]),
            np.stack(
                [limit.swing[np.minimum(np.arange(most), len(limit.swing) - 1)] for limit in rows]
            ),
            np.array([limit.less_twist for limit in rows]),
        )

    def take(self, joints: IntArray) -> _Stack:
        """The limits of some joints."""
        return _Stack(*(getattr(self, name)[joints] for name in _Stack.__dataclass_fields__))

    def parts(self, axis_angle: FloatArray) -> FloatArray:
        """Twist and the two components of the swing [..., n, 3] of rotations [..., n, 3]."""
        quats = axis_angle_to_quaternion(axis_angle * self.sign)
        twist, swing = swing_twist(quats, self.frame[:, 0])
        across = np.einsum("...nc,nkc->...nk", swing, self.frame[:, 1:])
        return np.concatenate([twist[..., None], across], axis=-1)

    def nearest(self, parts: FloatArray) -> FloatArray:
        """[..., n, 3] within the limits."""
        swing = nearest_in_polygon(parts[..., 1:], self.swing)
        low = self.low + self.less_twist * np.maximum(-swing[..., 1], 0.0)
        twist = np.clip(parts[..., 0], low, self.high)
        return np.concatenate([twist[..., None], swing], axis=-1)

    def beyond(self, axis_angle: FloatArray) -> FloatArray:
        """What twist and swing are beyond the limits, [..., n, 3] radians."""
        parts = self.parts(axis_angle)
        return parts - self.nearest(parts)

    def whole(self, parts: FloatArray) -> FloatArray:
        """[..., n, 3] axis-angle; the inverse of :meth:`parts`."""
        first = axis_angle_to_quaternion(parts[..., :1] * self.frame[:, 0])
        swing = np.einsum("...nk,nkc->...nc", parts[..., 1:], self.frame[:, 1:])
        turned = quaternion_multiply(axis_angle_to_quaternion(swing), first)
        return quaternion_to_axis_angle(turned) * self.sign


_ALL = _Stack.of_all()
FREE = tuple(n for n in JOINT_NAMES if n.replace("right_", "left_", 1) not in LIMITS)
"""Joints without limits: the pelvis, which turns with the whole body."""


def _checked(full_pose: FloatArray) -> FloatArray:
    pose = np.asarray(full_pose, np.float64)
    if pose.shape[-2:] != (NUM_JOINTS, 3):
        raise ValueError(f"full_pose must be [..., 55, 3], got {pose.shape}")
    return pose


def limit_violations(full_pose: FloatArray) -> FloatArray:
    """How far joints are beyond their limits: 0 inside.

    Outside, the length of what twist and swing must give up to be inside.

    Args:
        full_pose: [..., 55, 3] axis-angle, radians.

    Returns:
        [..., 55] radians.

    >>> from likeness.engine.core.types import JOINT_INDEX
    >>> pose = np.zeros((55, 3))
    >>> pose[JOINT_INDEX["left_knee"], 0] = np.radians(-48)    # bent forwards
    >>> float(np.degrees(limit_violations(pose)[JOINT_INDEX["left_knee"]]).round(6))
    40.0
    """
    out: FloatArray = np.linalg.norm(_ALL.beyond(_checked(full_pose)), axis=-1)
    return np.where(out > TOLERANCE, out, 0.0)


def clamp_pose(full_pose: FloatArray, joints: BoolArray | None = None) -> FloatArray:
    """The nearest pose within the limits, joint by joint; what is inside stays as it is.

    Nearest in twist and swing, each by itself: a knee that bends 10 degrees forwards comes back
    to the limit of its hinge and keeps its twist.

    Args:
        full_pose: [..., 55, 3] axis-angle, radians.
        joints: [55] which joints to look at; all by default.

    Returns:
        [..., 55, 3] axis-angle, radians.
    """
    pose = _checked(full_pose)
    parts = _ALL.parts(pose)
    nearest = _ALL.nearest(parts)
    outside = np.linalg.norm(parts - nearest, axis=-1) > TOLERANCE
    if joints is not None:
        outside &= np.asarray(joints, bool)
    out: FloatArray = np.where(outside[..., None], _ALL.whole(nearest), pose)
    return out


STEP = 1e-5  # radians, of the differences that give the term's slope


@dataclass
class LimitTerm:
    """A cost on joints beyond their limits.

    Half ``weight`` (per square radian) times the squared violation, zero inside. Unlike limits of
    single components, it lets a bent forearm turn as far as a straight one.
    """

    weight: float

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        pose = np.asarray(posed.state.full_pose, np.float64)
        beyond = _ALL.beyond(pose)
        if system is not None:
            outside = np.linalg.norm(beyond, axis=-1) > TOLERANCE
            place = np.flatnonzero(outside[system.unknowns.joints])
            if len(place):
                joints = system.unknowns.joints[place]
                stack = _ALL.take(joints)
                steps = STEP * np.eye(3)[:, None]
                slope = stack.beyond(pose[joints] + steps) - stack.beyond(pose[joints] - steps)
                slope = np.moveaxis(slope, 0, -1) / (2 * STEP)  # [n, 3 parts, 3 components]
                jacobian = np.zeros((len(joints), 3, system.unknowns.size))
                for n, k in enumerate(place):
                    jacobian[n, :, 3 + 3 * k : 6 + 3 * k] = slope[n]
                system.add(
                    jacobian.reshape(-1, system.unknowns.size),
                    beyond[joints].ravel(),
                    np.full(3 * len(joints), self.weight),
                )
        return 0.5 * self.weight * float((beyond**2).sum())
