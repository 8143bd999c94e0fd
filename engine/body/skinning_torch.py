"""The torch twin of linear blend skinning (:mod:`.skinning`, ``Body.vertices``), differentiable.

A test compares this file with ``.skinning`` and ``Body``. Poses may have any leading shape. Joints
of one depth in the skeleton are transformed together, so that a batch on a GPU costs ten small
products instead of fifty-five. Needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..core.types import FloatArray
from .expression_limits import LID_FADE, PRESSED, find_limits
from .model import Body


@dataclass(frozen=True)
class BodyTensors:
    """A body's arrays as tensors of one type on one device.

    Attributes:
        v_template: [V, 3] metres.
        f: [F, 3] int64.
        weights: [V, 55].
        J_template: [55, 3].
        shapedirs: [V, 3, S].
        J_shapedirs: [55, 3, S].
        exprdirs: [V, 3, E].
        posedirs: [V, 3, 9 K] or None.
        parents: As in ``Body``.
        expression_names: As in ``Body``.
        pose_joints: [K] of ``posedirs``, as in ``Body``.
    """

    v_template: Tensor
    f: Tensor
    weights: Tensor
    J_template: Tensor
    shapedirs: Tensor
    J_shapedirs: Tensor
    exprdirs: Tensor
    posedirs: Tensor | None
    parents: tuple[int, ...]
    expression_names: tuple[str, ...]
    pose_joints: tuple[int, ...]

    @staticmethod
    def of(
        body: Body, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> BodyTensors:
        """Copy a body's arrays."""

        def tensor(values: FloatArray) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=dtype, device=device)

        return BodyTensors(
            v_template=tensor(body.v_template),
            f=torch.tensor(np.asarray(body.f), dtype=torch.int64, device=device),
            weights=tensor(body.weights),
            J_template=tensor(body.J_template),
            shapedirs=tensor(body.shapedirs),
            J_shapedirs=tensor(body.J_shapedirs),
            exprdirs=tensor(body.exprdirs),
            posedirs=None if body.posedirs is None else tensor(body.posedirs),
            parents=body.parents,
            expression_names=body.expression_names,
            pose_joints=body.pose_joints,
        )

    @cached_property
    def _levels(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Return the joints of every depth of the skeleton below the root, and their parents.

        The parents are indices among the joints of the depth above.
        """
        depth = [0] * len(self.parents)
        for joint, parent in enumerate(self.parents):
            depth[joint] = 0 if parent < 0 else depth[parent] + 1
        rows = [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
        device = self.f.device
        return tuple(
            (
                torch.tensor(here, device=device),
                torch.tensor([above.index(self.parents[j]) for j in here], device=device),
            )
            for above, here in pairwise(rows)
        )

    @cached_property
    def _order(self) -> Tensor:
        """Index of each joint in the concatenation of all depths."""
        root = torch.zeros(1, dtype=torch.int64, device=self.f.device)
        return torch.argsort(torch.cat([root, *(joints for joints, _ in self._levels)]))


def axis_angle_to_matrix_torch(axis_angle: Tensor) -> Tensor:
    """Convert axis-angle to matrices by Rodrigues' formula, differentiable at zero.

    Args:
        axis_angle: [..., 3] radians.

    Returns:
        [..., 3, 3].
    """
    angle2 = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = angle2 < 1e-8
    safe = torch.where(small, torch.ones_like(angle2), angle2).sqrt()
    a = torch.where(small, 1 - angle2 / 6, safe.sin() / safe)
    # (1 - cos x) / x^2 without the difference of two numbers near one.
    b = torch.where(small, 0.5 - angle2 / 24, 2 * ((safe / 2).sin() / safe).square())
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    K = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    eye = torch.eye(3, dtype=K.dtype, device=K.device)
    return eye + a * K + b * (K @ K)


def joint_transforms_torch(
    body: BodyTensors, rotations: Tensor, joints: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute forward kinematics as :func:`.skinning.joint_transforms`.

    Args:
        body: The body.
        rotations: [..., 55, 3, 3] relative to the parents.
        joints: [..., 55, 3] metres, at rest.

    Returns:
        R: [..., 55, 3, 3] world rotations.
        t: [..., 55, 3] metres.
        posed: [..., 55, 3] metres, posed joints.
    """
    joints = joints.expand(*rotations.shape[:-3], -1, -1)
    turned, placed = [rotations[..., :1, :, :]], [joints[..., :1, :]]
    before = joints[..., :1, :]
    for here, above in body._levels:
        R, rest = turned[-1][..., above, :, :], joints[..., here, :]
        bone = (R @ (rest - before[..., above, :])[..., None])[..., 0]
        turned.append(R @ rotations[..., here, :, :])
        placed.append(placed[-1][..., above, :] + bone)
        before = rest
    R = torch.cat(turned, -3)[..., body._order, :, :]
    posed = torch.cat(placed, -2)[..., body._order, :]
    return R, posed - (R @ joints[..., None])[..., 0], posed


def body_vertices_torch(
    body: BodyTensors,
    full_pose: Tensor,
    transl: Tensor,
    expression: Tensor,
    betas: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Pose the body as ``Body.vertices`` does.

    Args:
        body: The body.
        full_pose: [..., 55, 3] axis-angle, radians.
        transl: [..., 3] metres.
        expression: [..., E] expression coefficients.
        betas: [..., S] shape coefficients; the template's own shape by default.

    Returns:
        vertices: [..., V, 3] metres, world space.
        joints: [..., 55, 3] metres, world space.
    """
    rotations = axis_angle_to_matrix_torch(full_pose)
    v, joints = body.v_template, body.J_template
    if betas is not None:
        v = v + _blend(body.shapedirs, betas)
        joints = joints + _blend(body.J_shapedirs, betas)
    if body.exprdirs.shape[-1]:
        v = v + _blend(body.exprdirs, _limit_expression(expression, body.expression_names))
    if body.posedirs is not None:
        eye = torch.eye(3, dtype=v.dtype, device=v.device)
        turned = rotations[..., list(body.pose_joints), :, :] - eye
        v = v + _blend(body.posedirs, turned.flatten(-3))
    R, t, posed = joint_transforms_torch(body, rotations, joints)
    M = (body.weights @ R.flatten(-2)).reshape(*R.shape[:-3], -1, 3, 3)
    moved = (M @ v[..., None])[..., 0] + body.weights @ t
    return moved + transl[..., None, :], posed + transl[..., None, :]


def _limit_expression(expression: Tensor, names: tuple[str, ...]) -> Tensor:
    """[..., E] as ``limit_expression`` returns it."""
    limits = find_limits(names)
    out = expression.clone()
    opened = None if limits.jaw is None else expression[..., limits.jaw]
    if limits.openers and opened is not None:
        for opener, room in limits.openers.items():
            opened = torch.maximum(opened, room * expression[..., opener])
        out[..., limits.jaw] = opened
    if limits.lips is not None and opened is not None:
        lips = limits.lips[0]
        out[..., lips] = torch.minimum(expression[..., lips], opened.clamp(min=0.0) + PRESSED)
    if limits.lids:
        lids, blinks = (list(columns) for columns in zip(*limits.lids, strict=True))
        fade = (LID_FADE - LID_FADE * expression[..., blinks]).clamp(0.0, 1.0)
        out[..., lids] = expression[..., lids] * fade
    return out


def _blend(directions: Tensor, weights: Tensor) -> Tensor:
    """[V, 3, K] and [..., K] -> [..., V, 3]."""
    return (weights @ directions.flatten(0, 1).T).reshape(*weights.shape[:-1], -1, 3)
