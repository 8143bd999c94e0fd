"""A body with additional pieces: a skirt that hangs around both legs, and what holds loose hair.

A piece's vertices and triangles follow the body's, so that indices into the body stay valid and
all code that poses, saves, binds or draws bodies accepts the extended one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.rotations import axis_angle_to_matrix
from ..core.types import NUM_JOINTS, BoolArray, FloatArray, IntArray, Pose
from .model import Body
from .skinning import joint_transforms

NAPE = "nape"
"""The piece inside the neck that loose hair hangs from; nothing shows it."""


@dataclass(frozen=True)
class BodyPiece:
    """A skinned mesh beside the body's own, without shapes and expressions.

    Attributes:
        name: Name of its part (``Body.part_names``).
        vertices: [n, 3] metres at rest.
        f: [m, 3] rows of ``vertices``, counter-clockwise seen from outside.
        weights: [n, 55], rows add up to one.
        vt: [t, 2] coordinates in the unit square of the atlas (v down), outside [0, ``corner``]².
        ft: [m, 3] rows of ``vt``.
        corner: Side, 0..1, of the corner into which the body's own atlas shrinks.
        posedirs: [n, 3, 9 K] pose correctives, metres, of ``pose_joints``; None without.
        pose_joints: K joints, as in ``Body``.
    """

    name: str
    vertices: FloatArray
    f: IntArray
    weights: FloatArray
    vt: FloatArray
    ft: IntArray
    corner: float
    posedirs: FloatArray | None = None
    pose_joints: tuple[int, ...] = ()


def extend_body(body: Body, piece: BodyPiece) -> Body:
    """Append a piece's vertices and triangles to a body.

    The body's charts shrink into a corner of the atlas. In ``vt`` the piece lies in the next tile
    (u from 1 to 2), so that the body's textures stay valid.
    """
    n, m = len(piece.vertices), len(piece.f)
    names = body.part_names
    if piece.name not in names:
        names = (*names, piece.name)
    part = np.full(m, names.index(piece.name))

    def below(array: FloatArray) -> FloatArray:
        return np.concatenate([array, np.zeros((n, *array.shape[1:]), array.dtype)])

    uv = piece.vt * [1.0, -1.0] + [1.0, 1.0]
    posedirs, pose_joints = _join_correctives(body, piece)
    return replace(
        body,
        v_template=_joined(body.v_template, piece.vertices),
        f=_joined(body.f, piece.f + len(body.v_template)),
        weights=_joined(body.weights, piece.weights),
        shapedirs=below(body.shapedirs),
        exprdirs=below(body.exprdirs),
        posedirs=posedirs,
        pose_joints=pose_joints,
        vt=_joined(body.vt.reshape(-1, 2), uv),
        ft=_joined(_or_nothing(body.ft, len(body.f)), piece.ft + len(body.vt)),
        atlas_vt=_joined(body.atlas_vt * piece.corner, piece.vt),
        atlas_ft=_joined(_or_nothing(body.atlas_ft, len(body.f)), piece.ft + len(body.atlas_vt)),
        face_part=_joined(body.face_part, part),
        part_names=names,
    )


def _join_correctives(body: Body, piece: BodyPiece) -> tuple[FloatArray | None, tuple[int, ...]]:
    """Pose correctives of both, one below the other, and the joints that either has."""
    both = [
        (body.posedirs, body.pose_joints, len(body.v_template)),
        (piece.posedirs, piece.pose_joints, len(piece.vertices)),
    ]
    joints = sorted({j for dirs, own, _ in both if dirs is not None for j in own})
    if not joints:
        return None, body.pose_joints
    rows = []
    for dirs, own, count in both:
        out = np.zeros((count, 3, len(joints), 9), np.float32)
        if dirs is not None:
            out[:, :, np.searchsorted(joints, own)] = dirs.reshape(count, 3, -1, 9)
        rows.append(out.reshape(count, 3, -1))
    return np.concatenate(rows), tuple(joints)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    out: np.ndarray = np.concatenate([first, second]).astype(first.dtype)  # type: ignore[type-arg]
    return out


def _or_nothing(triangles: IntArray, count: int) -> IntArray:
    """Texture triangles of a body; without any, all corners refer to the first coordinate."""
    return triangles if len(triangles) == count else np.zeros((count, 3), np.int32)


def piece_triangles(body: Body, name: str) -> BoolArray:
    """Return the mask of a part's triangles; empty if the body has no such part.

    Args:
        body: The body.
        name: Name of the part.

    Returns:
        [F] bool.
    """
    if name not in body.part_names:
        return np.zeros(len(body.f), bool)
    out: BoolArray = body.face_part == body.part_names.index(name)
    return out


def unpose_points(points: FloatArray, weights: FloatArray, pose: Pose, body: Body) -> FloatArray:
    """Invert linear blend skinning: solve p = (sum w R) x + sum w t for x.

    Args:
        points: [n, 3] metres, posed.
        weights: [n, 55] skinning weights.
        pose: The pose.
        body: The person's own body.

    Returns:
        [n, 3] metres, at rest.

    Raises:
        ValueError: ``weights`` has another number of joints.
    """
    if weights.shape[1] != NUM_JOINTS:
        raise ValueError(f"weights for {weights.shape[1]} joints instead of {NUM_JOINTS}")
    R, t, _ = joint_transforms(
        axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64)),
        np.asarray(body.J_template, np.float64),
        body.parents,
    )
    turn = np.einsum("nj,jab->nab", weights, R)
    move = weights @ t + pose.transl
    out: FloatArray = np.linalg.solve(turn, (points - move)[..., None])[..., 0]
    return out
