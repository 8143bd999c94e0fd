"""Pinhole cameras in the OpenCV convention: x right, y down, z forward, pixel centres at +0.5.

Engine space has y up, so a camera that looks along world -z from the origin, as the photo's
camera does, has ``viewmat = diag(1, -1, -1, 1)``.
"""

from __future__ import annotations

import numpy as np

from .types import Camera, FloatArray

PHOTO_VIEWMAT: FloatArray = np.diag([1.0, -1.0, -1.0, 1.0])
"""World to camera of the photo's camera: at the origin, looking along -z, y up in the picture."""

DEFAULT_FOCAL_FACTOR = 1.6
"""Focal length in units of the longer image side when nothing is known (about 35 degrees)."""


def intrinsics(focal: float, width: int, height: int) -> FloatArray:
    """[3, 3] with the principal point in the middle of the image.

    >>> intrinsics(100.0, 64, 48)
    array([[100.,   0.,  32.],
           [  0., 100.,  24.],
           [  0.,   0.,   1.]])
    """
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def photo_camera(focal: float, width: int, height: int) -> Camera:
    """The photo's camera: at the origin, looking along world -z."""
    return Camera(PHOTO_VIEWMAT.copy(), intrinsics(focal, width, height), width, height)


def project(points: FloatArray, camera: Camera) -> tuple[FloatArray, FloatArray]:
    """World points [..., 3] -> pixels [..., 2] and depths [...] (metres along the view axis).

    >>> xy, z = project(np.array([0.0, 0.1, -2.0]), photo_camera(100.0, 64, 48))
    >>> xy, float(z)
    (array([32., 19.]), 2.0)
    """
    p = np.asarray(points) @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    z = p[..., 2]
    K = camera.K
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (K[0, 0] * p[..., 0] + K[0, 1] * p[..., 1]) / z + K[0, 2]
        y = K[1, 1] * p[..., 1] / z + K[1, 2]
    return np.stack([x, y], -1), z


def unproject(pixels: FloatArray, depth: FloatArray, camera: Camera) -> FloatArray:
    """Pixels [..., 2] and depths [...] -> world points [..., 3]; the inverse of :func:`project`.

    >>> unproject(np.array([32.0, 19.0]), np.array(2.0), photo_camera(100.0, 64, 48))
    array([ 0. ,  0.1, -2. ])
    """
    pixels = np.asarray(pixels)
    K = camera.K
    y = (pixels[..., 1] - K[1, 2]) / K[1, 1]
    x = (pixels[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0]
    p = np.stack([x * depth, y * depth, depth + 0 * x], -1)
    world: FloatArray = (p - camera.viewmat[:3, 3]) @ camera.viewmat[:3, :3] + 0.0
    return world


def camera_position(camera: Camera) -> FloatArray:
    """[3] where the camera stands in the world.

    >>> camera_position(photo_camera(100.0, 64, 48))
    array([0., 0., 0.])
    """
    return -camera.viewmat[:3, :3].T @ camera.viewmat[:3, 3] + 0.0


def look_at(target: FloatArray, distance: float, yaw: float, pitch: float) -> FloatArray:
    """viewmat [4, 4] of a camera that looks at ``target`` [3] from ``distance`` metres.

    Args:
        yaw: degrees about +y; 0 looks from +z (at the face of a body at rest), 90 looks from +x
            (at its left side).
        pitch: degrees; positive looks from above.

    >>> camera_position(Camera(look_at(np.zeros(3), 2.0, 90.0, 0.0), np.eye(3), 1, 1)).round(6)
    array([2., 0., 0.])
    """
    y, p = np.radians(yaw), np.radians(pitch)
    back = np.array([np.sin(y) * np.cos(p), np.sin(p), np.cos(y) * np.cos(p)])
    right = np.array([np.cos(y), 0.0, -np.sin(y)])
    R = np.stack([right, -np.cross(back, right), -back])
    viewmat = np.eye(4)
    viewmat[:3, :3] = R
    viewmat[:3, 3] = -R @ (np.asarray(target, dtype=np.float64) + distance * back)
    return viewmat


def orbit(camera: Camera, centre: FloatArray, yaw: float, pitch: float = 0.0) -> Camera:
    """``camera`` swung about ``centre`` [3] by degrees; yaw 30 shows more of the body's left.

    The centre stays at the same pixel and distance.
    """
    y, p = np.radians(yaw), np.radians(pitch)
    turn_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn = np.eye(4)
    turn[:3, :3] = turn_x @ turn_y
    to, fro = np.eye(4), np.eye(4)
    to[:3, 3], fro[:3, 3] = -np.asarray(centre), np.asarray(centre)
    return Camera(camera.viewmat @ fro @ turn @ to, camera.K, camera.width, camera.height)
