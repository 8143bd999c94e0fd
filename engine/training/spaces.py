"""From a subject's own space into that of one of its photos, and pictures at the render size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body import Body
from ..cameras import PHOTO_VIEWMAT
from ..imaging.resize import affine_crop
from ..rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..types import Camera, FloatArray, Pose

_SEEN = 1e-3  # alpha: a pixel that shows anything of the person


def to_photo(camera: Camera) -> FloatArray:
    """[4, 4] from a subject's space to the space in which this camera is the photo's: at the
    origin, looking along -z (as in :class:`~..types.Track`)."""
    out: FloatArray = np.linalg.inv(PHOTO_VIEWMAT) @ camera.viewmat
    return out


def moved_pose(pose: Pose, body: Body, motion: FloatArray) -> Pose:
    """The pose after a rigid motion [4, 4] of everything.

    The body turns about its pelvis joint p (docs/CONVENTIONS.md): x = R (v - p) + p + transl. So
    with the motion x' = M x + m, R' = M R, and transl' = M (p + transl) + m - p.

    Args:
        body: the person's own, whose joints do not depend on betas any more.
    """
    turn, shift = motion[:3, :3], motion[:3, 3]
    pelvis = np.asarray(body.J_template[0], np.float64)
    full_pose = np.array(pose.full_pose, np.float64)
    full_pose[0] = matrix_to_axis_angle(turn @ axis_angle_to_matrix(full_pose[0]))
    transl = turn @ (pelvis + pose.transl) + shift - pelvis
    return Pose(full_pose, transl, pose.expression)


def moved_camera(camera: Camera, motion: FloatArray) -> Camera:
    """The camera that sees, after a rigid motion of everything, what it saw before."""
    return replace(camera, viewmat=camera.viewmat @ np.linalg.inv(motion))


def square_view(
    rgba: FloatArray, camera: Camera, size: int, margin: float
) -> tuple[FloatArray, Camera]:
    """The person in a square of ``size`` pixels, and its camera.

    Where the person is cut by the picture's border nobody knows how they go on, so the square
    does not reach beyond that border. Beyond the others there is nothing, and it may.

    Args:
        rgba: [H, W, 4] straight alpha. margin: around the person, a share of their longer side.
    """
    alpha = rgba[..., 3]
    height, width = alpha.shape
    across = _reach(alpha.max(0) > _SEEN)
    down = _reach(alpha.max(1) > _SEEN)
    side = (1.0 + 2.0 * margin) * max(across[1] - across[0], down[1] - down[0])
    for low, high, length in ((*across, width), (*down, height)):
        if low == 0 and high == length:
            side = min(side, float(length))
    left, top = _start(*across, width, side), _start(*down, height, side)
    k = side / size
    light = np.concatenate([rgba[..., :3] * alpha[..., None], alpha[..., None]], -1)
    cut = affine_crop(light, np.array([[k, 0.0, left], [0.0, k, top]]), size, size, edge=True)
    colors = cut[..., :3] / np.maximum(cut[..., 3:], _SEEN)
    K = np.array(camera.K, np.float64)
    K[0, 2] -= left
    K[1, 2] -= top
    K[:2] /= k
    straight = np.concatenate([np.clip(colors, 0.0, 1.0), np.clip(cut[..., 3:], 0.0, 1.0)], -1)
    return straight.astype(np.float32), Camera(camera.viewmat, K, size, size)


def _reach(shown: FloatArray) -> tuple[int, int]:
    """The first and one past the last row or column that shows something; all if none does."""
    rows = np.flatnonzero(shown)
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, len(shown))


def _start(low: int, high: int, length: int, side: float) -> float:
    """Where a stretch of ``side`` about low..high begins, inside the borders that are touched."""
    start = (low + high - side) / 2
    if high == length:
        start = min(start, length - side)
    if low == 0:
        start = max(start, 0.0)
    return start
