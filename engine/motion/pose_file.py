"""Poses: one frame of a motion file. Poses by name are in :mod:`..poses`.

Files have SMPL-X's npz keys, as :mod:`.io` reads and writes them: ``global_orient``,
``body_pose``, ``left_hand_pose``, ``right_hand_pose``, ``jaw_pose``, ``leye_pose``, ``reye_pose``,
``expression`` and ``transl`` (what the smplx package calls them), each flat or with a leading axis
of frames, or AMASS's ``poses`` [165] with ``trans``. Angles are axis-angle in radians; hands are
absolute rotations from the flat hand. Axes stay as they are in the file: a capture with z up lies
on its back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..body import Body
from ..core.types import LikenessError, Pose
from .face_keys import known_joints
from .io import pose_arrays, pose_frames, read_arrays, write_npz


def save_pose(pose: Pose, path: Path, body: Body | None = None) -> None:
    """Write one frame under SMPL-X's keys, [1, n] each, float32.

    Args:
        pose: the pose.
        path: the .npz file.
        body: whose expressions these are; they are then named in the file, and ``jaw_pose`` also
            opens for what the jaw expressions do, which other SMPL-X readers expect.
    """
    write_npz(
        pose_arrays(pose.full_pose[None], pose.transl[None], pose.expression[None], body), path
    )


def load_pose(
    path: Path,
    num_expression: int,
    frame: int = 0,
    names: Sequence[str] = (),
    base: Pose | None = None,
) -> Pose:
    """Read one frame; what the file lacks stays at rest.

    Args:
        path: the file.
        num_expression: size of the body's expression basis. An expression of another size
            belongs to another basis and is left out, with a warning.
        frame: which frame of a sequence, from 0.
        names: of the body's expressions, as for :func:`.io.pose_frames`.
        base: what the other joints and the place are of, where a file is about a part of the body,
            as captures of a face are; the rest pose by default.

    Raises:
        LikenessError: no such file or frame, or arrays of a wrong size.
    """
    arrays = read_arrays(path)
    poses = pose_frames(arrays, path, num_expression, names)
    if not 0 <= frame < len(poses.transl):
        raise LikenessError(
            f"'{path}' has no frame {frame}.", f"Choose one from 0 to {len(poses.transl) - 1}."
        )
    full_pose, transl = poses.full_pose[frame], poses.transl[frame]
    known = known_joints(arrays)
    if known is not None and base is not None:
        full_pose = np.where(known[:, None], full_pose, base.full_pose)
        transl = np.asarray(base.transl, np.float64)
    return Pose(full_pose, transl, poses.expression[frame])
