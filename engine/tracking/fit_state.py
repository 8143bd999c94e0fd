"""The body as the fit sees it: unknowns, posed joints, and how joints move with the unknowns.

Rotations are axis-angle vectors. A small change d of joint j's vector turns everything that hangs
on j about the world axes ``R_parent(j) J_l(theta_j) d``, with ``J_l`` the left Jacobian of SO(3)
(Sola et al., "A micro Lie theory", eq. 145), so every derivative of the fit is a cross product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..body.model import Body
from ..core.kernels import kernel
from ..core.rotations import axis_angle_to_matrix, skew
from ..core.types import NUM_JOINTS, FloatArray, IntArray, Pose


@dataclass(frozen=True)
class FitState:
    """One estimate of all parameters; units as in :class:`~..core.types.Pose`.

    Attributes:
        transl: [3] metres.
        full_pose: [55, 3] axis-angle, radians.
        betas: [B] identity coefficients.
        expression: [E] weights, 0..1.
    """

    transl: FloatArray
    full_pose: FloatArray
    betas: FloatArray
    expression: FloatArray

    @property
    def pose(self) -> Pose:
        """The pose without the identity."""
        return Pose(self.full_pose, self.transl, self.expression)

    @property
    def vector(self) -> FloatArray:
        """[n] all parameters: transl, pose, betas, expression."""
        return np.concatenate([self.transl, self.full_pose.ravel(), self.betas, self.expression])

    def with_vector(self, vector: FloatArray) -> FitState:
        """The inverse of :attr:`vector`.

        Args:
            vector: [n] all parameters: transl, pose, betas, expression.
        """
        first, second = 3 + 3 * NUM_JOINTS, 3 + 3 * NUM_JOINTS + len(self.betas)
        return FitState(
            vector[:3],
            vector[3:first].reshape(NUM_JOINTS, 3),
            vector[first:second],
            vector[second:],
        )

    def with_joint(self, joint: int, axis_angle: FloatArray) -> FitState:
        """A copy with one joint's rotation replaced.

        Args:
            joint: which one.
            axis_angle: [3] radians, relative to the parent.
        """
        full_pose = self.full_pose.copy()
        full_pose[joint] = axis_angle
        return replace(self, full_pose=full_pose)

    @staticmethod
    def rest(body: Body) -> FitState:
        """The T-pose at the origin."""
        shape = (np.zeros(body.num_betas), np.zeros(body.num_expression))
        return FitState(np.zeros(3), np.zeros((NUM_JOINTS, 3)), *shape)


@dataclass(frozen=True)
class Unknowns:
    """Which parameters a stage solves for; the translation always.

    Attributes:
        joints: [J] indices of the joints that may turn.
        betas: [b] indices into the betas.
        expression: [e] indices into the expression basis.
        num_betas: B of the body.
    """

    joints: IntArray
    betas: IntArray
    expression: IntArray
    num_betas: int

    @cached_property
    def columns(self) -> IntArray:
        """[m] indices of the unknowns in :attr:`FitState.vector`."""
        pose = 3 + 3 * self.joints[:, None] + np.arange(3)
        betas = 3 + 3 * NUM_JOINTS + self.betas
        expression = 3 + 3 * NUM_JOINTS + self.num_betas + self.expression
        columns = np.concatenate([np.arange(3), pose.ravel(), betas, expression])
        out: IntArray = columns.astype(np.int64)
        return out

    @cached_property
    def joint_columns(self) -> IntArray:
        """[55] the first of each joint's three unknowns, -1 of a joint that may not turn."""
        out = np.full(NUM_JOINTS, -1)
        out[self.joints] = 3 + 3 * np.arange(len(self.joints))
        return out

    @property
    def size(self) -> int:
        """Number m of unknowns."""
        return len(self.columns)


def left_jacobian(axis_angle: FloatArray) -> FloatArray:
    """J_l of SO(3): exp(theta + d) = exp(J_l(theta) d) exp(theta) to first order.

    Args:
        axis_angle: [..., 3] theta, radians.

    Returns:
        [..., 3, 3].

    >>> left_jacobian(np.zeros(3))
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    v = np.asarray(axis_angle, dtype=np.float64)
    angle2 = (v * v).sum(-1)[..., None, None]
    small = angle2 < 1e-6
    safe2 = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe2)
    b = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(angle)) / safe2)
    c = np.where(small, 1.0 / 6.0 - angle2 / 120.0, (angle - np.sin(angle)) / (safe2 * angle))
    K = skew(v)
    out: FloatArray = np.eye(3) + b * K + c * (K @ K) + 0.0
    return out


class PosedJoints:
    """The joints of one state.

    Attributes:
        state: what was posed.
        rest: [55, 3] joints of the T-pose with the state's betas, metres.
        R: [55, 3, 3] world rotation of each joint.
        p: [55, 3] its world position, metres.
        parents: [55] each joint's parent, which comes before it; -1 of the pelvis.
    """

    def __init__(self, body: Body, state: FitState) -> None:
        self.body = body
        self.state = state
        self.rest = body.J_template + body.J_shapedirs @ state.betas
        self.parents = np.array(body.parents)
        self.R = axis_angle_to_matrix(state.full_pose)
        self.p = np.empty((NUM_JOINTS, 3))
        self.p[0] = self.rest[0] + state.transl
        _chain(self.parents, self.rest, self.R, self.p)

    @cached_property
    def axes(self) -> FloatArray:
        """[55, 3, 3]: column a is the world axis about which joint j turns with component a."""
        R_parent = np.where(self.parents[:, None, None] < 0, np.eye(3), self.R[self.parents])
        return R_parent @ left_jacobian(self.state.full_pose)

    @cached_property
    def dp_dbetas(self) -> FloatArray:
        """[55, 3, B]: how the posed joints move with the betas."""
        dirs = np.asarray(self.body.J_shapedirs, np.float64)
        out = dirs.copy()
        _chain_moves(self.parents, self.R, dirs, out)
        return out


@kernel()
def _chain(parents, rest, R, p):  # type: ignore[no-untyped-def]
    """Turn local rotations ``R`` [55, 3, 3] into world ones, and fill ``p`` from its first row."""
    local = np.empty((3, 3))
    for j in range(1, len(parents)):
        i = parents[j]
        local[:] = R[j]
        for r in range(3):
            p[j, r] = p[i, r]
            for c in range(3):
                p[j, r] += R[i, r, c] * (rest[j, c] - rest[i, c])
                R[j, r, c] = 0.0
                for k in range(3):
                    R[j, r, c] += R[i, r, k] * local[k, c]


@kernel()
def _chain_moves(parents, R, dirs, out):  # type: ignore[no-untyped-def]
    """Turn moves of the joints at rest ``dirs`` [55, 3, B] into those of the posed ones."""
    for j in range(1, len(parents)):
        i = parents[j]
        for r in range(3):
            for s in range(dirs.shape[2]):
                out[j, r, s] = out[i, r, s]
            for k in range(3):
                for s in range(dirs.shape[2]):
                    out[j, r, s] += R[i, r, k] * (dirs[j, k, s] - dirs[i, k, s])
