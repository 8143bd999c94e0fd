"""Whether the arrays of a body belong together, for bodies out of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.types import NUM_JOINTS

if TYPE_CHECKING:
    from .model import Body

MOST_VERTICES, MOST_COLUMNS = 2_000_000, 2_000
"""Of a body; the default one has 13,718 vertices, SMPL-X 400 columns of shapes and expressions."""

_FEATURES = (NUM_JOINTS - 1) * 9


def fault_of(body: Body) -> str | None:
    """What contradicts itself in a body, or None."""
    for name, shape in _shapes(body).items():
        array = getattr(body, name)
        if array is None and name == "posedirs":
            continue
        if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape)):
            return f"{name} is {array.shape}"
        if array.dtype.kind not in "fiu":
            return f"{name} holds {array.dtype} instead of numbers"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name} has values that are no numbers"
    for name, count in (
        ("f", len(body.v_template)),
        ("ft", len(body.vt)),
        ("atlas_ft", len(body.atlas_vt)),
        ("face_part", len(body.part_names)),
    ):
        if not _within(getattr(body, name), count):
            return f"{name} points at rows that do not exist"
    if not 0 <= body.num_body_betas <= body.num_betas:
        return f"num_body_betas is {body.num_body_betas} of {body.num_betas}"
    return _landmark_fault(body)


def _shapes(body: Body) -> dict[str, tuple[int | None, ...]]:
    V, S, E = len(body.v_template), body.shapedirs.shape[-1], len(body.expression_names)
    return {
        "v_template": (V, 3),
        "f": (None, 3),
        "weights": (V, NUM_JOINTS),
        "shapedirs": (V, 3, S),
        "exprdirs": (V, 3, E),
        "J_template": (NUM_JOINTS, 3),
        "J_shapedirs": (NUM_JOINTS, 3, S),
        "vt": (None, 2),
        "ft": (None, 3),
        "atlas_vt": (None, 2),
        "atlas_ft": (None, 3),
        "face_part": (len(body.f),),
        "posedirs": (V, 3, _FEATURES),
    }


def _landmark_fault(body: Body) -> str | None:
    marks = body.landmarks
    if marks is None:
        return None
    N, P, H = (
        len(np.atleast_1d(a)) for a in (marks.face_triangle, marks.pose_joint, marks.hand_joint)
    )
    K = len(np.atleast_1d(marks.turn_yaws))
    wanted: dict[str, tuple[int, ...]] = {
        "face_triangle": (N,),
        "face_bary": (N, 3),
        "face_weight": (N,),
        "pose_joint": (P,),
        "pose_offset": (P, 3),
        "hand_joint": (H,),
        "hand_offset": (H, 3),
        "turn_yaws": (K,),
        "turn_shifts": (K, N, 3),
        "turn_spread": (K,),
    }
    for name, shape in wanted.items():
        array = getattr(marks, name)
        kinds = "iu" if name.endswith(("_triangle", "_joint")) else "f"
        if array.shape != shape or array.dtype.kind not in kinds:
            return f"landmark_{name} is {array.dtype} {array.shape}"
        if kinds == "f" and not np.isfinite(array).all():
            return f"landmark_{name} has values that are no numbers"
    if not _within(marks.face_triangle, len(body.f)):
        return "landmark_face_triangle points at rows that do not exist"
    if not (_within(marks.pose_joint, NUM_JOINTS) and _within(marks.hand_joint, NUM_JOINTS)):
        return "a landmark's joint does not exist"
    return None


def _within(rows: np.ndarray[Any, Any], count: int) -> bool:
    return rows.dtype.kind in "iu" and (
        not rows.size or bool(rows.min() >= 0 and rows.max() < count)
    )
