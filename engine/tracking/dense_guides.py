"""Dense guidance: head and hands drawn to the vertices of another program's mesh.

Paper 001, equations 20 and 21, and GUAVA's equation 8: FLAME's head or MANO's hand, fitted to its
own crop of the photo, says where each place of the surface is seen. Here the meshes have different
vertices. So the body's is first laid over theirs by an affine map, starting from where both
are seen in the photo; then each sampled place of the body takes the pixel of the place of theirs
that lies nearest. A mesh with a stored correspondence needs neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.alignment import fit_similarity
from ..core.cameras import unproject
from ..core.settings import register_settings
from ..core.types import BoolArray, Camera, FloatArray, IntArray, LikenessError
from .body_points import BodyPoints
from .estimators.estimate import DenseGuide
from .fit_state import FitState
from .residuals import LandmarkTerm, project_rows


@dataclass(frozen=True)
class GuideSettings:
    """How a mesh of another program draws the body."""

    samples: int = 240  # places of a head or a hand
    rounds: int = 100  # of laying one mesh over the other, the second half affine
    kept: float = 0.8  # share of the nearest pairs that count
    reach: float = 0.008  # metres between the meshes within which places are the same
    common: float = 0.6  # share of places within reach without which a mesh is ignored
    noise: float = 0.003  # metres of one place
    together: float = 30.0  # places that err together
    radius: float = 0.08  # metres of the robust loss


S = register_settings("tracking.guides", GuideSettings())
HEAD_PARTS = ("face", "lips", "eyelid", "ear")
NEIGHBOURS = 3


def guide_points(body: Body, part: str) -> tuple[IntArray, FloatArray]:
    """Sample places of a head or a hand.

    Args:
        body: the body, whose faces know their parts.
        part: ``head``, ``left_hand`` or ``right_hand``.

    Returns:
        Triangles [N] and barycentric coordinates [N, 3]: their middles, spread evenly.
    """
    wanted = HEAD_PARTS if part == "head" else ("hand",)
    rows = [k for k, name in enumerate(body.part_names) if name in wanted]
    inside = np.isin(body.face_part, rows)
    if part != "head":
        middle = body.v_template[body.f].mean(1)[:, 0]
        inside &= (middle > 0) == (part == "left_hand")
    triangles = np.flatnonzero(inside)
    step = max(1, len(triangles) // S.samples)
    triangles = triangles[::step]
    return triangles, np.full((len(triangles), 3), 1.0 / 3.0)


def guide_term(
    body: Body, shown: FitState, guide: DenseGuide, camera: Camera
) -> LandmarkTerm | None:
    """The pull of one mesh on the body.

    Args:
        body: the body.
        shown: its fit so far, with the part turned as the other program says: so the meshes are
            laid over each other.
        guide: the other program's mesh.
        camera: the photo's.

    Returns:
        None where the meshes have too little in common, or the body has no such part.

    Raises:
        LikenessError: a stored correspondence is another body's.
    """
    if guide.triangle is not None and guide.barycentric is not None:
        triangle, bary, target = guide.triangle, guide.barycentric, guide.pixels
        if triangle.max() >= len(body.f):
            raise LikenessError(
                f"A mesh corresponds to triangle {triangle.max()}, but the body has {len(body.f)}.",
                "Store the correspondence with this body.",
            )
    else:
        triangle, bary = guide_points(body, guide.part)
        if not len(triangle):
            return None
        here = _places(body, shown, triangle, bary)
        place, near = correspond(here, guide, camera)
        if near.mean() < S.common:
            return None
        triangle, bary, target = triangle[near], bary[near], place[near]
    points = BodyPoints.on_surface(body, triangle, bary)
    depth = float(-_places(body, shown, triangle, bary)[:, 2].mean())
    per_metre = float(camera.K[0, 0]) / max(depth, 0.1)
    weight = np.full(len(triangle), guide.confidence / (S.noise**2 * S.together))
    return LandmarkTerm(points, target, weight, camera, per_metre, S.radius)


def _places(body: Body, state: FitState, triangle: IntArray, bary: FloatArray) -> FloatArray:
    """[N, 3] metres: places of the surface in a state."""
    vertices, _ = body.vertices(state.pose, state.betas)
    out: FloatArray = np.einsum("nk,nkc->nc", bary, vertices[body.f[triangle]].astype(np.float64))
    return out


def correspond(here: FloatArray, guide: DenseGuide, camera: Camera) -> tuple[FloatArray, BoolArray]:
    """Find where the other mesh sees places of the body.

    Args:
        here: [N, 3] metres, places of the body, photo space.
        guide: the other mesh.
        camera: the photo's.

    Returns:
        Pixels [N, 2], and which of them are to be believed, [N] bool.
    """
    pixels, depth, _ = project_rows(here, camera)
    there = _in_space(guide, pixels, float(np.median(depth)), camera)
    tree, laid = cKDTree(there), here
    for k in range(S.rounds):
        away, index = tree.query(laid)
        near = away <= np.quantile(away, S.kept)
        laid = _moved(laid, laid[near], there[index[near]], affine=2 * k >= S.rounds)
    away, index = tree.query(laid, k=NEIGHBOURS)
    share = 1.0 / np.maximum(away, 1e-5)
    share /= share.sum(1, keepdims=True)
    return np.einsum("nk,nkc->nc", share, guide.pixels[index]), away[:, 0] < S.reach


def _in_space(guide: DenseGuide, pixels: FloatArray, depth: float, camera: Camera) -> FloatArray:
    """[V, 3] metres, photo space: their mesh at the body's depth, each vertex at its pixel."""
    flat = guide.vertices[:, :2] * [1.0, -1.0]
    centred = flat - flat.mean(0)
    per_metre = float((centred * (guide.pixels - guide.pixels.mean(0))).sum() / (centred**2).sum())
    scale = max(per_metre, 1e-3) * depth / float(camera.K[0, 0])
    inside = (guide.pixels >= pixels.min(0)).all(1) & (guide.pixels <= pixels.max(0)).all(1)
    front = guide.vertices[inside if inside.any() else slice(None), 2]
    away = depth - scale * (guide.vertices[:, 2] - np.median(front))
    return unproject(guide.pixels, np.maximum(away, 0.05), camera)


def _moved(points: FloatArray, a: FloatArray, b: FloatArray, affine: bool) -> FloatArray:
    """Points [N, 3] moved by the map that brings a [M, 3] nearest to b [M, 3].

    A similarity, or an affine map that stays near the identity.
    """
    if not affine:
        scale, R, t = fit_similarity(a, b)
        return scale * points @ R.T + t
    middle, target = a.mean(0), b.mean(0)
    a, b = a - middle, b - target
    stiff = 0.1 * float((a**2).sum()) / 3.0 * np.eye(3)
    A = np.linalg.solve(a.T @ a + stiff, a.T @ b + stiff)
    out: FloatArray = (points - middle) @ A + target
    return out
