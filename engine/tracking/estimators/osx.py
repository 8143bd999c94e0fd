"""OSX's output as an estimate (Lin et al., "One-Stage 3D Whole-Body Mesh Recovery", CVPR 2023).

Its conventions, from its public code (``main/OSX.py``, ``main/config.py``, ``demo/demo.py``):
OpenCV's frame; SMPL-X axis-angles; a virtual camera of 5000 pixels focal length on the 256 x 192
input, its axis in the middle of the person's box; hands counted from SMPL-X's mean hand, which is
licensed data and comes from the user's own model file; ``cam_trans`` added to the mesh, so the
pelvis is at its rest place plus ``cam_trans``; no eyes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import Camera, FloatArray
from .convert import (
    SmplxModelFile,
    narrow_camera,
    pixel_scale,
    place_in_photo,
    to_axis_angles,
    to_matrices,
)
from .dump import Dump
from .estimate import PoseEstimate
from .smplx_rows import BODY, BODY_TRUST, JAW, LEFT_HAND, PELVIS, RIGHT_HAND
from .smplx_rows import S as REGRESSOR

KEYS = ("smplx_root_pose", "smplx_body_pose", "cam_trans", "bbox")
FOCAL, INPUT = 5000.0, (192.0, 256.0)


def from_osx(
    dump: Dump,
    camera: Camera,
    image_size: tuple[int, int] | None = None,
    model: SmplxModelFile | None = None,
    person: int = 0,
) -> PoseEstimate:
    """The estimate of one person.

    Args:
        dump: ``smplx_root_pose`` [N, 3], ``smplx_body_pose`` [N, 63], ``cam_trans`` [N, 3],
            ``bbox`` [N, 4] (x, y, width, height, as ``process_bbox`` returns it), and if present
            ``smplx_lhand_pose``, ``smplx_rhand_pose`` [N, 45], ``smplx_jaw_pose`` [N, 3],
            ``smplx_shape`` [N, 10], ``pelvis`` [N, 3] (of the mesh, ``cam_trans`` included).
        camera: the photo's.
        image_size: (width, height) of the picture that OSX saw.
        model: the user's SMPL-X, for the hands and for the pelvis where the dump has none.
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("OSX", KEYS)
    warnings: list[str] = []
    scale = pixel_scale(dump, camera, image_size)
    x, y, width, height = scale * dump.row("bbox", 4, person)
    dump.positive("bbox", width, height)
    crop = narrow_camera(
        camera,
        np.array([FOCAL * width / INPUT[0], FOCAL * height / INPUT[1]]),
        np.array([x + width / 2, y + height / 2]),
    )
    transl = dump.row("cam_trans", 3, person)
    pelvis = _pelvis(dump, transl, model, person)
    if pelvis is None:
        warnings.append(
            f"'{dump.path}' has no 'pelvis' and no SMPL-X file was given, so OSX's distance is "
            "ignored."
        )
    depth = float((transl if pelvis is None else pelvis)[2])
    dump.positive("cam_trans", depth)
    root = place_in_photo(
        to_matrices(dump.row("smplx_root_pose", 3, person)),
        pelvis,
        np.array([0.0, 0.0, depth]),
        crop,
        camera,
    )
    estimate = PoseEstimate.nothing("OSX", "osx")
    estimate = estimate.with_rows(PELVIS, to_axis_angles(root.R), REGRESSOR.root_trust)
    body = dump.row("smplx_body_pose", 63, person).reshape(21, 3)
    estimate = estimate.with_rows(BODY, body, BODY_TRUST)
    if "smplx_jaw_pose" in dump:
        estimate = estimate.with_rows(
            JAW, dump.row("smplx_jaw_pose", 3, person), REGRESSOR.jaw_trust
        )
    hands = [
        (rows, f"smplx_{side}hand_pose", half)
        for rows, side, half in ((LEFT_HAND, "l", slice(0, 15)), (RIGHT_HAND, "r", slice(15, 30)))
    ]
    for rows, key, half in hands:
        if key in dump and model is not None:
            curl = dump.row(key, 45, person).reshape(15, 3) + model.hand_mean[half]
            estimate = estimate.with_rows(rows, curl, REGRESSOR.hand_trust)
    if model is None and any(key in dump for _, key, _ in hands):
        warnings.append(
            "OSX's fingers are relative to SMPL-X's mean hand, which is licensed data: without "
            "your own SMPL-X file they are ignored."
        )
    return replace(
        estimate, position=root.position, position_of=(PELVIS,), warnings=tuple(warnings)
    )


def _pelvis(
    dump: Dump, transl: FloatArray, model: SmplxModelFile | None, person: int
) -> FloatArray | None:
    """[3] the pelvis joint in OpenCV's frame."""
    if "pelvis" in dump:
        return dump.row("pelvis", 3, person)
    if model is None:
        return None
    rest = model.pelvis
    if "smplx_shape" in dump:
        shape = dump.row("smplx_shape", 10, person)
        rest = rest + model.pelvis_shapedirs[:, :10] @ shape
    return rest + transl
