"""Which of the people in a file is the one that was observed.

Other programs number the people of a photo in their own order, so the nearest in the picture is
taken: of body regressors by the person's box, of those that begin at the head by the head.
"""

from __future__ import annotations

import numpy as np

from ...core.cameras import project
from ...core.types import Camera, FloatArray, Observation
from ...motion.mhr import NUM_MHR_JOINTS
from .convert import TO_PHOTO
from .dump import Dump
from .keypoints import person_box
from .multi_hmr import letterbox_camera

NOSE = 0
COUNTED = {
    "osx": ("smplx_root_pose", 3),
    "multi-hmr": ("rotvec", 159),
    "emica": ("globalpose", 3),
    "smirk": ("pose_params", 3),
    "gagavatar": ("transform_matrix", 12),
    "sam-3d-body": ("pred_global_rots", NUM_MHR_JOINTS * 9),
    "pixie": ("global_pose", 9),
}
"""The array, and its size per person, that gives the number of people in a file."""


def choose_person(
    kind: str, dump: Dump, camera: Camera, scale: float, observation: Observation | None
) -> tuple[int, str]:
    """Index of the person in the dump, and a warning (or nothing) when that is a guess.

    Args:
        kind: the estimator, a key of ``COUNTED``.
        dump: its output.
        camera: the photo's.
        scale: pixels of ``camera`` for one of the dump's.
        observation: the person in the photo, None when unknown.
    """
    key, size = COUNTED[kind]
    if key not in dump:
        return 0, ""  # the reader reports what is missing
    count = len(dump.rows(key, size))
    if count == 1:
        return 0, ""
    places = _places(kind, dump, camera, scale)
    target = None if observation is None else _target(kind, observation)
    if places is None or target is None or len(places) != count:
        return 0, f"'{dump.path}' has {count} people; the first one is used."
    return int(np.linalg.norm(places - target, axis=1).argmin()), ""


def _places(kind: str, dump: Dump, camera: Camera, scale: float) -> FloatArray | None:
    """[N, 2] pixels where the people of a dump are."""
    if kind == "osx" and "bbox" in dump:
        box = scale * dump.rows("bbox", 4)
        return box[:, :2] + 0.5 * box[:, 2:]
    if kind == "multi-hmr" and ("transl" in dump or "transl_pelvis" in dump):
        heads = dump.rows("transl" if "transl" in dump else "transl_pelvis", 3)
        return project(heads @ TO_PHOTO, letterbox_camera(dump, camera))[0]
    if kind == "sam-3d-body" and "bbox" in dump:
        box = scale * dump.rows("bbox", 4)
        return 0.5 * (box[:, :2] + box[:, 2:])
    if kind in ("emica", "smirk", "gagavatar", "pixie") and "crop" in dump:
        return scale * dump.rows("crop", 3)[:, :2]
    return None


def _target(kind: str, observation: Observation) -> FloatArray | None:
    """[2] pixel where the observed person is, in the same sense."""
    if kind in ("osx", "sam-3d-body", "pixie"):
        box = person_box(observation)
        return None if box is None else 0.5 * (box[:2] + box[2:])
    if observation.face is not None:
        out: FloatArray = np.asarray(observation.face, np.float64).mean(0)
        return out
    return np.asarray(observation.pose[NOSE], np.float64)
