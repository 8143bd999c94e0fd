"""Reading an estimate from a file, whichever estimator wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.cameras import photo_camera
from ...core.types import Camera, LikenessError, Observation, Portrait
from . import flame, hamer, mesh_file, multi_hmr, osx, pixie, sam_3d_body
from .convert import SmplxModelFile, pixel_scale, read_model_file
from .dump import Dump, read_dump
from .estimate import KeypointEstimate, PoseEstimate
from .keypoint_file import SIGN, keypoints_of
from .motion_file import from_motion
from .person_choice import choose_person

#: What a file of each kind must have; the first kind that fits is taken.
SIGNS: dict[str, tuple[str, ...]] = {
    "osx": ("smplx_root_pose", "smplx_body_pose"),
    "multi-hmr": ("rotvec",),
    "hamer": ("hand_pose", "right"),
    "emica": ("globalpose",),
    "smirk": ("pose_params",),
    "gagavatar": ("transform_matrix", "posecode"),
    "sam-3d-body": ("pred_global_rots",),
    "pixie": ("global_pose", "body_cam"),
    "keypoints": (SIGN,),
    "mesh": ("mesh_pixels",),
}
FRAME_MARK = "{frame}"
MOTION_SIGNS = ("global_orient", "body_pose", "poses")
KINDS = (*SIGNS, "motion")

_READERS: dict[str, Callable[[Dump, Camera, tuple[int, int] | None, int], PoseEstimate]] = {
    "multi-hmr": multi_hmr.from_multi_hmr,
    "emica": flame.from_emica,
    "smirk": flame.from_smirk,
    "gagavatar": flame.from_gagavatar,
    "sam-3d-body": sam_3d_body.from_sam_3d_body,
    "pixie": pixie.from_pixie,
}


def detect_kind(dump: Dump) -> str:
    """Which of ``KINDS`` a dump is, by its keys.

    Raises:
        LikenessError: none of them.
    """
    for kind, signs in SIGNS.items():
        if all(sign in dump for sign in signs):
            return kind
    if any(sign in dump for sign in MOTION_SIGNS):
        return "motion"
    signs_text = "; ".join(f"{kind}: {', '.join(signs)}" for kind, signs in SIGNS.items())
    raise LikenessError(
        f"'{dump.path}' is not the output of a known estimator "
        f"(it has: {', '.join(sorted(dump.arrays)) or 'nothing'}).",
        f"These keys are recognised: {signs_text}; motion: {' or '.join(MOTION_SIGNS)}. "
        "See docs/ESTIMATORS.md.",
    )


def load_estimate(
    path: Path,
    camera: Camera,
    kind: str = "auto",
    image_size: tuple[int, int] | None = None,
    smplx: Path | None = None,
    person: int | None = None,
    frame: int = 0,
    observation: Observation | None = None,
) -> PoseEstimate:
    """Read another program's estimate of the person in a photo, in our conventions.

    Args:
        path: .npz, .json, or a folder of .npy files; docs/ESTIMATORS.md says what is in them.
        camera: the photo's (``cameras.photo_camera``), which the estimate is made to suit.
        kind: one of ``KINDS``, or ``auto`` to detect it by the keys.
        image_size: (width, height) of the picture that the other program saw, when it is not
            said in the file and ``camera`` is for a smaller copy of the photo.
        smplx: the user's own SMPL-X model file; only OSX needs it.
        person: which one of several, counted from 1 in the file's order (of HaMeR's hands, the
            number in its ``person``); None for the one nearest to the observed person.
        frame: which one of a motion.
        observation: the person in the photo, in pixels of ``camera``.

    Raises:
        LikenessError: names the file, what is missing or wrong, and what to do.
    """
    path = Path(path)
    if kind not in ("auto", *KINDS):
        raise LikenessError(
            f"'{kind}' is not a known kind of estimate.",
            f"Choose one of: auto, {', '.join(KINDS)}.",
        )
    if kind == "motion":
        return from_motion(path, camera, frame)
    dump = read_dump(path)
    if kind == "auto":
        kind = detect_kind(dump)
        if kind == "motion":
            return from_motion(path, camera, frame)
    return estimate_of(dump, kind, camera, image_size, smplx, person, observation)


def estimate_of(
    dump: Dump,
    kind: str,
    camera: Camera,
    image_size: tuple[int, int] | None,
    smplx: Path | None,
    person: int | None,
    observation: Observation | None,
) -> PoseEstimate:
    """Convert the arrays of an estimator; arguments as for :func:`load_estimate`.

    Args:
        dump: the arrays.
        kind: of ``SIGNS``.
        camera: the photo's.
        image_size: (width, height).
        smplx: the user's own SMPL-X model file.
        person: which one of several.
        observation: the person in the photo.

    Raises:
        LikenessError: names the file, what is missing or wrong, and what to do.
    """
    guess = ""
    if kind == "mesh":
        return mesh_file.from_mesh(dump, camera, image_size)
    if kind == "keypoints":
        return PoseEstimate.nothing("keypoints", kind)
    if kind == "hamer":
        return hamer.from_hamer(dump, camera, image_size, person, observation)
    if person is None:
        scale = pixel_scale(dump, camera, image_size)
        index, guess = choose_person(kind, dump, camera, scale, observation)
    else:
        index = person - 1
    if kind == "osx":
        model: SmplxModelFile | None = None if smplx is None else read_model_file(smplx)
        estimate = osx.from_osx(dump, camera, image_size, model, index)
    else:
        estimate = _READERS[kind](dump, camera, image_size, index)
    return replace(estimate, warnings=(*estimate.warnings, guess)) if guess else estimate


@dataclass(frozen=True)
class FileEstimator:
    """An :class:`~.estimate.Estimator` that reads its answer from a file.

    Attributes: as the arguments of :func:`load_estimate`.
    """

    path: Path
    kind: str = "auto"
    smplx: Path | None = None
    person: int | None = None
    frame: int = 0

    def of_frame(self, number: int) -> FileEstimator:
        """Get the estimator for one frame of a video.

        Args:
            number: counted from 0. A path with ``{frame}`` names one file per frame, with the
                number in six digits; any other file is a motion.
        """
        name = str(self.path)
        if FRAME_MARK in name:
            return replace(self, path=Path(name.replace(FRAME_MARK, f"{number:06d}")))
        return replace(self, frame=number, kind="motion")

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        """The file's estimate for the photo's camera; None when it knows no joint."""
        size = portrait.original_size if min(portrait.original_size) > 0 else None
        estimate = load_estimate(
            self.path, camera, self.kind, size, self.smplx, self.person, self.frame, observation
        )
        return estimate if np.any(estimate.known) or estimate.dense else None

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        """The file's keypoints in pixels of ``portrait.rgb``; None when it has none."""
        dump = None if self.kind not in ("auto", "keypoints") else read_dump(self.path)
        if dump is None or detect_kind(dump) != "keypoints":
            return None
        height, width = portrait.rgb.shape[:2]
        size = portrait.original_size if min(portrait.original_size) > 0 else None
        return keypoints_of(dump, photo_camera(1.0, width, height), size, observation)
