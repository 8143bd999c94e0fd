"""EMICA's, SMIRK's and GAGAvatar's tracker's outputs as an estimate of the head (FLAME).

Their conventions, from their public code (``inferno_apps/FaceReconstruction`` of radekd91/inferno;
``src/smirk_encoder.py``, ``src/renderer`` of georgeretsi/smirk), both after DECA: y up, z towards
the viewer, as ours; the global rotation is the whole head's, the neck stays at zero; the jaw
opens about +x as SMPL-X's; an orthographic camera (scale, tx, ty) on a square crop:
x = scale (X + tx), y = -scale (Y + ty), -1..1 over the crop.

FLAME's expression coefficients belong to FLAME's basis and are not used; its jaw is, and SMIRK's
eyelids (0..1) are ARKit's blinks. The crop's scale gives the distance.

GAGAvatar's tracker (``engines/engine_optim.py`` of xg-chu/GAGAvatar_track) has a camera of
PyTorch3D instead: x left, y up, z forward, row vectors (X R + T), a focal length of 12 half crops,
and vertices five times as large as FLAME's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.cameras import project
from ...core.types import Camera, FloatArray
from .convert import (
    TO_PHOTO,
    narrow_camera,
    pixel_scale,
    place_in_photo,
    place_orthographic,
    ray_rotation,
    to_axis_angles,
    to_matrices,
)
from .dump import Dump
from .estimate import DenseGuide, PoseEstimate
from .smplx_rows import EYES, HEAD, JAW
from .smplx_rows import S as REGRESSOR

EMICA_KEYS = ("globalpose", "jawpose")
SMIRK_KEYS = ("pose_params", "jaw_params")
GAGAVATAR_KEYS = ("transform_matrix", "posecode")
GAGAVATAR_FOCAL, GAGAVATAR_SCALE = 12.0, 5.0
UP: FloatArray = np.array([1.0, -1.0, 1.0])
"""FLAME's crops have y up, pictures down."""
FROM_PYTORCH3D: FloatArray = np.diag([-1.0, -1.0, 1.0])
"""PyTorch3D's camera axes to OpenCV's."""
NUM_SKIN = 3931
"""FLAME's vertices before those of the eyeballs."""
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
    dense: tuple[DenseGuide, ...] = ()
    if "crop" in dump:
        crop = scale * dump.row("crop", 3, person)
        dump.positive("crop", crop[2])
        turn = ray_rotation(crop[:2], camera)
        if "cam" in dump and vertices_key in dump:
            vertices = dump.row(vertices_key, 5023 * 3, person).reshape(5023, 3)
            cam = dump.row("cam", 3, person)
            dump.positive("cam", cam[0])
            position = place_orthographic(_eyes(vertices) * UP, cam * [1.0, *UP[:2]], crop, camera)
            skin = vertices[:NUM_SKIN]
            pixels = crop[:2] + 0.5 * crop[2] * cam[0] * (skin[:, :2] + cam[1:]) * [1.0, -1.0]
            dense = (DenseGuide("head", skin @ turn.T, pixels),)
    else:
        warnings = (_no_crop(dump),)
    whole = to_matrices(dump.row(pose_key, 3, person))
    estimate = PoseEstimate.nothing(source, source.lower())
    estimate = estimate.with_rows(
        HEAD, to_axis_angles(turn @ whole), REGRESSOR.alone_trust, in_world=True
    )
    estimate = estimate.with_rows(JAW, dump.row(jaw_key, 3, person), REGRESSOR.alone_trust)
    return replace(estimate, position=position, position_of=EYES, warnings=warnings, dense=dense)


def _eyes(vertices: FloatArray) -> FloatArray:
    """[3] the middle between the eyeballs."""
    out: FloatArray = 0.5 * (vertices[LEFT_EYEBALL].mean(0) + vertices[RIGHT_EYEBALL].mean(0))
    return out


def from_gagavatar(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person's head from GAGAvatar's tracker.

    Args:
        dump: ``transform_matrix`` [N, 3, 4], ``posecode`` [N, 6] (neck and jaw), and if present
            ``eyecode`` [N, 6] (left and right), ``crop`` [N, 3] (x and y of its middle and its
            size, pixels of the photo) and ``vertices`` [N, 5023, 3] as its FLAME model gives them.
        camera: the photo's.
        image_size: (width, height) of the picture that the tracker saw; None for the camera's.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("GAGAvatar's tracker", GAGAVATAR_KEYS)
    scale = pixel_scale(dump, camera, image_size)
    view = dump.row("transform_matrix", 12, person).reshape(3, 4)
    turn = FROM_PYTORCH3D @ view[:, :3].T
    theirs = camera
    seen: FloatArray | None = None
    eyes: FloatArray | None = None
    warnings: tuple[str, ...] = (_no_crop(dump),)
    if "crop" in dump:
        crop = scale * dump.row("crop", 3, person)
        dump.positive("crop", crop[2])
        theirs = narrow_camera(camera, np.full(2, GAGAVATAR_FOCAL * 0.5 * crop[2]), crop[:2])
        warnings = ()
        if "vertices" in dump:
            vertices = dump.row("vertices", 5023 * 3, person).reshape(5023, 3)
            seen = (vertices @ turn.T + FROM_PYTORCH3D @ view[:, 3]) / GAGAVATAR_SCALE
            eyes = _eyes(seen)
            dump.positive("transform_matrix", float(seen[:, 2].min()))
    # The head is in the middle of its crop.
    middle = np.array([0.0, 0.0, 1.0]) if eyes is None else eyes
    placed = place_in_photo(turn, eyes, middle, theirs, camera)
    jaw = dump.row("posecode", 6, person)[3:]
    estimate = PoseEstimate.nothing("GAGAvatar's tracker", "gagavatar")
    estimate = estimate.with_rows(
        HEAD, to_axis_angles(placed.R), REGRESSOR.alone_trust, in_world=True
    )
    estimate = estimate.with_rows(JAW, jaw, REGRESSOR.alone_trust)
    if "eyecode" in dump:
        gaze = dump.row("eyecode", 6, person).reshape(2, 3)
        estimate = estimate.with_rows(slice(EYES[0], EYES[1] + 1), gaze, REGRESSOR.alone_trust)
    dense: tuple[DenseGuide, ...] = ()
    if seen is not None:
        skin = seen[:NUM_SKIN]
        pixels = project(skin @ TO_PHOTO, theirs)[0]
        dense = (DenseGuide("head", (skin - skin.mean(0)) @ (placed.R @ turn.T).T, pixels),)
    return replace(
        estimate, position=placed.position, position_of=EYES, warnings=warnings, dense=dense
    )


def _no_crop(dump: Dump) -> str:
    return (
        f"'{dump.path}' has no 'crop': a head away from the photo's centre is turned slightly "
        "too far."
    )
