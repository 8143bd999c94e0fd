"""EMICA's and SMIRK's outputs as an estimate of the head (FLAME).

Their conventions, from their public code (``inferno_apps/FaceReconstruction`` of radekd91/inferno;
``src/smirk_encoder.py``, ``src/renderer`` of georgeretsi/smirk), both after DECA: y up, z towards
the viewer, as ours; the global rotation is the whole head's, the neck stays at zero; the jaw
opens about +x as SMPL-X's; an orthographic camera (scale, tx, ty) on a square crop:
x = scale (X + tx), y = -scale (Y + ty), -1..1 over the crop.

FLAME's expression coefficients belong to FLAME's basis and are not used; its jaw is, and SMIRK's
eyelids (0..1) are ARKit's blinks. The crop's scale gives the distance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import Camera, FloatArray
from .convert import pixel_scale, ray_rotation, to_axis_angles, to_matrices, unproject_pixel
from .dump import Dump
from .estimate import PoseEstimate
from .smplx_rows import EYES, HEAD, JAW
from .smplx_rows import S as REGRESSOR

EMICA_KEYS = ("globalpose", "jawpose")
SMIRK_KEYS = ("pose_params", "jaw_params")
LEFT_EYEBALL, RIGHT_EYEBALL = slice(3931, 4477), slice(4477, 5023)
"""Rows of FLAME's 5023 vertices (its topology is the same in all editions)."""


def from_emica(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person's head from EMICA's (or EMOCA's, or DECA's) codes.

    Args:
        dump: ``globalpose`` [N, 3], ``jawpose`` [N, 3], and if present ``cam`` [N, 3], ``crop``
            [N, 3] (x and y of its middle and its size, pixels of the photo) and ``verts``
            [N, 5023, 3]; ``--save_codes`` writes a folder of such .npy files for each picture.
        camera: the photo's.
        image_size: (width, height) of the picture that the estimator saw; None for the camera's.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("EMICA", EMICA_KEYS)
    scale = pixel_scale(dump, camera, image_size)
    return _head(dump, camera, scale, person, "EMICA", *EMICA_KEYS, "verts")


def from_smirk(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person's head from SMIRK's (or TEASER's) encoder.

    Args:
        dump: ``pose_params`` [N, 3], ``jaw_params`` [N, 3], and if present ``eyelid_params``
            [N, 2] (left, right), ``cam`` [N, 3], ``crop`` [N, 3] and ``vertices`` [N, 5023, 3]
            as for :func:`from_emica`.
        camera: the photo's.
        image_size: (width, height) of the picture that the estimator saw; None for the camera's.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("SMIRK", SMIRK_KEYS)
    scale = pixel_scale(dump, camera, image_size)
    estimate = _head(dump, camera, scale, person, "SMIRK", *SMIRK_KEYS, "vertices")
    if "eyelid_params" not in dump:
        return estimate
    left, right = np.clip(dump.row("eyelid_params", 2, person), 0.0, 1.0)
    return replace(
        estimate, expression={"eyeBlinkLeft": float(left), "eyeBlinkRight": float(right)}
    )


def _head(
    dump: Dump,
    camera: Camera,
    scale: float,
    person: int,
    source: str,
    pose_key: str,
    jaw_key: str,
    vertices_key: str,
) -> PoseEstimate:
    """Rotation and, when scale, crop and vertices are known, the place of the eyes."""
    turn, position = np.eye(3), None
    warnings: tuple[str, ...] = ()
    if "crop" in dump:
        crop = scale * dump.row("crop", 3, person)
        dump.positive("crop", crop[2])
        turn = ray_rotation(crop[:2], camera)
        if "cam" in dump and vertices_key in dump:
            vertices = dump.row(vertices_key, 5023 * 3, person).reshape(5023, 3)
            cam = dump.row("cam", 3, person)
            dump.positive("cam", cam[0])
            position = _eyes(vertices, cam, crop, camera)
    else:
        warnings = (
            f"'{dump.path}' has no 'crop': a head away from the photo's centre is turned "
            "slightly too far.",
        )
    whole = to_matrices(dump.row(pose_key, 3, person))
    estimate = PoseEstimate.nothing(source)
    estimate = estimate.with_rows(
        HEAD, to_axis_angles(turn @ whole), REGRESSOR.alone_trust, in_world=True
    )
    estimate = estimate.with_rows(JAW, dump.row(jaw_key, 3, person), REGRESSOR.alone_trust)
    return replace(estimate, position=position, position_of=EYES, warnings=warnings)


def _eyes(vertices: FloatArray, cam: FloatArray, crop: FloatArray, camera: Camera) -> FloatArray:
    """[3] the middle between the eyeballs: pixel by the orthographic camera, depth by its scale."""
    eyes = 0.5 * (vertices[LEFT_EYEBALL].mean(0) + vertices[RIGHT_EYEBALL].mean(0))
    size, half = cam[0], 0.5 * crop[2]
    pixel = crop[:2] + half * size * np.array([eyes[0] + cam[1], -(eyes[1] + cam[2])])
    depth = float(camera.K[0, 0]) / float(half * size)  # pixels for a metre: half * size
    return unproject_pixel(pixel, depth, camera)
