"""Quality of the face from the side: detectors and landmarks on renders of an avatar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...engine.core.cameras import orbit, project
from ...engine.core.framing import ball_box, crop_to_box
from ...engine.core.types import JOINT_INDEX, Avatar, Camera, FloatArray
from ...engine.gaussians.posing import pose_avatar
from ...engine.tracking.detectors import Detectors
from ...engine.visual.view_cameras import head_ball
from .face_movement import SIDE, eye_distance, find_faces
from .portrait_report import find_side_faces

FACE_YAWS = (-60, -30, 30, 60)
LANDMARK_YAWS = (-45, 45)
"""Degrees from where the face looks."""

KEY_LANDMARKS = (
    1,
    4,
    6,
    168,
    33,
    133,
    362,
    263,
    61,
    291,
    0,
    17,
    152,
    13,
    14,
    159,
    145,
    386,
    374,
    70,
    300,
)
"""FaceMesh's nose, eyes, mouth, chin and brows, which define a face's shape."""


@dataclass(frozen=True)
class FaceMetrics:
    """How well the face is seen from the side.

    Attributes:
        found: by yaw in degrees from the face's direction, whether the detectors find it.
        landmarks: by yaw, mean distance of the key landmarks from the model's own, in per cent
            of the distance between the eyes; None where the network sees no face.
    """

    found: dict[int, bool]
    landmarks: dict[int, float | None]

    def at(self, yaw: int) -> tuple[bool, bool]:
        """Whether the face is found at both sides of a yaw, and at either."""
        sides = [self.found[side * yaw] for side in (-1, 1)]
        return all(sides), any(sides)

    @property
    def landmarks_pct(self) -> float:
        """Mean over the yaws; inf where there is no face."""
        known = [np.inf if error is None else error for error in self.landmarks.values()]
        return float(np.mean(known))


def front_yaw(avatar: Avatar) -> float:
    """Degrees by which the photo's camera must swing to look into the face."""
    R = avatar.body.rest_and_transforms(avatar.pose)[2][JOINT_INDEX["head"]]
    return float(np.degrees(np.arctan2(R[0, 2], R[2, 2])))


def project_key_landmarks(avatar: Avatar, camera: Camera) -> FloatArray:
    """Pixels [21, 2] of the key landmarks in the photo's pose, by the body model.

    Raises:
        ValueError: the body carries no landmarks.
    """
    marks = avatar.body.landmarks
    if marks is None:
        raise ValueError("the body has no landmarks")
    vertices, _ = avatar.body.vertices(avatar.pose)
    rows = list(KEY_LANDMARKS)
    corners = vertices[np.asarray(avatar.body.f)[np.asarray(marks.face_triangle)[rows]]]
    points = (corners * np.asarray(marks.face_bary, np.float64)[rows][..., None]).sum(1)
    return project(points, camera)[0]


def measure_face(avatar: Avatar, detectors: Detectors) -> FaceMetrics:
    """Examine an avatar's face, posed as in the photo, from both sides of its direction."""
    front = front_yaw(avatar)
    centre, radius = head_ball(avatar, avatar.pose)
    cameras = {}
    for yaw in LANDMARK_YAWS:
        swung = orbit(avatar.camera, centre, front + yaw)
        cameras[yaw] = crop_to_box(swung, ball_box(centre, radius, swung), SIDE, SIDE)
    errors: dict[int, float | None] = {}
    for yaw, seen in find_faces(pose_avatar(avatar), cameras, detectors).items():
        errors[yaw] = None
        if seen is not None:
            off = seen.landmarks[list(KEY_LANDMARKS)] - project_key_landmarks(avatar, seen.camera)
            unit = eye_distance(avatar, seen.camera)
            errors[yaw] = 100.0 * float(np.linalg.norm(off, axis=1).mean()) / unit
    return FaceMetrics(find_side_faces(avatar, detectors, FACE_YAWS, front), errors)
