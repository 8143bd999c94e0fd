"""Points of the body that landmarks are compared with: exact under linear blend skinning.

A point inside a triangle is ``sum_k b_k v_k``, and each skinned vertex is a weighted sum over
joints, so the point is a sum over joints too:

    P = sum_j  R_j (a_j - W_j J_j) + W_j p_j,    W_j = sum_k b_k w_kj,   a_j = sum_k b_k w_kj v_k

with rest joints J_j, posed joints p_j and world rotations R_j. ``a_j`` is linear in betas and
expression. A landmark that hangs on one joint at a fixed offset is the case W_j = 1,
a_j = J_j + offset. Only these few points enter the fit, never the whole mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from ..body.model import Body, Landmarks
from ..body.names import JAW_ACTION
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray
from .fit_state import PosedJoints, Unknowns

MIN_WEIGHT = 1e-4  # skinning weights below this move a landmark by less than 0.1 mm


def require_landmarks(body: Body) -> Landmarks:
    """The body's landmarks.

    Raises:
        ValueError: the body has none.
    """
    if body.landmarks is None:
        raise ValueError("the body has no landmarks")
    return body.landmarks


@lru_cache
def _ancestor_matrix(parents: tuple[int, ...]) -> FloatArray:
    """[55, 55]: 1 where the column's joint is the row's joint or one of its ancestors."""
    out = np.eye(NUM_JOINTS)
    for j, parent in enumerate(parents):
        if parent >= 0:
            out[j] += out[parent]
    out.setflags(write=False)
    return out


@dataclass(frozen=True)
class BodyPoints:
    """N points as M (point, joint) pairs, sorted by point.

    Attributes:
        count: N.
        point: [M].
        joint: [M].
        weight: [M] W_j.
        rest: [M, 3] a_j of the mean body, metres (for an attached point without J_j: its offset).
        basis: [M, 3, B + E] how a_j moves with betas and expression.
        attached: [M] True where the point hangs on the joint at a fixed offset.
        ancestors: [55, 55] 1 where the column's joint is the row's joint or its ancestor.
    """

    count: int
    point: IntArray
    joint: IntArray
    weight: FloatArray
    rest: FloatArray
    basis: FloatArray
    attached: bool
    ancestors: FloatArray

    @staticmethod
    def on_surface(
        body: Body, triangle: IntArray, bary: FloatArray, shift: FloatArray | None = None
    ) -> BodyPoints:
        """Points on triangles.

        Where ARKit's actions open the mouth, the jaw joint stays at zero in the fit, so its
        weights count for the head, which is exact.

        Args:
            body: the body.
            triangle: [N] rows of ``body.f``.
            bary: [N, 3] barycentric coordinates.
            shift: [N, 3] metres to move the points in the rest pose.
        """
        corners = np.asarray(body.f)[triangle]
        blend = np.asarray(bary, np.float64)[:, :, None] * body.weights[corners]
        jaw, head = JOINT_INDEX["jaw"], JOINT_INDEX["head"]
        if JAW_ACTION in body.expression_index:
            blend[:, :, head] += blend[:, :, jaw]
            blend[:, :, jaw] = 0
        total = blend.sum(1)
        total[total < MIN_WEIGHT] = 0
        point, joint = np.nonzero(total)
        kept = blend[point, :, joint]  # [M, 3 corners]
        kept = kept / np.add.reduceat(kept.sum(1), _starts(point))[point][:, None]
        vertices = corners[point]
        basis = np.concatenate(
            [
                np.einsum("mk,mkcs->mcs", kept, body.shapedirs[vertices]),
                np.einsum("mk,mkcs->mcs", kept, body.exprdirs[vertices]),
            ],
            axis=2,
        )
        rest = np.einsum("mk,mkc->mc", kept, body.v_template[vertices])
        if shift is not None:
            rest = rest + kept.sum(1)[:, None] * shift[point]
        return BodyPoints(
            len(corners),
            point,
            joint,
            kept.sum(1),
            rest,
            basis,
            False,
            _ancestor_matrix(body.parents),
        )

    @staticmethod
    def on_joints(body: Body, joint: IntArray, offset: FloatArray) -> BodyPoints:
        """Points that hang on joints.

        Args:
            body: the body.
            joint: [N] indices of joints.
            offset: [N, 3] metres in the joint's rest frame.
        """
        n = len(joint)
        return BodyPoints(
            n,
            np.arange(n),
            np.asarray(joint),
            np.ones(n),
            np.asarray(offset, np.float64),
            np.zeros((n, 3, 0)),
            True,
            _ancestor_matrix(body.parents),
        )

    def joined(self, other: BodyPoints) -> BodyPoints:
        """Both sets of points, one after the other.

        Raises:
            ValueError: one set lies on the surface, the other hangs on joints.
        """
        if self.attached != other.attached:
            raise ValueError("points on joints and on surfaces do not mix")
        return replace(
            self,
            count=self.count + other.count,
            point=np.concatenate([self.point, self.count + other.point]),
            joint=np.concatenate([self.joint, other.joint]),
            weight=np.concatenate([self.weight, other.weight]),
            rest=np.concatenate([self.rest, other.rest]),
            basis=np.concatenate([self.basis, other.basis]),
        )

    def moved(self, shift: FloatArray) -> BodyPoints:
        """The points moved in the rest pose.

        Args:
            shift: [N, 3] metres.
        """
        return replace(self, rest=self.rest + self.weight[:, None] * shift[self.point])

    def take(self, index: IntArray) -> BodyPoints:
        """A selection of the points, in the order of the indices.

        Args:
            index: [n] unique indices of points.
        """
        order = np.full(self.count, -1)
        order[index] = np.arange(len(index))
        rows = np.flatnonzero(order[self.point] >= 0)
        rows = rows[np.argsort(order[self.point[rows]], kind="stable")]
        return BodyPoints(
            len(index),
            order[self.point[rows]],
            self.joint[rows],
            self.weight[rows],
            self.rest[rows],
            self.basis[rows],
            self.attached,
            self.ancestors,
        )

    @cached_property
    def _runs(self) -> IntArray:
        return _starts(self.point)

    def _parts(self, posed: PosedJoints) -> FloatArray:
        """[M, 3] what each pair adds to its point."""
        arm = self.rest
        if not self.attached:
            shape = np.concatenate([posed.state.betas, posed.state.expression])
            arm = arm + self.basis @ shape - self.weight[:, None] * posed.rest[self.joint]
        turned: FloatArray = (posed.R[self.joint] @ arm[:, :, None])[..., 0]
        return turned + self.weight[:, None] * posed.p[self.joint]

    def positions(self, posed: PosedJoints) -> FloatArray:
        """[N, 3] world positions, metres."""
        out: FloatArray = np.add.reduceat(self._parts(posed), self._runs)
        return out

    def jacobian(self, posed: PosedJoints, rows: FloatArray, unknowns: Unknowns) -> FloatArray:
        """Derivatives of ``rows @ P`` by the unknowns.

        Args:
            posed: the joints.
            rows: [N, r, 3] what is multiplied with each point.
            unknowns: the m parameters.

        Returns:
            [N, r, m].
        """
        n, r = rows.shape[:2]
        out = np.zeros((n, r, unknowns.size))
        out[:, :, :3] = rows
        parts = np.zeros((n, NUM_JOINTS, 4))
        parts[self.point, self.joint, :3] = self._parts(posed)
        parts[self.point, self.joint, 3] = self.weight
        # Only joints on which some of the points hang: the fingers do not move a face.
        above = self.ancestors[:, unknowns.joints]
        moving = np.flatnonzero(above[np.unique(self.joint)].any(0))
        joints = unknowns.joints[moving]
        # Everything that hangs on joint j, and its share of the point, by summing over the tree.
        hanging = above[:, moving].T @ parts
        lever = hanging[..., :3] - hanging[..., 3:] * posed.p[joints]  # [N, J, 3]
        # row . (axis x lever) = axis . (lever x row)
        lx, ly, lz = (lever[:, None, :, k] for k in range(3))
        ax, ay, az = (rows[:, :, None, k] for k in range(3))
        moment = np.stack([ly * az - lz * ay, lz * ax - lx * az, lx * ay - ly * ax], -1)
        by_joint = moment.reshape(n * r, -1, 3).swapaxes(0, 1) @ posed.axes[joints]
        columns = (3 + 3 * moving[:, None] + np.arange(3)).ravel()
        out[:, :, columns] = by_joint.swapaxes(0, 1).reshape(n, r, -1)
        end = 3 + 3 * len(unknowns.joints)
        if unknowns.size > end:
            out[:, :, end:] = self._shape_jacobian(posed, rows, unknowns)
        return out

    def _shape_jacobian(
        self, posed: PosedJoints, rows: FloatArray, unknowns: Unknowns
    ) -> FloatArray:
        b, e = unknowns.betas, unknowns.expression
        row = rows[self.point]  # [M, r, 3]
        joint_moves = self.weight[:, None, None] * posed.dp_dbetas[self.joint][:, :, b]
        of_betas = row @ joint_moves
        if self.attached:
            parts = np.concatenate([of_betas, np.zeros((*row.shape[:2], len(e)))], axis=2)
        else:
            turned = row @ posed.R[self.joint]
            rest_moves = posed.body.J_shapedirs[self.joint][:, :, b]
            # A whole basis needs no copy; a stage that frees only a part takes one.
            columns = np.concatenate([b, unknowns.num_betas + e])
            whole = len(columns) == self.basis.shape[2]
            parts = turned @ (self.basis if whole else self.basis[:, :, columns])
            parts[:, :, : len(b)] += of_betas - turned @ (self.weight[:, None, None] * rest_moves)
        out: FloatArray = np.add.reduceat(parts, self._runs)
        return out


def _starts(point: IntArray) -> IntArray:
    """Where each point's run begins in the sorted list of pairs."""
    return np.flatnonzero(np.r_[True, np.diff(point) > 0])
