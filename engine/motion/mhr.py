"""Poses of the Momentum Human Rig (MHR), as SAM 3D Body estimates them, turned into SMPL-X's.

MHR (Meta, Apache-2.0, https://github.com/facebookresearch/MHR) has 127 joints. Along a limb a
joint's x axis lies on the bone and its z axis is the hinge of elbow or knee; along the spine and in
the head x points up, y to the front and z to the left. So each of SMPL-X's joints turns with one
of MHR's, by a constant rotation between the two frames at rest; the right side mirrors the left.

Hands are taken from the positions of their joints: SAM 3D Body's ``pred_global_rots`` are those of
its first pass, before it looks at the hands again. It estimates neither jaw nor gaze nor toes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.cameras import PHOTO_VIEWMAT
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle, quaternion_to_matrix
from ..core.types import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS, FloatArray, LikenessError

NUM_MHR_JOINTS = 127
KEYS = ("pred_global_rots", "pred_joint_coords", "pred_cam_t")
HIPS = (2, 18)
"""MHR's joints where SMPL-X has ``left_hip`` and ``right_hip``."""

FROM_CAMERA: FloatArray = np.array([1.0, -1.0, -1.0])
"""SAM 3D Body's positions have y down and z forward; its rotations are those of a world with y up
that faces the camera, which is the photo's space."""

_TRUNK = {
    "spine1": (34, 0.0),
    "spine2": (35, 1.5),
    "spine3": (37, -2.2),
    "neck": (110, 16.8),
    "head": (113, 0.0),
}
"""Joint of SMPL-X -> joint of MHR, degrees by which that leans forward at rest."""

_HALF = float(np.sqrt(0.5))
_LIMBS = {
    "collar": (74, 38, (0.717, -0.689, 0.104, 0.007)),
    "shoulder": (75, 39, (_HALF, -_HALF, 0.0, 0.0)),
    "elbow": (76, 40, (_HALF, -_HALF, 0.0, 0.0)),
    "hip": (2, 18, (-0.501, -0.533, 0.468, -0.496)),
    "knee": (3, 19, (0.527, 0.487, -0.512, 0.472)),
    "ankle": (6, 22, (-0.743, -0.159, 0.65, 0.015)),
}
"""Joint of SMPL-X -> MHR's left one and right one, quaternion w, x, y, z of SMPL-X's left joint in
the frame of MHR's."""

_WRISTS = {"left": 78, "right": 42}
_FINGERS = {
    "index": (14, (0.99, 0.0, 0.15)),
    "middle": (10, (0.99, 0.0, -0.14)),
    "pinky": (2, (0.90, 0.0, -0.43)),
    "ring": (6, (0.95, 0.0, -0.31)),
    "thumb": (19, (0.70, -0.49, 0.52)),
}
"""Finger -> MHR's first of its joints, counted from the wrist (three and the tip follow one
another), and the left finger's direction at rest. """
_THUMB_BASE = (0.38, -0.67, 0.64)
_KNUCKLES = {"middle": 10, "index": 14, "pinky": 2}


def is_mhr(arrays: Mapping[str, Any]) -> bool:
    """Whether a file's arrays are SAM 3D Body's."""
    return KEYS[0] in arrays


def mhr_to_world(rotations: FloatArray, positions: FloatArray) -> FloatArray:
    """World rotations of SMPL-X's joints.

    Args:
        rotations: [T, 127, 3, 3] of MHR's joints, photo space.
        positions: [T, 127, 3] metres, photo space.

    Returns:
        [T, 55, 3, 3] rotations from SMPL-X's rest pose; joints that MHR does not tell follow
        their parents.
    """
    out = np.empty((len(rotations), NUM_JOINTS, 3, 3))
    known = {"pelvis": rotations[:, 1]}
    to_body = np.eye(3)[[2, 0, 1]]  # a joint's x is up, y the front and z the left
    for name, (theirs, lean) in _TRUNK.items():
        rest = axis_angle_to_matrix(np.array([np.radians(lean), 0.0, 0.0])) @ to_body
        known[name] = rotations[:, theirs] @ rest.T
    for name, (left, right, quaternion) in _LIMBS.items():
        turn = quaternion_to_matrix(np.array(quaternion) / np.linalg.norm(quaternion))
        known[f"left_{name}"] = rotations[:, left] @ turn
        known[f"right_{name}"] = rotations[:, right] @ turn @ np.diag([1.0, -1.0, -1.0])
    for side in _WRISTS:
        known |= _hand(positions, side)
    for j, (name, parent) in enumerate(zip(JOINT_NAMES, PARENTS, strict=True)):
        out[:, j] = known[name] if name in known else out[:, parent]
    return out


def _hand(positions: FloatArray, side: str) -> dict[str, FloatArray]:
    """World rotations of a hand's joints by name, from the positions of MHR's."""
    wrist = _WRISTS[side]
    mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])

    def joint(offset: int) -> FloatArray:
        return positions[:, wrist + offset]

    middle, index, pinky = (joint(_KNUCKLES[name]) for name in ("middle", "index", "pinky"))
    along = _unit(mirror[0] * (middle - joint(0)))
    across = index - pinky
    across = _unit(across - (across * along).sum(-1, keepdims=True) * along)
    palm = np.stack([along, np.cross(across, along), across], axis=-1)
    out = {f"{side}_wrist": palm}
    for finger, (first, direction) in _FINGERS.items():
        R = palm
        for k in range(3):
            rest = np.array(_THUMB_BASE if finger == "thumb" and k == 0 else direction) * mirror
            rest = rest / np.linalg.norm(rest)
            R = _swing(R @ rest, _unit(joint(first + k + 1) - joint(first + k))) @ R
            out[f"{side}_{finger}{k + 1}"] = R
    return out


def _unit(v: FloatArray) -> FloatArray:
    out: FloatArray = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
    return out


def _swing(a: FloatArray, b: FloatArray) -> FloatArray:
    """[T, 3, 3] the shortest turns from unit vectors a [T, 3] to b [T, 3]."""
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(-1, keepdims=True))
    return axis_angle_to_matrix(axis / np.maximum(sine, 1e-9) * angle)


def local_rotations(world: FloatArray) -> FloatArray:
    """Axis-angle vectors relative to the parent joints.

    Args:
        world: [..., 55, 3, 3] world rotations.

    Returns:
        [..., 55, 3] radians.
    """
    local = np.array(world)
    parents = np.array(PARENTS[1:])
    local[..., 1:, :, :] = np.swapaxes(world[..., parents, :, :], -1, -2) @ world[..., 1:, :, :]
    return matrix_to_axis_angle(local)


def read_mhr(arrays: Mapping[str, Any], path: Path) -> tuple[FloatArray, FloatArray]:
    """Check SAM 3D Body's arrays and bring them to the photo's space.

    Args:
        arrays: ``pred_global_rots`` [T, 127, 3, 3], ``pred_joint_coords`` [T, 127, 3] and
            ``pred_cam_t`` [T, 3] of T people or frames; without the first axis there is one.
        path: the file, for messages.

    Returns:
        World rotations [T, 55, 3, 3] of SMPL-X's joints, and positions [T, 127, 3] of MHR's
        joints in metres.

    Raises:
        LikenessError: an array is missing or damaged; the message names it.
    """
    sizes = (NUM_MHR_JOINTS * 9, NUM_MHR_JOINTS * 3, 3)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise LikenessError(
            f"'{path}' is not a complete output of SAM 3D Body: {', '.join(missing)} missing.",
            _REMEDY,
        )
    found = []
    for key, size in zip(KEYS, sizes, strict=True):
        values = np.asarray(arrays[key])
        if values.dtype.kind not in "biuf" or not values.size or values.size % size:
            raise LikenessError(
                f"{key} in '{path}' is {values.dtype} of {' x '.join(map(str, values.shape))}, "
                f"not {size} numbers for each person or frame.",
                _REMEDY,
            )
        values = values.astype(np.float64).reshape(-1, size)
        if not (np.abs(values) < MAX_VALUE).all():
            raise LikenessError(f"{key} in '{path}' has impossible values.", _REMEDY)
        found.append(values)
    if len({len(values) for values in found}) > 1:
        counts = ", ".join(f"{key} {len(v)}" for key, v in zip(KEYS, found, strict=True))
        raise LikenessError(f"The arrays of '{path}' differ in length: {counts}.", _REMEDY)
    rotations = found[0].reshape(-1, NUM_MHR_JOINTS, 3, 3)
    positions = found[1].reshape(-1, NUM_MHR_JOINTS, 3) + found[2][:, None]
    positions = positions * FROM_CAMERA
    return mhr_to_world(rotations, positions), positions


MAX_VALUE = 1e5  # metres
_REMEDY = (
    "Write the file as docs/ESTIMATORS.md shows, from the dictionaries that process_one_image "
    "returns."
)


def mhr_arrays(arrays: Mapping[str, Any], path: Path) -> dict[str, FloatArray]:
    """SAM 3D Body's frames of one person under SMPL-X's names, in the photo's space.

    Args:
        arrays: as for :func:`read_mhr`, and if present ``focal_length`` in pixels with
            ``img_size`` [2], width and height: the camera.
        path: the file, for messages.

    Returns:
        ``global_orient``, ``body_pose``, the hands' poses, ``transl``, ``pelvis`` and, where
        known, the camera; everything else of the file unchanged.

    Raises:
        LikenessError: as :func:`read_mhr`.
    """
    world, positions = read_mhr(arrays, path)
    pose = local_rotations(world)
    frames = len(pose)
    index = JOINT_INDEX["left_index1"]
    out: dict[str, Any] = {k: v for k, v in arrays.items() if not k.startswith("pred_")}
    out |= {
        "global_orient": pose[:, 0],
        "body_pose": pose[:, 1:22].reshape(frames, -1),
        "left_hand_pose": pose[:, index : index + 15].reshape(frames, -1),
        "right_hand_pose": pose[:, index + 15 :].reshape(frames, -1),
        "transl": positions[:, 1],
        "pelvis": np.zeros(3),
    }
    focal, size = (np.asarray(arrays.get(key, 0.0)) for key in ("focal_length", "img_size"))
    if focal.dtype.kind in "iuf" and size.dtype.kind in "iuf" and size.size % 2 == 0 and size.size:
        f, (width, height) = float(focal.reshape(-1)[0]), size.reshape(-1)[:2].astype(np.float64)
        if f > 0 and width > 0 and height > 0:
            K = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
            out |= {
                "camera_K": K,
                "camera_viewmat": PHOTO_VIEWMAT.copy(),
                "camera_size": np.array([width, height]),
            }
    return out
