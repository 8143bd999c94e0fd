"""Triangles of their own for splats of loose hair, so that they can swing apart from the skin.

Hair hangs from triangles that it shares with hair on the other side of the neck, or with skin and
cloth. Splats that swing alike get one copy of their triangle; the copies belong to the piece
``nape``, which nothing shows. A copy is flat and stands alone, so its frame is its plane's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body import Body
from ..body.extension import NAPE, BodyPiece, extend_body, piece_triangles
from ..core.geometry import as_float32, triangle_frames
from ..core.rotations import matrix_to_quaternion, quaternion_multiply
from ..core.types import Avatar, BoolArray, BoundGaussians, FloatArray, IntArray

_ALIKE = 0.25
"""Difference of shares up to which splats of one copy stay together."""


@dataclass(frozen=True)
class SwingBinding:
    """What the copies changed.

    Attributes:
        old: number of vertices before.
        source: [n] vertices that were copied; the copies follow the body's others.
        vertices: [m] vertices of the triangles that swing.
        rows: [r] splats that lie on copies now.
        triangle: [r] theirs, in the extended body.
        turn: [r, 3, 3] from the frames of their former triangles to those of the new, in the
            photo's pose.
        move: [r, 3] metres in the new frames; an offset x becomes ``turn @ x + move``.
    """

    old: int
    source: IntArray
    vertices: IntArray
    rows: IntArray
    triangle: IntArray
    turn: FloatArray
    move: FloatArray


def keep_triangles(body: Body) -> SwingBinding:
    """No copies."""
    none = np.zeros(0, int)
    return SwingBinding(
        len(body.v_template), none, none, none, none, np.zeros((0, 3, 3)), np.zeros((0, 3))
    )


def copy_triangles(
    avatar: Avatar, rows: IntArray, sort: IntArray, share: FloatArray
) -> tuple[Avatar, SwingBinding, FloatArray]:
    """Give splats that swing alike triangles of their own.

    Args:
        avatar: the avatar.
        rows: [n] its splats that swing.
        sort: [n] equal for those that swing alike.
        share: [n, L] what they follow, equal for those of one sort.

    Returns:
        The avatar; what changed; shares [m, L] of its ``vertices``.
    """
    body, bound = avatar.body, avatar.gaussians
    sort = _keep_copies(avatar, rows, sort, share)
    pairs, first, which = np.unique(
        np.stack([bound.triangle[rows], sort], -1), axis=0, return_index=True, return_inverse=True
    )
    which = which.reshape(-1)
    # A triangle of the nape that holds nothing else needs no copy.
    holds = np.bincount(bound.triangle, minlength=len(body.f))
    own = np.bincount(which) == holds[pairs[:, 0]]
    own &= piece_triangles(body, NAPE)[pairs[:, 0]]
    copied = np.flatnonzero(~own)
    source = body.f[pairs[copied, 0]].reshape(-1)
    triangle = pairs[:, 0].copy()
    triangle[copied] = len(body.f) + np.arange(len(copied))
    extended = _extend(body, source) if len(copied) else body
    moved = np.flatnonzero(~own[which])
    splats, new = rows[moved], triangle[which[moved]]
    turn, move = _between(avatar, extended, splats, new)
    gaussians = _rebind(avatar, splats, new, turn, move)
    sculpt = avatar.sculpt
    if sculpt is not None:
        sculpt = np.concatenate([sculpt, sculpt[source]])
    binding = SwingBinding(
        len(body.v_template), source, extended.f[triangle].reshape(-1), splats, new, turn, move
    )
    return (
        replace(avatar, body=extended, gaussians=gaussians, sculpt=sculpt),
        binding,
        np.repeat(share[first], 3, axis=0),
    )


def _keep_copies(avatar: Avatar, rows: IntArray, sort: IntArray, share: FloatArray) -> IntArray:
    """Sort [n] in which what an earlier copy holds stays together.

    Its splats may have come to lie on both sides of a border between sorts.
    """
    body, triangle = avatar.body, avatar.gaussians.triangle
    own, first, which, count = np.unique(
        triangle[rows], return_index=True, return_inverse=True, return_counts=True
    )
    which = which.reshape(-1)
    low, high = np.full((len(own), share.shape[1]), np.inf), np.zeros((len(own), share.shape[1]))
    np.minimum.at(low, which, share)
    np.maximum.at(high, which, share)
    alone = count == np.bincount(triangle, minlength=len(body.f))[own]
    alone &= _are_copies(body)[own] & ((high - low).max(1) < _ALIKE)
    return np.asarray(np.where(alone[which], sort[first][which], sort))


def _are_copies(body: Body) -> BoolArray:
    """[F] which triangles of the nape lie on the vertices of an earlier one."""
    _, first, which = np.unique(body.v_template, axis=0, return_index=True, return_inverse=True)
    later = first[which.reshape(-1)] < np.arange(len(body.v_template))
    return np.asarray(piece_triangles(body, NAPE) & later[body.f[:, 0]])


def _extend(body: Body, source: IntArray) -> Body:
    """The body with copies of vertices, three to a triangle, as part of the nape."""
    piece = BodyPiece(
        name=NAPE,
        vertices=body.v_template[source],
        f=np.arange(len(source)).reshape(-1, 3),
        weights=body.weights[source],
        vt=np.ones((1, 2)),
        ft=np.zeros((len(source) // 3, 3), np.int64),
        corner=1.0,
        posedirs=None if body.posedirs is None else body.posedirs[source],
        pose_joints=body.pose_joints if body.posedirs is not None else (),
    )
    extended = extend_body(body, piece)
    return replace(extended, exprdirs=np.concatenate([body.exprdirs, body.exprdirs[source]]))


def _between(
    avatar: Avatar, extended: Body, splats: IntArray, new: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Turns and moves between the frames in the photo's pose, in which nothing changes then."""
    triangle, bary = avatar.gaussians.triangle[splats], avatar.gaussians.bary[splats]
    was, now = (
        triangle_frames(body.vertices(avatar.pose)[0], body.f, body.v_template, rows, bary)
        for body, rows in ((avatar.body, triangle), (extended, new))
    )
    turn = np.swapaxes(now.R, 1, 2) @ was.R
    move = np.einsum("nba,nb->na", now.R, was.origin - now.origin)
    return turn, move / now.sigma[:, None]


def _rebind(
    avatar: Avatar, splats: IntArray, new: IntArray, turn: FloatArray, move: FloatArray
) -> BoundGaussians:
    bound: BoundGaussians = avatar.gaussians
    triangle, offset, quats = bound.triangle.copy(), bound.offset.copy(), bound.quats.copy()
    triangle[splats] = new
    offset[splats] = as_float32(np.einsum("nab,nb->na", turn, bound.offset[splats]) + move)
    quats[splats] = as_float32(quaternion_multiply(matrix_to_quaternion(turn), bound.quats[splats]))
    return replace(bound, triangle=triangle, offset=offset, quats=quats)
