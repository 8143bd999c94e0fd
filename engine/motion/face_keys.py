"""Faces of other programs: FLAME's motion, and expressions in a body's own basis or another's.

FLAME's motion is that of a head alone, with the keys that its trackers write (VHAP's
``flame_param.npz``): ``rotation`` of the whole head turns the body's neck, ``neck_pose`` its head;
the body stands. Expressions without names belong to FLAME's or SMPL-X's basis: a prepared body has
such a basis as ``expression_00`` and so on; for other bodies a prepared body's file turns them into
ARKit's actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..body.expression_map import ExpressionMap, numbered_columns
from ..body.model import Body
from ..core.types import JOINT_INDEX, NUM_JOINTS, BoolArray, FloatArray, LikenessError

Arrays = dict[str, np.ndarray[Any, Any]]
KNOWN = "known_joints"
"""Key of the joints, [55] bool, that a motion of a part of the body is about."""

ASSUMED_RATE = "frame_rate_is_assumed"
"""Key that is there, true, if the frame rate is not the file's but the program's usual one."""

_ROWS = {"rotation": slice(33, 36), "neck_pose": slice(42, 45)}
"""Columns of ``body_pose`` for FLAME's joints: the body's neck and head."""

_BODY = ("body_pose", "pose_body", "poses", "global_orient", "root_orient")
_HEAD = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
_NECK_SHARE = 0.4


def is_flame(arrays: Arrays) -> bool:
    """Whether the arrays are FLAME's motion."""
    return "neck_pose" in arrays and not arrays.keys() & set(_BODY)


def flame_arrays(arrays: Arrays, path: Path) -> Arrays:
    """FLAME's motion under SMPL-X's keys.

    Args:
        arrays: ``rotation``, ``neck_pose``, ``jaw_pose`` [T, 3], ``eyes_pose`` [T, 6] (left,
            right), ``expr`` [T, n]; all but ``neck_pose`` may be missing. ``translation``, in the
            tracker's own world, is left out.
        path: the file, for messages.

    Raises:
        LikenessError: an array has another size.
    """
    sizes = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6}
    found = {}
    for key in sizes.keys() & arrays.keys():
        array = arrays[key]
        if array.dtype.kind not in "fiu" or array.ndim == 0 or array.shape[-1] != sizes[key]:
            raise LikenessError(
                f"{key} in '{path}' is {array.dtype} {array.shape}, not [frames, {sizes[key]}].",
                "Give FLAME's motion as its tracker wrote it (docs/MOTION.md).",
            )
        found[key] = np.asarray(array, np.float64).reshape(-1, sizes[key])
    frames = max(map(len, found.values()))
    for key, array in found.items():
        if len(array) not in (1, frames):
            raise LikenessError(
                f"{key} in '{path}' has {len(array)} frames, others {frames}.",
                "Give FLAME's motion as its tracker wrote it (docs/MOTION.md).",
            )
    out = {k: a for k, a in arrays.items() if k not in (*sizes, "translation", "shape", "expr")}
    body = np.zeros((frames, 63))
    for key, columns in _ROWS.items():
        if key in found:
            body[:, columns] = found[key]
    out["body_pose"] = body
    if "jaw_pose" in found:
        out["jaw_pose"] = found["jaw_pose"]
    if "eyes_pose" in found:
        out["leye_pose"], out["reye_pose"] = found["eyes_pose"][:, :3], found["eyes_pose"][:, 3:]
    if "expr" in arrays:
        out["expression"] = arrays["expr"]
    out[KNOWN] = joints_of_head()
    return out


def known_joints(arrays: Arrays) -> np.ndarray[Any, Any] | None:
    """[55] bool: the joints that a motion of a part of the body is about; None for a whole one."""
    known = arrays.get(KNOWN)
    if known is None or known.shape != (NUM_JOINTS,) or known.dtype != bool:
        return None
    return known


def pose_of_head(
    head: FloatArray, left_eye: FloatArray | None = None, right_eye: FloatArray | None = None
) -> FloatArray:
    """Poses of a body that stands, with a turned head.

    Args:
        head: [T, 3] axis-angle in radians, of the head against the trunk; the neck takes a share.
        left_eye: [T, 3] axis-angle in radians, of the eye against the head.
        right_eye: likewise.

    Returns:
        [T, 55, 3] axis-angle in radians.
    """
    pose = np.zeros((len(head), NUM_JOINTS, 3))
    # Both about one axis: together they turn by the whole.
    pose[:, JOINT_INDEX["neck"]] = _NECK_SHARE * head
    pose[:, JOINT_INDEX["head"]] = (1 - _NECK_SHARE) * head
    for name, eye in (("left_eye_smplhf", left_eye), ("right_eye_smplhf", right_eye)):
        if eye is not None:
            pose[:, JOINT_INDEX[name]] = eye
    return pose


def joints_of_head(eyes: bool = True) -> BoolArray:
    """[55] bool: the joints that a face's motion is about, with or without the eyes."""
    known = np.zeros(NUM_JOINTS, bool)
    names = _HEAD if eyes else _HEAD[:3]
    known[[JOINT_INDEX[name] for name in names]] = True
    return known


def match_expression(arrays: Arrays, names: Sequence[str], model: Body | None = None) -> Arrays:
    """Bring an expression into a body's basis: by its names, or from FLAME's or SMPL-X's.

    Args:
        arrays: with ``expression`` [T, n] and ``expression_names``, or of FLAME or SMPL-X without
            names, or anything else, which stays.
        names: of the body's expressions.
        model: a prepared body, whose actions stand for the file's expressions on bodies without
            such a basis.

    Returns:
        The arrays, with ``expression`` [T, E] where it could be matched.
    """
    expression = arrays.get("expression")
    if expression is None or len(names) == 0:
        return arrays
    if "expression_names" in arrays:
        return _match_names(arrays, names)
    if expression.dtype.kind not in "fiu" or not 0 < expression.ndim <= 2:
        return arrays
    count = expression.shape[-1]
    if count in (0, len(names)) or not np.isfinite(expression).all():
        return arrays
    rows = np.asarray(expression, np.float64).reshape(-1, count)
    own = numbered_columns(names)
    out = np.zeros((len(rows), len(names)))
    if len(own):
        used = min(count, len(own))  # the first ones: components are in order of importance
        out[:, own[:used]] = rows[:, :used]
        return arrays | {"expression": out}
    both = None if model is None else ExpressionMap.of(model)
    if model is None or both is None:
        return arrays
    used = min(count, len(both.own))
    weights = np.zeros((len(rows), len(both.own)))
    weights[:, :used] = rows[:, :used]
    actions = both.to_actions(weights)
    for k, column in enumerate(both.actions):
        name = model.expression_names[column]
        if name in names:
            out[:, list(names).index(name)] = actions[:, k]
    return arrays | {"expression": out}


def _match_names(arrays: Arrays, names: Sequence[str]) -> Arrays:
    """The expressions that a body has, in its order; others are dropped with their jaw."""
    theirs = [str(name) for name in np.ravel(arrays["expression_names"])]
    expression = arrays["expression"]
    shared = [name for name in theirs if name in names]
    fits = expression.dtype.kind in "fiu" and 0 < expression.ndim <= 2
    if theirs == list(names) or not shared or not fits or expression.shape[-1] != len(theirs):
        return arrays
    from_, to = [theirs.index(n) for n in shared], [list(names).index(n) for n in shared]
    rows = np.asarray(expression, np.float64).reshape(-1, len(theirs))
    out = np.zeros((len(rows), len(names)))
    out[:, to] = rows[:, from_]
    matched = arrays | {"expression": out, "expression_names": np.array(names, dtype=np.str_)}
    share = arrays.get("jaw_from_expression")
    if share is not None and share.dtype.kind == "f" and share.shape == (len(theirs), 3):
        matched["jaw_from_expression"] = np.zeros((len(names), 3))
        matched["jaw_from_expression"][to] = share[from_]
    return matched
