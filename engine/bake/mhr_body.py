"""MHR (Meta's Momentum Human Rig, Apache-2.0) as a body of 55 joints.

Read are its portable files, ``rig.npz`` and ``lod1.npz`` (or another level), which
``python -m mhr.download_assets --lod 1`` fetches. The 127 joints become SMPL-X's by name, helpers
go with the joint above them, and the rest pose becomes the T-pose. Its identity moves no joints,
and its skeleton's own scales are not taken over: one more beta makes the whole body larger. Its
pose correctives, a network, are left out; teeth and tongue are the default body's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body.model import Body
from ..body.names import OWN_EXPRESSION
from ..body.skinning import skin_vertices
from ..core.rotations import quaternion_to_matrix
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray, LikenessError
from ..files.untrusted import read_npz
from .registration import UPRIGHT, bone_end, shortest_turn

METRES = 0.01
"""MHR counts in centimetres."""

IDENTITY, EXPRESSIONS = 45, 72
BODY_SHAPES = (*range(20), *range(40, 45))
"""Of the identity: body and hands; the 20 between them shape the head."""

SIZE = 0.05
"""Share by which one unit of the last beta of the body enlarges it."""

_REMEDY = "Give the folder with MHR's portable files, rig.npz and lod1.npz (docs/bodies.md)."

_TRUNK = {
    "pelvis": "root",
    "spine1": "c_spine0",
    "spine2": "c_spine1",
    "spine3": "c_spine3",
    "neck": "c_neck",
    "head": "c_head",
    "jaw": "c_jaw",
}
_LIMBS = {
    "hip": "upleg",
    "knee": "lowleg",
    "ankle": "foot",
    "foot": "ball",
    "collar": "clavicle",
    "shoulder": "uparm",
    "elbow": "lowarm",
    "wrist": "wrist",
    "eye_smplhf": "eye",
    **{
        f"{finger}{k}": f"{finger}{k}"
        for finger in ("thumb", "index", "middle", "ring", "pinky")
        for k in (1, 2, 3)
    },
}
MHR_JOINTS: dict[str, str] = _TRUNK | {
    f"{side}_{ours}": f"{side[0]}_{theirs}"
    for side in ("left", "right")
    for ours, theirs in _LIMBS.items()
}
"""Joint of SMPL-X -> joint of MHR."""

_INNER = ("c_teeth", "c_tongue")


def load_mhr_body(folder: Path, default: Body) -> Body:
    """Read MHR's portable files as a body in the T-pose.

    Args:
        folder: With ``rig.npz`` and one of ``lod0.npz`` to ``lod6.npz``; ``lod1.npz`` first.
        default: Gives the directions of the bones in the T-pose.

    Raises:
        LikenessError: A file is missing, damaged or of another kind.
    """
    rig = _read(folder / "rig.npz", "joint_names", "joint_parents", "inverse_bind_pose")
    levels = [folder / f"lod{k}.npz" for k in (1, 0, 2, 3, 4, 5, 6)]
    path = next((level for level in levels if level.is_file()), levels[0])
    keys = ("base_shape", "shape_vectors", "faces", "skin_indices", "skin_weights")
    lod = _read(path, *keys)
    names = [str(name) for name in np.atleast_1d(rig["joint_names"])]
    J, V, F = len(names), lod["base_shape"].size // 3, max(lod["faces"].size // 3, 1)
    wanted = {
        "joint_parents": (rig, (J,)),
        "inverse_bind_pose": (rig, (J, 8)),
        "base_shape": (lod, (V, 3)),
        "shape_vectors": (lod, (IDENTITY + EXPRESSIONS, V, 3)),
        "faces": (lod, (F, 3)),
        "skin_indices": (lod, (V, *lod["skin_indices"].shape[1:2])),
        "skin_weights": (lod, lod["skin_indices"].shape),
    }
    for key, (file, shape) in wanted.items():
        array = file[key]
        if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            where = path if file is lod else folder / "rig.npz"
            raise LikenessError(f"'{where}': {key} is {array.dtype} {array.shape}.", _REMEDY)
    f, skin = lod["faces"].astype(np.int64), lod["skin_indices"].astype(np.int64)
    if f.min() < 0 or f.max() >= V or skin.min() < 0 or skin.max() >= J:
        raise LikenessError(f"'{path}' points at vertices or joints that do not exist.", _REMEDY)
    parents, inverse = rig["joint_parents"].astype(np.int64), rig["inverse_bind_pose"]
    if parents.min() < -1 or parents.max() >= J or (inverse[:, 7] <= 0).any():
        raise LikenessError(
            f"'{folder / 'rig.npz'}' has joints under parents that do not exist, or without size.",
            _REMEDY,
        )
    lacking = sorted(set(MHR_JOINTS.values()) - set(names))
    if lacking:
        raise LikenessError(f"'{folder / 'rig.npz'}' lacks {', '.join(lacking)}.", _REMEDY)
    place = _bind_positions(inverse.astype(np.float64)) * METRES
    joints = place[[names.index(MHR_JOINTS[name]) for name in JOINT_INDEX]]
    ours = _nearest_of_ours(names, parents)
    weights = np.zeros((V, NUM_JOINTS))
    share = lod["skin_weights"].astype(np.float64)
    np.add.at(weights, (np.arange(V)[:, None], ours[skin]), share)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    shapes = lod["shape_vectors"].astype(np.float64).transpose(1, 2, 0) * METRES
    v, joints, turn = _in_t_pose(lod["base_shape"] * METRES, joints, weights, default)
    shapes = np.einsum("vab,vbs->vas", turn, shapes)
    head = np.setdiff1d(np.arange(IDENTITY), BODY_SHAPES)
    larger = SIZE * (v - joints[0])[:, :, None]
    betas = np.concatenate([shapes[:, :, BODY_SHAPES], larger, shapes[:, :, head]], 2)
    J_shapedirs = np.zeros((NUM_JOINTS, 3, IDENTITY + 1))
    J_shapedirs[:, :, len(BODY_SHAPES)] = SIZE * (joints - joints[0])
    inner = [k for k, name in enumerate(names) if name.startswith(_INNER)]
    leading = skin[np.arange(V), share.argmax(1)]
    kept = f[~np.isin(leading, inner)[f].any(1)]
    rows, corner = np.unique(kept, return_inverse=True)
    return replace(
        default,
        v_template=v[rows].astype(np.float32),
        f=corner.reshape(-1, 3).astype(np.int32),
        weights=weights[rows].astype(np.float32),
        shapedirs=betas[rows].astype(np.float32),
        exprdirs=shapes[rows][:, :, IDENTITY:].astype(np.float32),
        expression_names=tuple(f"{OWN_EXPRESSION}mhr_{k:02d}" for k in range(EXPRESSIONS)),
        J_template=joints,
        J_shapedirs=J_shapedirs,
        num_body_betas=len(BODY_SHAPES) + 1,
        vt=np.zeros((0, 2), np.float32),
        ft=np.zeros((0, 3), np.int32),
        landmarks=None,
    )


def _read(path: Path, *keys: str) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    try:
        arrays = read_npz(path, set(keys))
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", _REMEDY) from error
    missing = sorted(set(keys) - arrays.keys())
    if missing:
        raise LikenessError(f"'{path}' is not MHR's: it lacks {', '.join(missing)}.", _REMEDY)
    return arrays


def _bind_positions(inverse: FloatArray) -> FloatArray:
    """[J, 3] of joints from the inverses of their bind poses: t, q (x, y, z, w) and scale."""
    R = quaternion_to_matrix(inverse[:, [6, 3, 4, 5]])
    out: FloatArray = -np.einsum("jba,jb->ja", R, inverse[:, :3]) / inverse[:, 7:]
    return out


def _nearest_of_ours(names: list[str], parents: IntArray) -> IntArray:
    """[J] the joint of SMPL-X that each of MHR's is, or that stands nearest above it."""
    known = {theirs: JOINT_INDEX[ours] for ours, theirs in MHR_JOINTS.items()}
    out = np.zeros(len(names), np.int64)
    for k in range(len(names)):
        joint, steps = k, 0
        while names[joint] not in known and parents[joint] >= 0 and steps < len(names):
            joint, steps = int(parents[joint]), steps + 1
        out[k] = known.get(names[joint], 0)
    return out


def _in_t_pose(
    v: FloatArray, joints: FloatArray, weights: FloatArray, default: Body
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vertices, joints, and what turns each vertex's directions [V, 3, 3], all in the T-pose."""
    turns = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    there = np.array(joints)
    for j, parent in enumerate(default.parents):
        end = bone_end(j)
        if parent >= 0:
            there[j] = there[parent] + turns[parent] @ (joints[j] - joints[parent])
        if end is not None:
            goal = default.J_template[end] - default.J_template[j]
            turns[j] = shortest_turn(joints[end] - joints[j], goal)
        elif j not in UPRIGHT and parent >= 0:
            turns[j] = turns[parent]
    shift = there - np.einsum("jab,jb->ja", turns, joints)
    return (
        skin_vertices(np.asarray(v, np.float64), weights, turns, shift),
        there,
        np.einsum("vj,jab->vab", weights, turns),
    )
