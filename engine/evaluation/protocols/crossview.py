"""One view of a made-up person to all their other views, whose truth is known.

With the true body (as in training) the views are drawn as they are. With our own tracker the
fitted body stands elsewhere: one photo tells neither the person's size nor the lens. So the fitted
trunk and head, as far as the frame shows them, are laid over the true ones by a similarity, and
everything else goes with them. Their place, size and turn are forgiven; what is left are the errors
of the other joints, of shape, matte and lift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...body import Body
from ...core.alignment import similarity
from ...core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, LikenessError, Pose
from ...dataset.groups import INPUT, bin_of, groups_of, wrapped_angle
from ...dataset.spaces import moved_camera, moved_pose, to_photo
from ...dataset.subjects import BadSample, Subject, View
from ...tracking.detectors import Detectors
from .compare import Comparer, Sight, difference, measured_size
from .items import REFERENCE, TRUTH, Failed, Figures, Give, Item, Refuse
from .methods import Made, Methods
from .shots import Shot, portrait_of, tracked_shot, true_shot

_BUST = ("left_collar", "right_collar", "neck", "head")
ANCHORS: dict[str, tuple[str, ...]] = {
    "full": ("pelvis", "spine1", "spine2", "spine3", *_BUST),
    "half": ("spine1", "spine2", "spine3", *_BUST),
    "head": _BUST,
}
"""Joints whose vertices are laid over the true ones, by what the frame shows."""

FACE_UP_TO = 75.0  # degrees from the front: beyond it no face is looked for


def measure_subject(
    protocol: str,
    subject: Subject,
    *,
    tracked: bool,
    views: int | None,
    body: Body,
    detectors: Detectors,
    methods: Methods,
    comparer: Comparer,
    give: Give,
    refuse: Refuse,
) -> None:
    """Draw one person's views from their reference view, and compare.

    Args:
        protocol: what the items are called. tracked: whether our tracker and matting look at the
            reference view, or the true body and matte are given.
        views: at most so many besides the reference, spread around; None for all.
        give: takes the items. refuse: is told of views that cannot be measured.
    """
    row = subject.reference
    name = f"{subject.key}/{subject.views[row].name}"
    try:
        if tracked:
            shot = tracked_shot(portrait_of(subject, row), body, detectors)
        else:
            shot = true_shot(subject, row, body, detectors)
        made = methods.make(shot)
    except (LikenessError, BadSample) as error:
        refuse(Failed(protocol, name, str(error)))
        return
    stage = Stage(subject, row, body, shot if tracked else None)
    groups = groups_of(subject.facts, subject.framing)
    drawn: dict[int, dict[str, Any]] = {}
    for k in (row, *spread([k for k in range(len(subject.views)) if k != row], views)):
        view = subject.views[k]
        if tracked and view.pose != subject.views[row].pose:
            refuse(Failed(protocol, f"{subject.key}/{view.name}", "it shows another pose"))
            continue
        try:
            truth = true_sight(view)
        except BadSample as error:
            refuse(Failed(protocol, f"{subject.key}/{view.name}", str(error)))
            continue
        pose, camera = stage.pose(k), stage.camera(view)
        if view.pose not in drawn:
            drawn[view.pose] = {method: one.posed(pose) for method, one in made.items()}
        angle = wrapped_angle(view.azimuth - subject.views[row].azimuth)
        frontal = wrapped_angle(view.azimuth) <= FACE_UP_TO
        face = comparer.face(truth) if frontal else None
        figures: dict[str, Figures] = {}
        pictures = {REFERENCE: shot.portrait.rgb, TRUTH: truth.rgb}
        for method, gaussians in drawn[view.pose].items():
            ours = methods.draw(gaussians, camera)
            figures[method] = {**comparer.figures(ours, truth, face), **of_the_making(made[method])}
            pictures[method] = ours.rgb
            pictures[f"{method} difference"] = difference(ours.rgb, truth.rgb)
        give(
            Item(
                protocol,
                f"{subject.key}/{view.name}",
                subject.key,
                INPUT if k == row else bin_of(angle),
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


class Stage:
    """Where a person and the cameras around them stand.

    Args:
        row: of the reference view. tracked: how our tracker sees it; None for the true body.
    """

    def __init__(self, subject: Subject, row: int, body: Body, tracked: Shot | None) -> None:
        self._subject, self._tracked = subject, tracked
        self._own = body.personalised(subject.betas)
        self._motion = to_photo(subject.views[row].camera)
        self._laid: tuple[float, FloatArray, FloatArray] | None = None
        if tracked is not None:
            true, _ = self._own.vertices(self._true_pose(row))
            fitted, _ = tracked.person.vertices(tracked.track.pose)
            rows = anchor_rows(body, subject.framing)
            self._laid = similarity(fitted[rows], true[rows])

    def pose(self, row: int) -> Pose:
        """The avatar's pose in a view."""
        return self._true_pose(row) if self._tracked is None else self._tracked.track.pose

    def camera(self, view: View) -> Camera:
        """The camera that sees the avatar as the view's own sees the person."""
        camera = sized(moved_camera(view.camera, self._motion))
        return camera if self._laid is None else camera_after(camera, *self._laid)

    def _true_pose(self, row: int) -> Pose:
        return moved_pose(self._subject.pose(row), self._own, self._motion)


def camera_after(camera: Camera, scale: float, turn: FloatArray, shift: FloatArray) -> Camera:
    """The camera that sees of x what ``camera`` sees of scale * turn x + shift.

    In its space all is 1 / scale as large and as far, which no picture shows.
    """
    viewmat = np.eye(4)
    viewmat[:3, :3] = camera.viewmat[:3, :3] @ turn
    viewmat[:3, 3] = (camera.viewmat[:3, :3] @ shift + camera.viewmat[:3, 3]) / scale
    return replace(camera, viewmat=viewmat)


def anchor_rows(body: Body, framing: str) -> BoolArray:
    """[V] vertices by which the fitted body is laid over the true one (:data:`ANCHORS`)."""
    joints = [JOINT_INDEX[name] for name in ANCHORS[framing]]
    out: BoolArray = np.isin(body.weights.argmax(1), joints)
    return out


def true_sight(view: View) -> Sight:
    """A view of a shard, on grey, at the size at which it is compared.

    Raises:
        BadSample: its picture is damaged.
    """
    rgba = view.rgba()
    size = measured_size(view.camera.width, view.camera.height)
    return Sight.of_cutout(rgba[..., :3], rgba[..., 3], *size)


def sized(camera: Camera) -> Camera:
    """The camera at the size at which its pictures are compared."""
    return camera.resized(*measured_size(camera.width, camera.height))


def spread(rows: Sequence[int], count: int | None) -> list[int]:
    """At most ``count`` of ``rows``, evenly from first to last.

    >>> spread([1, 2, 3, 4, 5], 3), spread([1, 2], None)
    ([1, 3, 5], [1, 2])
    """
    if count is None or count >= len(rows):
        return list(rows)
    places = np.linspace(0, len(rows) - 1, count).round().astype(int) if count > 1 else [0]
    return [rows[k] for k in places]


def of_the_making(made: Made) -> Figures:
    """What is the same in all views of an avatar."""
    return {"seconds": round(made.seconds, 3), "gaussians": float(len(made.avatar.gaussians))}


def _said(subject: Subject, shot: Shot) -> dict[str, Any]:
    """What an item says besides figures."""
    split = subject.facts.get("split")
    out: dict[str, Any] = {"framing": subject.framing}
    if isinstance(split, str):
        out["split"] = split
    if shot.find_skirt:  # our own tracker's
        out["taken_as"] = f"{shot.track.framing}, {shot.track.view}"
    return out
