"""SMPL-X rotations as pose-bone rotations."""

from __future__ import annotations

import numpy as np
from likeness.addon.motion.bone_pose import axis_angles, bone_quaternions, pose_from_matrices
from likeness.addon.scene.axes import points_to_blender, rotations_to_blender
from likeness.engine.body.skinning import joint_transforms
from likeness.engine.core.rotations import axis_angle_to_matrix, quaternion_to_matrix
from likeness.engine.core.types import NUM_JOINTS, PARENTS


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


def test_what_is_seen_is_the_pose_that_the_engine_would_show() -> None:
    """Matrices of bones that stand where the engine's joints stand, scaled as bones may be."""
    rng = np.random.default_rng(3)
    axes, pose = rest_axes(rng), rng.normal(0, 0.8, (NUM_JOINTS, 3))
    joints, transl = rng.normal(size=(NUM_JOINTS, 3)), rng.normal(size=3)
    R, _, posed = joint_transforms(axis_angle_to_matrix(pose), joints, PARENTS)
    rest, seen = np.tile(np.eye(4), (2, NUM_JOINTS, 1, 1))
    rest[:, :3, :3], rest[:, :3, 3] = axes, points_to_blender(joints)
    seen[:, :3, :3] = rotations_to_blender(R) @ axes * rng.uniform(0.5, 2, (NUM_JOINTS, 1, 1))
    seen[:, :3, 3] = points_to_blender(posed + transl)
    found = pose_from_matrices(seen, rest, np.zeros(2))
    np.testing.assert_allclose(found.transl, transl, atol=1e-12)
    np.testing.assert_allclose(
        axis_angle_to_matrix(found.full_pose), axis_angle_to_matrix(pose), atol=1e-10
    )
