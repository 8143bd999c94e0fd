"""Figures of a tracked motion: jitter at rest, and flips."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...engine.body.model import Body
from ...engine.core.rotations import axis_angle_to_matrix
from ...engine.core.types import FRAME_STATES, JOINT_INDEX, BoolArray, FloatArray, Motion

STILL_PIXELS = 0.5
"""Median movement of the observed landmarks between two frames below which a person rests."""

FLIP_DEGREES, FLIP_SPEED = 35.0, 500.0
"""Degrees, and degrees a second, that pelvis, chest and head never turn between two frames."""

_TRACKED = FRAME_STATES.index("tracked")


def joint_positions(motion: Motion, body: Body) -> FloatArray:
    """Joints of every frame, [T, 55, 3] metres."""
    person = body.personalised(motion.betas)
    out = np.empty((len(motion), len(JOINT_INDEX), 3))
    for k in range(len(motion)):
        _, joints, R, t = person.rest_and_transforms(motion.pose(k))
        out[k] = np.einsum("jab,jb->ja", R, joints) + t
    return out


def find_still_frames(landmarks: list[FloatArray | None]) -> BoolArray:
    """Frames [T] in which the observed landmarks hardly move from one neighbour to the other.

    Args:
        landmarks: of each frame [N, 2] pixels, or None where not seen.
    """
    moves = np.full(len(landmarks) + 1, np.inf)
    for k, (a, b) in enumerate(pairwise(landmarks)):
        if a is not None and b is not None and len(a) == len(b):
            moves[k + 1] = float(np.median(np.hypot(*(b - a).T)))
    out: BoolArray = (moves[:-1] < STILL_PIXELS) & (moves[1:] < STILL_PIXELS)
    return out


def jitter_mm(motion: Motion, body: Body, still: BoolArray | None = None) -> float:
    """Mean length of the joints' second differences in millimetres.

    Args:
        motion: the tracked motion.
        body: its body.
        still: [T] the frames that count (as the middle of three); all when None.

    Returns:
        NaN when no three tracked frames of one shot are left.
    """
    joints = joint_positions(motion, body)
    bends = np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=2) * 1e3
    tracked, shot = motion.frame_state == _TRACKED, motion.shot
    used = tracked[2:] & tracked[1:-1] & tracked[:-2] & (shot[2:] == shot[:-2])
    if still is not None:
        used &= still[1:-1]
    return float(bends[used].mean()) if used.any() else float("nan")


def count_flips(motion: Motion) -> int:
    """Number of neighbouring frames of a shot with impossible turns of pelvis, chest or head."""
    turns = axis_angle_to_matrix(np.asarray(motion.full_pose, np.float64))
    chain = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
    R, world = np.eye(3), []
    for name in chain:
        R = R @ turns[:, JOINT_INDEX[name]]
        if name in ("pelvis", "spine3", "head"):
            world.append(R)
    limit = FLIP_DEGREES + FLIP_SPEED / motion.frame_rate
    flipped = np.zeros(max(len(motion) - 1, 0), bool)
    for part in world:
        cosine = (np.einsum("tab,tab->t", part[1:], part[:-1]) - 1) / 2
        flipped |= np.degrees(np.arccos(np.clip(cosine, -1, 1))) > limit
    known = (motion.frame_state != FRAME_STATES.index("lost")) if len(motion) else np.zeros(0, bool)
    same = motion.shot[1:] == motion.shot[:-1]
    return int((flipped & same & known[1:] & known[:-1]).sum())
