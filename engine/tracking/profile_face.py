"""Faces in profile: what the face detector says of them, where the dense landmarks fail.

Beyond 60 degrees, or behind hair and glasses, the face mesh often finds nothing, and the body
network may take such a head for one from behind. The detector's box with its six points tells the
two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.names import POSE_MIRROR
from ..core.rotations import axis_angle_to_matrix
from ..core.settings import register_settings
from ..core.types import FloatArray, Observation
from .detectors import DetectedPerson, FaceBox
from .landmark_trust import EARS, HEAD_POINTS, SHOULDERS, metric_yaw


@dataclass(frozen=True)
class ProfileFaceSettings:
    """When a box is a face in profile, and how its points tell the turn."""

    least_score: float = 0.7  # 0..1, of the box
    nose_aside: float = 0.55  # box sizes from the middle of the ears to the nose, at least
    eyes_apart: float = 0.42  # box sizes between the eyes of a face from the front
    behind: float = 105.0  # degrees of turn from which the body network's head looks away
    least_box: float = 0.6  # 0..1, of a box that is not in profile
    shoulders_below: float = 1.45  # box sizes from the nose to the shoulders' middle, at least
    near: float = 0.75  # box sizes between the box's eyes and nose and the body's


S = register_settings("tracking.profile_face", ProfileFaceSettings())


def estimate_profile_yaw(box: FaceBox) -> float | None:
    """Return the turn about +y of a face in profile in radians; None of other faces."""
    points, size = box.keypoints, float((box.box[2:] - box.box[:2]).mean())
    aside = float(points[2, 0] - points[4:6, 0].mean()) / size
    if box.score < S.least_score or abs(aside) < S.nose_aside:
        return None
    apart = float(np.hypot(*(points[1] - points[0]))) / size
    return float(np.copysign(np.arccos(min(apart / S.eyes_apart, 1.0)), aside))


def is_box_of(box: FaceBox, person: DetectedPerson) -> bool:
    """Whether a face's box has its eyes and nose where a body has them."""
    away = np.hypot(*(box.keypoints[:3] - person.landmarks[[5, 2, 0]]).T).mean()
    return bool(away < S.near * float((box.box[2:] - box.box[:2]).mean()))


def find_box(boxes: list[FaceBox], person: DetectedPerson) -> FaceBox | None:
    """Return the box of a body's face: the surest in profile, or else the surest."""
    own = [box for box in boxes if box.score >= S.least_box and is_box_of(box, person)]
    turned = [box for box in own if estimate_profile_yaw(box) is not None]
    return next(iter(turned or own), None)


def follow_box(observation: Observation, box: FaceBox) -> Observation:
    """Believe a face's box where it contradicts the body network.

    Shoulders beside the chin are not believed. The head's metric landmarks turn as a face in
    profile is turned; where they look away from the camera, the network took a front for a back:
    it is flipped, and the box places nose, eyes and mouth.

    Args:
        observation: without dense landmarks.
        box: of its face.
    """
    shoulders = observation.pose[SHOULDERS].mean(0)
    size = float((box.box[2:] - box.box[:2]).mean())
    if np.hypot(*(shoulders - box.keypoints[2])) < S.shoulders_below * size:
        observation = _place_head(observation, box, ears=True)
        visibility: FloatArray = np.array(observation.pose_visibility)
        visibility[SHOULDERS] = 0.0
        observation = replace(observation, pose_visibility=visibility)
    yaw = estimate_profile_yaw(box)
    if yaw is None:
        return observation
    away = abs(metric_yaw(observation, EARS)) > np.radians(S.behind)
    if away:
        # Hands belong to the nearer wrist, which is the other side's now.
        hands = tuple(replace(hand, left=not hand.left) for hand in observation.hands)
        observation = replace(flip_front_back(observation), hands=hands)
    turn = yaw - metric_yaw(observation, EARS)
    world: FloatArray = np.array(observation.pose_world)
    ears = world[EARS].mean(0)
    about_y = axis_angle_to_matrix(np.array([0.0, turn, 0.0]))
    world[HEAD_POINTS] = (world[HEAD_POINTS] - ears) @ about_y.T + ears
    observation = replace(observation, pose_world=world)
    # A network that took a front for a back does not have its ears where the box has them.
    return _place_head(observation, box, ears=False) if away else observation


def _place_head(observation: Observation, box: FaceBox, ears: bool) -> Observation:
    """Move nose, eyes and mouth, and ``ears``, to where the box has them."""
    pose: FloatArray = np.array(observation.pose)
    visible: FloatArray = np.array(observation.pose_visibility)
    right_eye, left_eye, nose, mouth, right_ear, left_ear = box.keypoints
    pose[0] = nose
    pose[1:4] += left_eye - pose[2]
    pose[4:7] += right_eye - pose[5]
    pose[[9, 10]] += mouth - pose[[9, 10]].mean(0)
    if ears:
        pose[EARS] = left_ear, right_ear
    shown = HEAD_POINTS if ears else np.setdiff1d(HEAD_POINTS, EARS)
    visible[shown] = np.maximum(visible[shown], box.score)
    return replace(observation, pose=pose, pose_visibility=visible)


def flip_front_back(observation: Observation) -> Observation:
    """Swap left and right, near and far.

    For a network that mistook a person's front for their back, which leaves the points right in
    the picture.
    """
    swap = np.array(POSE_MIRROR)
    return replace(
        observation,
        pose=observation.pose[swap],
        pose_visibility=observation.pose_visibility[swap],
        pose_world=observation.pose_world[swap] * [1.0, 1.0, -1.0],
        hands=(),
    )
