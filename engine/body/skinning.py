"""Linear blend skinning in numpy (SMPL, equations 2-9, unchanged in SMPL-X)."""

from __future__ import annotations

import numpy as np

from ..core.rotations import axis_angle_to_matrix
from ..core.types import NUM_JOINTS, FloatArray

ALL_POSE_JOINTS = tuple(range(1, NUM_JOINTS))
"""The joints whose rotations SMPL-X's pose correctives are linear in: all but the root."""


def joint_transforms(
    rotations: FloatArray, joints: FloatArray, parents: tuple[int, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute each joint's rigid motion by forward kinematics.

    Args:
        rotations: [J, 3, 3] of each joint relative to its parent.
        joints: [J, 3] rest positions in metres.
        parents: Parent index of each joint, -1 for the root; parents come before children.

    Returns:
        R: [J, 3, 3] world rotation of each joint.
        t: [J, 3] metres; joint j moves a rest point ``x`` to ``R[j] @ x + t[j]``.
        posed: [J, 3] metres, posed joint positions.
    """
    R = np.empty_like(rotations)
    posed = np.empty_like(joints)
    for j, parent in enumerate(parents):
        if parent < 0:
            R[j], posed[j] = rotations[j], joints[j]
        else:
            R[j] = R[parent] @ rotations[j]
            posed[j] = posed[parent] + R[parent] @ (joints[j] - joints[parent])
    return R, posed - np.einsum("jab,jb->ja", R, joints), posed


def skin_vertices(
    v_rest: FloatArray, weights: FloatArray, R: FloatArray, t: FloatArray
) -> FloatArray:
    """Blend the joints' rigid motions.

    Args:
        v_rest: [V, 3] metres.
        weights: [V, J] skinning weights.
        R: [J, 3, 3] rotations.
        t: [J, 3] metres.

    Returns:
        [V, 3] metres.
    """
    M = (weights @ R.reshape(len(R), 9)).reshape(-1, 3, 3)
    out: FloatArray = np.einsum("vab,vb->va", M, v_rest) + weights @ t
    return out


def pose_feature(full_pose: FloatArray, joints: tuple[int, ...] = ALL_POSE_JOINTS) -> FloatArray:
    """Return SMPL's pose blend shape coefficients: vec(R_j - I) of some joints.

    Args:
        full_pose: [J, 3] axis-angle, radians.
        joints: K of them.

    Returns:
        [9 K].
    """
    R = axis_angle_to_matrix(np.asarray(full_pose)[list(joints)])
    return (R - np.eye(3, dtype=R.dtype)).reshape(-1)
