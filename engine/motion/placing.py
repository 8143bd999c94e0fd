"""Where a motion happens: on the avatar's legs, where it stands, on its floor; in place; in a loop.

Engine axes in the space of the avatar's own poses (its photo's camera is the origin).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.interpolation import smoothstep
from ..core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
    quaternion_to_axis_angle,
)
from ..core.types import JOINT_INDEX, PARENTS, FloatArray, LikenessError, Motion
from . import reenact
from .motion_source import MotionSource
from .skeleton import forward_kinematics

PLACEMENTS = ("stand", "in_place", "file")
"""Begin where the avatar stands; likewise, without the path along the floor; as in the file."""

ON_FLOOR = 10.0
"""Per cent of the frames in which the lower foot may be below the floor: rolling feet dip in."""

LOOP_SECONDS = 0.4
"""The end of a loop blends into its beginning over this time, or over a quarter of it."""

_SOLES = (("ankle", 0.0), ("ankle", -0.05), ("foot", 0.0), ("foot", 0.06))
"""Joints above the sole and metres forward of them, at rest."""

_LEGS = [JOINT_INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("hip", "knee", "ankle")]


@dataclass(frozen=True)
class TargetAvatar:
    """The avatar that is to move.

    Attributes:
        joints: [55, 3] in its T-pose, metres.
        sole: height of the lowest vertex in the T-pose, metres.
        pelvis: [3] where its pelvis is now, metres.
        front: [3] the direction its pelvis faces now.
        floor: height of what it stands on now, metres.
        expressions: the names of its expression basis.
    """

    joints: FloatArray
    sole: float
    pelvis: FloatArray
    front: FloatArray
    floor: float
    expressions: tuple[str, ...] = ()

    @staticmethod
    def of_json(data: Mapping[str, Any]) -> TargetAvatar:
        """The inverse of :meth:`to_json`.

        Raises:
            LikenessError: the data are incomplete.
        """
        try:
            target = TargetAvatar(
                np.asarray(data["joints"], np.float64),
                float(data["sole"]),
                np.asarray(data["pelvis"], np.float64),
                np.asarray(data["front"], np.float64),
                float(data["floor"]),
                tuple(str(name) for name in data["expressions"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LikenessError(f"The request's avatar is incomplete: {error}.") from error
        if target.joints.shape != (len(PARENTS), 3):
            raise LikenessError("The request's avatar does not have 55 joints.")
        return target

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return {
            "joints": self.joints.tolist(),
            "sole": self.sole,
            "pelvis": self.pelvis.tolist(),
            "front": self.front.tolist(),
            "floor": self.floor,
            "expressions": list(self.expressions),
        }


def joints_over_time(
    full_pose: FloatArray, transl: FloatArray, joints: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pose the joints of all frames.

    Args:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        joints: [55, 3] metres, at rest.

    Returns:
        World rotations [T, 55, 3, 3] and positions [T, 55, 3].
    """
    local = axis_angle_to_matrix(np.asarray(full_pose, np.float64))
    offsets = joints - joints[list(PARENTS)]
    offsets[0] = joints[0]
    R, heads = forward_kinematics(offsets, PARENTS, local)
    return R, heads + np.asarray(transl)[:, None]


def sole_heights(R: FloatArray, heads: FloatArray, target: TargetAvatar) -> FloatArray:
    """Heights of the lowest points of both soles.

    Args:
        R: [T, 55, 3, 3] world rotations of the joints.
        heads: [T, 55, 3] joint positions, metres, y up.
        target: the avatar.

    Returns:
        [T, 2] metres, left and right.
    """
    lowest = []
    for side in ("left", "right"):
        points = []
        for joint, ahead in _SOLES:
            j = JOINT_INDEX[f"{side}_{joint}"]
            below = np.array([0.0, target.sole - target.joints[j, 1], ahead])
            points.append(heads[:, j, 1] + R[:, j, 1] @ below)
        lowest.append(np.min(points, axis=0))
    return np.stack(lowest, axis=1)


def floor_height(full_pose: FloatArray, transl: FloatArray, target: TargetAvatar) -> float:
    """Height of the floor, metres: where the lower foot stands in most poses.

    Args:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        target: the avatar.
    """
    R, heads = joints_over_time(full_pose, transl, target.joints)
    return float(np.percentile(sole_heights(R, heads, target).min(1), ON_FLOOR))


def step_scale(motion: Motion, pelvis: FloatArray, target: TargetAvatar) -> float:
    """Factor on the path that makes the foot on the floor slide least.

    Args:
        motion: the motion.
        pelvis: [3] rest pelvis of the body that moved, metres.
        target: the avatar, whose legs are used.

    Returns:
        The factor; 1 where the motion stays in place.
    """
    R, heads = joints_over_time(motion.full_pose, 0 * motion.transl, target.joints)
    lower = sole_heights(R, heads, target).argmin(1)
    feet = heads[:, [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]]
    own = feet[np.arange(len(lower)), lower]
    same = lower[1:] == lower[:-1]
    path = np.diff(motion.transl + pelvis, axis=0)[same][:, [0, 2]]
    leg = np.diff(own, axis=0)[same][:, [0, 2]]
    moved = (path**2).sum(1)
    if np.sqrt(moved).sum() < 0.5:  # metres
        return 1.0
    weight, scale = np.ones(len(path)), 1.0
    for _ in range(5):
        scale = -float((weight[:, None] * path * leg).sum() / (weight * moved).sum())
        slip = np.linalg.norm(scale * path + leg, axis=1)
        weight = 1 / (1 + (slip / (np.median(slip) + 1e-6)) ** 2)
    return scale if 0.6 < scale < 1.6 else 1.0


def place_motion(source: MotionSource, target: TargetAvatar, place: str) -> MotionSource:
    """Place the motion on the target, by one of ``PLACEMENTS``.

    Raises:
        ValueError: ``place`` is not one of them.
    """
    if place not in PLACEMENTS:
        raise ValueError(f"place must be one of {PLACEMENTS}")
    notes = list(source.notes)
    legs_known = bool(source.known[_LEGS].all())
    if source.legs is not None:
        scale = reenact.leg_length(target.joints) / source.legs
    elif legs_known and len(source.motion) > 2 and place != "file":
        scale = step_scale(source.motion, source.pelvis, target)
        if abs(scale - 1) > 0.01:
            notes.append(f"The path is {scale:.2f} times as long, so that feet slide less.")
    else:
        scale = 1.0
    motion, pelvis = source.motion, source.pelvis
    if place != "file":
        motion = _facing(motion, pelvis, target.front)
    path = scale * (motion.transl + pelvis)
    transl = path - target.joints[0]
    if place != "file":
        transl = transl + (target.pelvis - path[0]) * [1, 0, 1]
        if legs_known:
            lift = target.floor - floor_height(motion.full_pose, transl, target)
        else:
            lift = target.pelvis[1] - (transl[0] + target.joints[0])[1]
        transl = transl + np.array([0.0, lift, 0.0])
    if place == "in_place":
        transl[:, [0, 2]] = transl[0, [0, 2]]
    return replace(source, motion=replace(motion, transl=transl), notes=tuple(notes))


def _facing(motion: Motion, pelvis: FloatArray, front: FloatArray) -> Motion:
    """Turn about y so that the first frame looks along ``front``; lying bodies are not turned."""
    now = reenact.facing_direction(motion.pose(0))
    if min(np.hypot(now[0], now[2]), np.hypot(front[0], front[2])) < 0.3:
        return motion
    return reenact.turn_to_heading(motion, pelvis, front)


def loop_motion(motion: Motion) -> Motion:
    """Blend the end of a motion into its beginning.

    The last frame becomes the first one again, farther along the path.

    Raises:
        LikenessError: the motion is too short.
    """
    count = len(motion)
    if count < 4:
        raise LikenessError(
            f"A motion of {count} frames is too short for a loop.", "Turn 'Make Cyclic' off."
        )
    blend = max(2, min(round(LOOP_SECONDS * motion.frame_rate), count // 4))
    part = np.zeros(count)
    part[-blend:] = smoothstep(np.arange(1, blend + 1), 0, blend)
    R = axis_angle_to_matrix(np.asarray(motion.full_pose, np.float64))
    gap = matrix_to_axis_angle(np.swapaxes(R[-1], -1, -2) @ R[0])  # from the last to the first
    full_pose = matrix_to_axis_angle(R @ axis_angle_to_matrix(part[:, None, None] * gap))
    transl = np.array(motion.transl, np.float64)
    transl[:, 1] += part * (transl[0, 1] - transl[-1, 1])
    expression = motion.expression + part[:, None] * (motion.expression[0] - motion.expression[-1])
    return replace(motion, full_pose=full_pose, transl=transl, expression=expression)


def smooth_motion(motion: Motion, seconds: float) -> Motion:
    """Remove quick movements, except across cuts.

    Every value becomes the mean of those around it, weighted by a Gaussian of that standard
    deviation; it is symmetric in time, so nothing lags.
    """
    sigma = seconds * motion.frame_rate
    if sigma <= 0 or len(motion) < 3:
        return motion
    quats = axis_angle_to_quaternion(np.asarray(motion.full_pose, np.float64))
    quats = align_quat_signs(quats)
    transl = np.array(motion.transl, np.float64)
    expression = np.array(motion.expression, np.float64)
    for shot in np.unique(motion.shot):
        rows = motion.shot == shot
        quats[rows] = gaussian_blur(quats[rows], sigma)
        transl[rows] = gaussian_blur(transl[rows], sigma)
        expression[rows] = gaussian_blur(expression[rows], sigma)
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    return replace(
        motion, full_pose=quaternion_to_axis_angle(quats), transl=transl, expression=expression
    )


def gaussian_blur(values: FloatArray, sigma: float) -> FloatArray:
    """Blur values over time with a Gaussian; both ends are extrapolated.

    Args:
        values: [T, ...] in any unit.
        sigma: standard deviation in frames.

    Returns:
        [T, ...] in the same unit.
    """
    count = len(values)
    reach = max(1, min(int(np.ceil(4 * sigma)), count - 1))
    if count < 3:
        return np.array(values)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weight /= weight.sum()
    flat = np.asarray(values, np.float64).reshape(count, -1)
    longer = np.pad(flat, ((reach, reach), (0, 0)), "reflect", reflect_type="odd")
    size = 1 << int(np.ceil(np.log2(len(longer) + len(weight))))
    mixed = np.fft.irfft(
        np.fft.rfft(longer, size, axis=0) * np.fft.rfft(weight, size)[:, None], size, axis=0
    )
    out: FloatArray = mixed[2 * reach : 2 * reach + count].reshape(values.shape)
    return out


def align_quat_signs(quats: FloatArray) -> FloatArray:
    """Flip quaternions so that their signs change least from frame to frame.

    Args:
        quats: [T, ..., 4].

    Returns:
        [T, ..., 4].
    """
    flips = np.ones(quats.shape[:-1])
    if len(quats) > 1:
        dots = (quats[1:] * quats[:-1]).sum(-1)
        flips[1:] = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    out: FloatArray = quats * flips[..., None]
    return out


def foot_lock_offsets(
    pose_before: FloatArray,
    transl_before: FloatArray,
    pose_after: FloatArray,
    transl_after: FloatArray,
    target: TargetAvatar,
) -> FloatArray:
    """Offsets that put the lower foot back where it was before.

    Args:
        pose_before: [T, 55, 3] axis-angle, radians.
        transl_before: [T, 3] metres.
        pose_after: [T, 55, 3] axis-angle, radians.
        transl_after: [T, 3] metres.
        target: the avatar.

    Returns:
        [T, 3] metres.
    """
    R, was = joints_over_time(pose_before, transl_before, target.joints)
    _, now = joints_over_time(pose_after, transl_after, target.joints)
    lower = sole_heights(R, was, target).argmin(1)
    feet = np.array([JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]])[lower]
    rows = np.arange(len(was))
    out: FloatArray = was[rows, feet] - now[rows, feet]
    return out
