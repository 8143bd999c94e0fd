"""SMPL-X poses <-> pose bones.

Every joint of an SMPL-X pose turns about its rest position in axes that are parallel to the
body's at rest. A pose bone turns in its own rest axes ``M`` (its ``matrix_local``), so a joint's
rotation ``R`` (in Blender's axes) is the bone's ``M^T R M``; the pelvis bone carries ``transl``,
from the photo's origin instead of the template's (``addon/scene/origin.py``).
The arithmetic needs no bpy, so that it can be tested alone.

Setting a pose switches off everything that would change it, and reading evaluates everything that
changes it, so both deal with the displayed pose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.core.alignment import nearest_orthonormal
from ...engine.core.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_to_matrix,
)
from ...engine.core.types import JOINT_NAMES, PARENTS, FloatArray, LikenessError, Pose
from ..rig.bone_names import RigBones
from ..rig.control_names import ROOT
from ..scene.axes import (
    points_to_blender,
    points_to_engine,
    rotations_to_blender,
    rotations_to_engine,
)
from ..scene.origin import photo_origin, template_origin

PELVIS = JOINT_NAMES[0]


def bone_quaternions(full_pose: FloatArray, rest_axes: FloatArray) -> FloatArray:
    """Axis-angles -> pose-bone quaternions.

    Args:
        full_pose: [..., 55, 3] radians, engine axes.
        rest_axes: [55, 3, 3] each bone's axes at rest as columns, in Blender's axes.

    Returns:
        [..., 55, 4] (w, x, y, z).
    """
    R = rotations_to_blender(axis_angle_to_matrix(np.asarray(full_pose, np.float64)))
    return matrix_to_quaternion(np.swapaxes(rest_axes, -1, -2) @ R @ rest_axes)


def axis_angles(quaternions: FloatArray, rest_axes: FloatArray) -> FloatArray:
    """The inverse of :func:`bone_quaternions`."""
    local = quaternion_to_matrix(np.asarray(quaternions, np.float64))
    R = rest_axes @ local @ np.swapaxes(rest_axes, -1, -2)
    return matrix_to_axis_angle(rotations_to_engine(R))


def get_rest_axes(armature: Any) -> FloatArray:
    """[55, 3, 3] rest axes of the armature's bones as columns, armature space.

    Raises:
        LikenessError: A joint's bone is missing.
    """
    check_joints(armature)
    bones = RigBones(armature)
    return np.array([bones[name].bone.matrix_local.to_3x3() for name in JOINT_NAMES])


def check_joints(armature: Any) -> None:
    """Check that the armature has the bones of all joints.

    Raises:
        LikenessError: A joint's bone is missing.
    """
    gone = [name for name in JOINT_NAMES if name not in RigBones(armature)]
    if gone:
        raise LikenessError(
            f"'{armature.name}' has no bone '{gone[0]}': it was removed or renamed.",
            "Undo that, or import the avatar again.",
        )


def pose_channels(
    full_pose: FloatArray, transl: FloatArray, armature: Any
) -> tuple[FloatArray, FloatArray]:
    """Poses -> quaternions [..., 55, 4] of the joints' bones and locations [..., 3] of the pelvis,
    with the root where it is, and the centre of gravity at rest.

    Args:
        full_pose: [..., 55, 3] radians.
        transl: [..., 3] metres, the photo's space.
        armature: of the avatar.

    Raises:
        LikenessError: A joint's bone is missing.
    """
    axes = get_rest_axes(armature)
    root = _root_matrix(armature)
    turn = nearest_orthonormal(root[:3, :3])
    quaternions = bone_quaternions(full_pose, axes)
    R = rotations_to_blender(axis_angle_to_matrix(np.asarray(full_pose, np.float64)[..., 0, :]))
    quaternions[..., 0, :] = matrix_to_quaternion(axes[0].T @ turn.T @ R @ axes[0])
    pelvis = np.array(RigBones(armature)[PELVIS].bone.head_local) - template_origin(armature)
    place = points_to_blender(np.asarray(transl, np.float64)) + photo_origin(armature) + pelvis
    place = (place - root[:3, 3]) @ np.linalg.inv(root[:3, :3]).T
    return quaternions, (place - pelvis - template_origin(armature)) @ axes[0]


def channel_poses(
    quaternions: FloatArray, locations: FloatArray, armature: Any
) -> tuple[FloatArray, FloatArray]:
    """The inverse of :func:`pose_channels`, for a root at rest."""
    axes = get_rest_axes(armature)
    moved = np.asarray(locations, np.float64) @ axes[0].T
    transl = points_to_engine(moved - photo_origin(armature) + template_origin(armature))
    return axis_angles(quaternions, axes), transl


def _root_matrix(armature: Any) -> FloatArray:
    """[4, 4] what the root bone does to armature space; the identity in a rig without one."""
    root = RigBones(armature).get(ROOT)
    if root is None:
        return np.eye(4)
    rest = np.array(root.bone.matrix_local, np.float64)
    return rest @ np.array(root.matrix_basis, np.float64) @ np.linalg.inv(rest)


def apply_pose(pose: Pose, armature: Any) -> None:
    """Set the armature's 55 pose bones to ``pose`` (joints and transl).

    The root bone stays where it is. IK, look-at, limits and other controls, which would change the
    displayed pose, are switched off.

    Raises:
        LikenessError: A joint's bone is missing.
    """
    from ..rig.controls import release_controls

    quaternions, location = pose_channels(pose.full_pose, pose.transl, armature)
    bones = RigBones(armature)
    for name, quaternion in zip(JOINT_NAMES, quaternions):
        bone = bones[name]
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = quaternion.tolist()
        bone.scale = (1.0, 1.0, 1.0)
        bone.location = (0.0, 0.0, 0.0)
    bones[PELVIS].location = location.tolist()
    release_controls(armature)


def read_bone_pose(armature: Any, expression: FloatArray) -> Pose:
    """The displayed pose, including constraints, IK and drivers, in any rotation mode.

    Blender evaluates pending changes first, which takes as long as a redraw.

    Args:
        armature: of the avatar.
        expression: [E] of the result.

    Raises:
        LikenessError: A joint's bone is missing, or the armature is not in the view layer.
    """
    from ..rig.evaluated_pose import evaluate_armature

    check_joints(armature)
    seen = RigBones(evaluate_armature(armature))
    posed = np.array([seen[name].matrix for name in JOINT_NAMES])
    rest = np.array([seen[name].bone.matrix_local for name in JOINT_NAMES])
    # scale is dropped, and so is the location of all bones except the root
    turns = nearest_orthonormal(posed[:, :3, :3]) @ np.swapaxes(rest[:, :3, :3], 1, 2)
    local = turns.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[joint] = turns[parent].T @ turns[joint]
    return Pose(
        full_pose=matrix_to_axis_angle(rotations_to_engine(local)),
        transl=points_to_engine(
            posed[0, :3, 3] - rest[0, :3, 3] - photo_origin(armature) + template_origin(armature)
        ),
        expression=np.asarray(expression, np.float64),
    )
