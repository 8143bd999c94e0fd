"""Pinhole cameras in the OpenCV convention: x right, y down, z forward, pixel centres at +0.5.

Engine space has y up, so a camera that looks along world -z from the origin, as the photo's
camera does, has ``viewmat = diag(1, -1, -1, 1)``.
"""

from __future__ import annotations

import numpy as np

from .rotations import axis_angle_to_matrix, rotation_between
from .types import BoolArray, Camera, FloatArray

PHOTO_VIEWMAT: FloatArray = np.diag([1.0, -1.0, -1.0, 1.0])
"""[4, 4] world to camera of the photo's camera: at the origin, looking along -z, y up."""

DEFAULT_FOCAL_FACTOR = 1.6
"""Default focal length in units of the longer image side (about 35 degrees)."""


def intrinsics(focal: float, width: int, height: int) -> FloatArray:
    """Return the intrinsics of a camera with its principal point in the middle of the image.

    Args:
        focal: Focal length in pixels.
        width: Image width in pixels.
        height: Image height in pixels.

    Returns:
        [3, 3] in pixels.

    >>> intrinsics(100.0, 64, 48)
    array([[100.,   0.,  32.],
           [  0., 100.,  24.],
           [  0.,   0.,   1.]])
    """
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def photo_camera(focal: float, width: int, height: int) -> Camera:
    """Return a photo's camera, which stands at the origin and looks along world -z.

    Args:
        focal: Focal length in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
    """
    return Camera(PHOTO_VIEWMAT.copy(), intrinsics(focal, width, height), width, height)


def crop_camera(camera: Camera, box: tuple[int, int, int, int]) -> Camera:
    """Return the camera of the part ``box`` (left, top, right, bottom, pixels) of an image."""
    left, top, right, bottom = box
    K = np.array(camera.K, dtype=np.float64)
    K[0, 2] -= left
    K[1, 2] -= top
    return Camera(camera.viewmat, K, right - left, bottom - top)


def camera_tilt(pitch: float, roll: float) -> FloatArray:
    """Return the rotation [3, 3] from the world to a photo camera's space.

    Without pitch and roll, their axes are the same: x to the camera's right, y up, z towards it.

    Args:
        pitch: degrees by which the camera looks down.
        roll: degrees by which the picture shows people leaning to the left.

    >>> camera_tilt(90.0, 0.0)[:, 1].round(6) + 0.0  # the world's up axis points at the camera
    array([0., 0., 1.])
    """
    about_x = axis_angle_to_matrix(np.array([np.radians(pitch), 0.0, 0.0]))
    return axis_angle_to_matrix(np.array([0.0, 0.0, np.radians(roll)])) @ about_x


def tilt_angles(up: FloatArray) -> tuple[float, float]:
    """Return pitch and roll in degrees, the inverse of :func:`camera_tilt`.

    Args:
        up: [3] unit vector against gravity, in the photo camera's space.

    >>> tilt_angles(camera_tilt(20.0, -3.0)[:, 1])
    (20.0, -3.0)
    """
    pitch, roll = np.arcsin(np.clip(up[2], -1.0, 1.0)), -np.arctan2(up[0], up[1])
    return round(float(np.degrees(pitch)), 9), round(float(np.degrees(roll)), 9)


def project(points: FloatArray, camera: Camera) -> tuple[FloatArray, FloatArray]:
    """Project world points into a camera's image.

    Args:
        points: [..., 3] metres, world space.
        camera: The camera.

    Returns:
        xy: [..., 2] pixels.
        depth: [...] metres along the view axis.

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


def in_picture(xy: FloatArray, camera: Camera) -> BoolArray:
    """Return which places ``xy`` [N, 2] (pixels) lie in a camera's picture [N].

    >>> in_picture(np.array([[0.5, 3.9], [4.0, 1.0]]), photo_camera(5.0, 4, 4)).tolist()
    [True, False]
    """
    return np.asarray((xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1))


def unproject(pixels: FloatArray, depth: FloatArray, camera: Camera) -> FloatArray:
    """Return the world points at pixels and depths; the inverse of :func:`project`.

    Args:
        pixels: [..., 2].
        depth: [...] metres along the view axis.
        camera: The camera.

    Returns:
        [..., 3] metres, world space.

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
    """Return the camera's position [3] in world space, metres.

    >>> camera_position(photo_camera(100.0, 64, 48))
    array([0., 0., 0.])
    """
    return -camera.viewmat[:3, :3].T @ camera.viewmat[:3, 3] + 0.0


def look_at(target: FloatArray, distance: float, yaw: float, pitch: float) -> FloatArray:
    """Return the view matrix of a camera that looks at a point.

    Args:
        target: [3] metres, world space.
        distance: Metres from the target.
        yaw: Degrees about +y; 0 looks from +z (at the face of a body at rest), 90 from +x (at its
            left side).
        pitch: Degrees; positive looks from above.

    Returns:
        [4, 4] world to camera.

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
    """Swing a camera about a point, which stays at the same pixel and distance.

    Args:
        camera: The camera.
        centre: [3] metres, world space.
        yaw: Degrees; positive shows more of the left side of a body that faces the camera.
        pitch: Degrees.
    """
    y, p = np.radians(yaw), np.radians(pitch)
    turn_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn = np.eye(4)
    turn[:3, :3] = turn_x @ turn_y
    to, fro = np.eye(4), np.eye(4)
    to[:3, 3], fro[:3, 3] = -np.asarray(centre), np.asarray(centre)
    return Camera(camera.viewmat @ fro @ turn @ to, camera.K, camera.width, camera.height)


def focal_length(fov: float, width: int, height: int) -> float:
    """Return the focal length in pixels at which the longer image side spans ``fov`` degrees.

    >>> round(focal_length(90.0, 640, 480), 6)
    320.0
    """
    return float(0.5 * max(width, height) / np.tan(np.radians(fov) / 2))


def field_of_view(camera: Camera) -> float:
    """Return the degrees that the longer image side spans, with a centred principal point.

    >>> round(field_of_view(photo_camera(320.0, 640, 480)), 6)
    90.0
    """
    wide = camera.width >= camera.height
    focal, side = (camera.K[0, 0], camera.width) if wide else (camera.K[1, 1], camera.height)
    return float(2 * np.degrees(np.arctan2(0.5 * side, focal)))


def canonical_fov(camera: Camera, position: FloatArray, fov: float) -> tuple[Camera, FloatArray]:
    """Change the focal length and move an object so that its image stays (paper, equation 18).

    With s = new focal / old focal, both focal lengths and the depth grow by s; the principal
    point and the distance from the optical axis stay. The image of a flat object at that depth
    is the same; what stands d nearer is drawn larger by 1 + d (1 / new depth - 1 / old depth) to
    first order, which is why the angle of view matters for a face and not for a poster.

    Args:
        camera: Any view matrix and principal point.
        position: [3] metres, world position of the object (a body's pelvis, say).
        fov: Degrees that the longer image side spans.

    Returns:
        camera: The camera with that field of view.
        position: [3] metres, the object's new position.

    A regressor that works with a focal length of 5000 pixels places a person 40 m away. With
    1000 pixels they stand at 8 m, and 20 cm beside the axis is still at pixel 345:

    >>> far = photo_camera(5000.0, 640, 480)
    >>> person = np.array([0.2, 0.1, -40.0])
    >>> camera, near = canonical_fov(far, person, fov=2 * np.degrees(np.arctan(320 / 1000)))
    >>> near, camera.K[:2, :2].round(6)
    (array([ 0.2,  0.1, -8. ]), array([[1000.,    0.],
           [   0., 1000.]]))
    >>> project(person, far)[0], project(near, camera)[0]
    (array([345. , 227.5]), array([345. , 227.5]))
    """
    wide = camera.width >= camera.height
    old = float(camera.K[0, 0] if wide else camera.K[1, 1])
    K = np.array(camera.K, dtype=np.float64)
    K[:2, :2] *= focal_length(fov, camera.width, camera.height) / old
    other = Camera(camera.viewmat, K, camera.width, camera.height)
    return other, _at_depth_of(position, camera, other)


def _at_depth_of(position: FloatArray, camera: Camera, other: Camera) -> FloatArray:
    """Return the point [3] that ``other`` shows at ``position``'s pixel and size in ``camera``."""
    pixel, depth = project(np.asarray(position, np.float64), camera)
    scale = np.sqrt(np.linalg.det(other.K[:2, :2]) / np.linalg.det(camera.K[:2, :2]))
    return unproject(pixel, depth * scale, other)


def transfer_position(
    position: FloatArray, camera: Camera, other: Camera
) -> tuple[FloatArray, FloatArray]:
    """Return where an object must stand for another camera to take the same picture of it.

    :func:`canonical_fov` between any two pinhole cameras of the same picture, say a crop's (its
    axis in the middle of the crop) and the whole photo's. The pixel and the size at that pixel
    stay. Where the two cameras see that pixel along different directions, the object also turns
    with the line of sight, so that both see the same side of it.

    Args:
        position: [3] metres, world position of the object's middle.
        camera: The camera that sees it there, in pixels of the picture.
        other: The other camera, in pixels of the same picture.

    Returns:
        position: [3] metres, the new world position.
        rotation: [3, 3] rotation of the object about the world's axes.
    """
    there = _at_depth_of(position, camera, other)
    before = camera.viewmat[:3, :3] @ (position - camera_position(camera))
    after = other.viewmat[:3, :3] @ (there - camera_position(other))
    turn = rotation_between(before, after)
    return there, other.viewmat[:3, :3].T @ turn @ camera.viewmat[:3, :3]
