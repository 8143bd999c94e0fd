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
from ..core.types import JOINT_INDEX, NUM_JOINTS, LikenessError

Arrays = dict[str, np.ndarray[Any, Any]]
KNOWN = "known_joints"
"""Key of the joints, [55] bool, that a motion of a part of the body is about."""

_ROWS = {"rotation": slice(33, 36), "neck_pose": slice(42, 45)}
"""Columns of ``body_pose`` for FLAME's joints: the body's neck and head."""

_BODY = ("body_pose", "pose_body", "poses", "global_orient", "root_orient")
_HEAD = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")


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
    known = np.zeros(NUM_JOINTS, bool)
    known[[JOINT_INDEX[name] for name in _HEAD]] = True
    out[KNOWN] = known
    return out


def known_joints(arrays: Arrays) -> np.ndarray[Any, Any] | None:
    """[55] bool: the joints that a motion of a part of the body is about; None for a whole one."""
    known = arrays.get(KNOWN)
    if known is None or known.shape != (NUM_JOINTS,) or known.dtype != bool:
        return None
    return known


def match_expression(arrays: Arrays, names: Sequence[str], model: Body | None = None) -> Arrays:
    """Bring an expression without names into a body's basis.

    Args:
        arrays: with ``expression`` [T, n] of FLAME or SMPL-X, or anything else, which stays.
        names: of the body's expressions.
        model: a prepared body, whose actions stand for the file's expressions on bodies without
            such a basis.

    Returns:
        The arrays, with ``expression`` [T, E] where it could be matched.
    """
    expression = arrays.get("expression")
    if expression is None or "expression_names" in arrays or len(names) == 0:
        return arrays
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
