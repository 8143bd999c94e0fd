"""The body model: linear blend skinning with shapes, expressions and pose correctives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..core.rotations import axis_angle_to_matrix
from ..core.types import NUM_JOINTS, PARENTS, FloatArray, IntArray, LikenessError, Pose
from .expression_limits import limit_expression
from .skinning import ALL_POSE_JOINTS, joint_transforms, pose_feature, skin_vertices


@dataclass(frozen=True)
class Landmarks:
    """Positions of the detectors' landmarks on the body.

    Attributes:
        face_triangle: [478] rows of ``Body.f``.
        face_bary: [478, 3].
        face_weight: [478] 0..1, lower where the landmark slides over the surface (silhouette
            points).
        pose_joint: [33] joint index.
        pose_offset: [33, 3] metres in that joint's rest frame.
        hand_joint: [21] joint index for the left hand.
        hand_offset: [21, 3] in the rest frame (mirror x, and use the right hand's joints, for the
            right hand).
        turn_yaws: [K] degrees, ascending: camera directions, positive to the head's left.
        turn_shifts: [K, 478, 3] metres in the rest frame by which the network misplaces the face
            points from each direction, relative to the front.
        turn_spread: [K] uncertainty of the points from each direction, relative to the front.
    """

    face_triangle: IntArray
    face_bary: FloatArray
    face_weight: FloatArray
    pose_joint: IntArray
    pose_offset: FloatArray
    hand_joint: IntArray
    hand_offset: FloatArray
    turn_yaws: FloatArray = field(default_factory=lambda: np.zeros(1))
    turn_shifts: FloatArray = field(default_factory=lambda: np.zeros((1, 478, 3), np.float32))
    turn_spread: FloatArray = field(default_factory=lambda: np.ones(1))


@dataclass(frozen=True)
class Body:
    """A linear-blend-skinned body with shape and expression bases, at rest in the T-pose.

    Attributes:
        v_template: [V, 3] metres.
        f: [F, 3] triangles, counter-clockwise seen from outside.
        weights: [V, 55] skinning weights; rows add up to one.
        shapedirs: [V, 3, S]; the first ``num_body_betas`` columns shape the whole body, the others
            the head. One unit is one standard deviation.
        exprdirs: [V, 3, E] metres.
        expression_names: E names (ARKit's for the default body).
        J_template: [55, 3] metres.
        J_shapedirs: [55, 3, S] metres.
        num_body_betas: Columns of ``shapedirs`` that shape the whole body.
        posedirs: [V, 3, 9 K] metres, or None: pose correctives, linear in the rotations of
            ``pose_joints``.
        vt: [T, 2] texture coordinates of the source's atlas, v up.
        ft: [F, 3] rows of ``vt``.
        atlas_vt: [A, 2] coordinates of the token-friendly atlas, v down (row = v * height).
        atlas_ft: [F, 3] rows of ``atlas_vt``.
        face_part: [F] index into part_names.
        part_names: Names of the surface's parts.
        landmarks: None for a body without landmarks.
        parents: Parent of each joint, -1 for the root.
        pose_joints: K joints, ascending: all but the root in SMPL-X.
    """

    v_template: FloatArray
    f: IntArray
    weights: FloatArray
    shapedirs: FloatArray
    exprdirs: FloatArray
    expression_names: tuple[str, ...]
    J_template: FloatArray
    J_shapedirs: FloatArray
    num_body_betas: int
    vt: FloatArray
    ft: IntArray
    atlas_vt: FloatArray
    atlas_ft: IntArray
    face_part: IntArray
    part_names: tuple[str, ...]
    posedirs: FloatArray | None = None
    landmarks: Landmarks | None = None
    parents: tuple[int, ...] = PARENTS
    pose_joints: tuple[int, ...] = ALL_POSE_JOINTS

    @property
    def num_betas(self) -> int:
        """Number of shape coefficients."""
        return int(self.shapedirs.shape[2])

    @property
    def num_expression(self) -> int:
        """Number of expression coefficients."""
        return int(self.exprdirs.shape[2])

    @cached_property
    def expression_index(self) -> dict[str, int]:
        """Column of each expression by name."""
        return {name: i for i, name in enumerate(self.expression_names)}

    def expression(self, **weights: float) -> FloatArray:
        """Return expression coefficients from names, e.g. ``expression(jawOpen=0.5)``.

        Args:
            weights: Weight of each expression by name; 0 for the others.

        Returns:
            [E].

        Raises:
            LikenessError: The body has no expression of a name.
        """
        out = np.zeros(self.num_expression)
        for name, value in weights.items():
            if name not in self.expression_index:
                raise LikenessError(
                    f"Unknown expression '{name}'.",
                    f"This body has: {', '.join(self.expression_names)}.",
                )
            out[self.expression_index[name]] = value
        return out

    def shaped(self, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shape the body in the T-pose.

        Args:
            betas: [S] shape coefficients.

        Returns:
            vertices: [V, 3] metres; not to be changed.
            joints: [55, 3] metres; not to be changed.
        """
        betas = np.asarray(betas)
        key = betas.dtype.str, betas.tobytes()
        found = self._last_shape.get(key)
        if found is None:
            vertices = self.v_template + self.shapedirs @ betas
            joints = self.J_template + self.J_shapedirs @ betas
            vertices.flags.writeable = joints.flags.writeable = False
            found = vertices, joints
            self._last_shape.clear()
            self._last_shape[key] = found
        return found

    @cached_property
    def _last_shape(self) -> dict[tuple[str, bytes], tuple[FloatArray, FloatArray]]:
        """The last result of :meth:`shaped`: the stages of a build ask for one shape in turn."""
        return {}

    def part_vertices(self, *names: str) -> IntArray:
        """Return the vertices of parts of the surface.

        Args:
            names: Of ``part_names``; parts that the body lacks have none.

        Returns:
            [n] ascending rows of ``v_template``.
        """
        parts = np.nonzero(np.isin(self.part_names, names))[0]
        return np.asarray(np.unique(self.f[np.isin(self.face_part, parts)]))

    def sum_weights(self, joints: Iterable[int]) -> FloatArray:
        """Sum the weights with which some joints move the vertices; ``weights`` may not change.

        Args:
            joints: Indices of the joints.

        Returns:
            [V] 0..1; not to be changed.
        """
        key = tuple(joints)
        found = self._weight_sums.get(key)
        if found is None:
            found = np.asarray(self.weights[:, list(key)].sum(1))
            found.flags.writeable = False
            self._weight_sums[key] = found
        return found

    @cached_property
    def _weight_sums(self) -> dict[tuple[int, ...], FloatArray]:
        """The results of :meth:`sum_weights`: many ask for those of the same limbs."""
        return {}

    @cached_property
    def mean_edges(self) -> FloatArray:
        """[F] metres: mean of each triangle's edges at rest (GUAVA's equation 3).

        Not to be changed.
        """
        corners = np.asarray(self.v_template, np.float64)[self.f]
        out: FloatArray = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).mean(1)
        out.flags.writeable = False
        return out

    def vertices(
        self, pose: Pose, betas: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Pose the body.

        Args:
            pose: Pose and expression.
            betas: [S] shape coefficients; zeros by default.

        Returns:
            vertices: [V, 3] metres, world space.
            joints: [55, 3] metres, world space.
        """
        v_rest, joints, R, t = self.rest_and_transforms(pose, betas)
        posed_joints = np.einsum("jab,jb->ja", R, joints) + t
        # Added last: float32 weights add up to one only nearly, and a large transl would show it.
        return skin_vertices(v_rest, self.weights, R, t - pose.transl) + pose.transl, posed_joints

    def rest_and_transforms(
        self, pose: Pose, betas: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return what a pose's skinning blends.

        Args:
            pose: Pose and expression.
            betas: [S] shape coefficients; zeros by default.

        Returns:
            v_rest: [V, 3] vertices at rest with shape, expression and pose correctives, metres.
            joints: [55, 3] rest joints, metres.
            R: [55, 3, 3] rotation of each joint's rigid motion.
            t: [55, 3] its translation, including ``pose.transl``, metres.
        """
        if betas is None:
            v, joints = self.v_template, self.J_template
        else:
            v, joints = self.shaped(betas)
        if self.num_expression:
            v = v + self.exprdirs @ limit_expression(pose.expression, self.expression_names)
        if self.posedirs is not None:
            v = v + self.posedirs @ pose_feature(pose.full_pose, self.pose_joints)
        joints = np.asarray(joints, dtype=np.float64)
        R, t, _ = joint_transforms(
            axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64)), joints, self.parents
        )
        return v, joints, R, t + pose.transl

    def personalised(self, betas: FloatArray) -> Body:
        """Return the body of one person, without a shape basis.

        Args:
            betas: [S] shape coefficients to bake in.
        """
        v, joints = self.shaped(betas)
        return replace(
            self,
            v_template=v.astype(np.float32),
            J_template=joints.astype(np.float64),
            shapedirs=np.zeros((len(v), 3, 0), np.float32),
            J_shapedirs=np.zeros((NUM_JOINTS, 3, 0), np.float64),
            num_body_betas=0,
        )
