"""What was painted and sculpted on a mesh of the avatar's surface, carried to its Gaussians.

The mesh is the one of :mod:`.mesh_extraction`. Gaussians take differences only: how a texel's
colour has changed, how far a vertex has moved. So they keep the detail that the mesh does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..body import Body
from ..body.extension import NAPE, piece_triangles
from ..core.geometry import vertex_normals
from ..core.retouch import MOVE, SHIFT, get_retouch, set_retouch
from ..core.retouching import move_to_frames, retouch_gaussians
from ..core.sampling import bilinear
from ..core.settings import register_settings
from ..core.types import Avatar, FloatArray, IntArray, LikenessError
from .binding import place_gaussians
from .lift.surface.surfels import closest_barycentric
from .mesh_extraction import group_triangles


@dataclass(frozen=True)
class ProxySettings:
    """Which Gaussians a painted texel reaches."""

    candidates: int = 8  # triangles among which the nearest point of the surface is found
    below: float = 0.008  # metres under the surface up to which paint has its full strength
    hidden: float = 0.02  # metres under it from which on it does not reach: skin under cloth
    still: float = 0.5 / 255  # a smaller change of colour is rounding


S = register_settings("proxy", ProxySettings())


@dataclass(frozen=True)
class SurfaceEdit:
    """An edited mesh of an avatar's surface; its triangles are the body's.

    Attributes:
        before: [V, 3] metres, at rest, where the vertices were.
        after: [V, 3] where they are.
        uv: [F, 3, 2] texture coordinates of the triangles' corners, v up.
        texture_before: [H, W, 3] sRGB 0..1, the first row at v = 0; None: nothing was painted.
        texture_after: [H, W, 3] as it is.
    """

    before: FloatArray
    after: FloatArray
    uv: FloatArray
    texture_before: FloatArray | None = None
    texture_after: FloatArray | None = None


def carry_edit(avatar: Avatar, edit: SurfaceEdit) -> Avatar:
    """Return the avatar with what was painted and sculpted, added to its edits by hand.

    Hair that the nape holds does not lie on the skin, so it is moved with the surface beside it;
    everything else is carried by the sculpted body (``Avatar.sculpt``).

    Args:
        avatar: with its edits.
        edit: of its surface.

    Raises:
        LikenessError: the mesh or the textures do not belong to it.
    """
    body: Body = avatar.body
    if edit.before.shape != body.v_template.shape or edit.after.shape != edit.before.shape:
        raise LikenessError(
            f"The proxy mesh has {len(edit.after)} vertices, not {len(body.v_template)}.",
            "Undo what changed their number, such as Remesh, Dyntopo or an applied subdivision.",
        )
    rest = np.asarray(body.v_template, np.float64)
    own = rest if avatar.sculpt is None else rest + avatar.sculpt
    bound = avatar.gaussians
    shown = retouch_gaussians(bound) if bound.retouch.shape[1] else bound
    means = place_gaussians(shown, own, body).means.astype(np.float64)
    triangle, bary, height = find_on_surface(avatar, means, edit.before)
    retouch = get_retouch(bound)
    if edit.texture_before is not None and edit.texture_after is not None:
        retouch[:, SHIFT] += _read_shift(edit, triangle, bary, height)
        retouch[:, SHIFT] = np.clip(retouch[:, SHIFT], -1.0, 1.0)
    sculpt = avatar.sculpt
    moved = np.asarray(edit.after, np.float64) - edit.before
    if moved.any():
        total = moved if sculpt is None else sculpt + moved
        sculpt = np.asarray(total, np.float32)
        hair = piece_triangles(body, NAPE)[bound.triangle]
        if hair.any():
            rows = np.flatnonzero(hair)
            part = replace(avatar, gaussians=shown.take(rows))
            wanted = np.einsum("nk,nka->na", bary[rows], moved[body.f[triangle[rows]]])
            carried = place_gaussians(part.gaussians, rest + sculpt, body).means - means[rows]
            retouch[rows, MOVE] += move_to_frames(wanted - carried, part, rest + sculpt)
    return replace(avatar, gaussians=set_retouch(bound, retouch), sculpt=sculpt)


def find_on_surface(
    avatar: Avatar, means: FloatArray, surface: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find the place of the surface next to each Gaussian.

    Eyes, teeth and tongue only meet triangles of their own, everything else the skin's.

    Args:
        avatar: the avatar.
        means: [N, 3] metres, of its Gaussians.
        surface: [V, 3] metres, in the same space.

    Returns:
        triangle: [N] rows of ``body.f``.
        bary: [N, 3] barycentric coordinates.
        height: [N] metres outside the surface.
    """
    body: Body = avatar.body
    surface = np.asarray(surface, np.float64)
    groups = group_triangles(body)
    open_ = ~piece_triangles(body, NAPE)
    group = np.where(open_, groups, 0)[avatar.gaussians.triangle]
    triangle = np.zeros(len(means), np.int64)
    bary = np.zeros((len(means), 3))
    for number in np.unique(group):
        rows = np.flatnonzero(group == number)
        faces = np.flatnonzero(open_ & (groups == number))
        corners = surface[body.f[faces]]
        count = min(S.candidates, len(faces))
        near = cKDTree(corners.mean(1)).query(means[rows], count)[1].reshape(len(rows), count)
        best = np.full(len(rows), np.inf)
        for k in range(count):
            tried = closest_barycentric(means[rows], corners[near[:, k]])
            away = means[rows] - np.einsum("nk,nka->na", tried, corners[near[:, k]])
            distance = (away**2).sum(1)
            better = distance < best
            best[better] = distance[better]
            triangle[rows[better]] = faces[near[better, k]]
            bary[rows[better]] = tried[better]
    normals = vertex_normals(surface, body.f)
    facing = np.einsum("nk,nka->na", bary, normals[body.f[triangle]])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    at = np.einsum("nk,nka->na", bary, surface[body.f[triangle]])
    return triangle, bary, np.asarray(((means - at) * facing).sum(1))


def _read_shift(
    edit: SurfaceEdit, triangle: IntArray, bary: FloatArray, height: FloatArray
) -> FloatArray:
    """Changes of colour [N, 3] at places of the surface."""
    before, after = edit.texture_before, edit.texture_after
    assert before is not None
    assert after is not None
    if before.shape != after.shape:
        raise LikenessError(
            f"The texture has {after.shape[1]} x {after.shape[0]} pixels instead of "
            f"{before.shape[1]} x {before.shape[0]}.",
            "Scale it back, or remove the proxy mesh and add it again.",
        )
    change = np.asarray(after, np.float32) - before
    size = np.array([change.shape[1], change.shape[0]])
    place = np.einsum("nk,nkc->nc", bary, edit.uv[triangle]) * size
    share = np.clip((height + S.hidden) / (S.hidden - S.below), 0.0, 1.0)
    shift = share[:, None] * bilinear(change, place)
    shift[np.abs(shift).max(1) < S.still] = 0.0
    return np.asarray(shift)
