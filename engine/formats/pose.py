"""Poses: SMPL-X's npz keys, and a few poses by name.

Read are ``global_orient``, ``body_pose``, ``left_hand_pose``, ``right_hand_pose``, ``jaw_pose``,
``leye_pose``, ``reye_pose``, ``expression`` and ``transl`` (what the smplx package calls them),
each flat or with a leading axis of frames, or AMASS's ``poses`` [165] with ``trans``. Angles are
axis-angle in radians; hands are absolute rotations from the flat hand. Axes stay as they are in
the file: a capture with z up lies on its back.
"""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body
from ..rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..types import NUM_JOINTS, FloatArray, LikenessError, Pose
from .atomic import whole_file

_ROWS: dict[str, slice] = {
    "global_orient": slice(0, 1),
    "body_pose": slice(1, 22),
    "jaw_pose": slice(22, 23),
    "leye_pose": slice(23, 24),
    "reye_pose": slice(24, 25),
    "left_hand_pose": slice(25, 40),
    "right_hand_pose": slice(40, 55),
}
"""Which rows of ``Pose.full_pose`` a key holds; in this order they are AMASS's ``poses``."""

_REMEDY = "Give an .npz with SMPL-X keys (global_orient, body_pose, ...) or AMASS's 'poses'."


def save_pose(pose: Pose, path: Path) -> None:
    """Write one frame under SMPL-X's keys, [1, n] each, float32."""
    rows = np.asarray(pose.full_pose, np.float32)
    arrays = {key: rows[part].reshape(1, -1) for key, part in _ROWS.items()}
    arrays["expression"] = np.asarray(pose.expression, np.float32)[None]
    arrays["transl"] = np.asarray(pose.transl, np.float32)[None]
    with whole_file(path) as scratch, open(scratch, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_pose(path: Path, num_expression: int, frame: int = 0) -> Pose:
    """Read one frame; what the file lacks stays at rest.

    Args:
        num_expression: size of the body's expression basis. An expression of another size
            belongs to another basis and is left out, with a warning.
        frame: which frame of a sequence.

    Raises:
        LikenessError: no such file or frame, or arrays of a wrong size.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = {*_ROWS, "poses", "trans", "transl", "expression"} & set(file.files)
            arrays = {key: np.asarray(file[key], np.float64) for key in wanted}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise LikenessError(f"'{path}' cannot be read as a pose ({error}).", _REMEDY) from error
    if not arrays.keys() & {*_ROWS, "poses"}:
        raise LikenessError(f"'{path}' holds no pose.", _REMEDY)

    def values(key: str, size: int) -> FloatArray:
        return _frame(arrays[key], size, frame, f"{key} in '{path}'")

    full_pose = np.zeros((NUM_JOINTS, 3))
    if "poses" in arrays:
        full_pose[:] = values("poses", NUM_JOINTS * 3).reshape(-1, 3)
    for key in _ROWS.keys() & arrays.keys():
        rows = full_pose[_ROWS[key]]
        rows[:] = values(key, rows.size).reshape(-1, 3)
    transl = np.zeros(3)
    for key in ("trans", "transl"):
        if key in arrays:
            transl = values(key, 3)
    expression = np.zeros(num_expression)
    if "expression" in arrays:
        size = arrays["expression"].shape[-1] if arrays["expression"].ndim else 0
        if size == num_expression:
            expression = values("expression", num_expression)
        else:
            warnings.warn(
                f"'{path}' has an expression of {size} weights, this body has {num_expression}: "
                "the face stays neutral.",
                stacklevel=2,
            )
    return Pose(full_pose, transl, expression)


def _frame(array: FloatArray, size: int, frame: int, name: str) -> FloatArray:
    """One frame's ``size`` values of an array that is flat, [J, 3], [T, size] or [T, J, 3]."""
    if array.size == 0 or array.size % size:
        hint = " Hands must be axis-angle, not PCA weights." if "hand" in name else ""
        raise LikenessError(f"{name} has {array.size} values, not {size}.{hint}", _REMEDY)
    frames = array.reshape(-1, size)
    if not 0 <= frame < len(frames):
        raise LikenessError(
            f"{name} has no frame {frame}.", f"Choose one from 0 to {len(frames) - 1}."
        )
    if not np.isfinite(frames[frame]).all():
        raise LikenessError(f"{name} has values that are no numbers.", _REMEDY)
    return np.array(frames[frame])


def _turn(*turns: tuple[str, float]) -> FloatArray:
    """Axis-angle of turns about fixed axes one after the other: ("x", degrees), ..."""
    R = np.eye(3)
    for axis, degrees in turns:
        R = axis_angle_to_matrix(np.radians(degrees) * np.eye(3)["xyz".index(axis)]) @ R
    return matrix_to_axis_angle(R)


def _mirrored(joints: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Left joints for right ones and the other way round: x keeps its sign, y and z turn it."""
    other = {"left": "right", "right": "left"}
    out = {}
    for name, value in joints.items():
        side, _, rest = name.partition("_")
        out[f"{other[side]}_{rest}" if side in other else name] = value * [1, -1, -1]
    return out


def _curl(side: str, degrees: float) -> dict[str, FloatArray]:
    """Fingers bent towards the palm, evenly over their joints (palms look down in the T-pose)."""
    sign = -1.0 if side == "left" else 1.0
    return {
        f"{side}_{finger}{k}": _turn(("z", sign * degrees))
        for finger in ("index", "middle", "ring", "pinky")
        for k in (1, 2, 3)
    }


_LEFT_DOWN = {  # the arm hangs beside the body, a little bent
    "left_collar": _turn(("z", -6)),
    "left_shoulder": _turn(("x", 15), ("z", -68)),
    "left_elbow": _turn(("y", -18)),
    "left_wrist": _turn(("z", -4)),
    **_curl("left", 14),
}
_LEFT_A = {"left_collar": _turn(("z", -5)), "left_shoulder": _turn(("z", -40))}
_RIGHT_UP = {
    "right_collar": _turn(("z", -18)),
    "right_shoulder": _turn(("x", -30), ("z", -55)),
    "right_elbow": _turn(("y", 10)),
    **_curl("right", 6),
}
_RIGHT_WAVE = {
    "right_collar": _turn(("z", -4)),
    "right_shoulder": _turn(("x", -80), ("z", 18), ("y", 15)),
    "right_elbow": _turn(("y", 105)),
    "right_wrist": _turn(("y", 8)),
    **_curl("right", 4),
}
_LEFT_ON_HIP = {
    "left_collar": _turn(("z", -2)),
    "left_shoulder": _turn(("x", 85), ("z", -33), ("y", 32)),
    "left_elbow": _turn(("y", -107)),
    "left_wrist": _turn(("z", 15)),
    **_curl("left", 10),
}
_LEFT_FORWARD = {"left_shoulder": _turn(("y", -80)), "left_elbow": _turn(("y", -8))}
_STANDING = {"left_hip": _turn(("z", -2)), "right_hip": _turn(("z", 2))}

NAMED_POSES: dict[str, dict[str, FloatArray]] = {
    "tpose": {},
    "apose": {**_LEFT_A, **_mirrored(_LEFT_A)},
    "relaxed": {**_LEFT_DOWN, **_mirrored(_LEFT_DOWN), **_STANDING},
    "arm_raised": {**_LEFT_DOWN, **_RIGHT_UP, **_STANDING, "head": _turn(("z", 4))},
    "wave": {
        **_LEFT_DOWN, **_RIGHT_WAVE, **_STANDING,
        "neck": _turn(("z", -3)), "head": _turn(("z", -6)),
    },
    "hands_on_hips": {**_LEFT_ON_HIP, **_mirrored(_LEFT_ON_HIP), **_STANDING},
    "arms_forward": {**_LEFT_FORWARD, **_mirrored(_LEFT_FORWARD)},
    "look_left": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN), **_STANDING,
        "neck": _turn(("y", 20)), "head": _turn(("y", 25)),
        "left_eye_smplhf": _turn(("y", 8)), "right_eye_smplhf": _turn(("y", 8)),
    },
    "walk": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN),
        "left_shoulder": _turn(("z", -72), ("x", -25)),
        "right_shoulder": _turn(("z", 72), ("x", 22)),
        "left_hip": _turn(("x", 14)), "left_knee": _turn(("x", 12)),
        "right_hip": _turn(("x", -26)), "right_knee": _turn(("x", 14)),
        "left_ankle": _turn(("x", 8)), "right_ankle": _turn(("x", 4)),
        "spine2": _turn(("y", 4)),
    },
    "sit": {
        **_LEFT_DOWN, **_mirrored(_LEFT_DOWN),
        "left_hip": _turn(("x", -85), ("y", 8)), "right_hip": _turn(("x", -85), ("y", -8)),
        "left_knee": _turn(("x", 85)), "right_knee": _turn(("x", 85)),
        "left_shoulder": _turn(("z", -70), ("x", -32)),
        "right_shoulder": _turn(("z", 70), ("x", -32)),
        "left_elbow": _turn(("y", -45)), "right_elbow": _turn(("y", 45)),
    },
}  # fmt: skip
"""Joints [3] axis-angle by name, relative to the T-pose; joints not named stay at rest."""


def named_pose(name: str, body: Body, place: Pose | None = None) -> Pose:
    """One of ``NAMED_POSES``, with a neutral expression, at the origin and facing +z.

    Args:
        place: take position, direction and expression from this pose instead (say, the photo's).

    Raises:
        LikenessError: no pose of that name; lists those there are.
    """
    if name not in NAMED_POSES:
        raise LikenessError(
            f"There is no pose '{name}'.", f"Choose one of: {', '.join(NAMED_POSES)}."
        )
    start = Pose.rest(body.num_expression)
    if place is not None:
        start = replace(start, transl=place.transl, expression=place.expression)
        start = start.with_joints(pelvis=place.full_pose[0])
    joints: dict[str, Any] = NAMED_POSES[name]
    return start.with_joints(**joints)
