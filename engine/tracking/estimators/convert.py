"""Other programs' frames and cameras, turned into ours: the one place where that happens.

Body regressors work in OpenCV's camera frame (x right, y down, z forward), often with a camera of
their own for the crop that they looked at, and a focal length that means "far away". FLAME's
trackers keep y up and look along -z, with an orthographic crop. Here both become the photo's
space (camera at the origin, looking along -z, y up) and the photo's own camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.alignment import nearest_rotation
from ...core.cameras import PHOTO_VIEWMAT, transfer_position, unproject
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.types import Camera, FloatArray, LikenessError
from .dump import Dump, read_dump

TO_PHOTO: FloatArray = np.diag([1.0, -1.0, -1.0])
"""OpenCV's camera axes to the photo's space: half a turn about x. Bodies' own rest axes are the
same everywhere (y up, facing +z), so rotations are only multiplied from the left."""

MIRROR_X: FloatArray = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class PlacedBody:
    """A body in the photo's space.

    Attributes:
        R: [3, 3] rotation of the root.
        position: [3] metres, of the root joint; None when unknown.
    """

    R: FloatArray
    position: FloatArray | None


def narrow_camera(camera: Camera, focal: FloatArray, centre: FloatArray) -> Camera:
    """The photo's camera with another focal length and principal point.

    Args:
        camera: the photo's.
        focal: [2] pixels.
        centre: [2] pixels.
    """
    K = np.array([[focal[0], 0.0, centre[0]], [0.0, focal[1], centre[1]], [0.0, 0.0, 1.0]])
    return Camera(PHOTO_VIEWMAT.copy(), K, camera.width, camera.height)


def place_in_photo(
    R: FloatArray, position: FloatArray | None, middle: FloatArray, theirs: Camera, ours: Camera
) -> PlacedBody:
    """Move a body from OpenCV's frame and the camera ``theirs`` to the photo's space and camera.

    Args:
        R: [3, 3] root rotation in OpenCV's frame.
        position: [3] metres, of the root joint in OpenCV's frame, or None.
        middle: [3] metres, in OpenCV's frame: the body's visible middle, which keeps its pixel and
            size (:func:`transfer_position`) and about which the body turns with the line of sight.
        theirs: the camera the body was estimated with.
        ours: the photo's camera.
    """
    pivot = TO_PHOTO @ middle
    there, turn = transfer_position(pivot, theirs, ours)
    moved = None if position is None else there + turn @ (TO_PHOTO @ position - pivot)
    return PlacedBody(turn @ TO_PHOTO @ R, moved)


def ray_rotation(pixel: FloatArray, camera: Camera) -> FloatArray:
    """[3, 3] rotation from the camera's axis to a pixel's line of sight, in photo space.

    Args:
        pixel: [2].
        camera: the photo's.
    """
    ahead = np.array([0.0, 0.0, -1.0])
    centre = narrow_camera(camera, np.diag(camera.K)[:2], pixel)
    return transfer_position(ahead, centre, camera)[1]


def pixel_scale(dump: Dump, camera: Camera, image_size: tuple[int, int] | None) -> float:
    """Pixels of ``camera`` for one pixel of the picture that the regressor saw.

    Args:
        dump: the regressor's output; its own ``img_size`` takes precedence.
        camera: the photo's.
        image_size: (width, height) of the regressor's picture; the camera's if neither is known.

    Raises:
        LikenessError: the picture's aspect ratio differs from the photo's.
    """
    if "img_size" in dump:
        width, height = dump.rows("img_size", 2)[0]
    elif image_size is not None:
        width, height = image_size
    else:
        return 1.0
    dump.positive("img_size", width, height)
    scale = camera.width / width
    if abs(height * scale - camera.height) > max(2.0, 0.01 * camera.height):
        raise LikenessError(
            f"'{dump.path}' is for a picture of {width:.0f} x {height:.0f} pixels, but the photo "
            f"has {camera.width} x {camera.height}.",
            "Give the output for this photo, and turn the photo upright before running on it.",
        )
    return float(scale)


def to_matrices(axis_angle: FloatArray) -> FloatArray:
    """Rotation matrices in float64.

    Args:
        axis_angle: [..., 3] radians.

    Returns:
        [..., 3, 3].
    """
    return axis_angle_to_matrix(np.asarray(axis_angle, np.float64))


def to_axis_angles(R: FloatArray) -> FloatArray:
    """Axis-angle vectors of matrices, which are made orthonormal first.

    Args:
        R: [..., 3, 3] matrices of a network, nearly rotations.

    Returns:
        [..., 3] radians.
    """
    return matrix_to_axis_angle(nearest_rotation(R))


@dataclass(frozen=True)
class SmplxModelFile:
    """The parts of a user's SMPL-X file that converting regressors' outputs needs.

    Attributes:
        hand_mean: [30, 3] axis-angle, radians, left then right.
        pelvis: [3] metres, of the mean body at rest.
        pelvis_shapedirs: [3, B] how betas move it.
    """

    hand_mean: FloatArray
    pelvis: FloatArray
    pelvis_shapedirs: FloatArray


def read_model_file(path: Path) -> SmplxModelFile:
    """Read an SMPL-X .npz (licensed: users have their own; this project includes none).

    Raises:
        LikenessError: the file is not an SMPL-X model.
    """
    dump = read_dump(path)
    dump.require(
        "an SMPL-X model", ("hands_meanl", "hands_meanr", "J_regressor", "v_template", "shapedirs")
    )
    hands = np.concatenate([dump.rows(f"hands_mean{s}", 45)[0].reshape(15, 3) for s in "lr"])
    regressor = dump.arrays["J_regressor"][0]
    v, dirs = dump.arrays["v_template"], dump.arrays["shapedirs"]
    if v.shape != (len(regressor), 3) or dirs.shape[:2] != v.shape:
        raise LikenessError(
            f"'{path}' is not an SMPL-X model: the sizes of its arrays do not match.",
            "Give SMPLX_NEUTRAL.npz from the SMPL-X site.",
        )
    return SmplxModelFile(hands, regressor @ v, np.einsum("v,vcb->cb", regressor, dirs))


def place_orthographic(
    point: FloatArray, cam: FloatArray, crop: FloatArray, camera: Camera
) -> FloatArray:
    """Find where a point that an orthographic camera saw in a square crop stands.

    Args:
        point: [3] metres, y down.
        cam: [3] scale and shift: (x, y) = scale (point + shift), -1..1 over the crop, y down.
        crop: [3] x and y of the middle and the size, pixels of ``camera``.
        camera: the photo's.

    Returns:
        [3] metres, photo space: its pixel by the shift, its depth by the scale.
    """
    per_metre = 0.5 * crop[2] * cam[0]
    pixel = crop[:2] + per_metre * (point[:2] + cam[1:])
    depth = float(camera.K[0, 0]) / float(per_metre)
    return unproject(np.asarray(pixel, np.float64), np.asarray(depth), camera)
