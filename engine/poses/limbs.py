"""Limbs from directions: where an upper arm, a palm or a shin points, as joint rotations.

Directions are what one can see and write down by hand; rotations of shoulders and hips are not.
All are unit-free vectors (out, up, front): out is away from the body's middle on either side, so
that left and right read alike. Arms are seen from the chest, legs from the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.rotations import (
    MIRROR,
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    swing_twist,
)
from ..core.types import FloatArray, LikenessError

FINGERS = ("index", "middle", "ring", "pinky")
_X, _Y, _Z = np.eye(3)
_FOREARM = 0.6
"""Share of a hand's turn about the forearm that the forearm takes; the wrist takes the rest."""
_THIGH, _SHIN = np.array([0.07, -0.99, 0.08]), np.array([0.025, -1.0, -0.075])
"""Where the default body's bones point at rest (left side, out of unit length)."""
_STRAIGHT = 0.17
"""Sine of the bend below which a limb's plane is not taken from its bones."""

_LEVEL = 0.6
"""Sine of the slope above which a foot does not stand."""


def euler_matrix(degrees: Sequence[float]) -> FloatArray:
    """[3, 3] of turns about x, then y, then z, in degrees.

    >>> (euler_matrix([0, 90, 0]) @ [0, 0, 1]).round(6) + 0.0
    array([1., 0., 0.])
    """
    R = np.eye(3)
    for axis, angle in zip(np.eye(3), np.radians(np.asarray(degrees, np.float64))):
        R = axis_angle_to_matrix(axis * angle) @ R
    return R


def degrees_to_axis_angle(degrees: Sequence[float]) -> FloatArray:
    """Axis-angle [3] of turns about x, then y, then z, in degrees."""
    return matrix_to_axis_angle(euler_matrix(degrees))


def normalize(vector: Sequence[float] | FloatArray) -> FloatArray:
    """Scale a vector to length one.

    Args:
        vector: [3].

    Returns:
        [3].

    Raises:
        LikenessError: it is not three finite numbers, or all are zero.
    """
    v = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(v))
    if v.shape != (3,) or not np.isfinite(length) or length < 1e-6:
        raise LikenessError(f"{vector} is not a direction.", "Give three numbers, not all zero.")
    return v / length


def _across(vector: FloatArray, axis: FloatArray) -> FloatArray:
    """The part of a vector at right angles to a unit axis, scaled to length one."""
    return normalize(vector - (vector @ axis) * axis)


def _bone_frame(along: FloatArray, hinge: FloatArray) -> FloatArray:
    """[3, 3] columns: a hinge's axis made square to a bone, against the bone, and across both."""
    down = normalize(along)
    x = _across(hinge, down)
    return np.stack([x, -down, np.cross(x, -down)], axis=1)


def solve_arm(spec: Mapping[str, Any]) -> dict[str, FloatArray]:
    """The left arm's joints [3], axis-angle in radians, from directions in the chest's frame.

    Args:
        spec: ``upper`` and ``fore``: where upper arm and forearm point. ``fingers`` and ``palm``:
            where the straight hand points and its palm faces; without them the hand continues the
            forearm. ``collar``: degrees [up, forwards] of the shoulder. ``hollow``: what the
            elbow's hollow faces while the arm is straight.
    """
    up, forwards = spec.get("collar", (0.0, 0.0))
    collar = euler_matrix((0.0, -forwards, up))
    upper, fore = (normalize(spec[name]) for name in ("upper", "fore"))
    bent = float(np.linalg.norm(np.cross(upper, fore))) > _STRAIGHT
    z = _across(fore if bent else normalize(spec.get("hollow", (0.0, 0.25, 1.0))), upper)
    arm_frame = np.stack([upper, np.cross(z, upper), z], axis=1)
    bend = float(np.arctan2(fore @ z, fore @ upper))
    hinge = axis_angle_to_matrix(-bend * _Y)
    elbow, wrist = hinge, np.eye(3)
    if "palm" in spec or "fingers" in spec:
        along = normalize(spec.get("fingers", fore))
        palm = _across(normalize(spec["palm"]), along)
        hand = np.stack([along, -palm, np.cross(along, -palm)], axis=1)
        turned = (arm_frame @ hinge).T @ hand
        twist, _ = swing_twist(matrix_to_quaternion(turned), _X)
        share = axis_angle_to_matrix(_FOREARM * float(twist) * _X)
        elbow, wrist = hinge @ share, share.T @ turned
    return {
        "left_collar": matrix_to_axis_angle(collar),
        "left_shoulder": matrix_to_axis_angle(collar.T @ arm_frame),
        "left_elbow": matrix_to_axis_angle(elbow),
        "left_wrist": matrix_to_axis_angle(wrist),
    }


def solve_leg(spec: Mapping[str, Any], pelvis: FloatArray) -> dict[str, FloatArray]:
    """The left leg's joints [3], axis-angle in radians, from directions in the floor's frame.

    Args:
        spec: ``thigh`` and ``shin``: where they point. ``toes``: where the foot points; when about
            level, its sole is down, else it continues the shin. ``instep``: what the foot's upper
            side faces instead. ``ankle``: turns in degrees instead of these. ``bend``: degrees by
            which the toes are bent up.
        pelvis: [3, 3] the pelvis's own turn, for the left side.
    """
    thigh, shin, toes = (
        normalize(spec.get(name, default))
        for name, default in (
            ("thigh", (0.0, -1.0, 0.0)),
            ("shin", (0.0, -1.0, 0.0)),
            ("toes", (0.15, 0.0, 1.0)),
        )
    )
    hinge = np.cross(thigh, shin)
    if np.linalg.norm(hinge) < _STRAIGHT:
        hinge = np.cross(normalize(spec.get("knee", toes)), thigh)
    upper = _bone_frame(thigh, hinge) @ _bone_frame(_THIGH, _X).T
    lower = _bone_frame(shin, hinge) @ _bone_frame(_SHIN, _X).T
    level = abs(toes[1]) < _LEVEL
    up = _across(normalize(spec.get("instep", (0.0, 1.0, 0.0) if level else -shin)), toes)
    ankle = lower.T @ np.stack([np.cross(up, toes), up, toes], axis=1)
    if "ankle" in spec:
        ankle = euler_matrix(spec["ankle"])
    return {
        "left_hip": matrix_to_axis_angle(pelvis.T @ upper),
        "left_knee": matrix_to_axis_angle(upper.T @ lower),
        "left_ankle": matrix_to_axis_angle(ankle),
        "left_foot": np.radians(-float(spec.get("bend", 0.0))) * _X,
    }


def solve_hand(spec: Mapping[str, Any]) -> dict[str, FloatArray]:
    """The left hand's joints [3].

    Args:
        spec: each finger's three bends towards the palm in degrees; ``together``: four degrees
            by which index, middle, ring and pinky move sideways, towards the thumb if positive (at
            rest they are spread); ``thumb``: three turns about x, y, z in degrees.
    """
    out = {}
    for finger, sideways in zip(FINGERS, spec.get("together", (0.0, 0.0, 0.0, 0.0))):
        # Brought together in the palm's plane, all fingers bend about the same axis of the hand.
        aside = axis_angle_to_matrix(np.radians(-float(sideways)) * _Y)
        for k, degrees in enumerate(spec[finger], start=1):
            bend = axis_angle_to_matrix(np.radians(-float(degrees)) * _Z)
            R = bend @ aside if k == 1 else aside.T @ bend @ aside
            out[f"left_{finger}{k}"] = matrix_to_axis_angle(R)
    for k, degrees in enumerate(spec["thumb"], start=1):
        out[f"left_thumb{k}"] = matrix_to_axis_angle(euler_matrix(degrees))
    return out


def mirror_limbs(joints: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Swap left and right joints and mirror all of them, including those of the middle.

    Args:
        joints: axis-angle [3], radians, by joint name.

    Returns:
        Axis-angle [3], radians, by joint name.
    """
    other = {"left": "right", "right": "left"}
    out = {}
    for name, value in joints.items():
        side, _, rest = name.partition("_")
        out[f"{other[side]}_{rest}" if side in other else name] = np.asarray(value) * MIRROR
    return out
