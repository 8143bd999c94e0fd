"""Our own motion and pose files, and other SMPL-X or AMASS npz files, as estimates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.types import NUM_JOINTS, Camera, FloatArray, LikenessError, Motion
from ...core.upright import camera_at
from ...files.cache import get_or_load
from ...motion.io import PoseFrames, motion_from_arrays, pose_frames, read_arrays
from ...motion.smplx_keys import standardize_keys
from .convert import narrow_camera, place_in_photo, to_axis_angles, to_matrices
from .estimate import PoseEstimate
from .smplx_rows import JAW, PELVIS


@dataclass(frozen=True)
class _Clip:
    """A motion file; without a camera ``motion`` is None.

    ``pelvis`` [3] is its body's at rest in metres, None where the file does not contain it.
    """

    expression_names: list[str]
    poses: PoseFrames
    motion: Motion | None
    pelvis: FloatArray | None


def _read_clip(path: Path) -> _Clip:
    arrays, _ = standardize_keys(read_arrays(path), path)
    names = [str(name) for name in np.atleast_1d(arrays.get("expression_names", []))]
    poses = pose_frames(
        {k: v for k, v in arrays.items() if names or k != "expression"}, path, len(names)
    )
    motion = motion_from_arrays(arrays, path, len(names)) if "camera_K" in arrays else None
    pelvis = np.asarray(arrays["pelvis"], np.float64) if "pelvis" in arrays else None
    return _Clip(names, poses, motion, pelvis)


def from_motion(path: Path, camera: Camera, frame: int = 0) -> PoseEstimate:
    """One frame of a motion or pose file.

    A file with a camera (``likeness track`` writes one) also gives the place, for the given
    camera. One without is in a world of its own, so only the joints below the pelvis count.

    Args:
        path: the file.
        camera: the photo's.
        frame: which one, counted from 0.

    Raises:
        LikenessError: the file or frame is missing, or the file has no pose.
    """
    # A video asks for every frame of the file.
    clip = get_or_load("motion estimate", path, lambda: _read_clip(path))
    names, poses, motion = clip.expression_names, clip.poses, clip.motion
    if not 0 <= frame < len(poses.transl):
        raise LikenessError(
            f"'{path}' has no frame {frame}.", f"Choose one from 0 to {len(poses.transl) - 1}."
        )
    full_pose = poses.full_pose[frame]
    estimate = PoseEstimate.nothing(path.name, "motion").with_rows(
        slice(0, NUM_JOINTS), full_pose, 1.0
    )
    expression = dict(zip(names, (float(w) for w in poses.expression[frame])))
    if names:
        estimate = estimate.without([JAW])  # its part of the jaw is in the expression
    if motion is None:
        return replace(estimate.without([PELVIS]), expression=expression)
    seen = camera_at(motion, frame).resized(camera.width, camera.height)
    theirs = narrow_camera(camera, np.diag(seen.K)[:2], seen.K[:2, 2])
    view = seen.viewmat
    pelvis = np.zeros(3) if clip.pelvis is None else clip.pelvis
    pelvis = pelvis + motion.transl[frame]
    pelvis = view[:3, :3] @ pelvis + view[:3, 3]
    root = place_in_photo(
        view[:3, :3] @ to_matrices(full_pose[PELVIS]),
        pelvis,
        np.array([0.0, 0.0, pelvis[2]]),
        theirs,
        camera,
    )
    trust = np.clip(motion.joint_confidence[frame], 0.0, 1.0)
    known = estimate.known & (trust > 0)
    estimate = replace(estimate, known=known, confidence=np.where(known, trust, 0.0))
    estimate = estimate.with_rows(PELVIS, to_axis_angles(root.R), max(float(trust[PELVIS]), 0.5))
    position = None if clip.pelvis is None else root.position
    return replace(estimate, position=position, position_of=(PELVIS,), expression=expression)
