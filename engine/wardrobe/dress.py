"""Garments on a posed body: bound at rest, in the T-pose, then skinned with the body's weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..body.body_file import load_body
from ..body.model import Body
from ..body.skinning import skin_vertices
from ..core.types import BoolArray, FloatArray, IntArray, LikenessError, Pose
from ..files.untrusted import read_npz
from .asset_files import DECIMETRE, Garment
from .tables import parse_names


@dataclass(frozen=True)
class DressBody:
    """A body with what garments need to know about MakeHuman's base mesh.

    Attributes:
        body: its vertices come first in the lists below, the garment helpers after them.
        row: [19158] of each base vertex, -1 where the file has none.
        helper_template: [H, 3] metres, T-pose.
        helper_shapedirs: [H, 3, S].
        weights: [V + H, 55].
        turn: [V + H, 3, 3] rotation from the base mesh's A-pose to the T-pose.
    """

    body: Body
    row: IntArray
    helper_template: FloatArray
    helper_shapedirs: FloatArray
    weights: FloatArray
    turn: FloatArray


_KEYS = parse_names(
    "base_vertex_index, helper_base_index, weights, helper_weights, bind_rotations, "
    "helper_v_template, helper_shapedirs"
)


def load_dress_body(path: Path) -> DressBody:
    """Read the default body's file with its garment helpers.

    Raises:
        LikenessError: the file is not a body, or has no garment helpers (a user's SMPL-X file).
    """
    body = load_body(path)
    remedy = "Use the default body: run 'python build.py assets'."
    file = read_npz(path, _KEYS, skip_pickled=True)
    if len(file) < len(_KEYS):
        raise LikenessError(f"'{path}' has no helpers for MakeHuman's garments.", remedy)
    try:
        return _dress_body(body, file)
    except (ValueError, IndexError, TypeError) as error:
        raise LikenessError(f"'{path}' is inconsistent ({error}).", remedy) from error


def _dress_body(body: Body, file: dict[str, Any]) -> DressBody:
    index = np.concatenate([file["base_vertex_index"], file["helper_base_index"]])
    weights = np.concatenate([file["weights"], file["helper_weights"].astype(np.float32)])
    bind = np.asarray(file["bind_rotations"], np.float64)
    row = np.full(int(index.max()) + 1, -1, np.int64)
    # A base vertex may appear twice; the body's own comes first and wins.
    row[index[::-1]] = np.arange(len(index))[::-1]
    turn = (weights @ bind.reshape(len(bind), 9)).reshape(-1, 3, 3)
    return DressBody(
        body=body,
        row=row,
        helper_template=file["helper_v_template"],
        helper_shapedirs=file["helper_shapedirs"].astype(np.float32),
        weights=weights,
        turn=turn,
    )


@dataclass(frozen=True)
class PosedBody:
    """One person's body in a pose, ready to carry garments.

    Attributes:
        dress: the body in general.
        rest: [V + H, 3] metres, T-pose with shape and expression.
        R: [55, 3, 3] rotation of each joint's transform.
        t: [55, 3] translation of each joint's transform, metres.
        vertices: [V, 3] metres, in the pose.
        joints: [55, 3] metres, in the pose.
    """

    dress: DressBody
    rest: FloatArray
    R: FloatArray
    t: FloatArray
    vertices: FloatArray
    joints: FloatArray


def pose_body(dress: DressBody, betas: FloatArray, pose: Pose) -> PosedBody:
    """Shape and pose a body with its helpers.

    Args:
        dress: the body with its garment helpers.
        betas: [B] shape coefficients.
        pose: with its expression.
    """
    v, joints, R, t = dress.body.rest_and_transforms(pose, betas)
    helpers = dress.helper_template + dress.helper_shapedirs @ np.asarray(betas, np.float32)
    return PosedBody(
        dress=dress,
        rest=np.concatenate([v, helpers]),
        R=R,
        t=t,
        vertices=skin_vertices(v, dress.body.weights, R, t),
        joints=np.einsum("jab,jb->ja", R, joints) + t,
    )


def garment_vertices(garment: Garment, posed: PosedBody) -> FloatArray:
    """[G, 3] the garment on a posed body, metres.

    Raises:
        LikenessError: as :func:`garment_rest`.
    """
    rest, skinning = garment_rest(garment, posed)
    return skin_vertices(rest, skinning, posed.R, posed.t)


def garment_rest(garment: Garment, posed: PosedBody) -> tuple[FloatArray, FloatArray]:
    """Put a garment on the same person in the T-pose.

    Returns:
        Its vertices [G, 3], metres, and their skinning [G, 55].

    Raises:
        LikenessError: the garment refers to base vertices that the body file lacks.
    """
    dress = posed.dress
    ends = [end for ref in garment.scale if ref is not None for end in ref[:2]]
    asked = np.concatenate([garment.base.reshape(-1), np.array(ends, np.int64)])
    known = (asked >= 0) & (asked < len(dress.row))
    if not known.all() or (dress.row[asked] < 0).any():
        raise LikenessError(
            f"The garment '{garment.name}' refers to vertices that the body file lacks.",
            "It is made for another base mesh than MakeHuman's hm08.",
        )
    rows = dress.row[garment.base]
    unit = np.full(3, DECIMETRE)
    for axis, ref in enumerate(garment.scale):
        if ref is not None:
            a, b = posed.rest[dress.row[list(ref[:2])], axis]
            unit[axis] = abs(a - b) / ref[2]
    weight = garment.weight[..., None]
    # Offsets are along the axes of the A-pose, where the reference distances lie too (they are
    # all across the head, which the T-pose doesn't turn).
    turn = (dress.turn[rows] * weight[..., None]).sum(1)
    rest = (posed.rest[rows] * weight).sum(1)
    rest = rest + np.einsum("gab,gb->ga", turn, garment.offset * unit)
    skinning = np.clip((dress.weights[rows] * weight).sum(1), 0.0, None)
    skinning /= skinning.sum(1, keepdims=True)
    return rest, skinning


def garment_feet(garment: Garment, posed: PosedBody) -> FloatArray:
    """Return the places [G, 3] of the base mesh at rest that hold a garment's vertices, metres.

    Args:
        garment: that :func:`garment_rest` has put on this body.
        posed: the body.
    """
    held = posed.rest[posed.dress.row[garment.base]] * garment.weight[..., None]
    return np.asarray(held.sum(1))


def hidden_faces(garments: list[Garment], dress: DressBody) -> BoolArray:
    """[F] triangles of the body that the garments hide altogether."""
    hidden = np.zeros(len(dress.weights), bool)
    for garment in garments:
        named = garment.deleted[garment.deleted < len(dress.row)]
        rows = dress.row[named]
        hidden[rows[rows >= 0]] = True
    out: BoolArray = hidden[dress.body.f].all(1)
    return out
