"""Where the fit begins: the head's pose from the face, the trunk's from the pose landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.alignment import nearest_orthonormal
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, Camera, FloatArray, IntArray, Observation
from .body_points import BodyPoints, require_landmarks
from .fit_state import FitState, PosedJoints
from .landmark_trust import HIPS, SHOULDERS, metric_yaw
from .priors import S as PRIORS
from .priors import arm_rotations, leg_rotations, relaxed_pose
from .residuals import NEAR, project_rows
from .solver import geman_mcclure


@dataclass(frozen=True)
class StartSettings:
    """Where a fit begins."""

    small_face: float = 12.0  # pixels between the irises below which the body gives the depth
    other_yaw: float = 35.0  # degrees within which guesses of the trunk's yaw are one
    max_guessed_yaw: float = 85.0  # degrees of unseen shoulders that are believed
    guess_trust: float = 0.6  # 0..1, in unseen shoulders against the head


S = register_settings("tracking.start", StartSettings())


@dataclass(frozen=True)
class RigidPose:
    """Where a rigid set of points stands: world = R @ point + t.

    Attributes:
        R: [3, 3] rotation.
        t: [3] metres.
        error: weighted mean distance of the projections, pixels.
    """

    R: FloatArray
    t: FloatArray
    error: float


def fit_rigid_pose(
    model: FloatArray, pixels: FloatArray, weight: FloatArray, camera: Camera, scale: float
) -> RigidPose:
    """Perspective-n-point for the photo's camera, robust to a third of bad points.

    Starts from the best affine camera (POS: DeMenthon and Davis, "Model-based object pose in 25
    lines of code", its first step), then refines by Levenberg-Marquardt with a shrinking
    Geman-McClure radius.

    Args:
        model: [N, 3] metres.
        pixels: [N, 2].
        weight: [N] of each point's squared error.
        camera: the photo's.
        scale: pixels per unit of the robust radius (the inter-ocular distance).
    """
    focal = float(camera.K[0, 0])
    centre = np.average(model, axis=0, weights=weight)
    design = np.concatenate([model - centre, np.ones((len(model), 1))], axis=1)
    trust = weight.copy()
    for _ in range(4):
        root = np.sqrt(trust)[:, None]
        affine = np.linalg.lstsq(design * root, pixels * root, rcond=None)[0]  # [4, 2]
        error = np.linalg.norm(design @ affine - pixels, axis=1)
        trust = weight * geman_mcclure((error / (0.25 * scale)) ** 2, 1.0)[1]
    right, down = affine[0:3, 0], affine[0:3, 1]
    size = np.sqrt(np.linalg.norm(right) * np.linalg.norm(down))
    rows = nearest_orthonormal(np.stack([right, -down]) / size)
    R = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
    depth = focal / size
    offset = (affine[3] - camera.K[:2, 2]) / size
    t = np.array([offset[0], -offset[1], -depth])
    local = model - centre
    for radius in (1.0, 0.3, 0.15):
        R, t = _refine(R, t, local, pixels, weight, camera, scale, radius)
    projected, _, _ = project_rows(local @ R.T + t, camera)
    error = np.linalg.norm(projected - pixels, axis=1)
    return RigidPose(R, t - R @ centre, float(np.average(error, weights=weight)))


def _refine(
    R: FloatArray,
    t: FloatArray,
    local: FloatArray,
    pixels: FloatArray,
    weight: FloatArray,
    camera: Camera,
    scale: float,
    radius: float,
) -> tuple[FloatArray, FloatArray]:
    """A few damped Gauss-Newton steps on rotation and translation."""

    def cost(R: FloatArray, t: FloatArray) -> float:
        projected, depth, _ = project_rows(local @ R.T + t, camera)
        if (depth < NEAR).any():
            return np.inf
        squared = (((projected - pixels) / scale) ** 2).sum(1)
        return float(weight @ geman_mcclure(squared, radius)[0])

    damping, best = 1e-3, cost(R, t)
    for _ in range(12):
        turned = local @ R.T
        projected, _, rows = project_rows(turned + t, camera)
        residual = (projected - pixels) / scale
        factor = weight * geman_mcclure((residual**2).sum(1), radius)[1]
        x, y, z = turned.T[:, :, None]
        ax, ay, az = rows[..., 0], rows[..., 1], rows[..., 2]
        moment = np.stack([y * az - z * ay, z * ax - x * az, x * ay - y * ax], -1)
        J = np.concatenate([moment, rows], axis=2).reshape(-1, 6) / scale  # turn, then move
        weighted = J * np.repeat(factor, 2)[:, None]
        H, g = weighted.T @ J, residual.ravel() @ weighted
        step = -np.linalg.solve(H + damping * np.diag(H.diagonal()) + 1e-12 * np.eye(6), g)
        new_R, new_t = axis_angle_to_matrix(step[:3]) @ R, t + step[3:]
        new = cost(new_R, new_t)
        if new < best:
            done = best - new < 1e-6 * best
            R, t, best, damping = new_R, new_t, new, damping / 5
            if done:
                break
        else:
            damping *= 10
    return R, t


def align_hand(body: Body, state: FitState, palm: FloatArray, left: bool) -> FitState:
    """Turn forearm and wrist so that the hand has a given rotation.

    The turn about the forearm is shared by elbow and wrist, as radius and ulna do it.

    Args:
        body: the body.
        state: before.
        palm: [3, 3] world rotation of the hand.
        left: which hand.
    """
    side = "left" if left else "right"
    elbow, wrist = JOINT_INDEX[f"{side}_elbow"], JOINT_INDEX[f"{side}_wrist"]
    turn = matrix_to_axis_angle(PosedJoints(body, state).R[elbow].T @ palm)
    twist = np.array([0.5 * turn[0], 0.0, 0.0])
    elbow_R = axis_angle_to_matrix(state.full_pose[elbow]) @ axis_angle_to_matrix(twist)
    state = state.with_joint(elbow, matrix_to_axis_angle(elbow_R))
    turn = matrix_to_axis_angle(PosedJoints(body, state).R[elbow].T @ palm)
    return state.with_joint(wrist, np.clip(turn, -1.0, 1.0))


def trunk_yaws(observation: Observation, head: FloatArray | None) -> list[float]:
    """Guess how the trunk is turned, the likeliest guess first.

    The first is that of the metric shoulders when seen, otherwise between them and the head. Then
    follow what else hips and head suggest and, without a face, the opposite of the shoulders,
    which the detector may have mistaken for each other.

    Args:
        observation: what was seen.
        head: [3, 3] world rotation of the head, None without a face.

    Returns:
        Radians about +y.
    """
    shoulders, hips = metric_yaw(observation, SHOULDERS), metric_yaw(observation, HIPS)
    visible = bool((observation.pose_visibility[SHOULDERS] > 0.5).all())
    if head is None:
        guesses = [shoulders, hips, np.pi - shoulders]
    else:
        follow = 0.7 * float(np.arctan2(head[0, 2], head[2, 2]))
        between = follow
        # Unseen shoulders are guessed by the detector from the head and the hair: trust it
        # partly, and only while it agrees about the side.
        if abs(shoulders) < np.radians(S.max_guessed_yaw) and shoulders * follow > 0:
            between = S.guess_trust * shoulders + (1 - S.guess_trust) * follow
        guesses = [shoulders, follow] if visible else [between]
    out: list[float] = []
    for guess in guesses:
        if all(abs(angle_difference(guess, other)) > np.radians(S.other_yaw) for other in out):
            out.append(guess)
    return out


def angle_difference(a: float, b: float) -> float:
    """The smaller turn from ``b`` to ``a``, radians."""
    return float((a - b + np.pi) % (2 * np.pi) - np.pi)


def initial_state(
    body: Body,
    observation: Observation,
    camera: Camera,
    head: RigidPose | None,
    face: BodyPoints | None,
    yaw: float | None = None,
    betas: FloatArray | None = None,
) -> FitState:
    """Trunk upright with its yaw, head turned with the face, arms at ease, placed in depth.

    Args:
        body: the body to be fitted.
        observation: what was seen.
        camera: the photo's.
        head: the pose of the neutral face's points, when there is a face.
        face: those points.
        yaw: of the trunk, in radians about +y; the likeliest by default.
        betas: [S] the shape; the mean one by default.
    """
    if yaw is None:
        yaw = trunk_yaws(observation, None if head is None else head.R)[0]
    trunk = axis_angle_to_matrix(np.array([0.0, yaw, 0.0]))
    state = FitState.rest(body)
    full_pose = relaxed_pose(body)
    full_pose[0] = matrix_to_axis_angle(trunk)
    if head is not None:
        turn = matrix_to_axis_angle(trunk.T @ head.R)
        turn *= min(1.0, 1.4 / max(float(np.linalg.norm(turn)), 1e-6))
        full_pose[JOINT_INDEX["neck"]] = PRIORS.neck_share * turn
        full_pose[JOINT_INDEX["head"]] = (1 - PRIORS.neck_share) * turn
    shape = state.betas if betas is None else betas
    state = FitState(np.zeros(3), full_pose, shape, state.expression)
    if head is not None and face is not None:
        neutral = face.positions(PosedJoints(body, FitState.rest(body)))
        target = neutral.mean(0) @ head.R.T + head.t
        transl = target - face.positions(PosedJoints(body, state)).mean(0)
    else:
        transl = _transl_from_pose(body, observation, camera, state)
    return FitState(transl, full_pose, state.betas, state.expression)


def _transl_from_pose(
    body: Body, observation: Observation, camera: Camera, state: FitState
) -> FloatArray:
    """Depth from the size of the visible landmarks against their metric copy, then their middle."""
    seen = _well_seen(observation)
    pixels = observation.pose[seen]
    depth = body_depth(observation, camera)
    focal = float(camera.K[0, 0])
    landmarks = require_landmarks(body)
    points = BodyPoints.on_joints(body, landmarks.pose_joint[seen], landmarks.pose_offset[seen])
    here = points.positions(PosedJoints(body, state)).mean(0)
    offset = (pixels.mean(0) - camera.K[:2, 2]) * depth / focal
    out: FloatArray = np.array([offset[0], -offset[1], -depth]) - here
    return out


def body_depth(observation: Observation, camera: Camera) -> float:
    """Metres to the body: the metric landmarks' size in the picture plane over the pixels'."""
    seen = _well_seen(observation)
    pixels, metric = observation.pose[seen], observation.pose_world[seen]
    spread = np.linalg.norm(pixels - pixels.mean(0), axis=1).mean()
    size = np.linalg.norm(metric[:, :2] - metric[:, :2].mean(0), axis=1).mean()
    return float(np.clip(camera.K[0, 0] * size / max(spread, 1e-6), 0.3, 50.0))


def _well_seen(observation: Observation) -> IntArray:
    """Rows of the pose landmarks that are seen; all of them when hardly any is."""
    seen = np.flatnonzero(observation.pose_visibility > 0.5)
    return seen if len(seen) >= 4 else np.arange(len(observation.pose))


def lift_arm(
    observation: Observation, trunk: FloatArray, left: bool
) -> tuple[FloatArray, FloatArray]:
    """Rotations of an arm from the metric landmarks.

    Args:
        observation: with the metric landmarks.
        trunk: [3, 3] world rotation of the trunk.
        left: which arm.

    Returns:
        Axis-angle [3] of shoulder and elbow, radians.
    """
    shoulder, elbow, wrist = (11, 13, 15) if left else (12, 14, 16)
    world = observation.pose_world @ trunk  # into the trunk's frame
    return arm_rotations(world[elbow] - world[shoulder], world[wrist] - world[elbow], left)


def lift_leg(
    observation: Observation, pelvis: FloatArray, left: bool
) -> tuple[FloatArray, FloatArray]:
    """Rotations of a leg from the metric landmarks.

    Args:
        observation: with the metric landmarks.
        pelvis: [3, 3] world rotation of the pelvis.
        left: which leg.

    Returns:
        Axis-angle [3] of hip and knee, radians.
    """
    hip, knee, ankle = (23, 25, 27) if left else (24, 26, 28)
    world = observation.pose_world @ pelvis  # into the pelvis' frame
    return leg_rotations(world[knee] - world[hip], world[ankle] - world[knee], left)
