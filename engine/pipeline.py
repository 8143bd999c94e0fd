"""Portrait to avatar: the one entry that the command line, the worker and the tests share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .batch.asked import checked_option
from .body import Body, load_body
from .cameras import field_of_view
from .digests import file_sha256
from .evaluation.input_view import input_view_figures, other_view_figures, rounded
from .gaussians.lift import LiftOptions, lift
from .gaussians.lift.held import leave_out_held
from .gaussians.lift.several import View, lift_several
from .gaussians.lod import order_by_importance
from .gaussians.refine import LEVELS, Photo, refine
from .imaging.load import load_portrait
from .imaging.matte_check import body_parts, checked, map_body, to_be_fitted
from .imaging.matting import matte as make_matte
from .kept import kept
from .network.apply import chosen_network, improved, lift_budget
from .network.runtime import AnotherBodyError, Runtime
from .render import best_backend
from .stages import Stages, peak_memory_mb
from .tracking import fit
from .tracking.adjust import Adjustment, adjusted
from .tracking.detectors import Detectors
from .tracking.estimators import Estimator, KeypointEstimator
from .tracking.estimators.keypoints import observation_with
from .tracking.measure import face_failed
from .tracking.observation import NO_FACE, observe
from .tracking.several import Shown, fit_several, known_direction
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
from .version import VERSION
from .weights import DEFAULT_NETWORK, asset_path


@dataclass(frozen=True)
class BuildOptions:
    """What a user may choose; nothing in a build is random but the order of a GPU's sums.

    Attributes:
        max_gaussians: never exceeded.
        person: which of several people, counted from the left from 0; the largest if None.
        fov: field of view along the photo's longer side in degrees, if it is known.
        refine: how long the lift is fitted to the photo: one of ``gaussians.refine.LEVELS``.
        network: what improves the lift: a network's folder, ``default`` for the one that comes
            with Likeness (as nothing at all), or ``none``.

    Raises:
        LikenessError: there is no such level, or a number cannot be.
    """

    max_gaussians: int = MAX_GAUSSIANS
    person: int | None = None
    fov: float | None = None
    refine: str = "fast"
    network: str = DEFAULT_NETWORK

    def __post_init__(self) -> None:
        if self.refine not in LEVELS:
            raise LikenessError(
                f"There is no way to refine called '{self.refine}'.",
                f"Choose one of: {', '.join(LEVELS)}.",
            )
        for name in ("max_gaussians", "person", "fov"):
            value = getattr(self, name)
            try:
                none = value is None and name != "max_gaussians"
                checked = None if none else checked_option(name, value)
            except ValueError as error:
                raise LikenessError(f"{name} {error}, not {value!r}.", "Choose another.") from error
            object.__setattr__(self, name, checked)
        if not self.network:
            object.__setattr__(self, "network", DEFAULT_NETWORK)


@dataclass(frozen=True)
class OtherPhoto:
    """One more photo of the same person.

    Attributes:
        path: an image file. direction: what it is said to show, one of
            ``tracking.several.DIRECTIONS``; ``any`` says nothing.

    Raises:
        LikenessError: there is no such direction.
    """

    path: Path
    direction: str = "any"

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", known_direction(self.direction))


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
class Change:
    """What is to be done otherwise before a fit is used.

    Attributes:
        person: another one of the people in the photo. adjustment: corrections of the main
            photo's fit.
    """

    person: int | None = None
    adjustment: Adjustment | None = None


Check = Callable[[Sequence[TrackedPortrait]], Change | None]
"""Looks at a fit of all photos, the main one first; None says that it is good."""


@dataclass(frozen=True)
class LiftedPortrait:
    """An avatar before it is fitted to its photo.

    Attributes:
        avatar: its Gaussians in the order of importance; without provenance.
        matte: of the photo, checked against the fitted body.
        others: the other photos of the person, their mattes in the light of the main one, and
            the mattes to which the avatar is to be fitted.
        network: figures of the network that the lift went through, JSON-able; None without one.
    """

    tracked: TrackedPortrait
    matte: Matte
    avatar: Avatar
    warnings: list[str]
    others: tuple[tuple[TrackedPortrait, Matte, Matte], ...] = ()
    network: dict[str, Any] | None = None


def load_fitting_body(path: Path | None) -> Body:
    """The body to fit: the default one, or the user's own.

    Raises:
        LikenessError: it cannot be read, or carries no landmarks.
    """
    body_file = path or asset_path("body")
    body = kept("body", body_file, lambda: load_body(body_file))
    _check_body(body, body_file, is_default=path is None)
    return body


def open_detectors() -> Detectors:
    """The detectors, which stay open from one portrait to the next.

    Raises:
        LikenessError: they are not there.
    """
    folder = asset_path("pose_landmark").parent
    return kept("detectors", folder, lambda: Detectors(folder))


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
    return track_loaded(
        photo, body, open_detectors(), person=person, fov=fov, stages=stage, estimators=estimators,
        keypoints=keypoints,
    )  # fmt: skip


def track_loaded(
    photo: Portrait,
    body: Body,
    detectors: Detectors,
    *,
    person: int | None = None,
    fov: float | None = None,
    stages: Stages | None = None,
    estimators: Sequence[Estimator] = (),
    keypoints: KeypointEstimator | None = None,
) -> TrackedPortrait:
    """Fit a body to one person in a picture that has been read: the stages detect and fit.

    Arguments and errors as for :func:`track_portrait`.
    """
    stage = stages or Stages(None)
    with stage("detect", "looking for the person"):
        observation = observe(photo, detectors, person)
        found = None if keypoints is None else keypoints.keypoints(photo, observation)
        if found is not None:
            observation = observation_with(observation, found)
    with stage("fit", "fitting the body"):
        fitted_to = to_be_fitted(observation)
        track = fit(fitted_to, photo, body, fov=fov, estimators=estimators)
        observation = replace(observation, warnings=fitted_to.warnings)
    _check_face(track, observation, photo.path)
    lens = lens_source(track.camera, fov, photo.focal_35mm)
    return TrackedPortrait(photo, observation, track, body, lens)


def track_photos(
    portrait: Path,
    others: Sequence[OtherPhoto],
    *,
    person: int | None = None,
    fov: float | None = None,
    body_path: Path | None = None,
    stages: Stages | None = None,
) -> list[TrackedPortrait]:
    """Fit one shape to several photos of one person: the stages load, detect and fit.

    Args:
        portrait: the main photo, which ``person`` is about; of the others the largest is taken.
        fov: of the main photo's lens, and of the others' where their files do not tell it.

    Returns:
        The main photo and the others. Their warnings name their files.

    Raises:
        LikenessError: as for :func:`track_portrait`; the file that is wrong is named.
    """
    stage = stages or Stages(None)
    paths = [portrait, *(other.path for other in others)]
    for k, path in enumerate(paths):
        if path.resolve() in [earlier.resolve() for earlier in paths[:k]]:
            raise LikenessError(f"'{path}' is given twice.", "Give each photo once.")
    with stage("load", "reading the photos"):
        photos = [load_portrait(path) for path in paths]
        body = load_fitting_body(body_path)
    with stage("detect", "looking for the person"):
        detectors = open_detectors()
        seen = [observe(p, detectors, None if k else person) for k, p in enumerate(photos)]
    lenses = [fov if k == 0 or p.focal_35mm is None else None for k, p in enumerate(photos)]
    directions = ["any", *(other.direction for other in others)]
    with stage("fit", "fitting the body to all photos"):
        observations = [to_be_fitted(observation) for observation in seen]
        tracks = fit_several(
            [Shown(*shown) for shown in zip(photos, observations, directions, lenses, strict=True)],
            body, stage.within("fit"),
        )  # fmt: skip
    _check_face(tracks[0], seen[0], portrait)
    any_face = any(observation.face is not None for observation in seen)
    out = []
    for k, (photo, track) in enumerate(zip(photos, tracks, strict=True)):
        notes = tuple(n for n in observations[k].warnings if n != NO_FACE or not any_face)
        notes += track.warnings
        if k:
            notes = tuple(f"{paths[k].name}: {note}" for note in notes)
        track = replace(track, warnings=notes)
        lens = lens_source(track.camera, lenses[k], photo.focal_35mm)
        out.append(TrackedPortrait(photo, replace(seen[k], warnings=()), track, body, lens))
    return out


def lift_portrait(
    portrait: Path,
    options: BuildOptions | None = None,
    *,
    body_path: Path | None = None,
    stages: Stages | None = None,
    others: Sequence[OtherPhoto] = (),
    check: Check | None = None,
) -> LiftedPortrait:
    """Everything before refining: the stages load, detect, fit, matte, lift, network and order.

    Arguments and errors as for :func:`build_avatar`.
    """
    options = options or BuildOptions()
    stage = stages or Stages(None)
    warnings: list[str] = []
    network = _network(options.network, body_path, warnings)
    chosen: dict[str, Any] = {
        "person": options.person, "fov": options.fov, "body_path": body_path, "stages": stage,
    }  # fmt: skip
    all_tracked = _tracked(portrait, others, chosen)
    while check is not None and (change := check(all_tracked)) is not None:
        if change.adjustment is None:
            chosen["person"] = change.person
            all_tracked = _tracked(portrait, others, chosen)
        else:
            with stage("fit", "fitting the body again"):
                again = _corrected(all_tracked[0], change.adjustment, options.fov, bool(others))
            all_tracked = [again, *all_tracked[1:]]
    tracked, track = all_tracked[0], all_tracked[0].track
    person = tracked.body.personalised(track.betas)
    mattes = []
    with stage("matte", "separating the person"):
        for k, one in enumerate(all_tracked):
            matte, notes = checked_matte(one, person)
            mattes.append(matte)
            name = f"{one.portrait.path.name}: " if k else ""
            warnings += [*one.warnings, *(name + note for note in notes)]
    budget = LiftOptions(max_gaussians=lift_budget(network, options.max_gaussians))
    with stage("lift", "lifting the photo to Gaussians"):
        if others:
            views = [
                View(matte, one.observation, one.track, one.portrait.path.name)
                for matte, one in zip(mattes, all_tracked, strict=True)
            ]
            lifted, mattes, wanted = lift_several(views, person, budget)
        else:
            lifted = lift(mattes[0], tracked.observation, track, person, budget)
            wanted = mattes
    figures = None
    if network is not None:
        with stage("network", "improving the lift"):
            shots = [(matte, one.track) for matte, one in zip(mattes, all_tracked, strict=True)]
            lifted, figures = improved(
                lifted, network, person, shots, options.max_gaussians, stage.within("network")
            )
            warnings += network.warnings
    with stage("order", "ordering the Gaussians"):
        avatar = order_by_importance(
            Avatar(lifted.body, lifted.gaussians, track.pose, track.camera, track.framing)
        )
    beside = tuple(zip(all_tracked[1:], mattes[1:], wanted[1:], strict=True))
    return LiftedPortrait(tracked, mattes[0], avatar, warnings, beside, figures)


def _network(choice: str, body_path: Path | None, warnings: list[str]) -> Runtime | None:
    """What improves the lift. The network that comes with Likeness is for its own body: another
    one does without, and a warning says so."""
    try:
        return chosen_network(choice, lambda: load_fitting_body(body_path))
    except AnotherBodyError as error:
        if choice != DEFAULT_NETWORK:
            raise
        warnings.append(f"What the photo does not show is the lift's own guess. {error.message}")
        return None


def _tracked(
    portrait: Path, others: Sequence[OtherPhoto], chosen: dict[str, Any]
) -> list[TrackedPortrait]:
    if others:
        return track_photos(portrait, others, **chosen)
    return [track_portrait(portrait, **chosen)]


def _corrected(
    tracked: TrackedPortrait, adjustment: Adjustment, fov: float | None, keep_shape: bool
) -> TrackedPortrait:
    """A fit with the user's corrections.

    Args:
        keep_shape: the shape is that of several photos.
    """
    track, photo = tracked.track, tracked.portrait
    body = tracked.body.personalised(track.betas) if keep_shape else tracked.body
    seen = to_be_fitted(tracked.observation)
    again, corrected = adjusted(track, seen, photo, body, adjustment, fov)
    if keep_shape:
        again = replace(again, betas=track.betas)
    # What the matte is made of stays as it was seen.
    observation = replace(tracked.observation, pose=corrected.pose, hands=corrected.hands,
                          pose_visibility=corrected.pose_visibility,
                          pose_world=corrected.pose_world)  # fmt: skip
    return replace(tracked, track=again, observation=observation)


def checked_matte(tracked: TrackedPortrait, person: Body) -> tuple[Matte, tuple[str, ...]]:
    """The matte of a photo, held against the body that was fitted to it, and warnings."""
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    parts = body_parts(person.weights, track.joint_confidence)
    fitted = map_body(person.vertices(track.pose)[0], person.f, parts, track.camera)
    matte, warnings = checked(photo, observation, make_matte(photo, observation), fitted)
    alone, more = leave_out_held(matte, observation, track, person)
    return alone, (*warnings, *more)


def refined(
    avatar: Avatar,
    matte: Matte,
    level: str,
    backend: str = "cpu",
    progress: Progress | None = None,
    others: Sequence[tuple[TrackedPortrait, Matte, Matte]] = (),
) -> Avatar:
    """A lifted avatar fitted to its photo; the order of its Gaussians stays.

    Args:
        matte: of the photo. level: one of ``gaussians.refine.LEVELS``. backend: a rasteriser's.
        others: as in :class:`LiftedPortrait`.
    """
    options = LEVELS[level]
    if options is None:
        return avatar
    vertices, _ = avatar.body.vertices(avatar.pose)
    shown = [Photo(matte, avatar.camera, vertices)]
    for other, _, its_matte in others:
        posed, _ = avatar.body.vertices(other.track.pose)
        shown.append(Photo(its_matte, other.track.camera, posed))
    gaussians = refine(
        avatar.gaussians, shown, avatar.body, options, backend, progress, avatar.lod_start
    )
    return replace(avatar, gaussians=gaussians)


def build_avatar(
    portrait: Path,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
    body_path: Path | None = None,
    others: Sequence[OtherPhoto] = (),
    check: Check | None = None,
) -> BuildResult:
    """Build the avatar of one person.

    Args:
        portrait: an image file; the avatar stands as in this one.
        body_path: another body file than the default one; it must carry landmarks.
        others: more photos of the same person, for what this one does not show.
        check: is shown every fit before it is used, and may have it changed.

    Raises:
        LikenessError: what is wrong with the file, and what to do.
    """
    options = options or BuildOptions()
    stage = Stages(progress)
    lifted = lift_portrait(portrait, options, body_path=body_path, stages=stage, others=others,
                           check=check)  # fmt: skip
    tracked, matte = lifted.tracked, lifted.matte
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    provenance: dict[str, Any] = {
        "generator": f"Likeness {VERSION}",
        "source": portrait.name,
        "sha256": file_sha256(portrait),
        # Avatars are passed on: no folders of this computer in them.
        "options": {**asdict(options), "network": Path(options.network).name},
    }
    if others:
        provenance["others"] = [
            {"source": o.path.name, "direction": o.direction, "sha256": file_sha256(o.path)}
            for o in others
        ]
    if lifted.network is not None:
        folder = Path(lifted.network["folder"]).name
        provenance["network"] = {**lifted.network, "folder": folder}
    avatar = replace(lifted.avatar, provenance=provenance)
    backend = best_backend() if options.refine != "off" else None
    if backend is not None:
        with stage("refine", "fitting to the photo"):
            avatar = refined(
                avatar, matte, options.refine, backend, stage.within("refine"), lifted.others
            )
    gaussians = avatar.gaussians
    with stage("check", "comparing with the photo"):
        view = input_view_figures(avatar, matte)
        beside = [
            other_view_figures(avatar, other, its_matte, asked.direction)
            for asked, (other, its_matte, _) in zip(others, lifted.others, strict=True)
        ]
    report = {
        "source": str(portrait),
        "version": VERSION,
        "python": platform.python_version(),
        "size": list(photo.original_size),
        "framing": track.framing,
        "view": track.view,
        "lens": {"source": tracked.lens, "fov": round(field_of_view(track.camera), 2)},
        "seconds": {**stage.seconds, "total": round(sum(stage.seconds.values()), 3)},
        "peak_memory_mb": peak_memory_mb(),
        "gaussians": {
            "total": len(gaussians),
            **{name: int((gaussians.layer == i).sum()) for i, name in enumerate(LAYERS)},
        },
        "network": lifted.network,
        "refine": {"level": options.refine, "backend": backend},
        "face_error": rounded(track.face_error, 2),
        "pose_error": rounded(track.pose_error, 2),
        "joint_confidence": joint_figures(track.joint_confidence),
        "unseen": list(unseen_parts(track.joint_confidence)),
        "input_view": view,
        "others": beside,
        "warnings": lifted.warnings,
    }
    return BuildResult(avatar, report, photo, observation, matte, track)


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
