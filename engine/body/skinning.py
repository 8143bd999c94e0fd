"""Linear blend skinning in numpy (SMPL, equations 2-9; SMPL-X keeps them)."""

from __future__ import annotations

import numpy as np

from ..core.rotations import axis_angle_to_matrix
from ..core.types import FloatArray


def joint_transforms(
    rotations: FloatArray, joints: FloatArray, parents: tuple[int, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Forward kinematics.

    Args:
        rotations: [J, 3, 3] of each joint relative to its parent.
        joints: [J, 3] rest positions in metres.
        parents: Parent index of each joint, -1 for the root; parents come before children.

    Returns:
        R [J, 3, 3] world rotation of each joint, t [J, 3] such that a rest point ``x`` held
        by joint j goes to ``R[j] @ x + t[j]``, and the posed joint positions [J, 3].
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
    """Blend rigid motions: v_rest [V, 3], weights [V, J], R [J, 3, 3], t [J, 3] -> [V, 3]."""
    M = (weights @ R.reshape(len(R), 9)).reshape(-1, 3, 3)
    out: FloatArray = np.einsum("vab,vb->va", M, v_rest) + weights @ t
    return out


def pose_feature(full_pose: FloatArray) -> FloatArray:
    """SMPL's pose blend shape coefficients: vec(R_j - I) of every joint but the root.

    [J, 3] axis-angle -> [(J - 1) * 9].
    """
    R = axis_angle_to_matrix(np.asarray(full_pose)[1:])
    return (R - np.eye(3, dtype=R.dtype)).reshape(-1)
