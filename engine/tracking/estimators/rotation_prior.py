"""An estimate's way into the fit: as its start, and as a pull towards it (paper, eq. 19)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.model import Body
from ...body.names import JAW_ACTION
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle, skew
from ...core.types import JOINT_INDEX, PARENTS, BoolArray, FloatArray, IntArray
from ...motion.io import jaw_from_expression
from ..fit_state import FitState, PosedJoints, left_jacobian
from ..initial_pose import align_hand
from ..joint_limits import clamp_pose
from ..priors import S as PRIORS
from ..solver import NormalEquations, geman_mcclure
from .estimate import PoseEstimate
from .smplx_rows import HEAD, JAW

NECK = JOINT_INDEX["neck"]
WRISTS = {JOINT_INDEX["left_wrist"]: True, JOINT_INDEX["right_wrist"]: False}
_JAW_ACTIONS = (("jawOpen", 0), ("jawLeft", 1), ("jawRight", 1))


def clamp_estimate(estimate: PoseEstimate) -> PoseEstimate:
    """The estimate with joints beyond anatomical limits brought back to them.

    Networks do not know anatomy: a hidden elbow may come out bent backwards.
    """
    local = estimate.known & ~estimate.in_world
    return replace(estimate, full_pose=clamp_pose(estimate.full_pose, local))


def init_from_estimate(
    body: Body, estimate: PoseEstimate, start: FitState, hold: int | None = None
) -> FitState:
    """The initial state: the estimate's joints, and those of ``start`` where it has none.

    Joints that the estimate knows in world axes turn their neighbours, too: a head shares its
    turn with the neck, a hand with the forearm, unless the estimate knows those by themselves.
    A jaw's rotation becomes ARKit's jaw actions where the body has them: the fit then keeps the jaw
    joint at zero.
    Impossible joints are brought back to their limits.

    Args:
        body: the body to be fitted.
        estimate: of its pose.
        start: the state without the estimate.
        hold: a joint that stays where it is in ``start``, and as it is turned there unless the
            estimate knows that in world axes (the head, where a face was found: landmarks locate
            it better than a body's regressor). Without it the estimate's position counts, and
            where there is none the head stays in its place.
    """
    estimate = clamp_estimate(estimate)
    full_pose = np.where(
        (estimate.known & ~estimate.in_world)[:, None], estimate.full_pose, start.full_pose
    )
    if JAW_ACTION in body.expression_index:
        full_pose[JAW] = start.full_pose[JAW]
    state = replace(start, full_pose=full_pose)
    if hold is not None and not estimate.in_world[hold]:
        state = _turned(body, state, hold, PosedJoints(body, start).R[hold])
    for joint in np.flatnonzero(estimate.known & estimate.in_world):
        wanted = axis_angle_to_matrix(estimate.full_pose[joint])
        state = _turned(body, state, int(joint), wanted, alone=not estimate.known[NECK])
    state = replace(state, expression=_expression(body, estimate, start.expression))
    there = PosedJoints(body, state).p
    if hold is None and estimate.position is not None:
        shift = estimate.position - there[list(estimate.position_of)].mean(0)
    else:
        joint = HEAD if hold is None else hold
        shift = PosedJoints(body, start).p[joint] - there[joint]
    return replace(state, transl=state.transl + shift)


def _turned(
    body: Body, state: FitState, joint: int, wanted: FloatArray, alone: bool = True
) -> FitState:
    """``state`` with the joint's world rotation ``wanted`` [3, 3].

    Args:
        body: the body.
        state: before.
        joint: which one.
        wanted: [3, 3] rotation in world axes.
        alone: a head's turn may be shared with the neck.
    """
    posed = PosedJoints(body, state)
    if joint == HEAD and alone:
        turn = matrix_to_axis_angle(posed.R[PARENTS[NECK]].T @ wanted)
        state = state.with_joint(NECK, PRIORS.neck_share * turn)
        return state.with_joint(HEAD, (1.0 - PRIORS.neck_share) * turn)
    if joint in WRISTS:
        return align_hand(body, state, wanted, WRISTS[joint])
    parent = PARENTS[joint]
    local = wanted if parent < 0 else posed.R[parent].T @ wanted
    return state.with_joint(joint, matrix_to_axis_angle(local))


def _expression(body: Body, estimate: PoseEstimate, start: FloatArray) -> FloatArray:
    """[E] the start's weights with those that the estimate knows."""
    weights = dict(estimate.expression)
    if estimate.known[JAW]:
        share = jaw_from_expression(body)
        for name, axis in _JAW_ACTIONS:
            index = body.expression_index.get(name)
            if index is not None and abs(share[index, axis]) > 1e-6:
                angle = estimate.full_pose[JAW, axis] / share[index, axis]
                weights.setdefault(name, float(angle))
    out = np.array(start, np.float64)
    for name, weight in weights.items():
        if name in body.expression_index:
            out[body.expression_index[name]] = min(max(weight, 0.0), 1.0)
    return out


def inverse_left_jacobian(rotvec: FloatArray) -> FloatArray:
    """Inverse of :func:`.fit_state.left_jacobian`, for angles below a full turn.

    Sola et al., "A micro Lie theory", eq. 146.

    Args:
        rotvec: [..., 3] rotation vectors, radians.

    Returns:
        [..., 3, 3].

    >>> v = np.array([0.3, -1.2, 0.8])
    >>> (inverse_left_jacobian(v) @ left_jacobian(v)).round(9) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    v = np.asarray(rotvec, np.float64)
    angle2 = (v * v).sum(-1)[..., None, None]
    small = angle2 < 1e-6
    angle = np.sqrt(np.where(small, 1.0, angle2))
    c = np.where(
        small, 1.0 / 12.0 + angle2 / 720.0, (1.0 - 0.5 * angle / np.tan(0.5 * angle)) / angle**2
    )
    K = skew(v)
    out: FloatArray = np.eye(3) - 0.5 * K + c * (K @ K)
    return out


@dataclass
class RotationPriorTerm:
    """Rotations that stay near an estimate's: half a weighted sum of squared angles, robust.

    The residual is the rotation vector from the wanted to the current rotation, relative to the
    parent or, for joints known in world axes, in the world. Unlike
    axis-angle vectors, it does not jump at half turns (people seen from behind).

    Attributes:
        joint: [N] indices of joints.
        wanted: [N, 3, 3] rotations.
        in_world: [N] bool.
        weight: [N] per square radian.
        radius: radians of the Geman-McClure loss.
    """

    joint: IntArray
    wanted: FloatArray
    in_world: BoolArray
    weight: FloatArray
    radius: float

    def errors(self, posed: PosedJoints) -> FloatArray:
        """[N, 3] rotation vectors, radians."""
        local = axis_angle_to_matrix(np.asarray(posed.state.full_pose, np.float64)[self.joint])
        here = np.where(self.in_world[:, None, None], posed.R[self.joint], local)
        return matrix_to_axis_angle(np.swapaxes(self.wanted, 1, 2) @ here)

    def add(self, posed: PosedJoints, system: NormalEquations | None) -> float:
        """The cost; adds derivatives to ``system`` when it is given."""
        error = self.errors(posed)
        loss, factor = geman_mcclure((error**2).sum(1), self.radius)
        if system is not None:
            unknown = {int(j): 3 + 3 * k for k, j in enumerate(system.unknowns.joints)}
            back = inverse_left_jacobian(error) @ np.swapaxes(self.wanted, 1, 2)
            jacobian = np.zeros((len(self.joint), 3, system.unknowns.size))
            for n, joint in enumerate(self.joint):
                if not self.in_world[n]:
                    axes = left_jacobian(posed.state.full_pose[joint])
                    if joint in unknown:
                        at = unknown[joint]
                        jacobian[n, :, at : at + 3] = back[n] @ axes
                    continue
                while joint >= 0:  # every joint above it turns it, too
                    if joint in unknown:
                        at = unknown[joint]
                        jacobian[n, :, at : at + 3] = back[n] @ posed.axes[joint]
                    joint = posed.body.parents[joint]
            system.add(
                jacobian.reshape(-1, system.unknowns.size),
                error.ravel(),
                np.repeat(self.weight * factor, 3),
            )
        return 0.5 * float(self.weight @ loss)


def rotation_prior_term(
    estimate: PoseEstimate, spread: float = 0.2, radius: float = 1.0
) -> RotationPriorTerm:
    """The pull towards an estimate (the regulariser of the paper's eq. 19).

    The jaw is left out: the fit opens mouths by expression.

    Args:
        estimate: of the pose.
        spread: typical error, in radians, of an estimate of confidence 1.
        radius: radians beyond which the estimate no longer pulls: a swapped leg, say, or another
            person's hand.
    """
    estimate = clamp_estimate(estimate)
    joint = np.flatnonzero(estimate.known & (np.arange(len(estimate.known)) != JAW))
    return RotationPriorTerm(
        joint=joint,
        wanted=axis_angle_to_matrix(np.asarray(estimate.full_pose[joint], np.float64)),
        in_world=estimate.in_world[joint],
        weight=estimate.confidence[joint] / spread**2,
        radius=radius,
    )
