"""Poses from motion files: frames in which the person stands or sits upright."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.skinning import joint_transforms
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between
from ..core.types import FRAME_STATES, JOINT_INDEX, NUM_JOINTS, PARENTS, FloatArray, LikenessError
from ..motion.io import pose_frames, read_arrays
from ..tracking.joint_limits import clamp_pose, limit_violations

MAX_FRAMES_PER_FILE = 1500
"""Frames taken of one file, evenly spaced: neighbours are nearly alike."""
_UPRIGHT = {"pelvis": 35.0, "spine3": 50.0, "head": 60.0}
"""Degrees by which a joint may lean from upright."""
_BEYOND = 0.3
"""Radians beyond a joint's limits that are still taken, and clamped."""


@dataclass(frozen=True)
class PosePool:
    """Frames of motion files that are natural poses.

    Attributes:
        names: of the motion files.
        full_pose: [T, 55, 3] axis-angle, the trunk facing +z, y up, within the joints' limits.
        source: [T] row of ``names``.
        frame: [T] of the file.
    """

    names: tuple[str, ...]
    full_pose: FloatArray
    source: FloatArray
    frame: FloatArray

    def __len__(self) -> int:
        return len(self.full_pose)

    @staticmethod
    def open(files: Sequence[Path], skipped: Callable[[Path, str], None] | None = None) -> PosePool:
        """Read motion files: SMPL-X's keys or AMASS's ``poses``, y or z up.

        Args:
            files: of motion.
            skipped: called with each unreadable file and the reason; the file is left out.

        Raises:
            LikenessError: a file cannot be read and ``skipped`` is None, or no frame shows a person
                upright.
        """
        poses, sources, frames = [np.zeros((0, NUM_JOINTS, 3))], [], []
        unread = None
        for row, path in enumerate(files):
            try:
                full_pose, frame = _upright_frames(Path(path))
            except LikenessError as error:
                if skipped is None:
                    raise
                skipped(Path(path), error.message)
                unread = error
                continue
            poses.append(full_pose)
            sources.append(np.full(len(frame), row))
            frames.append(frame)
        if unread is not None and not sources:
            raise unread  # none of them can be read
        if not sum(map(len, poses)):
            raise LikenessError(
                f"No frame of {', '.join(str(path) for path in files) or 'no files'} shows "
                "a person upright.",
                "Give motion of people who stand, walk, sit or gesture.",
            )
        return PosePool(
            tuple(Path(path).name for path in files),
            np.concatenate(poses),
            np.concatenate(sources),
            np.concatenate(frames),
        )

    def random(self, rng: np.random.Generator) -> tuple[FloatArray, str, int]:
        """Draw a frame.

        Returns:
            The pose [55, 3] in axis-angle radians, the name of its file and its frame's number.
        """
        row = int(rng.integers(len(self)))
        return self.full_pose[row], self.names[int(self.source[row])], int(self.frame[row])


def _upright_frames(path: Path) -> tuple[FloatArray, FloatArray]:
    """full_pose [T, 55, 3] and frame numbers [T] of the natural poses of one file."""
    arrays = read_arrays(path)
    arrays.pop("expression", None)  # faces are drawn by themselves
    full_pose = pose_frames(arrays, path, 0).full_pose
    frame = np.arange(len(full_pose))
    state = np.asarray(arrays.get("frame_state", np.zeros(len(frame))))
    if len(state) == len(frame):
        frame = frame[state != FRAME_STATES.index("lost")]
    frame = frame[:: max(1, -(-len(frame) // MAX_FRAMES_PER_FILE))]
    full_pose = full_pose[frame]
    full_pose[:, 22:25] = 0.0
    R = np.stack([_world(pose) for pose in full_pose]).reshape(-1, NUM_JOINTS, 3, 3)
    turn = _to_y_up(R)
    R = turn @ R
    upright = np.ones(len(frame), bool)
    for name, degrees in _UPRIGHT.items():
        upright &= R[:, JOINT_INDEX[name], 1, 1] > np.cos(np.radians(degrees))
    natural = upright & (limit_violations(full_pose).max(-1, initial=0.0) < _BEYOND)
    heading = np.arctan2(R[:, JOINT_INDEX["spine3"], 0, 2], R[:, JOINT_INDEX["spine3"], 2, 2])
    front = axis_angle_to_matrix(np.stack([0 * heading, -heading, 0 * heading], axis=-1))
    full_pose[:, 0] = matrix_to_axis_angle(front @ R[:, 0])
    return clamp_pose(full_pose[natural]), frame[natural]


def _world(full_pose: FloatArray) -> FloatArray:
    rotations = axis_angle_to_matrix(full_pose)
    return joint_transforms(rotations, np.zeros((NUM_JOINTS, 3)), PARENTS)[0]


def _to_y_up(R: FloatArray) -> FloatArray:
    """[3, 3] from the file's axes to ours: the axis along which most pelvises point is up."""
    up = R[:, 0, :, 1].mean(0) if len(R) else np.array([0.0, 1.0, 0.0])
    axis = np.zeros(3)
    axis[np.abs(up).argmax()] = np.sign(up[np.abs(up).argmax()])
    return np.eye(3) if axis[1] > 0 else rotation_between(axis, np.array([0.0, 1.0, 0.0]))
