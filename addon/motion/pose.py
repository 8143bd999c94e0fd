"""SMPL-X poses <-> pose bones.

Every joint of an SMPL-X pose turns about its rest position in axes that are parallel to the
body's at rest. A pose bone turns in its own rest axes ``M`` (its ``matrix_local``), so a joint's
rotation ``R`` (in Blender's axes) is the bone's ``M^T R M``; the pelvis bone carries ``transl``.
No bpy here: bones are duck-typed, so that the arithmetic can be tested alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_to_matrix,
)
from ...engine.types import JOINT_NAMES, FloatArray, Pose
from ..scene.axes import (
    points_to_blender,
    points_to_engine,
    rotations_to_blender,
    rotations_to_engine,
)

ROOT = JOINT_NAMES[0]


def bone_quaternions(full_pose: FloatArray, rest_axes: FloatArray) -> FloatArray:
    """[55, 3] axis-angles -> [55, 4] pose-bone quaternions.

    Args:
        rest_axes: [55, 3, 3] each bone's axes at rest as columns, in Blender's axes.
    """
    R = rotations_to_blender(axis_angle_to_matrix(np.asarray(full_pose, np.float64)))
    return matrix_to_quaternion(np.swapaxes(rest_axes, -1, -2) @ R @ rest_axes)


def axis_angles(quaternions: FloatArray, rest_axes: FloatArray) -> FloatArray:
    """The inverse of :func:`bone_quaternions`."""
    local = quaternion_to_matrix(np.asarray(quaternions, np.float64))
    R = rest_axes @ local @ np.swapaxes(rest_axes, -1, -2)
    return matrix_to_axis_angle(rotations_to_engine(R))


def rest_axes(armature: Any) -> FloatArray:
    """[55, 3, 3] the rest axes of the armature object's bones, as columns, armature space."""
    return np.array([armature.data.bones[name].matrix_local.to_3x3() for name in JOINT_NAMES])


def pose_to_bones(pose: Pose, armature: Any) -> None:
    """Set the armature object's 55 pose bones to ``pose`` (joints and transl)."""
    axes = rest_axes(armature)
    for name, quaternion in zip(JOINT_NAMES, bone_quaternions(pose.full_pose, axes)):
        bone = armature.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = quaternion.tolist()
        bone.scale = (1.0, 1.0, 1.0)
        bone.location = (0.0, 0.0, 0.0)
    location = axes[0].T @ points_to_blender(np.asarray(pose.transl, np.float64))
    armature.pose.bones[ROOT].location = location.tolist()


def bones_to_pose(armature: Any, expression: FloatArray) -> Pose:
    """The pose that the 55 pose bones hold, in any rotation mode; constraints are not seen."""
    axes = rest_axes(armature)
    local = np.array([armature.pose.bones[n].matrix_basis.to_3x3() for n in JOINT_NAMES])
    # matrix_basis may carry scale, which a pose has no room for
    local /= np.linalg.norm(local, axis=1, keepdims=True)
    location = np.array(armature.pose.bones[ROOT].location, np.float64)
    return Pose(
        full_pose=axis_angles(matrix_to_quaternion(local), axes),
        transl=points_to_engine(axes[0] @ location),
        expression=np.asarray(expression, np.float64),
    )
