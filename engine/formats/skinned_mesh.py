"""A body as skinned-mesh formats need it: four bones a vertex, joints as nodes, and curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..body.expression_limits import limit_expression
from ..core.rotations import axis_angle_to_quaternion
from ..core.types import FloatArray, IntArray, Motion, Pose

BONES_PER_VERTEX = 4


def bone_weights(body: Body) -> tuple[IntArray, FloatArray]:
    """Reduce skinning weights to four joints a vertex.

    Args:
        body: The body.

    Returns:
        joints: [V, 4] uint8, the heaviest joints; unused entries are 0.
        weights: [V, 4] float32, which add up to one in float32; unused entries are 0.
    """
    weights = np.asarray(body.weights, np.float64)
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :BONES_PER_VERTEX]
    kept = np.take_along_axis(weights, joints, 1)
    kept[kept < 1e-4] = 0.0
    kept = (kept / kept.sum(1, keepdims=True)).astype(np.float32)
    kept[:, 0] = 1.0 - kept[:, 1:].astype(np.float64).sum(1)
    return np.where(kept > 0, joints, 0).astype(np.uint8), kept


def joint_offsets(body: Body) -> FloatArray:
    """Return each joint's rest offset from its parent, or from the origin.

    Args:
        body: The body.

    Returns:
        [55, 3] metres.
    """
    joints = np.asarray(body.J_template, np.float64)
    parents = np.array(body.parents)
    return np.where(parents[:, None] >= 0, joints - joints[np.maximum(parents, 0)], joints)


@dataclass(frozen=True)
class Curves:
    """T poses as curves of a skeleton's nodes.

    Attributes:
        times: [T] seconds.
        root: [T, 3] metres, position of the pelvis.
        quats: [T, 55, 4] as w, x, y, z, relative to the parents, without jumps of sign.
        expression: [T, E].
    """

    times: FloatArray
    root: FloatArray
    quats: FloatArray
    expression: FloatArray


def make_curves(body: Body, poses: Pose | Motion, frame_rate: float = 30.0) -> Curves:
    """Return the curves of a pose (one frame) or of a motion at its own rate."""
    if isinstance(poses, Motion):
        full, transl, expression = poses.full_pose, poses.transl, poses.expression
        frame_rate = poses.frame_rate
    else:
        full, transl, expression = (
            np.asarray(a)[None] for a in (poses.full_pose, poses.transl, poses.expression)
        )
    quats = axis_angle_to_quaternion(np.asarray(full, np.float64))
    for t in range(1, len(quats)):
        quats[t] *= np.where((quats[t] * quats[t - 1]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    root = np.asarray(body.J_template, np.float64)[0] + transl
    return Curves(
        np.arange(len(quats)) / frame_rate,
        root,
        quats,
        limit_expression(expression, body.expression_names),
    )
