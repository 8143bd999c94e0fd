"""An avatar as a textured, skinned mesh: what programs without splats can show.

The body's own mesh is carried out to where the avatar's splats lie (hair, clothes), and their
colours are baked into a texture over the body's atlas (:mod:`.texture_baking`). One mesh follows
the splats' mean surface, so fine hair, loose cloth and held objects come out as painted bulges:
splats don't become a clean mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..body import Body
from ..body.extension import NAPE, piece_triangles
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import Avatar, BoundGaussians, FloatArray, IntArray, LikenessError, Pose
from ..formats.surface_mesh import SurfaceMesh
from .binding import place_gaussians
from .mesh_diffusion import diffuse_values, mesh_edges, mesh_laplacian
from .texture_baking import BakedState, bake_colors

INSIDE_PARTS = ("eye", "eye_back", "eye_socket", "mouth", "teeth", "tongue")
"""Parts of the body that are not its outer skin; they stay where they are."""

STILL_PARTS = ("lips", "eyelid")
"""Parts whose shape belongs to the expressions; they move little."""

BLINKS = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}

TEXTURE_SIZE = 2048


@dataclass(frozen=True)
class MeshSettings:
    """The surface around an avatar's splats."""

    max_outward: float = 0.10  # metres that a vertex may be carried out of the body
    max_inward: float = 0.012  # metres that it may be carried in
    stiff: float = 8.0  # trust in the body's own shape at lips and lids
    solid: float = 0.3  # opacity of splats that count where an avatar ends
    bare: float = 0.04  # metres from them beyond which it has ended
    few: int = 12  # vertices that are an end and no gap
    trust: float = 4.0  # in a vertex with as many splats as the median one, against bending
    lid: float = 0.001  # metres down that a blink moves triangles which are baked with closed eyes


S = register_settings("mesh", MeshSettings())


def extract_mesh(avatar: Avatar, size: int = TEXTURE_SIZE) -> SurfaceMesh:
    """Extract a mesh with a texture from an avatar.

    Args:
        avatar: the avatar.
        size: pixels of the square texture's side, 64 to 8192.

    Raises:
        LikenessError: the size is out of range, or the body has no texture atlas.
    """
    if not 64 <= size <= 8192:
        raise LikenessError(
            f"A texture cannot be {size} pixels wide.", "Choose a size from 64 to 8192."
        )
    body: Body = avatar.body
    uv, uv_f = texture_coordinates(body)
    dressed = replace(body, v_template=dressed_vertices(avatar))
    states = _closed_lids(body)
    groups = group_triangles(body)
    texture, colors = bake_colors(avatar, dressed, uv, uv_f, size, groups, states)
    if avatar.provenance.get("options", {}).get("below", "full") != "full":
        dressed = close_ends(dressed, avatar)
    return SurfaceMesh(dressed, uv, uv_f, texture, colors)


def close_ends(dressed: Body, avatar: Avatar) -> Body:
    """Draw the body together where an avatar ends (``--below``): there it has no more splats.

    All vertices beyond an end move to the middle of its section and follow its joints, so the
    mesh keeps its triangles, and those in the section close it.

    Args:
        dressed: the body at the surface of the splats.
        avatar: the avatar.
    """
    bound = avatar.gaussians.take(avatar.gaussians.opacities > S.solid)
    rest = np.asarray(avatar.body.v_template, np.float64)
    if not len(bound):
        return dressed
    placed = place_gaussians(bound, rest, avatar.body)
    gone = cKDTree(placed.means).query(rest)[0] > S.bare
    edges = mesh_edges(dressed.f)
    inner = edges[gone[edges].all(1)]
    links = sparse.csr_matrix((np.ones(len(inner)), inner.T), (len(rest), len(rest)))
    count, piece = connected_components(links, directed=False)
    size = np.bincount(piece[gone], minlength=count)
    vertices, weights = np.array(dressed.v_template), np.array(dressed.weights)
    for k in np.nonzero(size >= S.few)[0]:
        own = gone & (piece == k)
        beside = edges[own[edges].sum(1) == 1]
        rim = np.unique(beside[~own[beside]])
        if len(rim):
            vertices[own] = vertices[rim].mean(0)
            weights[own] = weights[rim].mean(0)
    return replace(dressed, v_template=vertices, weights=weights)


def texture_coordinates(body: Body) -> tuple[FloatArray, IntArray]:
    """Return texture coordinates: the body's token atlas, else its source's.

    Returns:
        uv: [T, 2] 0..1, v down.
        uv_f: [F, 3] rows of ``uv``.

    Raises:
        LikenessError: the body has no texture atlas.
    """
    if len(body.atlas_ft) == len(body.f):
        return np.asarray(body.atlas_vt, np.float64), np.asarray(body.atlas_ft, np.int64)
    if len(body.ft) == len(body.f):
        return np.asarray(body.vt, np.float64) * [1, -1] + [0, 1], np.asarray(body.ft, np.int64)
    raise LikenessError(
        "This avatar's body has no texture atlas.", "Build it again with the default body."
    )


def dressed_vertices(avatar: Avatar) -> FloatArray:
    """Carry the rest vertices to the mean surface of the splats around them.

    A splat's offset from its triangle says how far; offsets are averaged per vertex, weighted by
    how much a splat hides, and smoothed over the mesh where splats are few or disagree.

    Args:
        avatar: the avatar.

    Returns:
        [V, 3] at rest, metres.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    rest = np.asarray(body.v_template, np.float64)
    part = _vertex_share(body, INSIDE_PARTS)
    if not len(bound):
        return rest
    means = place_gaussians(bound, rest, body).means
    triangle, bary = _on_skin(bound, means, body)
    home = np.einsum("nk,nka->na", bary, rest[body.f[triangle]])
    move = means - home
    normals = vertex_normals(rest, body.f)
    along = np.einsum("na,na->n", move, normals[body.f[triangle]].mean(1))
    # What lies deep inside (the skin under cloth) or far off (held objects) is not the surface.
    worth = bound.opacities.astype(np.float64) * bound.scales[:, :2].prod(1)
    worth *= (along > -S.max_inward) & (along < S.max_outward)
    worth *= np.where(bound.layer == 0, 0.2, 1.0)  # core: hidden wherever something is worn
    corners, share = body.f[triangle], bary
    total, mean = _vertex_means(move, along, worth, corners, share, len(rest))
    # Once more without those below the mean: the surface is where the outer ones are.
    outer = along >= np.einsum("nk,nk->n", share, mean[corners, 3])
    total, mean = _vertex_means(move, along, worth * outer, corners, share, len(rest))
    seen = total > 0
    trust = S.trust * np.minimum(total / max(np.median(total[seen]), 1e-30), 1.0)
    trust *= 1.0 - part
    still = S.stiff * _vertex_share(body, STILL_PARTS) + 1e3 * part + 1e-4
    laplacian = mesh_laplacian(body.f, len(rest))
    carried = diffuse_values(laplacian, mean[:, :3], trust, np.zeros(3), still)
    length = np.linalg.norm(carried, axis=1, keepdims=True)
    return np.asarray(rest + carried * np.minimum(1.0, S.max_outward / np.maximum(length, 1e-12)))


def _on_skin(bound: BoundGaussians, means: FloatArray, body: Body) -> tuple[IntArray, FloatArray]:
    """Triangles [N] and barycentric [N, 3]: the nearest skin's for hair that the nape holds."""
    triangle, bary = np.array(bound.triangle), bound.bary.astype(np.float64)
    inside = piece_triangles(body, NAPE)
    hair = np.flatnonzero(inside[triangle])
    if len(hair):
        skin = np.flatnonzero(~inside)
        middles = np.asarray(body.v_template, np.float64)[body.f[skin]].mean(1)
        triangle[hair] = skin[cKDTree(middles).query(means[hair])[1]]
        bary[hair] = 1.0 / 3.0
    return triangle, bary


def _vertex_means(
    move: FloatArray,
    along: FloatArray,
    worth: FloatArray,
    corners: IntArray,
    share: FloatArray,
    count: int,
) -> tuple[FloatArray, FloatArray]:
    """Weights [V], and weighted means [V, 4] of offsets [N, 3] and heights [N], per vertex."""
    values = np.concatenate([move, along[:, None]], axis=1)
    total, mean = np.zeros(count), np.zeros((count, 4))
    for corner in range(3):
        weight, vertex = worth * share[:, corner], corners[:, corner]
        total += np.bincount(vertex, weight, count)
        for k in range(4):
            mean[:, k] += np.bincount(vertex, weight * values[:, k], count)
    seen = total > 0
    mean[seen] /= total[seen, None]
    return total, mean


def _vertex_share(body: Body, parts: tuple[str, ...]) -> FloatArray:
    """[V] 1 at the vertices of these parts, else 0."""
    rows = [i for i, name in enumerate(body.part_names) if name in parts]
    out = np.zeros(len(body.v_template))
    out[body.f[np.isin(body.face_part, rows)]] = 1.0
    return out


def _closed_lids(body: Body) -> list[BakedState]:
    """The upper lids with closed eyes: open ones are folded, and show the eyes before them."""
    if not BLINKS.keys() <= set(body.expression_names):
        return []
    moves = np.asarray(body.exprdirs @ body.expression(**BLINKS), np.float64)
    down = -moves[body.f, 1].mean(1) > S.lid
    inside = np.isin(np.array(body.part_names)[body.face_part], INSIDE_PARTS)
    return [BakedState(down & ~inside, moves)]


def group_triangles(body: Body) -> IntArray:
    """Group a body's triangles: the skin, and each of the inner parts.

    Returns:
        [F] group; its splats colour its triangles only.
    """
    groups = np.zeros(len(body.f), np.int64)
    for i, name in enumerate(body.part_names):
        if name in INSIDE_PARTS:
            groups[body.face_part == i] = 1 + i
    return groups


def floor_offset(vertices: FloatArray, pelvis: FloatArray) -> FloatArray:
    """Return the shift [3] that puts a posed body on y = 0 with its pelvis above the origin.

    Args:
        vertices: [V, 3] posed, metres.
        pelvis: [3] in the same space.
    """
    return np.array([-pelvis[0], -np.asarray(vertices)[:, 1].min(), -pelvis[2]])


def translate_pose(pose: Pose, by: FloatArray) -> Pose:
    """Return a pose moved across space.

    Args:
        pose: the pose.
        by: [3] metres, world space.
    """
    return replace(pose, transl=np.asarray(pose.transl, np.float64) + by)
