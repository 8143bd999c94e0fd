"""Recordings: an avatar's joints in Blender, frame by frame, as a motion."""

from __future__ import annotations

import numpy as np

from ..core.alignment import nearest_orthonormal
from ..core.rotations import matrix_to_axis_angle
from ..core.types import JOINT_NAMES, PARENTS, FloatArray
from ..scene.files import unpack_avatar
from . import reenact
from .io import pose_arrays
from .smplx_keys import Arrays


def turns_to_poses(turns: FloatArray) -> FloatArray:
    """Convert joints' world rotations to poses.

    Args:
        turns: [T, 55, 3, 3] from each joint's rest, in the world; scale and shear are removed.

    Returns:
        [T, 55, 3] axis-angle, radians, relative to the parent joint.
    """
    world = nearest_orthonormal(turns)
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, list(PARENTS[1:])], -1, -2) @ world[:, 1:]
    return matrix_to_axis_angle(local)


def export_recording(recording: Arrays, up: str = "y") -> Arrays:
    """The keys of a motion file (docs/MOTION.md).

    Args:
        recording: ``turns`` [T, 55, 3, 3] of each joint from its rest in the world, ``pelvis_at``
            [T, 3], ``joints`` [55, 3] of the T-pose, all in engine axes, ``expression`` [T, E]
            with ``expression_names`` and ``frame_rate``; ``person``, the bytes of the avatar
            without its splats, where the scene has them.
        up: ``z`` turns everything so that z points up, as in AMASS.
    """
    joints = np.asarray(recording["joints"], np.float64)
    pelvis = joints[0]
    turns, place = recording["turns"], np.asarray(recording["pelvis_at"], np.float64)
    if up == "z":
        turn = reenact.UPRIGHT["z"].T
        turns, place = turn @ turns, place @ turn.T
        # each joint's rest stays y-up: only the root turns
    full_pose = turns_to_poses(turns)
    expression = np.asarray(recording["expression"], np.float64)
    names = tuple(str(name) for name in recording["expression_names"])
    body = None
    if "person" in recording:
        body = unpack_avatar(recording["person"].tobytes(), "the scene").body
        if body.expression_names != names:
            body = None
    arrays = pose_arrays(full_pose, place - pelvis, expression, body)
    if body is None and names:
        arrays["expression_names"] = np.array(names, dtype=np.str_)
    if not names:
        del arrays["expression"]
    return arrays | {
        "betas": np.zeros(10, np.float32),
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(float(recording["frame_rate"])),
        "joint_names": np.array(JOINT_NAMES),
        "pelvis": pelvis,
        "leg_length": np.array(reenact.leg_length(joints)),
    }
