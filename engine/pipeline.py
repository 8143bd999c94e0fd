"""Portrait to avatar: the one entry that the command line, the worker and the tests share."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .body import Body, load_body
from .cameras import field_of_view
from .evaluation.metrics import psnr, silhouette_iou, ssim
from .gaussians.lift import LiftOptions, lift
from .gaussians.lod import order_by_importance
from .gaussians.posing import pose_avatar
from .gaussians.refine import LEVELS, Photo, refine
from .imaging.load import load_portrait
from .imaging.matte_check import body_parts, checked, map_body, to_be_fitted
from .imaging.matting import matte as make_matte
from .imaging.resize import fit_size, resize
from .render import best_backend, render_camera
from .stages import Stages
from .tracking import fit
from .tracking.detectors import Detectors
from .tracking.estimators import Estimator, KeypointEstimator
from .tracking.estimators.keypoints import observation_with
from .tracking.measure import face_failed
from .tracking.observation import observe
from .tracking.summary import joint_figures, lens_source, unseen_parts
from .types import (
    LAYERS,
    MAX_GAUSSIANS,
    Avatar,
    LikenessError,
    Matte,
    Observation,
    Portrait,
    Progress,
    Track,
)
from .weights import asset_path

VERSION = "0.1.0"
REPORT_SIDE = 512  # pixels: the figures of the input view are measured at this size


@dataclass(frozen=True)
class BuildOptions:
    """What a user may choose; nothing in a build is random but the order of a GPU's sums.

    Attributes:
        max_gaussians: never exceeded.
        person: which of several people, counted from the left from 0; the largest if None.
        fov: field of view along the photo's longer side in degrees, if it is known.
        refine: how long the lift is fitted to the photo: one of ``gaussians.refine.LEVELS``.

    Raises:
        LikenessError: there is no such level.
    """

    max_gaussians: int = MAX_GAUSSIANS
    person: int | None = None
    fov: float | None = None
    refine: str = "fast"

    def __post_init__(self) -> None:
        if self.refine not in LEVELS:
            raise LikenessError(
                f"There is no way to refine called '{self.refine}'.",
                f"Choose one of: {', '.join(LEVELS)}.",
            )


@dataclass(frozen=True)
class BuildResult:
    """An avatar and how it came to be.

    Attributes:
        report: JSON-able; keys as in ``report.json``.
    """

    avatar: Avatar
    report: dict[str, Any]
    portrait: Portrait
    observation: Observation
    matte: Matte
    track: Track


@dataclass(frozen=True)
class TrackedPortrait:
    """A photo, what was seen in it, and the body that was fitted.

    Attributes:
        body: the body file's, with its shape basis.
        lens: where the focal length is from: ``given``, ``file`` or ``assumed``.
    """

    portrait: Portrait
    observation: Observation
    track: Track
    body: Body
    lens: str

    @property
    def warnings(self) -> list[str]:
        return [*self.observation.warnings, *self.track.warnings]


@dataclass(frozen=True)
class LiftedPortrait:
    """An avatar before it is fitted to its photo.

    Attributes:
        avatar: its Gaussians in the order of importance; without provenance.
        matte: of the photo, checked against the fitted body.
    """

    tracked: TrackedPortrait
    matte: Matte
    avatar: Avatar
    warnings: list[str]


def load_fitting_body(path: Path | None) -> Body:
    """The body to fit: the default one, or the user's own.

    Raises:
        LikenessError: it cannot be read, or carries no landmarks.
    """
    body_file = path or asset_path("body")
    body = load_body(body_file)
    _check_body(body, body_file, is_default=path is None)
    return body


def track_portrait(
    portrait: Path,
    *,
    person: int | None = None,
    fov: float | None = None,
    body_path: Path | None = None,
    stages: Stages | None = None,
    estimators: Sequence[Estimator] = (),
    keypoints: KeypointEstimator | None = None,
) -> TrackedPortrait:
    """Fit the body to one person in a photo: the stages load, detect and fit.

    Args:
        portrait: an image file.
        person, fov: as in :class:`BuildOptions`.
        body_path: another body file than the default one; it must carry landmarks.
        estimators: other programs' poses to begin with, see :func:`.tracking.fit.fit`.
        keypoints: another detector, whose body and hand points are used where it is sure.

    Raises:
        LikenessError: what is wrong with the file, or that its face could not be followed.
    """
    stage = stages or Stages(None)
    with stage("load", "reading the photo"):
        photo = load_portrait(portrait)
        body = load_fitting_body(body_path)
    with stage("detect", "looking for the person"):
        detectors = Detectors(asset_path("pose_landmark").parent)
        observation = observe(photo, detectors, person)
        found = None if keypoints is None else keypoints.keypoints(photo, observation)
        if found is not None:
            observation = observation_with(observation, found)
    with stage("fit", "fitting the body"):
        fitted_to = to_be_fitted(observation)
        track = fit(fitted_to, photo, body, fov=fov, estimators=estimators)
        observation = replace(observation, warnings=fitted_to.warnings)
    _check_face(track, observation, portrait)
    lens = lens_source(track.camera, fov, photo.focal_35mm)
    return TrackedPortrait(photo, observation, track, body, lens)


def lift_portrait(
    portrait: Path,
    options: BuildOptions | None = None,
    *,
    body_path: Path | None = None,
    stages: Stages | None = None,
) -> LiftedPortrait:
    """Everything before refining: the stages load, detect, fit, matte, lift and order.

    Arguments and errors as for :func:`build_avatar`.
    """
    options = options or BuildOptions()
    stage = stages or Stages(None)
    tracked = track_portrait(
        portrait, person=options.person, fov=options.fov, body_path=body_path, stages=stage
    )
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    with stage("matte", "separating the person from the background"):
        person = tracked.body.personalised(track.betas)
        parts = body_parts(person.weights, track.joint_confidence)
        fitted = map_body(person.vertices(track.pose)[0], person.f, parts, track.camera)
        first = make_matte(photo, observation)
        matte, warnings = checked(photo, observation, first, fitted)
    with stage("lift", "lifting the photo to Gaussians"):
        gaussians = lift(
            matte, observation, track, person, LiftOptions(max_gaussians=options.max_gaussians)
        )
    with stage("order", "ordering the Gaussians by importance"):
        avatar = order_by_importance(
            Avatar(person, gaussians, track.pose, track.camera, track.framing)
        )
    return LiftedPortrait(tracked, matte, avatar, [*tracked.warnings, *warnings])


def refined(
    avatar: Avatar,
    matte: Matte,
    level: str,
    backend: str = "cpu",
    progress: Progress | None = None,
) -> Avatar:
    """A lifted avatar fitted to its photo; the order of its Gaussians stays.

    Args:
        matte: of the photo. level: one of ``gaussians.refine.LEVELS``. backend: a rasteriser's.
    """
    options = LEVELS[level]
    if options is None:
        return avatar
    vertices, _ = avatar.body.vertices(avatar.pose)
    shown = [Photo(matte, avatar.camera, vertices)]
    gaussians = refine(
        avatar.gaussians, shown, avatar.body, options, backend, progress, avatar.lod_start
    )
    return replace(avatar, gaussians=gaussians)


def build_avatar(
    portrait: Path,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
    body_path: Path | None = None,
) -> BuildResult:
    """Build the avatar of one person.

    Args:
        portrait: an image file.
        body_path: another body file than the default one; it must carry landmarks.

    Raises:
        LikenessError: what is wrong with the file, and what to do.
    """
    options = options or BuildOptions()
    stage = Stages(progress)
    lifted = lift_portrait(portrait, options, body_path=body_path, stages=stage)
    tracked, matte = lifted.tracked, lifted.matte
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    avatar = replace(
        lifted.avatar,
        provenance={
            "generator": f"Likeness {VERSION}",
            "source": portrait.name,
            "sha256": hashlib.sha256(portrait.read_bytes()).hexdigest(),
            "options": asdict(options),
        },
    )
    backend = best_backend() if options.refine != "off" else None
    if backend is not None:
        with stage("refine", "fitting the Gaussians to the photo"):
            avatar = refined(avatar, matte, options.refine, backend, stage.within("refine"))
    gaussians = avatar.gaussians
    with stage("check", "comparing with the photo"):
        view = input_view_figures(avatar, matte)
    report = {
        "source": str(portrait),
        "version": VERSION,
        "python": platform.python_version(),
        "size": list(photo.original_size),
        "framing": track.framing,
        "view": track.view,
        "lens": {"source": tracked.lens, "fov": round(field_of_view(track.camera), 2)},
        "seconds": {**stage.seconds, "total": round(sum(stage.seconds.values()), 3)},
        "peak_memory_mb": _peak_memory_mb(),
        "gaussians": {
            "total": len(gaussians),
            **{name: int((gaussians.layer == i).sum()) for i, name in enumerate(LAYERS)},
        },
        "refine": {"level": options.refine, "backend": backend},
        "face_error": _rounded(track.face_error, 2),
        "pose_error": _rounded(track.pose_error, 2),
        "joint_confidence": joint_figures(track.joint_confidence),
        "unseen": list(unseen_parts(track.joint_confidence)),
        "input_view": view,
        "warnings": lifted.warnings,
    }
    return BuildResult(avatar, report, photo, observation, matte, track)


def input_view_figures(avatar: Avatar, matte: Matte) -> dict[str, float]:
    """Foreground PSNR, SSIM and silhouette IoU of the photo's own view.

    Measured at 512 pixels on the longer side, on white; the truth is the photo through its matte.
    """
    height, width = matte.alpha.shape
    w, h = fit_size(width, height, REPORT_SIDE)
    alpha = resize(matte.alpha, w, h)
    solid = resize(matte.foreground * matte.alpha[..., None], w, h)
    truth = solid + (1.0 - alpha)[..., None]
    drawn = render_camera(pose_avatar(avatar), avatar.camera.resized(w, h), np.ones(3))
    return {
        "foreground_psnr": round(float(psnr(drawn.rgb, truth, alpha > 0.5)), 2),
        "ssim": round(float(ssim(drawn.rgb, truth)), 4),
        "silhouette_iou": round(float(silhouette_iou(drawn.alpha, alpha)), 4),
    }


def _check_face(track: Track, observation: Observation, path: Path) -> None:
    """Raise when the fit did not find the face."""
    if track.face_error is None:
        return
    face = observation.face
    iod = np.inf if face is None else float(np.linalg.norm(face[468] - face[473]))
    if face_failed(track.face_error, iod):
        raise LikenessError(
            f"The face in '{path}' could not be followed: the fit is off by "
            f"{track.face_error:.0f} % of the distance between the eyes.",
            "Use a sharper photo, with the face turned to the camera and nothing before it.",
        )


def _check_body(body: Body, path: Path, is_default: bool) -> None:
    if body.landmarks is None:
        raise LikenessError(
            f"The body file '{path}' carries no landmarks, so it cannot be fitted to a photo.",
            "Run 'python build.py assets' to bake the default body anew."
            if is_default
            else "Leave --body out: the default body is fitted, and SMPL-X poses work on it.",
        )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def _peak_memory_mb() -> int | None:
    """Most memory that this process ever held, in MB; None where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))
