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
from functools import cached_property

import numpy as np

from ..body.model import Body, Landmarks
from ..body.names import JAW_ACTION
from ..core.kernels import kernel
from ..core.types import JOINT_INDEX, FloatArray, IntArray
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


@dataclass(frozen=True)
class BodyPoints:
    """N points as M (point, joint) pairs, sorted by point.

    Attributes:
        count: N.
        point: [M].
        joint: [M].
        weight: [M] W_j.
        rest: [M, 3] a_j of the mean body, metres (for an attached point without J_j: its offset).
        basis: [M, 3, B + E] how a_j moves with betas and expression; empty if attached.
        attached: [M] True where the point hangs on the joint at a fixed offset.
    """

    count: int
    point: IntArray
    joint: IntArray
    weight: FloatArray
    rest: FloatArray
    basis: FloatArray
    attached: bool

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
        point, joint = map(np.ascontiguousarray, np.nonzero(total))
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
        return BodyPoints(len(corners), point, joint, kept.sum(1), rest, basis, False)

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
            np.array(joint, np.int64),
            np.ones(n),
            np.asarray(offset, np.float64),
            np.zeros((n, 3, 0)),
            True,
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
        )

    @cached_property
    def _runs(self) -> IntArray:
        return _starts(self.point)

    def _parts(self, posed: PosedJoints) -> FloatArray:
        """[M, 3] what each pair adds to its point."""
        out: FloatArray = np.empty((len(self.point), 3))
        of_joint, shape = posed.p, np.zeros(0)
        if not self.attached:
            of_joint = posed.p - (posed.R @ posed.rest[:, :, None])[..., 0]
            shape = np.concatenate([posed.state.betas, posed.state.expression])
        _place_pairs(self.joint, self.weight, self.rest, self.basis, posed.R, of_joint, shape, out)
        return out

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
        out: FloatArray = np.zeros((*rows.shape[:2], unknowns.size))
        rows = np.ascontiguousarray(rows, np.float64)
        out[:, :, :3] = rows
        parts = self._parts(posed)
        parents, columns = posed.parents, unknowns.joint_columns
        pairs = (self.point, self.joint, self.weight)
        _turn_pairs(*pairs, parts, rows, posed.p, posed.axes, parents, columns, out)
        first = 3 + 3 * len(unknowns.joints)
        if unknowns.size > first:
            b, e = unknowns.betas, unknowns.expression
            moves, basis = posed.dp_dbetas, np.zeros((0, 3, 0))
            if not self.attached:
                moves = moves - posed.R @ posed.body.J_shapedirs
                # A whole basis needs no copy; a stage that frees only a part takes one.
                of_basis = np.concatenate([b, unknowns.num_betas + e])
                whole = len(of_basis) == self.basis.shape[2]
                basis = self.basis if whole else np.ascontiguousarray(self.basis[:, :, of_basis])
            moves = np.ascontiguousarray(moves[:, :, b])
            _shape_pairs(*pairs, rows, posed.R, moves, basis, first, out)
        return out


@kernel(fastmath=True)
def _place_pairs(joint, weight, rest, basis, R, of_joint, shape, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` [M, 3] with R (rest + basis @ shape) + weight of_joint."""
    for m in range(len(joint)):
        j = joint[m]
        for c in range(3):
            out[m, c] = weight[m] * of_joint[j, c]
        for c in range(3):
            arm = rest[m, c]
            for s in range(len(shape)):
                arm += basis[m, c, s] * shape[s]
            for d in range(3):
                out[m, d] += R[j, d, c] * arm


@kernel(fastmath=True)
def _turn_pairs(point, joint, weight, parts, rows, p, axes, parents, columns, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` [N, r, m] how the points move with the joints above them."""
    hanging = np.zeros((len(parents), 4))  # parts and weights of all that hangs on each joint
    m = 0
    while m < len(point):
        n, lowest = point[m], 0
        while m < len(point) and point[m] == n:
            j = joint[m]
            for c in range(3):
                hanging[j, c] += parts[m, c]
            hanging[j, 3] += weight[m]
            lowest = max(lowest, j)
            m += 1
        for j in range(lowest, -1, -1):
            if hanging[j, 3] == 0.0:
                continue
            x = hanging[j, 0] - hanging[j, 3] * p[j, 0]
            y = hanging[j, 1] - hanging[j, 3] * p[j, 1]
            z = hanging[j, 2] - hanging[j, 3] * p[j, 2]
            for r in range(rows.shape[1] if columns[j] >= 0 else 0):
                # row . (axis x lever) = axis . (lever x row)
                mx = y * rows[n, r, 2] - z * rows[n, r, 1]
                my = z * rows[n, r, 0] - x * rows[n, r, 2]
                mz = x * rows[n, r, 1] - y * rows[n, r, 0]
                for a in range(3):
                    moment = mx * axes[j, 0, a] + my * axes[j, 1, a] + mz * axes[j, 2, a]
                    out[n, r, columns[j] + a] += moment
            for c in range(4):
                if parents[j] >= 0:
                    hanging[parents[j], c] += hanging[j, c]
                hanging[j, c] = 0.0


@kernel(fastmath=True)
def _shape_pairs(point, joint, weight, rows, R, moves, basis, first, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` [N, r, m], from column ``first`` on, how the points move with the shape."""
    for m in range(len(point)):
        n, j = point[m], joint[m]
        for r in range(rows.shape[1]):
            for c in range(3):
                share = weight[m] * rows[n, r, c]
                for s in range(moves.shape[2]):
                    out[n, r, first + s] += share * moves[j, c, s]
                turned = 0.0
                for d in range(3):
                    turned += rows[n, r, d] * R[j, d, c]
                for s in range(basis.shape[2]):
                    out[n, r, first + s] += turned * basis[m, c, s]


def _starts(point: IntArray) -> IntArray:
    """Where each point's run begins in the sorted list of pairs."""
    return np.flatnonzero(np.r_[True, np.diff(point) > 0])
