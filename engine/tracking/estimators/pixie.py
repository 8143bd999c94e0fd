"""PIXIE's output as an estimate (Feng et al., 3DV 2021).

Its conventions, from its public code (``pixielib/pixie.py``, ``pixielib/models/SMPLX.py``,
``pixielib/utils/util.py``): OpenCV's frame; rotation matrices of SMPL-X's joints, relative to their
parents once ``decode`` has run; hands from the flat hand as ours; an orthographic camera (scale,
tx, ty) on a square crop of the person. Its own moderator says how much a hand's crop is worth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import Camera
from .convert import TO_PHOTO, pixel_scale, place_orthographic, ray_rotation, to_axis_angles
from .dump import Dump
from .estimate import PoseEstimate
from .smplx_rows import BODY, BODY_TRUST, JAW, LEFT_HAND, PELVIS, RIGHT_HAND
from .smplx_rows import S as REGRESSOR

KEYS = ("global_pose", "body_pose", "body_cam")


def from_pixie(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person.

    Args:
        dump: ``global_pose`` [N, 1, 3, 3], ``body_pose`` [N, 21, 3, 3], ``body_cam`` [N, 3], and
            if present ``left_hand_pose``, ``right_hand_pose`` [N, 15, 3, 3], ``jaw_pose``
            [N, 1, 3, 3], ``joints`` [N, 145, 3] (of the posed body, metres), ``crop`` [N, 3] (x
            and y of its middle and its size, pixels), ``left_hand_weight`` and
            ``right_hand_weight`` [N] (0..1).
        camera: the photo's.
        image_size: (width, height) of the picture that PIXIE saw; None for the camera's.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("PIXIE", KEYS)
    scale = pixel_scale(dump, camera, image_size)
    turn, position = np.eye(3), None
    warnings: tuple[str, ...] = ()
    if "crop" in dump:
        crop, cam = scale * dump.row("crop", 3, person), dump.row("body_cam", 3, person)
        dump.positive("crop", crop[2])
        dump.positive("body_cam", cam[0])
        turn = ray_rotation(crop[:2], camera)
        if "joints" in dump:
            pelvis = dump.row("joints", 145 * 3, person)[:3]
            position = place_orthographic(pelvis, cam, crop, camera)
    else:
        warnings = (
            f"'{dump.path}' has no 'crop': PIXIE's distance is ignored, and a person away from "
            "the photo's centre is turned slightly too far.",
        )
    root = dump.row("global_pose", 9, person).reshape(3, 3)
    body = dump.row("body_pose", 21 * 9, person).reshape(21, 3, 3)
    estimate = PoseEstimate.nothing("PIXIE", "pixie")
    estimate = estimate.with_rows(
        PELVIS, to_axis_angles(turn @ TO_PHOTO @ root), REGRESSOR.root_trust
    )
    estimate = estimate.with_rows(BODY, to_axis_angles(body), BODY_TRUST)
    for rows, side in ((LEFT_HAND, "left"), (RIGHT_HAND, "right")):
        if f"{side}_hand_pose" not in dump:
            continue
        fingers = dump.row(f"{side}_hand_pose", 135, person).reshape(15, 3, 3)
        weight = 1.0
        if f"{side}_hand_weight" in dump:
            weight = float(np.clip(dump.row(f"{side}_hand_weight", 1, person)[0], 0.0, 1.0))
        estimate = estimate.with_rows(rows, to_axis_angles(fingers), REGRESSOR.hand_trust * weight)
    if "jaw_pose" in dump:
        jaw = dump.row("jaw_pose", 9, person).reshape(3, 3)
        estimate = estimate.with_rows(JAW, to_axis_angles(jaw), REGRESSOR.jaw_trust)
    return replace(estimate, position=position, position_of=(PELVIS,), warnings=warnings)
