"""Engine axes <-> Blender axes; the only place that converts between them.

Engine: metres, y up, the body faces +z, its left is +x. Blender: metres, z up, the body faces
-y, its left is +x. So (x, y, z) becomes (x, -z, y): a quarter turn about +x. No bpy here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...engine.core.types import Camera, FloatArray

TO_BLENDER: FloatArray = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""[3, 3] engine column vectors -> Blender column vectors."""

SENSOR_MM = 36.0
"""Width (of a landscape picture; height of an upright one) of the Blender camera's sensor."""

_CV_TO_GL = np.diag([1.0, -1.0, -1.0])  # Blender cameras look along -z with y up


def points_to_blender(points: FloatArray) -> FloatArray:
    """Positions or directions [..., 3], engine axes -> Blender axes.

    >>> points_to_blender(np.array([1.0, 2.0, 3.0]))
    array([ 1., -3.,  2.])
    """
    return np.asarray(points) @ TO_BLENDER.T.astype(np.asarray(points).dtype)


def points_to_engine(points: FloatArray) -> FloatArray:
    """The inverse of :func:`points_to_blender`.

    >>> points_to_engine(np.array([1.0, -3.0, 2.0]))
    array([1., 2., 3.])
    """
    return np.asarray(points) @ TO_BLENDER.astype(np.asarray(points).dtype)


def rotations_to_blender(R: FloatArray) -> FloatArray:
    """Rotation matrices [..., 3, 3] of engine vectors -> of Blender vectors."""
    return TO_BLENDER @ np.asarray(R) @ TO_BLENDER.T


def rotations_to_engine(R: FloatArray) -> FloatArray:
    """The inverse of :func:`rotations_to_blender`."""
    return TO_BLENDER.T @ np.asarray(R) @ TO_BLENDER


@dataclass(frozen=True)
class BlenderCamera:
    """Settings of a Blender camera and of the renders through it.

    Attributes:
        matrix_world: [4, 4] camera to Blender's world.
        lens: focal length in millimetres on a sensor of ``SENSOR_MM``.
        sensor_fit: ``HORIZONTAL`` or ``VERTICAL``, along the longer side of the picture.
        shift_x: in units of that side.
        shift_y: in units of that side.
        resolution: (width, height) in pixels.
        pixel_aspect: height of a pixel in units of its width (fx / fy).
    """

    matrix_world: FloatArray
    lens: float
    sensor_fit: str
    shift_x: float
    shift_y: float
    resolution: tuple[int, int]
    pixel_aspect: float


def camera_to_blender(camera: Camera) -> BlenderCamera:
    """An OpenCV camera -> a Blender camera.

    Raises:
        ValueError: ``K`` has skew, which Blender cameras cannot represent.

    >>> from likeness.engine.core.cameras import photo_camera
    >>> b = camera_to_blender(photo_camera(100.0, 100, 50))
    >>> b.lens, b.sensor_fit, b.shift_x, b.matrix_world[:3, 2] @ [0, -1, 0]
    (36.0, 'HORIZONTAL', 0.0, 1.0)
    """
    K = np.asarray(camera.K, np.float64)
    if abs(K[0, 1]) > 1e-6 * K[0, 0]:
        raise ValueError(f"Blender cameras have no skew, got K[0, 1] = {K[0, 1]}")
    view = np.asarray(camera.viewmat, np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = TO_BLENDER @ view[:3, :3].T @ _CV_TO_GL
    matrix[:3, 3] = TO_BLENDER @ (-view[:3, :3].T @ view[:3, 3])
    aspect = float(K[0, 0] / K[1, 1])
    # Blender measures both sides in pixel widths before it compares them.
    landscape = camera.width >= camera.height * aspect
    side = camera.width if landscape else camera.height * aspect
    return BlenderCamera(
        matrix_world=matrix,
        lens=float(K[0, 0] * SENSOR_MM / side),
        sensor_fit="HORIZONTAL" if landscape else "VERTICAL",
        shift_x=float((camera.width / 2 - K[0, 2]) / side),
        shift_y=float((K[1, 2] - camera.height / 2) * aspect / side),
        resolution=(camera.width, camera.height),
        pixel_aspect=aspect,
    )


def matrix_to_engine(matrix: FloatArray) -> FloatArray:
    """A transformation [4, 4] in Blender's axes -> the same in engine axes."""
    turn = np.eye(4)
    turn[:3, :3] = TO_BLENDER
    return turn.T @ np.asarray(matrix, np.float64) @ turn


def view_to_engine(matrix_world: FloatArray) -> FloatArray:
    """A Blender camera's ``matrix_world`` [4, 4], without scale -> an OpenCV ``viewmat``."""
    turn, flip = np.eye(4), np.eye(4)
    turn[:3, :3], flip[:3, :3] = TO_BLENDER, _CV_TO_GL
    return flip @ np.linalg.inv(np.asarray(matrix_world, np.float64)) @ turn


def projection_to_K(projection: FloatArray, width: int, height: int) -> FloatArray:
    """Blender's (OpenGL's) projection matrix [4, 4] -> intrinsics [3, 3] in pixels.

    >>> gl = np.array([[2.0, 0, 0, 0], [0, 4.0, 0, 0], [0, 0, -1, -0.2], [0, 0, -1, 0]])
    >>> projection_to_K(gl, 100, 50).tolist()
    [[100.0, 0.0, 50.0], [0.0, 100.0, 25.0], [0.0, 0.0, 1.0]]
    """
    P = np.asarray(projection, np.float64)
    return np.array(
        [
            [P[0, 0] * width / 2, 0.0, (1.0 - P[0, 2]) * width / 2],
            [0.0, P[1, 1] * height / 2, (1.0 + P[1, 2]) * height / 2],
            [0.0, 0.0, 1.0],
        ]
    )
