"""The body's file: SMPL-X's npz schema, with a few keys of our own.

Keys of SMPL-X: ``v_template`` [V, 3], ``f`` [F, 3], ``shapedirs`` [V, 3, S], ``posedirs``
[V, 3, 486] (may be missing), ``J_regressor`` [55, V], ``kintree_table`` [2, 55], ``weights``
[V, 55], ``vt`` [T, 2], ``ft`` [F, 3]. Our own, all optional when reading: ``exprdirs`` [V, 3, E]
and ``expression_names`` [E] (SMPL-X itself keeps its expression basis in ``shapedirs`` columns
300-399), ``posedirs_joint`` [K] (the joints of ``posedirs``, then [V, 3, 9 K], where they are not
all but the root), ``num_body_betas`` (the first columns of ``shapedirs`` that shape the whole
body, the rest shape the head), ``J_template`` [55, 3] and ``J_shapedirs`` [55, 3, S] (joints linear
in the betas, exact where the sparse regressor is not; expressions do not move joints),
``face_part`` [F] with ``part_names`` [P], ``atlas_vt`` [A, 2], ``atlas_ft`` [F, 3] and
``landmark_*`` (:class:`.model.Landmarks`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import NUM_JOINTS, PARENTS, FloatArray, LikenessError
from ..files.atomic import atomic_write
from ..files.untrusted import read_npz, wrap_parser_errors
from .model import Body, Landmarks
from .names import OWN_EXPRESSION
from .skinning import ALL_POSE_JOINTS

SMPLX_NUM_BETAS, SMPLX_NUM_EXPRESSION = 300, 100
SMPLX_SHORT = 10  # betas, and expressions, of the files with 20 columns

MAX_VERTICES, MAX_COLUMNS = 2_000_000, 2_000
"""Limits; the default body has 13,718 vertices, SMPL-X 400 columns of shapes and expressions."""

_REMEDY = "Give an SMPL-X .npz model file; a .pkl must be converted first (docs/bodies.md)."

_LANDMARK_KEYS = tuple(Landmarks.__dataclass_fields__)


def body_to_arrays(body: Body) -> dict[str, np.ndarray[Any, Any]]:
    """Return the body as arrays under the file's keys, which avatar files contain, too.

    Args:
        body: The body.

    Returns:
        Arrays by key, with shapes as in the module's docstring: ``v_template`` [V, 3] and so on.
    """
    kintree = np.stack([np.array(body.parents), np.arange(NUM_JOINTS)]).astype(np.int64)
    out: dict[str, np.ndarray[Any, Any]] = {
        "v_template": body.v_template.astype(np.float32),
        "f": body.f.astype(np.int32),
        "weights": body.weights.astype(np.float32),
        "shapedirs": body.shapedirs.astype(np.float32),
        "exprdirs": body.exprdirs.astype(np.float32),
        "expression_names": np.array(body.expression_names, dtype=np.str_),
        "J_template": body.J_template.astype(np.float64),
        "J_shapedirs": body.J_shapedirs.astype(np.float64),
        "num_body_betas": np.array(body.num_body_betas),
        "kintree_table": kintree,
        "vt": body.vt.astype(np.float32),
        "ft": body.ft.astype(np.int32),
        "atlas_vt": body.atlas_vt.astype(np.float32),
        "atlas_ft": body.atlas_ft.astype(np.int32),
        "face_part": body.face_part.astype(np.uint8),
        "part_names": np.array(body.part_names, dtype=np.str_),
    }
    if body.posedirs is not None:
        out["posedirs"] = body.posedirs.astype(np.float32)
        if body.pose_joints != ALL_POSE_JOINTS:
            out["posedirs_joint"] = np.array(body.pose_joints, np.int32)
    if body.landmarks is not None:
        out |= {f"landmark_{k}": getattr(body.landmarks, k) for k in _LANDMARK_KEYS}
    return out


def body_from_arrays(arrays: dict[str, np.ndarray[Any, Any]], source: str) -> Body:
    """Create a body from the arrays of a file, ours or SMPL-X's.

    Args:
        arrays: Arrays by key, with shapes as in the module's docstring: ``v_template`` [V, 3] and
            so on.
        source: Where they come from, for error messages.

    Raises:
        LikenessError: A key is missing or has the wrong shape, or the arrays are inconsistent.
    """
    remedy = "Give an SMPL-X .npz model file, or leave the option out for the default body."
    missing = {"v_template", "f", "weights", "shapedirs"} - arrays.keys()
    if missing:
        raise LikenessError(f"{source} lacks {', '.join(sorted(missing))}.", remedy)
    v, f = arrays["v_template"].astype(np.float32), arrays["f"].astype(np.int32)
    V, F = len(v), len(f)
    columns = sum(arrays[k].shape[-1] for k in ("shapedirs", "exprdirs") if k in arrays)
    if not 0 < V <= MAX_VERTICES or not F or columns > MAX_COLUMNS:
        raise LikenessError(
            f"{source} is not a body: it has {V} vertices, {F} triangles and {columns} shapes.",
            remedy,
        )
    weights = arrays["weights"].astype(np.float32)
    shapedirs = arrays["shapedirs"].astype(np.float32)
    if v.shape != (V, 3) or weights.shape != (V, NUM_JOINTS) or shapedirs.shape[:2] != (V, 3):
        raise LikenessError(
            f"{source} is not a 55-joint body: weights are {weights.shape}, vertices {v.shape}.",
            remedy,
        )
    if f.min() < 0 or f.max() >= V:
        raise LikenessError(f"{source} has faces with vertices that do not exist.", remedy)
    if "exprdirs" in arrays:
        exprdirs = arrays["exprdirs"].astype(np.float32)
        names = tuple(str(n) for n in arrays["expression_names"])
    else:
        shapedirs, exprdirs = split_columns(shapedirs)
        names = tuple(f"{OWN_EXPRESSION}{i:02d}" for i in range(exprdirs.shape[2]))
    if "J_template" in arrays:
        J_template, J_shapedirs = arrays["J_template"], arrays["J_shapedirs"]
    elif "J_regressor" in arrays:
        regressor = arrays["J_regressor"].astype(np.float64)
        J_template = regressor @ v
        J_shapedirs = np.einsum("jv,vck->jck", regressor, shapedirs)
    else:
        raise LikenessError(f"{source} lacks J_regressor.", remedy)
    kintree = arrays.get("kintree_table")
    parents = PARENTS
    if kintree is not None:
        parents = (-1, *(int(p) for p in kintree[0][1:]))
        if parents != PARENTS:
            raise LikenessError(f"{source} does not have the skeleton of SMPL-X.", remedy)
    vt = arrays.get("vt", np.zeros((0, 2))).astype(np.float32)
    ft = arrays.get("ft", np.zeros((0, 3))).astype(np.int32)
    posedirs = arrays.get("posedirs")
    pose_joints = tuple(int(j) for j in arrays.get("posedirs_joint", ALL_POSE_JOINTS))
    landmarks = None
    if "landmark_face_triangle" in arrays:
        landmarks = Landmarks(
            **{k: arrays[f"landmark_{k}"] for k in _LANDMARK_KEYS if f"landmark_{k}" in arrays}
        )
    body = Body(
        v_template=v,
        f=f,
        weights=weights,
        shapedirs=shapedirs,
        exprdirs=exprdirs,
        expression_names=names,
        J_template=np.asarray(J_template, np.float64),
        J_shapedirs=np.asarray(J_shapedirs, np.float64),
        num_body_betas=int(arrays.get("num_body_betas", shapedirs.shape[2])),
        vt=vt,
        ft=ft,
        atlas_vt=arrays["atlas_vt"] if "atlas_vt" in arrays else vt * [1, -1] + [0, 1],
        atlas_ft=arrays.get("atlas_ft", ft),
        face_part=arrays.get("face_part", np.zeros(F, np.uint8)),
        part_names=tuple(str(n) for n in arrays.get("part_names", ["skin"])),
        posedirs=None if posedirs is None else posedirs.astype(np.float32),
        landmarks=landmarks,
        parents=parents,
        pose_joints=pose_joints,
    )
    fault = find_fault(body)
    if fault:
        raise LikenessError(f"{source} is inconsistent: {fault}.", remedy)
    return body


def split_columns(shapedirs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split the columns that SMPL-X and FLAME keep in one array.

    Args:
        shapedirs: [V, 3, n]: 300 shapes and 100 expressions, or 10 and 10.

    Returns:
        shapedirs: [V, 3, S].
        exprdirs: [V, 3, E].
    """
    short = shapedirs.shape[2] == 2 * SMPLX_SHORT
    split = SMPLX_SHORT if short else min(SMPLX_NUM_BETAS, shapedirs.shape[2])
    return shapedirs[:, :, :split], shapedirs[:, :, split : split + SMPLX_NUM_EXPRESSION]


def load_body(path: Path) -> Body:
    """Read a body file (.npz, never unpickled).

    Raises:
        LikenessError: The file does not exist, is not an npz, is pickled, or is not a 55-joint
            body.
    """
    arrays = read_body_arrays(path)
    try:
        with wrap_parser_errors():
            return body_from_arrays(arrays, str(path))
    except ValueError as error:
        raise LikenessError(f"{path} cannot be read as a body file ({error}).", _REMEDY) from error


def read_body_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read the arrays of a body's or a head's file (.npz, never unpickled).

    Returns:
        [...] arrays of any type and shape by key; pickled ones, which we do not need, left out.

    Raises:
        LikenessError: The file does not exist, is no .npz, or is a pickle.
    """
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise LikenessError(
            f"{path} is a pickle, which could run any program when it is opened.",
            "If you trust it, convert it to .npz: docs/bodies.md has the program.",
        )
    try:
        return read_npz(path, skip_pickled=True)
    except (OSError, ValueError) as error:
        raise LikenessError(f"{path} cannot be read as a body file ({error}).", _REMEDY) from error


def save_body(body: Body, path: Path, **extra: np.ndarray[Any, Any]) -> None:
    """Write a body atomically.

    Args:
        body: The body.
        path: The file.
        extra: [...] more arrays by key, which only the bake uses.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    with atomic_write(path) as scratch, open(scratch, "wb") as file:
        np.savez_compressed(file, **body_to_arrays(body), **extra)


def find_fault(body: Body) -> str | None:
    """Describe an inconsistency of a body; None if there is none."""
    for name, shape in _shapes(body).items():
        array = getattr(body, name)
        if array is None and name == "posedirs":
            continue
        if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape)):
            return f"{name} is {array.shape}"
        if array.dtype.kind not in "fiu":
            return f"{name} holds {array.dtype} instead of numbers"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name} has values that are not finite"
    for name, count in (
        ("f", len(body.v_template)),
        ("ft", len(body.vt)),
        ("atlas_ft", len(body.atlas_vt)),
        ("face_part", len(body.part_names)),
    ):
        if not _within(getattr(body, name), count):
            return f"{name} points at rows that do not exist"
    joints = body.pose_joints
    if not set(joints) <= set(ALL_POSE_JOINTS) or sorted(set(joints)) != list(joints):
        return "posedirs_joint does not list joints below the root in their order"
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
        "posedirs": (V, 3, 9 * len(body.pose_joints)),
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
            return f"landmark_{name} has values that are not finite"
    if not _within(marks.face_triangle, len(body.f)):
        return "landmark_face_triangle points at rows that do not exist"
    if not (_within(marks.pose_joint, NUM_JOINTS) and _within(marks.hand_joint, NUM_JOINTS)):
        return "a landmark's joint does not exist"
    return None


def _within(rows: np.ndarray[Any, Any], count: int) -> bool:
    return rows.dtype.kind in "iu" and (
        not rows.size or bool(rows.min() >= 0 and rows.max() < count)
    )
