"""A photo, what is seen in it, and the body fitted to it: the first stages of a build."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ..body import Body, load_body
from ..core.progress import StageTimer
from ..core.threads import start_thread
from ..core.types import LikenessError, Matte, Observation, Portrait, Track
from ..files.cache import get_or_load
from ..files.weights import asset_path
from ..gaussians.lift.occlusion.held_objects import separate_held_objects
from ..gaussians.lift.occlusion.held_outlines import complete_held_objects
from ..gaussians.lift.pixels.labels_parser import ParserRuntime
from ..imaging.gaps import open_gaps
from ..imaging.load import load_portrait
from ..imaging.matte_check import body_parts, filter_landmarks, map_body, repair_matte
from ..imaging.matting import make_matte as make_matte
from ..tracking import fit_body
from ..tracking.adjust import Adjustment, apply_adjustment
from ..tracking.detectors import Detectors
from ..tracking.estimators.keypoints import merge_keypoints
from ..tracking.multiview import (
    FACE_LOST_NOTE,
    ObservedPhoto,
    fit_multiview,
    parse_direction,
    without_face,
)
from ..tracking.observation import NO_FACE, observe
from ..tracking.track_summary import lens_source
from .estimators import NO_ESTIMATORS, Estimators
from .options import person_index


@dataclass(frozen=True)
class ExtraView:
    """One more photo of the same person.

    Attributes:
        path: an image file.
        direction: the side that it shows, one of ``core.types.DIRECTIONS``; ``any`` leaves it open.

    Raises:
        LikenessError: the direction is unknown.
    """

    path: Path
    direction: str = "any"

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", parse_direction(self.direction))


@dataclass(frozen=True)
class TrackedPortrait:
    """A photo, what was seen in it, and the body that was fitted.

    Attributes:
        portrait: the photo.
        observation: what the detectors saw.
        track: the fit.
        body: the body file's, with its shape basis.
        lens: source of the focal length: ``given``, ``file`` or ``assumed``.
        first_matte: what :func:`.matting.make_matte` makes of photo and observation, begun while
            the body was fitted; None if it was not asked for.
    """

    portrait: Portrait
    observation: Observation
    track: Track
    body: Body
    lens: str
    first_matte: Future[Matte] | None = field(default=None, compare=False)

    @property
    def warnings(self) -> list[str]:
        """Warnings of the observation and the fit, for the user."""
        return [*self.observation.warnings, *self.track.warnings]


def load_fitting_body(path: Path | None) -> Body:
    """Load the body to fit: the default one, or the user's own.

    Args:
        path: the user's body file; None for the default one.

    Raises:
        LikenessError: it cannot be read, or carries no landmarks.
    """
    body_file = path or asset_path("body")
    body = get_or_load("body", body_file, lambda: load_body(body_file))
    _check_body(body, body_file, is_default=path is None)
    return body


def open_detectors() -> Detectors:
    """Open the detectors, which stay open from one portrait to the next.

    Raises:
        LikenessError: their files are missing.
    """
    folder = asset_path("pose_landmark").parent
    return get_or_load("detectors", folder, lambda: Detectors(folder))


def track_portrait(
    portrait: Path,
    *,
    person: int | None = None,
    fov: float | None = None,
    camera_pitch: float | None = None,
    body_path: Path | None = None,
    stages: StageTimer | None = None,
    estimators: Estimators = NO_ESTIMATORS,
    matting: bool = False,
) -> TrackedPortrait:
    """Fit the body to one person in a photo: the stages load, detect and fit.

    Args:
        portrait: an image file.
        person: as in :class:`.options.BuildOptions`, counted from 1.
        fov: as in :class:`.options.BuildOptions`, in degrees.
        camera_pitch: as in :class:`.options.BuildOptions`, in degrees.
        body_path: a body file to use instead of the default one; it must carry landmarks.
        stages: times the stages and reports progress.
        estimators: initial poses and keypoints from other programs.
        matting: whether to begin the matte beside the fit, for :func:`verify_matte`.

    Returns:
        The photo, what was seen in it, and the fit.

    Raises:
        LikenessError: the file cannot be used.
    """
    stage = stages or StageTimer(None)
    with stage("load", "reading the photo"):
        photo = load_portrait(portrait)
        body = load_fitting_body(body_path)
    return track_image(
        photo,
        body,
        open_detectors(),
        person=person,
        fov=fov,
        camera_pitch=camera_pitch,
        stages=stage,
        estimators=estimators,
        matting=matting,
    )


def track_image(
    photo: Portrait,
    body: Body,
    detectors: Detectors,
    *,
    person: int | None = None,
    fov: float | None = None,
    camera_pitch: float | None = None,
    stages: StageTimer | None = None,
    estimators: Estimators = NO_ESTIMATORS,
    matting: bool = False,
) -> TrackedPortrait:
    """Fit a body to one person in a picture that has been read: the stages detect and fit.

    Args:
        photo: the picture.
        body: with its shape basis and landmarks.
        detectors: as :func:`open_detectors` opens them.
        person: counted from 1; None for the largest.
        fov: field of view along the longer side in degrees, if known.
        camera_pitch: degrees by which the camera looks down, if known.
        stages: as for :func:`track_portrait`.
        estimators: as for :func:`track_portrait`.
        matting: as for :func:`track_portrait`.

    Raises:
        LikenessError: nobody is seen.
    """
    stage = stages or StageTimer(None)
    with stage("detect", "looking for the person"):
        observation = observe(photo, detectors, person_index(person))
        observation = _with_keypoints(observation, photo, estimators)
    matte = start_thread(make_matte, photo, observation) if matting else None
    with stage("fit", "fitting the body"):
        fitted_to = filter_landmarks(observation)
        fit = partial(
            fit_body,
            portrait=photo,
            body=body,
            fov=fov,
            estimators=estimators.poses,
            pitch=camera_pitch,
        )
        track = fit(fitted_to)
        observation = replace(observation, warnings=fitted_to.warnings)
        if track.face_lost:
            track = fit(without_face(fitted_to))
            track = replace(track, warnings=(*track.warnings, FACE_LOST_NOTE))
            observation, matte = without_face(observation), None
    lens = lens_source(track.camera, fov, photo.focal_35mm)
    return TrackedPortrait(photo, observation, track, body, lens, matte)


def _with_keypoints(
    observation: Observation, photo: Portrait, estimators: Estimators
) -> Observation:
    for estimator in estimators.keypoints:
        found = estimator.keypoints(photo, observation)
        observation = observation if found is None else merge_keypoints(observation, found)
    return observation


def track_photos(
    portrait: Path,
    others: Sequence[ExtraView],
    *,
    person: int | None = None,
    fov: float | None = None,
    camera_pitch: float | None = None,
    body_path: Path | None = None,
    stages: StageTimer | None = None,
    estimators: Estimators = NO_ESTIMATORS,
) -> list[TrackedPortrait]:
    """Fit one shape to several photos of one person: the stages load, detect and fit.

    Args:
        portrait: the main photo, to which ``person`` refers.
        others: more photos; the largest person in each is used.
        person: counted from 1; None for the largest.
        fov: of the main photo's lens in degrees, and of the others' where their files lack it.
        camera_pitch: degrees by which the camera of the main photo looks down, if known.
        body_path: as for :func:`track_portrait`.
        stages: as for :func:`track_portrait`.
        estimators: for the main photo.

    Returns:
        The main photo and the others. Their warnings name their files.

    Raises:
        LikenessError: as for :func:`track_portrait`, naming the file; or a photo is given twice.
    """
    stage = stages or StageTimer(None)
    paths = [portrait, *(other.path for other in others)]
    for k, path in enumerate(paths):
        if path.resolve() in [earlier.resolve() for earlier in paths[:k]]:
            raise LikenessError(f"'{path}' is given twice.", "Give each photo once.")
    with stage("load", "reading the photos"):
        photos = [load_portrait(path) for path in paths]
        body = load_fitting_body(body_path)
    with stage("detect", "looking for the person"):
        detectors = open_detectors()
        main = person_index(person)
        seen = [observe(p, detectors, None if k else main) for k, p in enumerate(photos)]
        seen[0] = _with_keypoints(seen[0], photos[0], estimators)
    lenses = [fov if k == 0 or p.focal_35mm is None else None for k, p in enumerate(photos)]
    directions = ["any", *(other.direction for other in others)]
    poses = [estimators.poses, *[()] * len(others)]
    pitches = [camera_pitch, *[None] * len(others)]
    with stage("fit", "fitting the body to all photos"):
        observations = [filter_landmarks(observation) for observation in seen]
        tracks = fit_multiview(
            [
                ObservedPhoto(*shown)
                for shown in zip(
                    photos, observations, directions, lenses, pitches, poses, strict=True
                )
            ],
            body,
            stage.within("fit"),
        )
    any_face = any(observation.face is not None for observation in seen)
    out = []
    for k, (photo, track) in enumerate(zip(photos, tracks, strict=True)):
        notes = tuple(n for n in observations[k].warnings if n != NO_FACE or not any_face)
        notes += track.warnings
        if k:
            notes = tuple(f"{paths[k].name}: {note}" for note in notes)
        track = replace(track, warnings=notes)
        if track.face_error is None:  # not found, or not followed
            seen[k] = without_face(seen[k])
        lens = lens_source(track.camera, lenses[k], photo.focal_35mm)
        out.append(TrackedPortrait(photo, replace(seen[k], warnings=()), track, body, lens))
    return out


def refit(
    tracked: TrackedPortrait,
    adjustment: Adjustment,
    fov: float | None,
    keep_shape: bool,
    estimators: Estimators = NO_ESTIMATORS,
) -> TrackedPortrait:
    """Repeat a fit with the user's corrections.

    Args:
        tracked: the fit to correct.
        adjustment: the corrections.
        fov: field of view along the longer side in degrees, if the user gave it.
        keep_shape: whether the shape comes from several photos, and stays.
        estimators: those of the fit; the observation already has their keypoints.
    """
    track, photo = tracked.track, tracked.portrait
    body = tracked.body.personalised(track.betas) if keep_shape else tracked.body
    seen = filter_landmarks(tracked.observation)
    again, seen_now = apply_adjustment(track, seen, photo, body, adjustment, fov, estimators.poses)
    if keep_shape:
        again = replace(again, betas=track.betas)
    # The matte's inputs stay as they were observed.
    observation = replace(
        tracked.observation,
        pose=seen_now.pose,
        hands=seen_now.hands,
        pose_visibility=seen_now.pose_visibility,
        pose_world=seen_now.pose_world,
    )
    return replace(tracked, track=again, observation=observation, first_matte=None)


def verify_matte(
    tracked: TrackedPortrait, person: Body, held: str = "keep", parser: ParserRuntime | None = None
) -> tuple[Matte, tuple[str, ...]]:
    """The matte of a photo, checked against the body fitted to it, and warnings.

    Args:
        tracked: the photo and its fit.
        person: the body in the person's shape.
        held: ``keep`` or ``remove`` what hands hold.
        parser: as for :func:`.held_objects.separate_held_objects`.

    Raises:
        LikenessError: the parser's output is not finite.
    """
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    parts = body_parts(person.weights, track.joint_confidence)
    fitted = map_body(person.vertices(track.pose)[0], person.f, parts, track.camera)
    begun = tracked.first_matte
    first = make_matte(photo, observation) if begun is None else begun.result()
    matte, warnings = repair_matte(photo, observation, first, fitted)
    if fitted is not None:
        matte = open_gaps(photo, matte, fitted)
    alone, more = separate_held_objects(matte, observation, track, person, held, parser)
    return complete_held_objects(alone, photo.rgb), (*warnings, *more)


def _check_body(body: Body, path: Path, is_default: bool) -> None:
    if body.landmarks is None:
        raise LikenessError(
            f"The body file '{path}' carries no landmarks, so it cannot be fitted to a photo.",
            "Run 'python build.py assets' to bake the default body anew."
            if is_default
            else "Prepare it first (docs/bodies.md), or leave it out for the default body.",
        )
