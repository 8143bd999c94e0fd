"""SMPL-X rotations as pose-bone rotations."""

from __future__ import annotations

import numpy as np
from likeness.addon.motion.bone_pose import axis_angles, bone_quaternions
from likeness.addon.scene.axes import points_to_blender, rotations_to_blender
from likeness.engine.core.rotations import axis_angle_to_matrix, quaternion_to_matrix
from likeness.engine.core.types import NUM_JOINTS


def rest_axes(rng: np.random.Generator) -> np.ndarray:
    return axis_angle_to_matrix(rng.normal(0, 1.5, (NUM_JOINTS, 3)))


def test_there_and_back() -> None:
    rng = np.random.default_rng(0)
    axes, pose = rest_axes(rng), rng.normal(0, 0.8, (NUM_JOINTS, 3))
    back = axis_angles(bone_quaternions(pose, axes), axes)
    np.testing.assert_allclose(axis_angle_to_matrix(back), axis_angle_to_matrix(pose), atol=1e-12)


def test_bones_that_rest_in_line_with_the_world_turn_as_the_joints() -> None:
    pose = np.random.default_rng(1).normal(0, 0.8, (NUM_JOINTS, 3))
    R = quaternion_to_matrix(bone_quaternions(pose, np.tile(np.eye(3), (NUM_JOINTS, 1, 1))))
    np.testing.assert_allclose(R, rotations_to_blender(axis_angle_to_matrix(pose)), atol=1e-12)


def test_a_held_point_goes_where_the_joint_takes_it() -> None:
    """Blender moves a point p, seen from the bone's head, to M B M^-1 p."""
    rng = np.random.default_rng(2)
    axes, pose = rest_axes(rng), rng.normal(0, 0.8, (NUM_JOINTS, 3))
    B = quaternion_to_matrix(bone_quaternions(pose, axes))
    point = rng.normal(size=3)
    moved = axes @ B @ np.swapaxes(axes, 1, 2) @ points_to_blender(point)
    np.testing.assert_allclose(
        moved, points_to_blender(axis_angle_to_matrix(pose) @ point), atol=1e-12
    )
