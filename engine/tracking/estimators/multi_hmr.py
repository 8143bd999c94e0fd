"""Multi-HMR's output as an estimate (Baradel et al., ECCV 2024).

Its conventions, from its public code (``model.py``, ``blocks/smpl_layer.py``, ``demo.py``):
OpenCV's frame; 53 rotation vectors (root, 21 body, 15 left hand, 15 right hand, jaw), hands from
the flat hand as ours; the root turns about the pelvis outside the body model and the body is
hung up by its head afterwards, so that only ``transl_pelvis`` gives the place of the pelvis; one
perspective camera for the square, letterboxed picture, 60 degrees wide by default; no eyes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.types import Camera, FloatArray
from .convert import narrow_camera, pixel_scale, place_in_photo, to_axis_angles, to_matrices
from .dump import Dump
from .estimate import PoseEstimate
from .smplx_rows import BODY, BODY_TRUST, JAW, LEFT_HAND, PELVIS, RIGHT_HAND
from .smplx_rows import S as REGRESSOR

KEYS = ("rotvec", "transl_pelvis")
DEFAULT_FOV = 60.0


def letterbox_camera(dump: Dump, camera: Camera) -> Camera:
    """The regressor's camera in the photo's pixels.

    The photo was scaled so that its longer side fills the square and lies in its middle. ``K``
    [3, 3] is in pixels of that square, of side ``square`` (twice its principal point when not
    given); without it, ``fov`` degrees (60) span the square.
    """
    longer = max(camera.width, camera.height)
    middle = np.array([camera.width / 2, camera.height / 2])
    if "K" in dump:
        K = dump.rows("K", 9)[0].reshape(3, 3)
        side = float(dump.rows("square", 1)[0, 0] if "square" in dump else 2 * K[0, 2])
        dump.positive("K", side, K[0, 0], K[1, 1])
        scale = longer / side
        focal = scale * K[[0, 1], [0, 1]]
        return narrow_camera(camera, focal, middle + scale * (K[:2, 2] - side / 2))
    fov = float(dump.rows("fov", 1)[0, 0]) if "fov" in dump else DEFAULT_FOV
    dump.positive("fov", fov, 180.0 - fov)
    focal_length = 0.5 * longer / np.tan(np.radians(fov) / 2)
    return narrow_camera(camera, np.full(2, focal_length), middle)


def from_multi_hmr(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None = None, person: int = 0
) -> PoseEstimate:
    """The estimate of one person.

    Args:
        dump: ``rotvec`` [N, 53, 3], ``transl_pelvis`` [N, 3], and if present ``transl`` [N, 3]
            (of the head), ``scores`` [N], ``K`` [3, 3], ``square``, ``fov``.
        camera: the photo's.
        image_size: (width, height) of the photo that the regressor saw (not the square).
        person: index of the person in the dump.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("Multi-HMR", KEYS)
    pixel_scale(dump, camera, image_size)  # the letterbox keeps proportions, so only to check
    pose = dump.row("rotvec", 53 * 3, person).reshape(53, 3)
    pelvis = dump.row("transl_pelvis", 3, person)
    dump.positive("transl_pelvis", pelvis[2])
    root = place_in_photo(
        to_matrices(pose[0]),
        pelvis,
        _middle(dump, pelvis, person),
        letterbox_camera(dump, camera),
        camera,
    )
    trust = 1.0
    if "scores" in dump:
        trust = float(np.clip(dump.row("scores", 1, person)[0], 0.3, 1.0))
    estimate = PoseEstimate.nothing("Multi-HMR", "multi-hmr")
    estimate = estimate.with_rows(PELVIS, to_axis_angles(root.R), REGRESSOR.root_trust * trust)
    estimate = estimate.with_rows(BODY, pose[1:22], BODY_TRUST * trust)
    estimate = estimate.with_rows(LEFT_HAND, pose[22:37], REGRESSOR.hand_trust * trust)
    estimate = estimate.with_rows(RIGHT_HAND, pose[37:52], REGRESSOR.hand_trust * trust)
    estimate = estimate.with_rows(JAW, pose[52], REGRESSOR.jaw_trust * trust)
    return replace(estimate, position=root.position, position_of=(PELVIS,))


def _middle(dump: Dump, pelvis: FloatArray, person: int) -> FloatArray:
    """[3] between pelvis and head: what keeps its place in the picture."""
    if "transl" not in dump:
        return pelvis
    head = dump.row("transl", 3, person)
    dump.positive("transl", head[2])
    return 0.5 * (pelvis + head)
