"""What a fit is worth: errors on the skinned mesh, what was seen of each joint, and the view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.names import POSE_JOINTS
from ..core.cameras import project
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, FloatArray, IntArray, Track
from .evidence import HAND_POINTS, Evidence
from .fit_state import FitState, PosedJoints
from .priors import EYES


@dataclass(frozen=True)
class MeasureSettings:
    """When a fit has failed, and how views are named."""

    failed_face_error: float = 10.0  # per cent of the inter-ocular distance
    failed_face_pixels: float = 1.0  # below which no error is a failure, however small the face
    side_from: float = 55.0  # degrees between the trunk's front and the camera
    back_from: float = 120.0  # degrees


S = register_settings("tracking.measure", MeasureSettings())


_SEEN_BY = {
    joint: next(k for k in POSE_JOINTS if POSE_JOINTS[k] == joint)
    for joint in dict.fromkeys(POSE_JOINTS.values())
}
"""The first landmark of each joint that the body landmarks show."""


def fingers(left: bool) -> tuple[str, ...]:
    """The 15 finger joints of a side."""
    first = JOINT_INDEX["left_index1" if left else "right_index1"]
    return JOINT_NAMES[first : first + 15]


def make_track(state: FitState, ev: Evidence) -> Track:
    """The result of a fit with its errors, confidences and warnings."""
    warnings = list(ev.notes)
    face_error = face_error_percent(state, ev)
    lost = fit_failed(face_error, ev)
    if lost:
        warnings.append(
            f"The fit failed: face landmarks are off by {face_error:.0f} % of the distance "
            "between the eyes. Use a picture that shows the face larger and from the front."
        )
    return Track(
        betas=state.betas,
        pose=state.pose,
        camera=ev.camera,
        framing=ev.framing,
        joint_confidence=joint_confidence(ev),
        face_error=face_error,
        pose_error=pose_error_pixels(state, ev),
        warnings=tuple(warnings),
        view=classify_view(state, ev),
        face_lost=lost,
    )


def fit_failed(face_error: float | None, ev: Evidence) -> bool:
    """Whether a fit has missed the face.

    From the side the eyes are closer together in the photo than they are, and landmarks are
    guesses: there, twice as much of the true distance is allowed.

    Args:
        face_error: as from :func:`face_error_percent`.
        ev: what the fit was made from.
    """
    if face_error is None or ev.iod is None:
        return False
    if ev.turned > 0:
        face_error *= ev.iod / max(ev.iod, ev.face_scale) / (1.0 + ev.turned)
    pixels = face_error / 100 * ev.iod
    return face_error > S.failed_face_error and pixels > S.failed_face_pixels


def classify_view(state: FitState, ev: Evidence) -> str:
    """``front``, ``side`` or ``back``: the angle between the trunk's front and the camera."""
    posed = PosedJoints(ev.body, state)
    chest = JOINT_INDEX["spine3"]
    sight = -posed.p[chest] * [1.0, 0.0, 1.0]
    front = posed.R[chest] @ np.array([0.0, 0.0, 1.0]) * [1.0, 0.0, 1.0]
    length = max(float(np.linalg.norm(sight) * np.linalg.norm(front)), 1e-9)
    angle = np.degrees(np.arccos(np.clip(float(front @ sight) / length, -1.0, 1.0)))
    return "front" if angle < S.side_from else "side" if angle < S.back_from else "back"


def face_error_percent(state: FitState, ev: Evidence) -> float | None:
    """Mean distance of the face landmarks on the skinned mesh from those seen.

    Over those of the 468 that have weight, in per cent of the inter-ocular distance; None without
    a face.
    """
    if ev.face is None or ev.observation.face is None or ev.iod is None:
        return None
    pixels, _ = project(ev.face.positions(PosedJoints(ev.body, state)), ev.camera)
    rows = np.flatnonzero(ev.face_index < 468)
    seen = ev.observation.face[ev.face_index[rows]]
    return 100.0 * float(np.linalg.norm(pixels[rows] - seen, axis=1).mean()) / ev.iod


def pose_error_pixels(state: FitState, ev: Evidence) -> float | None:
    """Mean distance over the visible body landmarks, in pixels of a 512 picture; None without.

    The wrist of a seen hand is measured where the hand's own landmarks saw it.
    """
    seen = (ev.pose_weight > 0) & (ev.observation.pose_visibility > 0.5)
    seen[HAND_POINTS] = False  # hands have their own landmarks
    used: IntArray = np.flatnonzero(seen)
    posed = PosedJoints(ev.body, state)
    distances = []
    if len(used):
        body = ev.pose.take(used).positions(posed)
        distances.append(_distance(body, ev.observation.pose[used], ev))
    for hand in ev.hands:
        wrist = ev.hand_points(hand.left, np.array([0])).positions(posed)
        distances.append(_distance(wrist, np.asarray(hand.landmarks)[:1], ev))
    return float(np.concatenate(distances).mean()) if distances else None


def _distance(points: FloatArray, pixels: FloatArray, ev: Evidence) -> FloatArray:
    projected, _ = project(points, ev.camera)
    out: FloatArray = np.linalg.norm(projected - pixels, axis=1)
    return out * 512.0 / max(ev.camera.width, ev.camera.height)


def joint_confidence(ev: Evidence) -> FloatArray:
    """[55] how surely each joint was seen."""
    out = np.zeros(NUM_JOINTS)
    for name, row in _SEEN_BY.items():
        if ev.pose_weight[row] > 0:
            out[JOINT_INDEX[name]] = ev.observation.pose_visibility[row]
    shoulders = min(out[JOINT_INDEX["left_shoulder"]], out[JOINT_INDEX["right_shoulder"]])
    hips = min(out[JOINT_INDEX["left_hip"]], out[JOINT_INDEX["right_hip"]])
    for name in ("spine3", "left_collar", "right_collar"):
        out[JOINT_INDEX[name]] = shoulders
    for name in ("pelvis", "spine1", "spine2"):
        out[JOINT_INDEX[name]] = min(shoulders, hips)
    face = 1.0 if ev.observation.face is not None else 0.0
    for name in ("neck", "head", "jaw", *EYES):
        out[JOINT_INDEX[name]] = face
    for hand in ev.hands:
        side = "left" if hand.left else "right"
        for name in (*fingers(hand.left), f"{side}_wrist"):
            out[JOINT_INDEX[name]] = hand.score
    return out
