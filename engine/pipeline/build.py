"""Portrait to avatar: the entry point that the command line, the worker and the tests share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..body import Body
from ..core.cameras import field_of_view
from ..core.progress import StageTimer, peak_memory_mb
from ..core.settings import changed_settings, overridden_settings
from ..core.types import (
    LAYERS,
    Avatar,
    BoundGaussians,
    IntArray,
    Matte,
    Observation,
    Portrait,
    Pose,
    Progress,
    Track,
)
from ..core.upright import pose_to_world, tilt_camera
from ..core.version import VERSION
from ..files.digests import file_sha256
from ..files.onnx_providers import describe_providers
from ..files.weights import DEFAULT_NETWORK
from ..gaussians.frame_end import end_avatar
from ..gaussians.lift.garments.labels_network import load_label_network
from ..gaussians.lift.lift_multiview import TrackedPhoto, lift_multiview
from ..gaussians.lift.lift_photo import LiftOptions, LiftResult, lift_photo
from ..gaussians.lift.pixels.labels_parser import load_parser
from ..gaussians.lod import order_by_importance
from ..gaussians.polish.bake import bake_polish
from ..gaussians.polish.planes import PhotoShot
from ..gaussians.polish.polish_network import load_polish
from ..gaussians.refine.refine_gaussians import REFINE_LEVELS, RefinePhoto, refine_gaussians
from ..network.apply import apply_network, blank_lift, lift_budget
from ..render import best_backend
from ..tracking.adjust import Adjustment
from ..tracking.track_summary import mean_joint_confidence, unseen_parts
from .build_networks import (
    check_build_files,
    open_completion_network,
    open_label_network,
    open_parser,
)
from .estimators import open_estimators
from .options import BuildOptions
from .report import extra_view_metrics, input_view_metrics, round_or_none
from .track import (
    ExtraView,
    TrackedPortrait,
    load_fitting_body,
    open_detectors,
    refit,
    track_photos,
    track_portrait,
    verify_matte,
)


@dataclass(frozen=True)
class BuildResult:
    """An avatar and how it came to be.

    Attributes:
        avatar: the avatar.
        report: JSON-able; keys as in ``report.json``.
        portrait: the photo.
        observation: what the detectors saw.
        matte: of the photo.
        track: the fit.
    """

    avatar: Avatar
    report: dict[str, Any]
    portrait: Portrait
    observation: Observation
    matte: Matte
    track: Track


@dataclass(frozen=True)
class FitChange:
    """A correction of a fit, before it is used.

    Attributes:
        person: another of the people in the photo, counted from the left from 1.
        adjustment: corrections of the main photo's fit.
    """

    person: int | None = None
    adjustment: Adjustment | None = None


FitCheck = Callable[[Sequence[TrackedPortrait]], FitChange | None]
"""Checks the fits of all photos, the main one first; None accepts them."""


@dataclass(frozen=True)
class LiftedPortrait:
    """An avatar before it is fitted to its photo.

    Attributes:
        tracked: the main photo, and the body fitted to it.
        matte: of the main photo, checked against the fitted body.
        wanted: the same, to which the avatar is to be fitted.
        avatar: its Gaussians in order of importance; without provenance.
        warnings: for the user.
        others: the other photos of the person, their mattes in the light of the main one, and
            the mattes to which the avatar is to be fitted.
        network: figures of the network applied to the lift, JSON-able; None without one.
        lift: from which the avatar was made.
    """

    tracked: TrackedPortrait
    matte: Matte
    wanted: Matte
    avatar: Avatar
    warnings: list[str]
    others: tuple[tuple[TrackedPortrait, Matte, Matte], ...] = ()
    network: dict[str, Any] | None = None
    lift: LiftResult | None = None


def lift_portrait(
    portrait: Path,
    options: BuildOptions | None = None,
    *,
    body_path: Path | None = None,
    stages: StageTimer | None = None,
    others: Sequence[ExtraView] = (),
    check: FitCheck | None = None,
) -> LiftedPortrait:
    """Do all that precedes refining: load, detect, fit, matte, lift, network and order.

    Args:
        portrait: an image file.
        options: None for the defaults.
        body_path: as for :func:`build_avatar`.
        stages: times the stages and reports progress.
        others: as for :func:`build_avatar`.
        check: as for :func:`build_avatar`.

    Raises:
        LikenessError: as for :func:`build_avatar`.
    """
    options = options or BuildOptions()
    stage = stages or StageTimer(None)
    warnings: list[str] = []
    check_build_files(options, body_path)
    chosen: dict[str, Any] = {
        "person": options.person,
        "fov": options.fov,
        "camera_pitch": options.camera_pitch,
        "estimators": open_estimators(options.estimator, options.smplx, options.sapiens, portrait),
        "body_path": body_path,
        "stages": stage,
    }
    all_tracked = _tracked(portrait, others, chosen)
    while check is not None and (change := check(all_tracked)) is not None:
        if change.adjustment is None:
            chosen["person"] = change.person
            all_tracked = _tracked(portrait, others, chosen)
        else:
            with stage("fit", "fitting the body again"):
                again = refit(
                    all_tracked[0],
                    change.adjustment,
                    options.fov,
                    bool(others),
                    chosen["estimators"],
                )
            all_tracked = [again, *all_tracked[1:]]
    tracked = all_tracked[0]
    person = tracked.body.personalised(tracked.track.betas)
    mattes = []
    with stage("matte", "separating the person"):
        parser = open_parser(options.network, body_path, [])  # the lift warns if there is none
        for k, one in enumerate(all_tracked):
            matte, notes = verify_matte(one, person, options.held, parser)
            mattes.append(matte)
            name = f"{one.portrait.path.name}: " if k else ""
            warnings += [*one.warnings, *(name + note for note in notes)]
    all_tracked[0] = replace(tracked, first_matte=None)
    lifted = lift_mattes(all_tracked, mattes, options, body_path=body_path, stages=stage)
    return replace(lifted, warnings=[*lifted.warnings, *warnings])


def lift_mattes(
    all_tracked: Sequence[TrackedPortrait],
    mattes: Sequence[Matte],
    options: BuildOptions,
    *,
    body_path: Path | None = None,
    stages: StageTimer | None = None,
    same_as: LiftResult | None = None,
    known: IntArray | None = None,
) -> LiftedPortrait:
    """Lift tracked photos whose mattes are known; the warnings are those of the networks.

    Args:
        all_tracked: the main photo, and the others.
        mattes: one of each.
        options: of the build.
        body_path: as for :func:`build_avatar`.
        stages: as for :func:`lift_portrait`.
        same_as: another lift of one photo of the same person, whose skirt, or its absence, and
            ears are kept.
        known: [.., ..] labels of a single photo, as for :func:`label_photo`.

    Raises:
        LikenessError: as for :func:`build_avatar`.
    """
    stage = stages or StageTimer(None)
    mattes = list(mattes)
    warnings: list[str] = []
    tracked, track = all_tracked[0], all_tracked[0].track
    person = tracked.body.personalised(track.betas)
    with stage("lift", "lifting the photo to Gaussians"):
        network = open_completion_network(options.network, body_path, warnings)
        labels = open_label_network(options.network, body_path, warnings)
        parser = open_parser(options.network, body_path, warnings)
        budget = LiftOptions(max_gaussians=lift_budget(network, options.max_gaussians))
        if network is not None and not network.config.decoder.residual:
            lifted, wanted = blank_lift(network, person), mattes
        elif len(all_tracked) > 1:
            views = [
                TrackedPhoto(matte, one.observation, one.track, one.portrait.path.name)
                for matte, one in zip(mattes, all_tracked, strict=True)
            ]
            lifted, mattes, wanted = lift_multiview(views, person, budget, labels, parser)
        else:
            lifted = lift_photo(
                mattes[0],
                tracked.observation,
                track,
                person,
                budget,
                None if same_as is None else same_as.skirt,
                find_skirt=same_as is None,
                labels=labels,
                parser=parser,
                known=known,
                ears=None if same_as is None else same_as.ears,
            )
            if lifted.plain_clothes:
                warnings.append("The photo shows no clothes: the avatar wears plain gray ones.")
            wanted = [lifted.wanted or mattes[0]]
            if lifted.pose is not None:
                all_tracked = [replace(tracked, track=replace(track, pose=lifted.pose))]
    figures = None
    shots = [(matte, one.track) for matte, one in zip(mattes, all_tracked, strict=True)]
    if network is not None:
        with stage("network", "improving the lift"):
            lifted, figures = apply_network(
                lifted, network, shots, options.max_gaussians, stage.within("network")
            )
            warnings += network.warnings
    with stage("order", "ordering the Gaussians"):
        avatar = make_world_avatar(lifted.body, lifted.gaussians, lifted.pose or track.pose, track)
        avatar = order_by_importance(end_avatar(avatar, shots, options.below))
    beside = tuple(zip(all_tracked[1:], mattes[1:], wanted[1:], strict=True))
    return LiftedPortrait(tracked, mattes[0], wanted[0], avatar, warnings, beside, figures, lifted)


def open_defaults() -> None:
    """Open the body, the detectors and the networks of a default build, which stay open.

    Raises:
        LikenessError: the body or the detectors are missing.
    """
    load_fitting_body(None)
    open_detectors().open_all()
    load_label_network()
    load_parser()
    open_completion_network(DEFAULT_NETWORK, None, [])


def make_world_avatar(body: Body, gaussians: BoundGaussians, pose: Pose, track: Track) -> Avatar:
    """Make an avatar in the world, where its camera has the photo's pitch and roll.

    Args:
        body: the person's own.
        gaussians: bound to it.
        pose: in the camera's space, as the track's.
        track: of the photo.
    """
    pose = pose_to_world(pose, body.J_template[0], track.gravity)
    camera = tilt_camera(track.camera, track.gravity)
    return Avatar(body, gaussians, pose, camera, track.framing)


def _tracked(
    portrait: Path, others: Sequence[ExtraView], chosen: dict[str, Any]
) -> list[TrackedPortrait]:
    if others:
        return track_photos(portrait, others, **chosen)
    return [track_portrait(portrait, matting=True, **chosen)]


def refine_avatar(
    avatar: Avatar,
    matte: Matte,
    level: str,
    backend: str = "cpu",
    progress: Progress | None = None,
    others: Sequence[tuple[TrackedPortrait, Matte, Matte]] = (),
) -> Avatar:
    """Fit a lifted avatar to its photo; the order of its Gaussians stays.

    Args:
        avatar: as lifted.
        matte: of the photo, as the avatar is to show it.
        level: one of ``gaussians.refine.refine_gaussians.REFINE_LEVELS``.
        backend: a rasteriser's name.
        progress: called with the stage, 0..1 and a message.
        others: as in :class:`LiftedPortrait`.
    """
    options = REFINE_LEVELS[level]
    if options is None:
        return avatar
    vertices, _ = avatar.body.vertices(avatar.pose)
    shown = [RefinePhoto(matte, avatar.camera, vertices)]
    for other, _, its_matte in others:
        posed, _ = avatar.body.vertices(other.track.pose)
        shown.append(RefinePhoto(its_matte, other.track.camera, posed))
    gaussians = refine_gaussians(
        avatar.gaussians, shown, avatar.body, options, backend, progress, avatar.lod_start
    )
    return replace(avatar, gaussians=gaussians)


def polish_avatar(
    avatar: Avatar,
    others: Sequence[tuple[TrackedPortrait, Matte, Matte]] = (),
    progress: Progress | None = None,
) -> Avatar:
    """Polish the colours of what no photo shows squarely.

    Args:
        avatar: of the person.
        others: as in :class:`LiftedPortrait`.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: this copy of Likeness has no polishing network, or it cannot be used.
    """
    shots = [PhotoShot(avatar.camera, avatar.pose)]
    shots += [PhotoShot(other.track.camera, other.track.pose) for other, _, _ in others]
    return bake_polish(avatar, load_polish(), shots, best_backend(), progress)


def build_avatar(
    portrait: Path,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
    body_path: Path | None = None,
    others: Sequence[ExtraView] = (),
    check: FitCheck | None = None,
) -> BuildResult:
    """Build the avatar of one person.

    Args:
        portrait: an image file; the avatar stands as in this one.
        options: None for the defaults.
        progress: called with the stage, 0..1 and a message.
        body_path: a body file to use instead of the default one; it must carry landmarks.
        others: more photos of the same person, for what this one does not show.
        check: called with every fit before it is used; may change it.

    Raises:
        LikenessError: a photo cannot be read or shows nobody, a setting or the network is
            unknown, or an asset is missing.
    """
    options = options or BuildOptions()
    with overridden_settings(options.settings):
        return _build_avatar(portrait, options, progress, body_path, others, check)


def _build_avatar(
    portrait: Path,
    options: BuildOptions,
    progress: Progress | None,
    body_path: Path | None,
    others: Sequence[ExtraView],
    check: FitCheck | None,
) -> BuildResult:
    stage = StageTimer(progress)
    lifted = lift_portrait(
        portrait, options, body_path=body_path, stages=stage, others=others, check=check
    )
    tracked, matte = lifted.tracked, lifted.matte
    photo, observation, track = tracked.portrait, tracked.observation, tracked.track
    provenance: dict[str, Any] = {
        "generator": f"Likeness {VERSION}",
        "source": portrait.name,
        "sha256": file_sha256(portrait),
        # Avatars are shared: they name no folders of this computer.
        "options": options.as_provenance(),
    }
    provenance |= {
        name: text
        for name, text in (("author", photo.author), ("copyright", photo.copyright))
        if text
    }
    if others:
        provenance["others"] = [
            {"source": o.path.name, "direction": o.direction, "sha256": file_sha256(o.path)}
            for o in others
        ]
    if lifted.network is not None:
        folder = Path(lifted.network["folder"]).name
        provenance["network"] = {**lifted.network, "folder": folder}
    if options.settings:
        provenance["options"]["settings"] = changed_settings()
    avatar = replace(lifted.avatar, provenance=provenance)
    level, polish = options.refine, options.polish
    if avatar.gaussians.features.size and (level, polish) != ("off", "off"):
        level = polish = "off"
        lifted.warnings.append(
            "The avatar was not refined against the photo or polished: its latent features would "
            "not fit other colours."
        )
    backend = best_backend() if level != "off" else None
    if backend is not None:
        with stage("refine", "fitting to the photo"):
            avatar = refine_avatar(
                avatar, lifted.wanted, level, backend, stage.within("refine"), lifted.others
            )
    if polish != "off":
        with stage("polish", "polishing what the photo does not show"):
            avatar = polish_avatar(avatar, lifted.others, stage.within("polish"))
    gaussians = avatar.gaussians
    with stage("check", "comparing with the photo"):
        view = input_view_metrics(avatar, matte, lifted.wanted)
        beside = [
            extra_view_metrics(avatar, other, its_matte, asked.direction)
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
        "gravity": track.gravity.as_report(),
        "estimators": dict(track.sources),
        "seconds": {**stage.seconds, "total": round(sum(stage.seconds.values()), 3)},
        "peak_memory_mb": peak_memory_mb(),
        "gaussians": {
            "total": len(gaussians),
            **{name: int((gaussians.layer == i).sum()) for i, name in enumerate(LAYERS)},
        },
        "network": lifted.network,
        "onnx": describe_providers(),
        "refine": {"level": level, "backend": backend},
        "below": options.below,
        "held": options.held,
        "polish": polish,
        "face_error": round_or_none(track.face_error, 2),
        "pose_error": round_or_none(track.pose_error, 2),
        "joint_confidence": mean_joint_confidence(track.joint_confidence),
        "unseen": list(unseen_parts(track.joint_confidence)),
        "input_view": view,
        "others": beside,
        "warnings": lifted.warnings,
    }
    if options.settings:
        report["settings"] = changed_settings()
    return BuildResult(avatar, report, photo, observation, matte, track)
