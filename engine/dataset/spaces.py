"""From a subject's own space into that of one of its photos, and pictures at the render size."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor

import numpy as np
from PIL import Image

from ..body import Body
from ..core.cameras import PHOTO_VIEWMAT
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import Camera, FloatArray, Pose


def photo_transform(camera: Camera) -> FloatArray:
    """Get the transform from a subject's space to the space of one of its photos.

    There, the photo's camera is at the origin and looks along -z (as in
    :class:`~..types.Track`).

    Args:
        camera: The photo's, in the subject's space.

    Returns:
        [4, 4].
    """
    out: FloatArray = np.linalg.inv(PHOTO_VIEWMAT) @ camera.viewmat
    return out


def transform_pose(pose: Pose, body: Body, motion: FloatArray) -> Pose:
    """Apply a rigid motion of the whole space to a pose.

    The body turns about its pelvis joint p (docs/CONVENTIONS.md): x = R (v - p) + p + transl. So
    with the motion x' = M x + m, R' = M R, and transl' = M (p + transl) + m - p.

    Args:
        pose: Before the motion.
        body: The person's own, whose joints no longer depend on betas.
        motion: [4, 4], metres.
    """
    turn, shift = motion[:3, :3], motion[:3, 3]
    pelvis = np.asarray(body.J_template[0], np.float64)
    full_pose = np.array(pose.full_pose, np.float64)
    full_pose[0] = matrix_to_axis_angle(turn @ axis_angle_to_matrix(full_pose[0]))
    transl = turn @ (pelvis + pose.transl) + shift - pelvis
    return Pose(full_pose, transl, pose.expression)


def transform_camera(camera: Camera, motion: FloatArray) -> Camera:
    """Apply a motion of the whole space to a camera, so that it sees the same as before.

    Args:
        camera: Before the motion.
        motion: [4, 4], metres. It may scale: then the camera's space scales too, which no picture
            shows.
    """
    viewmat = camera.viewmat @ np.linalg.inv(motion)
    size = np.cbrt(np.linalg.det(motion[:3, :3]))
    if abs(size - 1.0) > 1e-9:
        viewmat[:3] *= size
    return replace(camera, viewmat=viewmat)


def crop_square(
    picture: Image.Image, camera: Camera, size: int, margin: float
) -> tuple[FloatArray, Camera]:
    """Crop the square around the person.

    Where the picture's border cuts the person off, their continuation is unknown, so the square
    does not reach beyond that border. It may reach beyond the others, where there is nothing.

    Args:
        picture: RGBA, straight alpha.
        camera: Of the picture.
        size: Of the square, in pixels.
        margin: Around the person, a share of their longer side.

    Returns:
        [size, size, 4] float32 sRGB in 0..1, straight alpha; and the square's camera.
    """
    width, height = picture.size
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, width, height)
    side = (1.0 + 2.0 * margin) * max(right - left, bottom - top)
    for low, high, length in ((left, right, width), (top, bottom, height)):
        if low == 0 and high == length:
            side = min(side, float(length))
    x, y = _start(left, right, width, side), _start(top, bottom, height, side)
    box = (floor(x), floor(y), ceil(x + side), ceil(y + side))
    if not (box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height):
        picture = picture.crop(box)  # transparent beyond the picture
        within = (x - box[0], y - box[1], x - box[0] + side, y - box[1] + side)
    else:
        within = (x, y, x + side, y + side)
    k = side / size
    # Pillow weighs colours by alpha. Shrinking averages, without a box filter's jumps.
    kind = Image.Resampling.HAMMING if k > 1.0 else Image.Resampling.BILINEAR
    pixels = picture.resize((size, size), kind, box=within)
    K = np.array(camera.K, np.float64)
    K[0, 2] -= x
    K[1, 2] -= y
    K[:2] /= k
    straight = np.asarray(pixels, np.float32) * np.float32(1.0 / 255.0)
    return straight, Camera(camera.viewmat, K, size, size)


def _start(low: int, high: int, length: int, side: float) -> float:
    """Where a square of ``side`` around low..high begins, within the borders that these touch."""
    start = (low + high - side) / 2
    if high == length:
        start = min(start, length - side)
    if low == 0:
        start = max(start, 0.0)
    return start
