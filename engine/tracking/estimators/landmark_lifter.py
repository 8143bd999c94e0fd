"""The default estimator: landmarks lifted to a pose, without any other model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.model import Body
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, Camera, Observation, Portrait
from ..fit_state import FitState, PosedJoints
from ..initial_pose import fit_rigid_pose, initial_state, lift_arm
from ..landmark_trust import ARM_POINTS, face_points
from .estimate import PoseEstimate
from .smplx_rows import HEAD, PELVIS


@dataclass(frozen=True)
class LifterSettings:
    """Confidence in lifted landmarks."""

    seen: float = 0.5  # visibility from which a landmark counts
    trunk_trust: float = 0.5  # 0..1
    head_trust: float = 0.9  # 0..1


S = register_settings("tracking.lifter", LifterSettings())


@dataclass(frozen=True)
class LandmarkLifter:
    """An :class:`~.estimate.Estimator`: the initial pose from the detectors' landmarks.

    See :mod:`..initial_pose`. The head's pose is a perspective-n-point of the dense face; the
    trunk's direction and the arms come from the metric body landmarks. Unseen joints are unknown.

    Attributes:
        body: the body to be fitted, with landmarks.
    """

    body: Body

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        """None when neither a face nor shoulders are seen."""
        body, visible = self.body, observation.pose_visibility > S.seen
        face, head = None, None
        if observation.face is not None:
            points, weight, index = face_points(body)
            landmarks = np.asarray(observation.face, np.float64)
            neutral = points.positions(PosedJoints(body, FitState.rest(body)))
            scale = 0.25 * float(np.linalg.norm(np.ptp(landmarks[:468], axis=0)))
            face, head = points, fit_rigid_pose(neutral, landmarks[index], weight, camera, scale)
        if head is None and not visible[[11, 12]].all():
            return None
        state = initial_state(body, observation, camera, head, face)
        estimate = PoseEstimate.nothing("landmarks")
        estimate = estimate.with_rows(PELVIS, state.full_pose[PELVIS], S.trunk_trust)
        joints = ["neck", "head"] if head is not None else []
        estimate = _with(estimate, state, joints, S.head_trust)
        trunk = PosedJoints(body, state).R[JOINT_INDEX["spine3"]]
        for left in (True, False):
            if visible[ARM_POINTS[left][:2]].all():
                side = "left" if left else "right"
                shoulder, elbow = lift_arm(observation, trunk, left)
                names = (f"{side}_shoulder", f"{side}_elbow")
                state = state.with_joint(JOINT_INDEX[names[0]], shoulder)
                state = state.with_joint(JOINT_INDEX[names[1]], elbow)
                trust = float(observation.pose_visibility[ARM_POINTS[left][:2]].min())
                estimate = _with(estimate, state, list(names), S.trunk_trust * trust)
        place = PosedJoints(body, state).p[HEAD]
        return replace(estimate, position=place, position_of=(HEAD,))


def _with(estimate: PoseEstimate, state: FitState, joints: list[str], trust: float) -> PoseEstimate:
    for name in joints:
        row = JOINT_INDEX[name]
        estimate = estimate.with_rows(row, state.full_pose[row], trust)
    return estimate
