"""The user's corrections of a fit: body landmarks found in the wrong place, or the pose.

Landmarks are evidence: the fit runs again and takes those that the user has set as certain. A pose
is used as it is, because the user has posed the body in front of the photo: nothing is fitted
again, and the joints that were turned count as seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..body.model import Body
from ..core.landmark_names import ADJUSTABLE
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    FloatArray,
    LikenessError,
    Observation,
    Portrait,
    Pose,
    Track,
)
from .estimators import Estimator
from .evidence import ARM_LIMBS, LEG_LIMBS
from .fit import fit_body, gather_evidence
from .fit_state import FitState
from .landmark_trust import SHOULDERS, WRISTS
from .landmark_trust import S as EVIDENCE
from .measure import make_track

TURNED = np.radians(0.5)
"""Radians; a joint turned by less was not touched by the user."""

_LIMBS = {
    limb: (f"{'left' if left else 'right'}_{upper}", f"{'left' if left else 'right'}_{lower}")
    for left in (True, False)
    for limb, upper, lower in (
        (ARM_LIMBS[left][0], "shoulder", "elbow"),
        (ARM_LIMBS[left][1], "elbow", "wrist"),
        (LEG_LIMBS[left][0], "hip", "knee"),
        (LEG_LIMBS[left][1], "knee", "ankle"),
    )
}
"""(upper, lower) landmark of a limb -> names of its joints."""


@dataclass(frozen=True)
class Adjustment:
    """Corrections of one person's fit.

    Attributes:
        landmarks: number of a body landmark (0 to 32) -> its place [2] in pixels of
            ``Portrait.rgb``.
        pose: the body as it stands, in the track's space; None when only landmarks were set.
    """

    landmarks: Mapping[int, FloatArray] = field(default_factory=dict)
    pose: Pose | None = None

    @staticmethod
    def from_answer(answer: Mapping[str, Any], track: Track) -> Adjustment:
        """Read the corrections from JSON.

        ``{"landmarks": {"left_elbow": [x, y]}}`` or ``{"pose": {"full_pose": [[x, y, z], ...],
        "transl": [x, y, z]}}``; the expression stays the track's.

        Args:
            answer: the decoded JSON.
            track: the fit that was corrected.

        Raises:
            LikenessError: the JSON is neither.
        """
        try:
            points = {
                ADJUSTABLE[name]: np.array(place, np.float64).reshape(2)
                for name, place in answer.get("landmarks", {}).items()
            }
            pose = None
            if given := answer.get("pose"):
                full_pose = np.array(given["full_pose"], np.float64).reshape(NUM_JOINTS, 3)
                transl = np.array(given["transl"], np.float64).reshape(3)
                pose = Pose(full_pose, transl, track.pose.expression)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LikenessError(
                f"The corrections cannot be read ({error!r}).", "Correct the fit again."
            ) from error
        numbers = [*points.values(), *([] if pose is None else [pose.full_pose, pose.transl])]
        if not numbers or not all(np.isfinite(n).all() for n in numbers):
            raise LikenessError(
                "The corrections contain neither a landmark nor a pose.",
                "Move a landmark or a bone.",
            )
        return Adjustment(points, pose)


def apply_adjustment(
    track: Track,
    observation: Observation,
    portrait: Portrait,
    body: Body,
    adjustment: Adjustment,
    fov: float | None = None,
    estimators: Sequence[Estimator] = (),
) -> tuple[Track, Observation]:
    """The track and the observation with the user's corrections.

    Args:
        track: the fit that was corrected.
        observation: what that fit was made from.
        portrait: the photo.
        body: with its shape basis, or, to keep the shape, personalised.
        adjustment: the corrections.
        fov: as for the fit before.
        estimators: those of that fit.

    Raises:
        LikenessError: as :func:`.fit.fit_body`.
    """
    if adjustment.pose is not None:
        return _posed(track, observation, portrait, body, adjustment.pose), observation
    corrected = override_landmarks(observation, track, body, adjustment.landmarks)
    again = fit_body(
        corrected,
        portrait,
        body,
        fov=fov,
        estimators=estimators,
        certain=tuple(adjustment.landmarks),
        pitch=track.gravity.pitch if track.gravity.source == "given" else None,
    )
    return again, corrected


def override_landmarks(
    observation: Observation, track: Track, body: Body, landmarks: Mapping[int, FloatArray]
) -> Observation:
    """An observation that sees landmarks with certainty where the user put them.

    The metric landmarks, which give the limbs' directions, follow: a limb with a moved end spans
    sideways what the picture shows; the rest of its length goes into depth, towards or away from
    the camera as before. A hand that was not found at its corrected wrist is dropped.

    Args:
        observation: before the correction.
        track: the fit that was corrected.
        body: with its shape basis, or personalised.
        landmarks: number of a body landmark -> its place [2] in pixels of ``Portrait.rgb``.
    """
    pose, visibility = observation.pose.copy(), observation.pose_visibility.copy()
    world = observation.pose_world.copy()
    for row, place in landmarks.items():
        pose[row], visibility[row] = place, 1.0
    personal = body.personalised(track.betas) if body.num_betas else body
    joints = personal.vertices(track.pose)[1]
    focal = float(track.camera.K[0, 0])
    for (upper, lower), names in _LIMBS.items():
        if upper not in landmarks and lower not in landmarks:
            continue
        a, b = (joints[JOINT_INDEX[name]] for name in names)
        per_pixel = max(-float(a[2] + b[2]) / 2, 0.1) / focal
        across = (pose[lower] - pose[upper]) * per_pixel * [1.0, -1.0]
        length = float(np.linalg.norm(b - a))
        depth = np.sqrt(max(length**2 - float(across @ across), 0.0))
        before = observation.pose_world[lower, 2] - observation.pose_world[upper, 2]
        world[lower] = world[upper] + [*across, np.copysign(depth, before)]
    shoulders = float(np.linalg.norm(np.subtract(*pose[SHOULDERS])))
    reach = 0.5 * max(shoulders, EVIDENCE.shoulder_width * focal / max(-float(joints[0][2]), 0.1))
    hands = tuple(
        hand
        for hand in observation.hands
        if WRISTS[hand.left] not in landmarks
        or np.linalg.norm(hand.landmarks[0] - landmarks[WRISTS[hand.left]]) < reach
    )
    return replace(
        observation, pose=pose, pose_visibility=visibility, pose_world=world, hands=hands
    )


def _posed(
    track: Track, observation: Observation, portrait: Portrait, body: Body, pose: Pose
) -> Track:
    """The track of a body that stands where the user put it."""
    evidence, _ = gather_evidence(observation, portrait.rgb, track.camera, body)
    betas = track.betas[: body.num_betas]
    state = FitState(pose.transl, pose.full_pose, betas, pose.expression)
    measured = make_track(state, evidence)
    turn = np.swapaxes(axis_angle_to_matrix(track.pose.full_pose), -1, -2)
    turned = np.linalg.norm(
        matrix_to_axis_angle(turn @ axis_angle_to_matrix(pose.full_pose)), axis=-1
    )
    confidence = np.where(turned > TURNED, 1.0, track.joint_confidence)
    return replace(
        measured,
        betas=track.betas,
        gravity=track.gravity,
        sources=track.sources,
        joint_confidence=confidence,
        framing=track.framing,
        warnings=track.warnings,
    )
