"""From one view of a synthetic person to all their other views, whose truth is known.

With the true body (as in training) the views are drawn as they are. With our own tracker the
fitted body stands elsewhere: one photo shows neither the person's size nor the lens. So a
similarity aligns the fitted trunk and head, as far as the frame shows them, with the true ones, and
everything else moves with them. Their place, size and rotation do not count; the remaining errors
are those of the other joints, of shape, matte and lift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...body import Body
from ...core.alignment import fit_similarity
from ...core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, LikenessError, Pose
from ...dataset.groups import INPUT, angle_bin, angle_magnitude, subject_groups
from ...dataset.spaces import photo_transform, transform_camera, transform_pose
from ...dataset.subjects import InvalidSampleError, Subject, SubjectView
from .compare import ComparedImage, comparison_size, difference_image
from .context import AvatarContext
from .items import REFERENCE, TRUTH, Figures, MeasuredView, MeasureFailure
from .methods import BuiltAvatar
from .observed_photos import ObservedPhoto, make_portrait, observe_photo, observe_truth

_BUST = ("left_collar", "right_collar", "neck", "head")
ANCHORS: dict[str, tuple[str, ...]] = {
    "full": ("pelvis", "spine1", "spine2", "spine3", *_BUST),
    "half": ("spine1", "spine2", "spine3", *_BUST),
    "head": _BUST,
}
"""Framing -> joints whose vertices are aligned with the true ones."""

FACE_UP_TO = 75.0  # degrees from the front up to which faces are compared


def measure_subject(protocol: str, tracked: bool, subject: Subject, context: AvatarContext) -> None:
    """Draw one person's views from their reference view, and compare.

    Args:
        protocol: name of the protocol in the items.
        subject: the person and their views.
        tracked: whether our tracker and matting process the reference view; otherwise the true
            body and matte are given.
        context: gets the items; its views are those besides the reference, spread around, None
            for all, and its estimates count only if ``tracked``.
    """
    row = subject.reference
    name = f"{subject.key}/{subject.views[row].name}"
    try:
        if tracked:
            estimators = context.open_for(name.replace("/", "_"))
            shot = observe_photo(
                make_portrait(subject, row), context.body, context.detectors, estimators
            )
        else:
            shot = observe_truth(subject, row, context.body, context.detectors)
        made = context.methods.make(shot)
    except (LikenessError, InvalidSampleError) as error:
        context.refuse(MeasureFailure(protocol, name, str(error)))
        return
    stage = SubjectPlacement(subject, row, context.body, shot if tracked else None)
    groups = subject_groups(subject.facts, subject.framing)
    drawn: dict[int, dict[str, Any]] = {}
    for k in (row, *pick_evenly([k for k in range(len(subject.views)) if k != row], context.views)):
        view = subject.views[k]
        if tracked and view.pose != subject.views[row].pose:
            context.refuse(
                MeasureFailure(protocol, f"{subject.key}/{view.name}", "it shows another pose")
            )
            continue
        try:
            truth = load_true_view(view)
        except InvalidSampleError as error:
            context.refuse(MeasureFailure(protocol, f"{subject.key}/{view.name}", str(error)))
            continue
        pose, camera = stage.pose(k), stage.camera(view)
        if view.pose not in drawn:
            drawn[view.pose] = {method: one.posed(pose) for method, one in made.items()}
        angle = angle_magnitude(view.azimuth - subject.views[row].azimuth)
        frontal = angle_magnitude(view.azimuth) <= FACE_UP_TO
        face = context.comparer.face(truth) if frontal else None
        figures: dict[str, Figures] = {}
        pictures = {REFERENCE: shot.portrait.rgb, TRUTH: truth.rgb}
        for method, gaussians in drawn[view.pose].items():
            ours = context.methods.draw(gaussians, camera)
            figures[method] = {
                **context.comparer.figures(ours, truth, face),
                **build_metrics(made[method]),
            }
            pictures[method] = ours.rgb
            pictures[f"{method} difference"] = difference_image(ours.rgb, truth.rgb)
        context.give(
            MeasuredView(
                protocol,
                f"{subject.key}/{view.name}",
                subject.key,
                INPUT if k == row else angle_bin(angle),
                k != row,
                {
                    "angle": round(angle, 1),
                    "azimuth": round(view.azimuth, 1),
                    **_said(subject, shot),
                },
                groups,
                figures,
                pictures,
            )
        )


class SubjectPlacement:
    """Position of a person and of the cameras around them.

    Args:
        subject: the person and their views.
        row: of the reference view.
        body: the body to fit.
        tracked: how our tracker sees it; None for the true body.
    """

    def __init__(
        self, subject: Subject, row: int, body: Body, tracked: ObservedPhoto | None
    ) -> None:
        self._subject, self._tracked = subject, tracked
        self._own = body.personalised(subject.betas)
        self._motion = photo_transform(subject.views[row].camera)
        self._laid: tuple[float, FloatArray, FloatArray] | None = None
        if tracked is not None:
            true, _ = self._own.vertices(self._true_pose(row))
            fitted, _ = tracked.person.vertices(tracked.track.pose)
            rows = anchor_rows(body, subject.framing)
            self._laid = fit_similarity(fitted[rows], true[rows])

    def pose(self, row: int) -> Pose:
        """The avatar's pose in a view."""
        return self._true_pose(row) if self._tracked is None else self._tracked.track.pose

    def camera(self, view: SubjectView) -> Camera:
        """The camera that sees the avatar as the view's own camera sees the person."""
        camera = resize_camera(transform_camera(view.camera, self._motion))
        return camera if self._laid is None else pullback_camera(camera, *self._laid)

    def _true_pose(self, row: int) -> Pose:
        return transform_pose(self._subject.pose(row), self._own, self._motion)


def pullback_camera(camera: Camera, scale: float, turn: FloatArray, shift: FloatArray) -> Camera:
    """The camera that sees of x what ``camera`` sees of scale * turn x + shift.

    In its space everything is 1 / scale as large and as far, which no picture shows.

    Args:
        camera: the camera to carry over.
        scale: of the similarity.
        turn: [3, 3] rotation of the similarity.
        shift: [3] translation of the similarity, metres.
    """
    viewmat = np.eye(4)
    viewmat[:3, :3] = camera.viewmat[:3, :3] @ turn
    viewmat[:3, 3] = (camera.viewmat[:3, :3] @ shift + camera.viewmat[:3, 3]) / scale
    return replace(camera, viewmat=viewmat)


def anchor_rows(body: Body, framing: str) -> BoolArray:
    """[V] vertices that align the fitted body with the true one (:data:`ANCHORS`)."""
    joints = [JOINT_INDEX[name] for name in ANCHORS[framing]]
    out: BoolArray = np.isin(body.weights.argmax(1), joints)
    return out


def load_true_view(view: SubjectView) -> ComparedImage:
    """A view of a shard, on grey, at the size at which it is compared.

    Raises:
        InvalidSampleError: its picture is damaged.
    """
    rgba = view.rgba()
    size = comparison_size(view.camera.width, view.camera.height)
    return ComparedImage.of_cutout(rgba[..., :3], rgba[..., 3], *size)


def resize_camera(camera: Camera) -> Camera:
    """The camera at the size at which its pictures are compared."""
    return camera.resized(*comparison_size(camera.width, camera.height))


def pick_evenly(rows: Sequence[int], count: int | None) -> list[int]:
    """At most ``count`` of ``rows``, evenly from first to last.

    >>> pick_evenly([1, 2, 3, 4, 5], 3), pick_evenly([1, 2], None)
    ([1, 3, 5], [1, 2])
    """
    if count is None or count >= len(rows):
        return list(rows)
    places = np.linspace(0, len(rows) - 1, count).round().astype(int) if count > 1 else [0]
    return [rows[k] for k in places]


def build_metrics(made: BuiltAvatar) -> Figures:
    """Figures that are the same in all views of an avatar."""
    return {"seconds": round(made.seconds, 3), "gaussians": float(len(made.avatar.gaussians))}


def _said(subject: Subject, shot: ObservedPhoto) -> dict[str, Any]:
    """An item's entries besides figures."""
    split = subject.facts.get("split")
    out: dict[str, Any] = {"framing": subject.framing}
    if isinstance(split, str):
        out["split"] = split
    if shot.find_skirt:  # our own tracker's
        out["taken_as"] = f"{shot.track.framing}, {shot.track.view}"
    return out
