"""SAM 3D Body's output as an estimate (Meta, 2025).

Its conventions, from its public code (``sam_3d_body/sam_3d_body_estimator.py``,
``models/heads/mhr_head.py``, ``models/heads/camera_head.py``): joints of the Momentum Human Rig,
which :mod:`...motion.mhr` turns into SMPL-X's; positions plus ``pred_cam_t`` in OpenCV's frame;
rotations already with y up; a camera whose axis is in the picture's middle, with ``focal_length``
pixels, by default the picture's diagonal; hands absolute, jaw and gaze at rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import JOINT_INDEX, Camera
from ...motion.mhr import FROM_CAMERA, HIPS, local_rotations, read_mhr
from .convert import TO_PHOTO, narrow_camera, pixel_scale, place_in_photo, to_axis_angles
from .dump import Dump
from .estimate import PoseEstimate
from .smplx_rows import BODY, BODY_TRUST, LEFT_HAND, PELVIS, RIGHT_HAND
from .smplx_rows import S as REGRESSOR

TOES = (JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"])


def sam_camera(dump: Dump, camera: Camera, scale: float, person: int) -> Camera:
    """The regressor's camera in the photo's pixels.

    Args:
        dump: its output.
        camera: the photo's.
        scale: pixels of ``camera`` for one of the dump's.
        person: index of the person in the dump.
    """
    focal = float(np.hypot(camera.width, camera.height))
    if "focal_length" in dump:
        focal = scale * float(dump.row("focal_length", 1, person)[0])
        dump.positive("focal_length", focal)
    return narrow_camera(camera, np.full(2, focal), np.array([camera.width / 2, camera.height / 2]))


def from_sam_3d_body(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person.

    Args:
        dump: ``pred_global_rots`` [N, 127, 3, 3], ``pred_joint_coords`` [N, 127, 3],
            ``pred_cam_t`` [N, 3], and if present ``focal_length`` [N] and ``bbox`` [N, 4] (x0, y0,
            x1, y1) in pixels, ``img_size`` [2].
        camera: the photo's.
        image_size: (width, height) of the picture that SAM 3D Body saw; None for the camera's.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    world, positions = read_mhr(dump.arrays, dump.path)
    person = dump.check_person("pred_global_rots", len(world), person)
    scale = pixel_scale(dump, camera, image_size)
    hips = positions[person, list(HIPS)].mean(0) * FROM_CAMERA
    dump.positive("pred_cam_t", hips[2])
    middle = positions[person, 1:].mean(0) * FROM_CAMERA
    root = place_in_photo(
        TO_PHOTO @ world[person, 0], hips, middle, sam_camera(dump, camera, scale, person), camera
    )
    pose = local_rotations(world[person])
    estimate = PoseEstimate.nothing("SAM 3D Body", "sam-3d-body")
    estimate = estimate.with_rows(BODY, pose[BODY], BODY_TRUST).without(TOES)
    for rows in (LEFT_HAND, RIGHT_HAND):
        estimate = estimate.with_rows(rows, pose[rows], REGRESSOR.hand_trust)
    estimate = estimate.with_rows(PELVIS, to_axis_angles(root.R), REGRESSOR.root_trust)
    hip_joints = (JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"])
    return replace(estimate, position=root.position, position_of=hip_joints)
