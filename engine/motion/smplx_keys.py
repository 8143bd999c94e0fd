"""Other programs' names and layouts of SMPL-X poses, turned into one table of keys.

Everything comes out under the names that the smplx package uses (:data:`ROWS`), whatever it was
called: AMASS's ``poses`` of SMPL (24 joints), SMPL-H (52) or SMPL-X (55), the parts that AMASS
and Motion-X name ``root_orient``, ``pose_body``, ``pose_hand``, results of SMPLify-X, and plain
arrays (.npy) whose columns are known by their number. SAM 3D Body's
output is converted by :mod:`.mhr`, FLAME's by :mod:`.face_keys`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import FloatArray, LikenessError
from .face_keys import Arrays as Arrays
from .face_keys import flame_arrays, is_flame
from .mhr import is_mhr, mhr_arrays


def _layout(text: str) -> dict[str, slice]:
    """Consecutive slices from "name size ..."; a name "-" leaves columns out."""
    words, out, start = text.split(), {}, 0
    for name, size in zip(words[::2], words[1::2]):
        out[name] = slice(start, start + int(size))
        start += int(size)
    return {name: part for name, part in out.items() if name != "-"}


ROWS: dict[str, slice] = _layout(
    "global_orient 1 body_pose 21 jaw_pose 1 leye_pose 1 reye_pose 1 left_hand_pose 15"
    " right_hand_pose 15"
)
"""Which rows of ``Pose.full_pose`` a key holds; in this order they are AMASS's ``poses``."""

ALIASES: dict[str, tuple[str, ...]] = {
    "poses": ("pose", "fullpose", "full_pose", "smpl_pose", "smplx_pose"),
    "global_orient": ("root_orient", "root_pose", "orient"),
    "body_pose": ("pose_body",),
    "jaw_pose": ("pose_jaw",),
    "leye_pose": ("left_eye_pose",),
    "reye_pose": ("right_eye_pose",),
    "left_hand_pose": ("lhand_pose", "pose_lhand"),
    "right_hand_pose": ("rhand_pose", "pose_rhand"),
    "transl": ("translation", "root_transl", "root_trans"),
    "expression": ("expressions", "exp", "expr", "face_expr"),
    "betas": ("beta", "shape"),
    "mocap_frame_rate": tuple(
        "mocap_framerate mocap_fps frame_rate framerate frameRate fps FPS".split()
    ),
}
"""Our name -> others' names for the same; ours goes first where a file has both."""

_HEAD_FIRST = "jaw_pose 3 leye_pose 3 reye_pose 3 global_orient 3 body_pose 63"
COLUMNS: dict[int, dict[str, slice]] = {
    265: _layout(_HEAD_FIRST + " left_hand_pose 45 right_hand_pose 45 expression 100"),
    187: _layout(_HEAD_FIRST + " left_hand_pose 6 right_hand_pose 6 expression 100"),
    322: _layout(
        "global_orient 3 body_pose 63 left_hand_pose 45 right_hand_pose 45 jaw_pose 3"
        " expression 50 - 100 transl 3 betas 10"
    ),
    **{size: {"poses": slice(0, size)} for size in (66, 72, 156, 165)},
}
"""Number of columns of a plain array -> what they hold: TalkSHOW's 265, the same with six hand
components each, Motion-X's 322, and poses alone."""

_POSES: dict[int, dict[str, slice]] = {
    22: _layout("global_orient 1 body_pose 21"),
    24: _layout("global_orient 1 body_pose 21"),  # SMPL: two hand joints more
    52: _layout("global_orient 1 body_pose 21 left_hand_pose 15 right_hand_pose 15"),
    55: ROWS,
}
"""Joints in ``poses`` -> what they are: SMPL without and with its hand joints, SMPL-H, SMPL-X."""

HAND_MODEL = "Choose your own SMPL-X model file (SMPLX_NEUTRAL.npz), which knows them."


@dataclass(frozen=True)
class HandModel:
    """The hands of a user's SMPL-X file.

    Attributes:
        mean: [2, 15, 3] axis-angle, radians, left and right.
        components: [2, 45, 45] principal components, one a row.
    """

    mean: FloatArray
    components: FloatArray

    @staticmethod
    def from_arrays(arrays: Arrays, path: Path) -> HandModel:
        """Take the hands from a model file's (.npz) arrays.

        Raises:
            LikenessError: the arrays are not an SMPL-X model with hands.
        """
        keys = ("hands_meanl", "hands_meanr", "hands_componentsl", "hands_componentsr")
        shapes = [arrays[key].shape for key in keys if key in arrays]
        if shapes != [(45,), (45,), (45, 45), (45, 45)]:
            raise LikenessError(
                f"'{path}' is not an SMPL-X model with hands.",
                "Give SMPLX_NEUTRAL.npz from the SMPL-X site, or take hands as flat.",
            )
        mean, components = (
            np.stack([np.asarray(arrays[key], np.float64) for key in pair])
            for pair in (keys[:2], keys[2:])
        )
        return HandModel(mean.reshape(2, 15, 3), components)


def standardize_keys(
    arrays: Arrays, path: Path, hands: HandModel | None = None, mean_hands: bool = False
) -> tuple[Arrays, tuple[str, ...]]:
    """The arrays under the names of :data:`ROWS`, and notes for the user.

    Args:
        arrays: the file's arrays by key.
        path: the file, for messages.
        hands: for hands as components, or counted from the mean hand.
        mean_hands: the file's hand rotations are added to the mean hand (``flat_hand_mean=False``
            of the smplx package). They become absolute ones, from the flat hand.

    Raises:
        LikenessError: ``poses`` of a size that no model has, or output of SAM 3D Body that is not
            complete.
    """
    if is_mhr(arrays):
        arrays = mhr_arrays(arrays, path)
    elif is_flame(arrays):
        arrays = flame_arrays(arrays, path)
    out = dict(arrays)
    for name, others in ALIASES.items():
        found = next((other for other in others if other in arrays), None)
        if name not in arrays and found is not None and not (name == "transl" and "trans" in out):
            out[name] = arrays[found]
    notes: list[str] = []
    if "poses" in out:
        parts = _split_poses(out.pop("poses"), path)
        out = {**parts, **out}
    _split(out, "pose_hand", {"left_hand_pose": slice(0, 45), "right_hand_pose": slice(45, 90)})
    _split(out, "pose_eye", {"leye_pose": slice(0, 3), "reye_pose": slice(3, 6)})
    body = out.get("body_pose")
    if body is not None and body.ndim and body.shape[-1] == 69:  # SMPL: its two hand joints
        out["body_pose"] = body[..., :63]
    for side, key in enumerate(("left_hand_pose", "right_hand_pose")):
        if key in out:
            _hand(out, key, side, path, hands, mean_hands, notes)
    return out, tuple(notes)


def _split(out: Arrays, name: str, parts: Mapping[str, slice]) -> None:
    """Cut one array into its parts, unless the file has the parts as well."""
    array = out.get(name)
    if array is None or array.ndim == 0:
        return
    size = max(part.stop for part in parts.values())
    if array.shape[-1] == size:
        out.update({key: array[..., part] for key, part in parts.items() if key not in out})


def _split_poses(poses: np.ndarray[Any, Any], path: Path) -> Arrays:
    if poses.dtype.kind not in "biuf" or poses.ndim == 0 or poses.size == 0:
        raise LikenessError(f"poses in '{path}' is not an array of numbers.", _SIZES)
    joints = poses.shape[-1] // 3
    if poses.ndim > 1 and poses.shape[-1] == 3 and poses.shape[-2] in _POSES:
        joints = poses.shape[-2]
    elif joints not in _POSES or poses.shape[-1] % 3:
        joints = next((n for n in (55, 52, 24) if poses.ndim == 1 and not poses.size % (3 * n)), 0)
    if not joints:
        raise LikenessError(
            f"poses in '{path}' has {' x '.join(map(str, poses.shape))} values, which is not a "
            "SMPL, SMPL-H or SMPL-X pose.",
            _SIZES,
        )
    rows = poses.reshape(-1, joints, 3)
    return {key: rows[:, part].reshape(len(rows), -1) for key, part in _POSES[joints].items()}


_SIZES = "A row of poses has 66, 72, 156 or 165 numbers, three for each joint."


def _hand(
    out: Arrays,
    key: str,
    side: int,
    path: Path,
    hands: HandModel | None,
    mean_hands: bool,
    notes: list[str],
) -> None:
    """Components and mean hands -> absolute axis-angle, or left out with a note."""
    array = out[key]
    size = array.shape[-1] if array.ndim else 0
    components = array.dtype.kind == "f" and array.ndim == 2 and 0 < size < 45 and size != 3
    if not components and not mean_hands:
        return
    if hands is None:
        if mean_hands:
            raise LikenessError(f"The mean hand for '{path}' is not known.", HAND_MODEL)
        note = f"'{path.name}' has hands as components: they are left out. {HAND_MODEL}"
        del out[key]
        if note not in notes:
            notes.append(note)
        return
    values = np.asarray(array, np.float64)
    if components:
        values = values @ hands.components[side, :size]
    if values.size % 45:
        return  # a wrong size, reported where sizes are checked
    # the smplx package adds the mean to the axis-angle vectors
    turned = values.reshape(-1, 15, 3) + hands.mean[side] * float(components or mean_hands)
    out[key] = matrix_to_axis_angle(axis_angle_to_matrix(turned)).reshape(-1, 45)


def columns_to_arrays(values: np.ndarray[Any, Any], path: Path) -> Arrays:
    """Split a plain array of poses into keys.

    Args:
        values: [T, n], or [T, J, 3] of whole poses.
        path: the file, for messages.

    Returns:
        [T, n] by key.

    Raises:
        LikenessError: the number of columns is not that of a known layout.
    """
    if values.dtype.kind not in "biuf" or values.ndim == 0 or not values.size:
        raise LikenessError(f"'{path}' is not an array of numbers.", _COLUMNS)
    if values.ndim == 3 and values.shape[-1] == 3:
        values = values.reshape(len(values), -1)
    rows = np.atleast_2d(values)
    layout = COLUMNS.get(rows.shape[-1]) if rows.ndim == 2 else None
    if layout is None:
        raise LikenessError(
            f"'{path}' is an array of {' x '.join(map(str, values.shape))}, which is not a known "
            "layout of poses.",
            _COLUMNS,
        )
    return {key: rows[:, part] for key, part in layout.items()}


_COLUMNS = (
    "Use an array of 265 (TalkSHOW), 322 (Motion-X), 165, 156, 72 or 66 columns, or an .npz with "
    "SMPL-X's names (docs/MOTION.md)."
)
