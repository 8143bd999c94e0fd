"""Edits by hand applied to an avatar (:mod:`.retouch` says what they are)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .retouch import ERASED, MOVE, SHIFT
from .types import Avatar, BoundGaussians, FloatArray, LikenessError


def apply_retouch(avatar: Avatar, source: str = "the avatar") -> Avatar:
    """Return the avatar as its edits by hand show it, without edits.

    What is erased altogether is left out; what remains keeps its order, and what was not edited
    its bits. A sculpted body carries its Gaussians along: their frames turn with its triangles, and
    they grow with them.

    Args:
        avatar: with or without edits.
        source: what an error calls it.

    Raises:
        LikenessError: every Gaussian is erased.
    """
    bound, start, attributes = avatar.gaussians, avatar.lod_start, avatar.attributes
    if bound.retouch.shape[1]:
        shown = bound.retouch[:, ERASED] < 1.0
        if not shown.any():
            raise LikenessError(f"Every splat of {source} is erased.", "Restore some of them.")
        bound = retouch_gaussians(bound).take(shown)
        start = None if start is None else start[shown]
        attributes = tuple(one.take(shown) for one in attributes)
    body = avatar.body
    if avatar.sculpt is not None:
        from .geometry import triangle_frames  # late: numba

        rest = np.asarray(body.v_template, np.float64)
        sculpted = rest + avatar.sculpt
        frames = triangle_frames(sculpted, body.f, rest, bound.triangle, bound.bary)
        sigma = frames.sigma[:, None]
        bound = replace(
            bound,
            offset=(bound.offset * sigma).astype(np.float32),
            scales=(bound.scales * sigma).astype(np.float32),
        )
        body = replace(body, v_template=sculpted.astype(body.v_template.dtype))
    return replace(
        avatar, body=body, gaussians=bound, lod_start=start, attributes=attributes, sculpt=None
    )


def retouch_gaussians(bound: BoundGaussians) -> BoundGaussians:
    """Return all Gaussians with their edits, without edits; what is erased has no opacity.

    Args:
        bound: N Gaussians with ``retouch`` [N, 7].
    """
    edits = bound.retouch
    colors = np.array(bound.colors, np.float32)
    changed = edits[:, SHIFT].any(1)
    colors[changed] = np.clip(colors[changed] + edits[changed, SHIFT], 0.0, 1.0)
    opacities = np.asarray(bound.opacities * (1.0 - edits[:, ERASED]), np.float32)
    return replace(
        bound,
        opacities=opacities,
        colors=colors,
        offset=np.asarray(bound.offset + edits[:, MOVE], np.float32),
        retouch=np.zeros((0, 0), np.float32),
    )


def move_to_frames(moves: FloatArray, avatar: Avatar, vertices: FloatArray) -> FloatArray:
    """Return moves in space as moves of the Gaussians' offsets [N, 3], metres.

    Args:
        moves: [N, 3] metres, in the space of the vertices.
        avatar: whose N Gaussians are moved.
        vertices: [V, 3] of the posed body, metres.
    """
    from .geometry import triangle_frames  # late: numba

    bound, body = avatar.gaussians, avatar.body
    frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    return np.asarray(np.einsum("nab,na->nb", frames.R, moves) / frames.sigma[:, None])
