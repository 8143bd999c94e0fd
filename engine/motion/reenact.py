"""Another person's motion on an avatar: its time, its axes, its place.

Joint rotations mean the same on every SMPL-X body and are taken as they are. What a body's size
changes is where the pelvis goes: the path of the pelvis grows with the legs, so that feet that
stood still in the motion stand still on the avatar.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body import Body
from ..core.cameras import camera_position
from ..core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    quaternion_to_axis_angle,
)
from ..core.types import JOINT_INDEX, Avatar, FloatArray, IntArray, LikenessError, Motion, Pose
from ..core.upright import turn_poses

MAX_FRAMES = 1_000_000
"""Frames of a motion at another frame rate: nine hours at 30 frames a second."""

UPRIGHT: dict[str, FloatArray] = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "-y": np.diag([1.0, -1.0, -1.0]),
}
"""World axes to ours by the axis that points up: z in AMASS and most captures, -y in the camera
space of most programs that find SMPL-X bodies in pictures (x right, y down, z forward)."""

_PER_FRAME = (
    "full_pose transl expression joint_confidence frame_state shot face_error pose_error".split()
)


# Time ---------------------------------------------------------------------------------------


def trim(
    motion: Motion,
    start: float = 0.0,
    end: float | None = None,
    *,
    every: int = 1,
    fps: float | None = None,
    speed: float = 1.0,
) -> Motion:
    """Cut a part out of a motion, at another frame rate or speed.

    Args:
        motion: the motion.
        start: seconds, counted from the first frame.
        end: seconds, likewise; None for the last frame.
        every: keep every n-th frame.
        fps: frames per second of the result. Its poses are interpolated; the motion keeps its
            speed.
        speed: 0.5 is half as fast.

    Raises:
        LikenessError: no frames lie between ``start`` and ``end``, or the result has too many.
    """
    rate = motion.frame_rate
    seconds = len(motion) / rate
    # A frame lasts until the next one; rounding must not miss a frame's time.
    first = int(np.ceil(start * rate - 1e-6))
    last = len(motion) if end is None else min(len(motion), int(np.ceil(end * rate - 1e-6)))
    if first >= last:
        asked = f"{start:g} s and {'the end' if end is None else f'{end:g} s'}"
        raise LikenessError(
            f"The motion has no frame between {asked}: it lasts {seconds:g} s.",
            "Choose an earlier --start, or a later --end.",
        )
    if fps is None:
        times = np.arange(first, last, every, dtype=np.float64)
        return replace(_at(motion, times), frame_rate=rate * speed / every)
    step = rate * speed / fps
    frames = (last - first) / step
    if not frames <= MAX_FRAMES:
        raise LikenessError(
            f"At {fps:g} frames a second the motion would have {frames:.3g} frames: it has "
            f"{rate:g} a second.",
            "Choose a part of it, or a lower frame rate.",
        )
    count = max(1, round(frames))
    times = np.minimum(first + step * np.arange(count), last - 1)
    return replace(_at(motion, times), frame_rate=fps)


def _at(motion: Motion, times: FloatArray) -> Motion:
    """The motion at times [N] counted in frames; between two frames of a shot interpolated."""
    before = np.floor(times + 1e-9).astype(np.int64)
    after = np.minimum(before + 1, len(motion) - 1)
    part = np.clip(times - before, 0.0, 1.0)
    nearest = np.where(part < 0.5, before, after)
    between = (part > 1e-9) & (motion.shot[before] == motion.shot[after])
    rows = {name: getattr(motion, name)[nearest] for name in _PER_FRAME}
    if between.any():
        a, b, t = before[between], after[between], part[between]
        rows["full_pose"][between] = _turned_part(motion.full_pose, a, b, t)
        for name in ("transl", "expression"):
            values = getattr(motion, name)
            rows[name][between] = values[a] + t[:, None] * (values[b] - values[a])
    return replace(motion, **rows)


def _turned_part(full_pose: FloatArray, a: IntArray, b: IntArray, t: FloatArray) -> FloatArray:
    """Rotations [n, 55, 3] on the shorter way from frames ``a`` to ``b`` (slerp)."""
    p, q = axis_angle_to_quaternion(full_pose[a]), axis_angle_to_quaternion(full_pose[b])
    cosine = (p * q).sum(-1, keepdims=True)
    q, cosine = np.where(cosine < 0, -q, q), np.abs(cosine)
    angle = np.arccos(np.clip(cosine, -1, 1))
    part = t[:, None, None]
    small = angle < 1e-6
    sine = np.where(small, 1.0, np.sin(angle))
    first = np.where(small, 1 - part, np.sin((1 - part) * angle) / sine)
    second = np.where(small, part, np.sin(part * angle) / sine)
    mixed = first * p + second * q
    return quaternion_to_axis_angle(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))


# Place --------------------------------------------------------------------------------------


def leg_length(joints: FloatArray) -> float:
    """Metres from hip over knee to ankle, the mean of both legs.

    Args:
        joints: [55, 3] metres, at rest.
    """
    sides = []
    for side in ("left", "right"):
        hip, knee, ankle = (
            joints[JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle")
        )
        sides.append(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
    return float(np.mean(sides))


def up_axis(motion: Motion) -> str:
    """Which key of ``UPRIGHT`` the trunk points along through most of the motion."""
    up = axis_angle_to_matrix(np.asarray(motion.full_pose[:, 0], np.float64))[:, :, 1]
    middle = np.median(up, axis=0)
    return max(UPRIGHT, key=lambda name: float(UPRIGHT[name][1] @ middle))


def _turned_about_origin(motion: Motion, turn: FloatArray, pelvis: FloatArray) -> Motion:
    """The whole motion turned by [3, 3]; ``pelvis`` [3] is its body's at rest."""
    full_pose, transl = turn_poses(motion.full_pose, motion.transl, pelvis, turn)
    return replace(motion, full_pose=full_pose, transl=transl)


def make_upright(motion: Motion, pelvis: FloatArray, up: str) -> Motion:
    """Turn a motion whose ``up`` axis points up so that y points up.

    Args:
        motion: the motion.
        pelvis: [3] rest pelvis of the body that moved, metres.
        up: a key of ``UPRIGHT``.
    """
    return motion if up == "y" else _turned_about_origin(motion, UPRIGHT[up], pelvis)


def facing_direction(pose: Pose) -> FloatArray:
    """[3] where the body's front looks: +z of its pelvis."""
    return axis_angle_to_matrix(np.asarray(pose.full_pose[0], np.float64))[:, 2]


def turn_to_heading(motion: Motion, pelvis: FloatArray, heading: FloatArray) -> Motion:
    """Turn the motion about y so that its first frame faces along a heading.

    Args:
        motion: the motion, y up.
        pelvis: [3] rest pelvis of the body that moved, metres.
        heading: [3] direction; only x and z count.
    """
    front = facing_direction(motion.pose(0))
    angle = np.arctan2(heading[0], heading[2]) - np.arctan2(front[0], front[2])
    turn = axis_angle_to_matrix(np.array([0.0, angle, 0.0]))
    return _turned_about_origin(motion, turn, pelvis)


def place_on_avatar(
    motion: Motion, avatar: Avatar, pelvis: FloatArray, scale: float, about: FloatArray
) -> Motion:
    """The motion's pelvis path for the avatar: scaled about a point, its own pelvis on it.

    Args:
        motion: the motion.
        avatar: the avatar that is to move.
        pelvis: [3] rest pelvis of the body that moved, metres; ``transl`` is added to it.
        scale: the avatar's leg length over that body's.
        about: [3] the fixed point, metres. Scaled about a camera, the pelvis keeps its pixel and
            the legs their length in the picture.
    """
    path = about + scale * (motion.transl + pelvis - about)
    return replace(motion, transl=path - avatar.body.J_template[0])


def align_to_camera(motion: Motion, avatar: Avatar, pelvis: FloatArray, scale: float) -> Motion:
    """Put the avatar where the motion's camera saw the person.

    Args:
        motion: the motion, with its camera.
        avatar: the avatar that is to move.
        pelvis: [3] rest pelvis of the body that moved, metres.
        scale: the avatar's leg length over that body's.
    """
    return place_on_avatar(motion, avatar, pelvis, scale, camera_position(motion.camera))


ANCHORS = {"head": "head", "half": "spine3", "full": "pelvis"}
"""Which joint is where it is in the photo when a motion begins there, by the photo's framing."""


def align_to_photo(motion: Motion, avatar: Avatar, frame: int = 0) -> Motion:
    """Move a motion so that its ``frame`` is where the avatar is in its photo (``ANCHORS``)."""
    joint = JOINT_INDEX[ANCHORS[avatar.framing]]
    shift = (
        posed_joints(avatar.body, avatar.pose)[joint]
        - posed_joints(avatar.body, motion.pose(frame))[joint]
    )
    return replace(motion, transl=motion.transl + shift)


def posed_joints(body: Body, pose: Pose) -> FloatArray:
    """[55, 3] the joints of a posed body, metres."""
    _, joints, R, t = body.rest_and_transforms(pose)
    return np.asarray(np.einsum("jab,jb->ja", R, joints) + t)
