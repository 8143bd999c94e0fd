"""Ears, of which a portrait from the front shows a sliver.

A pixel on the side of an ear would smear over centimetres of it. What the photo shows squarely
stays; the rest of the ear has the tone of what is seen of it, shaded by its own folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ...squareness import cosine_to_camera
from ..pixels.regions import Regions
from ..surface.surfels import CORE, PHOTO


@dataclass(frozen=True)
class EarSettings:
    """Ears that the photo shows edge-on."""

    square: tuple[float, float] = (0.25, 0.45)
    """Cosine to the view from which a pixel starts to be, and is, trusted."""

    bare_share: float = 0.35  # of an ear's pixels that must be skin; else hair covers it
    min_visible: int = 12  # splats that show an ear's tone
    hollow: float = 0.011  # metres below the rim at which a fold is 1/e darker
    darkest: float = 0.55  # brightness of the deepest fold
    rim_reach: float = 0.012  # metres around a point in which the rim stands out over it
    lit: float = 0.16  # of the tone, between what faces up and what faces down
    skin_deep: float = 0.006  # metres off the ear within which a splat shows it


S = register_settings("lift.ears", EarSettings())


REDDER = np.array([1.0, 0.95, 0.93])  # of the cheeks' tone, for an ear that is not seen


def finish_ears(
    bound: BoundGaussians, body: Body, vertices: FloatArray, regions: Regions, camera: Camera
) -> BoundGaussians:
    """Give bare ears calm colours where the photo does not show them squarely.

    Args:
        bound: everything that the lift made.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        regions: of the photo, on the grid of ``camera``.
        camera: of the region grid.
    """
    part = np.array(body.part_names)[body.face_part]
    left = body.v_template[body.f].mean(1)[:, 0] > 0
    colors, opacities = np.array(bound.colors), np.array(bound.opacities)
    for side in (True, False):
        faces = (part == "ear") & (left == side)
        own = np.nonzero(faces[bound.triangle])[0]
        if len(own) == 0 or not _bare(faces, regions):
            continue
        corner = body.f[bound.triangle[own]]
        bary = bound.bary[own].astype(np.float64)
        at = np.einsum("nk,nkd->nd", bary, vertices[corner])
        normal = np.einsum("nk,nkd->nd", bary, vertex_normals(vertices, body.f)[corner])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        square = cosine_to_camera(at, normal)
        trust = np.clip((square - S.square[0]) / (S.square[1] - S.square[0]), 0.0, 1.0)
        xy, _ = project(at, camera)
        col = np.clip(xy.astype(int), 0, [camera.width - 1, camera.height - 1])
        on_skin = regions.skin[col[:, 1], col[:, 0]]
        photo, core = bound.layer[own] == PHOTO, bound.layer[own] == CORE
        sure = photo & on_skin & (trust > 0.6)
        tone = regions.skin_color * REDDER
        if sure.sum() >= S.min_visible:
            seen = np.median(colors[own[sure]], axis=0)
            # Light that shines through an ear, or a strong shadow, is not all of its tone.
            tone = 0.65 * seen + 0.35 * tone
        folds = _folds(body, faces, corner, bary)
        calm = np.clip(tone * folds[:, None], 0.0, 1.0)
        share = np.zeros(len(own))
        if sure.sum() >= S.min_visible:  # near what is seen squarely, the photo's own tones
            away, nearest = cKDTree(at[sure]).query(at, k=min(6, int(sure.sum())))
            share = 0.6 * np.exp(-away.mean(1) / 0.004)
            near = colors[own[sure]][nearest].mean(1)
            calm = calm * (1.0 - share[:, None]) + near * share[:, None]
        rows = own[core]
        colors[rows] = calm[core]
        # Hair bound to an ear's triangles stands off it and is not its skin.
        skin = photo & on_skin & (np.linalg.norm(bound.offset[own], axis=1) < S.skin_deep)
        rows = own[skin]
        opacities[rows] = opacities[rows] * trust[skin]
    keep = opacities > 0.02
    changed = replace(
        bound, colors=colors.astype(np.float32), opacities=opacities.astype(np.float32)
    )
    return changed.take(keep | (bound.opacities <= 0.02))


def _bare(faces: BoolArray, regions: Regions) -> bool:
    """Whether the photo shows skin where an ear is drawn; an ear out of sight is not bare."""
    shown = (regions.body.face >= 0) & faces[regions.body.face] & regions.mask
    if shown.sum() < 4:
        return False
    return bool((regions.skin & shown).sum() > S.bare_share * shown.sum())


def _folds(body: Body, faces: BoolArray, corner: IntArray, bary: FloatArray) -> FloatArray:
    """[N] brightness of points of an ear: dark in its hollows, lighter where it faces up.

    A hollow is as deep as the rim around a point stands out over it, across the head.
    """
    rest = body.v_template.astype(np.float64)
    used = np.unique(body.f[faces])
    sign = np.sign(rest[used, 0].mean())
    out = sign * rest[used, 0]
    tree = cKDTree(rest[used][:, 1:])
    points = np.einsum("nk,nkd->nd", bary, rest[corner])
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    rim = np.array(
        [
            out[rows].max() if rows else 0.0
            for rows in tree.query_ball_point(points[:, 1:], S.rim_reach)
        ]
    )
    deep = np.maximum(rim - sign * points[:, 0] - 0.002, 0.0)
    shade = S.darkest + (1.0 - S.darkest) * np.exp(-deep / S.hollow)
    return np.asarray(shade * (1.0 - 0.5 * S.lit + S.lit * (0.5 + 0.5 * normal[:, 1])))
