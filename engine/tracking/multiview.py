"""Several photos of one person, fitted together: one shape, and a pose and a camera for each.

As with the key frames of a clip (``shape_fusion``), each photo is first fitted alone for what it
shows of the shape. Each is then fitted again with the shape on which they agree best, so a photo
from behind gets the face's shape from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.rotations import axis_angle_to_matrix
from ..core.settings import register_settings
from ..core.types import (
    DIRECTIONS,
    JOINT_INDEX,
    PARENTS,
    LikenessError,
    Observation,
    Portrait,
    Pose,
    Progress,
    Track,
)
from .estimators import Estimator
from .fit import choose_camera, fit_body, gather_evidence
from .fit_state import FitState
from .fitter import Fitter
from .measure import S as MEASURE
from .measure import face_error_percent, fit_failed, pose_error_pixels
from .profile_face import flip_front_back
from .shape_fusion import ShapeEvidence, evidence_from_fit, fuse_shapes


@dataclass(frozen=True)
class MultiviewSettings:
    """When a photo's named direction is believed."""

    good_pose_error: float = 8.0  # pixels of a 512 picture up to which a direction is believed
    worse_pose: float = 2.0  # times the error without it; the larger of both counts
    sure: float = 0.5  # visibility of shoulders and hips whose front and back are not mistaken
    direction_tolerance: float = 20.0  # degrees beyond the borders: nobody measures angles


S = register_settings("tracking.multiview", MultiviewSettings())


_SHOWS = {
    "front": "the front",
    "back": "the back",
    "left": "the left side",
    "right": "the right side",
    "side": "a side",
}
FACE_LOST_NOTE = (
    "The face could not be fitted here, so this photo is used for the body only: the head follows "
    "its outline, ears and nose, and has the default face."
)
_TRUNK = [11, 12, 23, 24]
"""Shoulders and hips: where all of them are seen, front and back are not mistaken."""


@dataclass(frozen=True)
class ObservedPhoto:
    """One of several photos of a person.

    Attributes:
        direction: one of ``DIRECTIONS``, from the user.
        fov: degrees over the longer side, if it is known.
        pitch: degrees by which the camera looks down, if that is known.
        estimators: as for :func:`.fit.fit_body`.
    """

    portrait: Portrait
    observation: Observation
    direction: str = "any"
    fov: float | None = None
    pitch: float | None = None
    estimators: Sequence[Estimator] = ()


def parse_direction(name: str) -> str:
    """Return a direction in lower case.

    Raises:
        LikenessError: the direction is unknown.
    """
    if name.lower() not in DIRECTIONS:
        raise LikenessError(
            f"'{name}' is not a known view.", f"Choose one of: {', '.join(DIRECTIONS)}."
        )
    return name.lower()


def fit_multiview(
    photos: Sequence[ObservedPhoto], body: Body, progress: Progress | None = None
) -> list[Track]:
    """Fit the body to several photos of one person.

    A photo whose face is lost, as happens from the side, is fitted by the body's landmarks alone.

    Args:
        photos: the main one first.
        body: with landmarks.
        progress: receives the fraction done of the stage ``fit_body``.

    Returns:
        A track for each photo, all with the same betas.
    """
    report = progress or (lambda stage, fraction, message: None)
    alone: list[_Alone] = []
    for k, photo in enumerate(photos):
        report("fit", 0.5 * k / len(photos), f"measuring the person in {photo.portrait.path.name}")
        alone.append(_fit_alone(photo, body))
    betas, _ = fuse_shapes([found.evidence for found in alone], one_person=True)
    person = body.personalised(betas)
    tracks = []
    for k, (photo, found) in enumerate(zip(photos, alone, strict=True)):
        report("fit", 0.5 + 0.5 * k / len(photos), f"fitting {photo.portrait.path.name}")
        track = _fit(photo, found.observation, person)
        if track.face_lost:
            blind = without_face(found.observation)
            track = _fit(photo, blind, person)
            found.notes.append(FACE_LOST_NOTE)
        angle = camera_azimuth(track.pose)
        if contradicts_direction(photo.direction, angle):
            found.notes.append(
                f"This photo is marked as showing {_SHOWS[photo.direction]}, but seems to show "
                f"{_SHOWS[classify_direction(angle)]}. Check the preview."
            )
        tracks.append(replace(track, betas=betas, warnings=(*track.warnings, *found.notes)))
    return tracks


def _fit(photo: ObservedPhoto, observation: Observation, person: Body) -> Track:
    return fit_body(
        observation,
        photo.portrait,
        person,
        photo.fov,
        estimators=photo.estimators,
        pitch=photo.pitch,
    )


@dataclass
class _Alone:
    """A photo fitted by itself: its evidence of the shape, and which part of the photo is used."""

    evidence: ShapeEvidence
    observation: Observation
    notes: list[str]


def _fit_alone(photo: ObservedPhoto, body: Body) -> _Alone:
    observation, notes = photo.observation, []

    def fitted(seen: Observation) -> tuple[Fitter, FitState]:
        camera = choose_camera(photo.portrait, photo.fov, seen)
        evidence, head = gather_evidence(seen, photo.portrait.rgb, camera, body)
        fitter = Fitter(body, evidence, head, pitch=photo.pitch)
        return fitter, fitter.refine(fitter.find_pose())

    fitter, state = fitted(observation)
    if fit_failed(face_error_percent(state, fitter.evidence), fitter.evidence):
        observation = without_face(observation)
        notes.append(FACE_LOST_NOTE)
        fitter, state = fitted(observation)
    sure = (observation.pose_visibility[_TRUNK] >= S.sure).all() or observation.face is not None
    if sure or photo.direction == "front":  # without a face it is not the front
        return _Alone(evidence_from_fit(fitter, state), observation, notes)
    if contradicts_direction(photo.direction, camera_azimuth(state.pose)):
        turned = flip_front_back(observation)
        again, other = fitted(turned)
        error = pose_error_pixels(state, fitter.evidence) or 0.0
        most = max(S.good_pose_error, S.worse_pose * error)
        good = (pose_error_pixels(other, again.evidence) or 0.0) < most
        if good and not contradicts_direction(photo.direction, camera_azimuth(other.pose)):
            observation, fitter, state = turned, again, other
    return _Alone(evidence_from_fit(fitter, state), observation, notes)


def without_face(observation: Observation) -> Observation:
    """Drop the dense face landmarks; ears, nose and outline then place the head."""
    return replace(observation, face=None, face_score=0.0)


def classify_direction(angle: float) -> str:
    """What a photo taken at ``angle`` (:func:`camera_azimuth`) shows.

    >>> classify_direction(20.0), classify_direction(-90.0), classify_direction(170.0)
    ('front', 'right', 'back')
    """
    if abs(angle) < MEASURE.side_from:
        return "front"
    if abs(angle) > MEASURE.back_from:
        return "back"
    return "left" if angle > 0 else "right"


def camera_azimuth(pose: Pose) -> float:
    """Degrees around the trunk at which the photo's camera stands, -180..180.

    0 sees the front, 90 the person's left side.

    >>> turned = Pose.rest(0).with_joints(pelvis=[0, np.radians(-90), 0])
    >>> round(camera_azimuth(replace(turned, transl=np.array([0, 0, -3.0]))))
    90
    """
    chain, joint = [], JOINT_INDEX["spine3"]
    while joint >= 0:
        chain.append(joint)
        joint = PARENTS[joint]
    R = np.eye(3)
    for joint in reversed(chain):
        R = R @ axis_angle_to_matrix(np.asarray(pose.full_pose[joint], np.float64))
    # The camera is at the origin; the pelvis stands where ``transl`` puts it, up to centimetres.
    sight = R.T @ -np.asarray(pose.transl, np.float64)
    return float(np.degrees(np.arctan2(sight[0], sight[2])))


def contradicts_direction(direction: str, angle: float) -> bool:
    """Whether a photo taken at ``angle`` (:func:`camera_azimuth`) clearly contradicts its name.

    >>> contradicts_direction("back", 160.0), contradicts_direction("left", -80.0)
    (False, True)
    >>> contradicts_direction("side", -80.0)
    False
    """
    away = abs(angle)
    if direction == "front":
        return away > MEASURE.side_from + S.direction_tolerance
    if direction == "back":
        return away < MEASURE.back_from - S.direction_tolerance
    if direction in ("left", "right", "side"):
        other_side = direction != "side" and (angle < 0) == (direction == "left")
        return (
            away < MEASURE.side_from - S.direction_tolerance
            or away > MEASURE.back_from + S.direction_tolerance
            or other_side
        )
    return False
