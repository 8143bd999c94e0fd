"""Fine skin of lips, of lids and beside them, which lies under the photo's splats there.

Texels are too coarse for it. What a turned head hides of it looks like the other half of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ....body.atlas import surface_points
from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray
from ...binding import bind_gaussians, place_gaussians
from ..grids.pixel_grids import SOLID
from ..surface.surfels import CORE, surfels_on_plane
from .face_parts import (
    EYE_RINGS,
    SIDES,
    FittedFace,
    cast_rays,
    inner_lips,
    inside_polygon,
    spread_points,
)
from .lid_places import photo_depth


@dataclass(frozen=True)
class FaceRimSettings:
    """Fine skin of lips and lids."""

    width: float = 0.004  # metres beside lids and lips with fine skin
    spacing: float = 0.0011  # metres between its splats
    facing: float = 0.4  # cosine to the camera from which on their colours are the photo's
    outline: float = 0.06  # inter-ocular distances from the outline where they mix with it
    across: float = 0.003  # metres from a splat's mirror image to what is seen there
    shade: float = 0.86  # brightness of what has no such image, of that beside it
    skin: int = 24  # texels of skin beside one that show its light
    light: tuple[float, float] = (0.4, 1.6)  # of a borrowed colour, least and most
    sink: float = 0.0007  # metres that it lies under the photo
    bared: float = 0.001  # metres that a blink moves skin beside the lids, at least
    before_photo: float = 0.0004  # metres behind the photo from which on that covers it


S = register_settings("lift.face_rims", FaceRimSettings())


@dataclass(frozen=True)
class RimSkin:
    """Fine skin of lips, lids and beside them.

    Attributes:
        splats: N, bound to the body.
        source: [N, 3] metres on the body at rest, where the photo shows the colour of each.
    """

    splats: BoundGaussians
    source: FloatArray


def find_rim_faces(face: FittedFace) -> BoolArray:
    """[F] triangles of the lips, of the lids' edges and of the skin next to them.

    Texels are too coarse there: they would reach over the lips' edge into the mouth, and over the
    lids into the eye.
    """
    rest, f = face.body.v_template, face.body.f
    rims = np.unique(f[face.faces("lips", "eyelid")])
    distance, _ = cKDTree(rest[rims]).query(rest[f].mean(1), distance_upper_bound=S.width)
    return np.asarray(face.faces("face", "lips", "eyelid") & (distance < S.width))


def make_rim_skin(face: FittedFace, closed: FloatArray, faces: BoolArray) -> RimSkin | None:
    """Make fine skin under the photo on some triangles, in the photo's colours.

    Args:
        face: the fitted face.
        closed: [V, 3] its vertices with closed eyes.
        faces: [F] the triangles.

    Returns:
        None where the triangles are too small for any splat.
    """
    f, vertices = face.body.f, face.vertices
    rest = face.body.v_template.astype(np.float64)
    rows = np.nonzero(faces)[0]
    spacing = face.coarseness * S.spacing
    row, bary = spread_points(rest[f[rows]], spacing)
    if not len(row):
        return None
    triangle = rows[row]
    corner = f[triangle]
    at = np.einsum("nk,nkd->nd", bary, face.registered[corner])
    normal = np.einsum("nk,nkd->nd", bary, vertex_normals(face.registered, f)[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    xy, depth = project(at, face.camera)
    front = cast_rays(face, xy, np.ones(len(f), bool))
    toward = -at / np.linalg.norm(at, axis=1, keepdims=True)
    seen = np.einsum("nd,nd->n", normal, toward) > S.facing
    if front is not None:
        seen &= depth < front.depth + 0.0015
    over_eye = np.zeros(len(at), bool)
    for side in SIDES:
        inside, edge = inside_polygon(xy, face.points[list(EYE_RINGS[side])])
        seen &= edge > 0.008 * face.unit
        over_eye |= inside
    inside, edge = inside_polygon(xy, inner_lips(face))
    seen &= ~over_eye & ~inside & (edge > 0.008 * face.unit)
    seen &= _is_off_outline(face, xy)
    if not seen.any():
        seen[:] = True
    color = bilinear(face.matte.foreground, xy)
    points = surface_points(rest, f, triangle, bary)
    color, source = _borrow_colors(points, color, seen)
    world = surfels_on_plane(
        at - S.sink * toward, normal, np.full(len(at), 0.8 * spacing), color, np.full(len(at), 0.97)
    )
    layer = np.full(len(at), CORE, np.uint8)
    skin = bind_gaussians(world, triangle, bary, layer, vertices, face.body)
    # The photo's open eye is not covered, nor, by what a blink unfolds, its skin beside an eye.
    kept = ~over_eye & ~_bared_by_blink(face, closed, skin)
    return RimSkin(skin.take(kept), source[kept])


def _is_off_outline(face: FittedFace, xy: FloatArray) -> BoolArray:
    """[N] whether places [N, 2] in the photo lie off the person's outline, where colours mix."""
    turns = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)
    around = S.outline * face.unit * np.stack([np.cos(turns), np.sin(turns)], -1)
    alpha = face.matte.alpha[..., None]
    return np.asarray(
        np.min([bilinear(alpha, xy + aside)[:, 0] for aside in around], axis=0) > SOLID
    )


def _borrow_colors(
    points: FloatArray, color: FloatArray, seen: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Colour hidden lids and lips like the other half of the face, or like those beside them.

    Args:
        points: [N, 3] metres on the body at rest.
        color: [N, 3] 0..1, right where seen.
        seen: [N] whether the photo shows each; some are.

    Returns:
        color: [N, 3] 0..1.
        source: [N, 3] metres on the body at rest, where each was seen.
    """
    out, source = np.array(color), np.array(points)
    if seen.all():
        return out, source
    tree = cKDTree(points[seen])
    hidden, known, places = points[~seen], color[seen], points[seen]
    some = min(6, len(known))
    near = tree.query(hidden, k=some)[1].reshape(-1, some)
    borrowed, at = S.shade * known[near].mean(1), places[near].mean(1)
    away, opposite = tree.query(hidden * [-1.0, 1.0, 1.0], distance_upper_bound=S.across)
    found = np.isfinite(away)
    borrowed[found], at[found] = known[opposite[found]], places[opposite[found]]
    out[~seen], source[~seen] = borrowed, at
    return out, source


def light_borrowed(face: FittedFace, rims: RimSkin, bound: BoundGaussians) -> BoundGaussians:
    """Give colours that were seen elsewhere the light of where they are.

    Args:
        face: the fitted face.
        rims: to light.
        bound: all else, whose skin shows the light.
    """
    body, splats = face.body, rims.splats
    places = surface_points(body.v_template, body.f, splats.triangle, splats.bary)
    borrowed = np.linalg.norm(rims.source - places, axis=1) > 1e-5
    skin = bound.take((bound.layer == CORE) & face.faces("face")[bound.triangle])
    if not borrowed.any() or len(skin) < S.skin:
        return splats
    tree = cKDTree(surface_points(body.v_template, body.f, skin.triangle, skin.bary))
    here, there = (
        np.asarray(skin.colors, np.float64)[tree.query(at[borrowed], k=S.skin)[1]].mean(1)
        for at in (places, rims.source)
    )
    colors = np.array(splats.colors, np.float64)
    colors[borrowed] *= np.clip(here / np.maximum(there, 0.02), *S.light)
    return replace(splats, colors=np.clip(colors, 0.0, 1.0).astype(splats.colors.dtype))


def _bared_by_blink(face: FittedFace, closed: FloatArray, skin: BoundGaussians) -> BoolArray:
    """Return which splats a blink brings out in front of the photo's skin.

    In an eye's corners they carry the colours of lashes, and would swell to a dark clump.
    """
    before, after = (
        np.asarray(place_gaussians(skin, vertices, face.body).means, np.float64)
        for vertices in (face.vertices, closed)
    )
    moved = np.linalg.norm(after - before, axis=1) > S.bared
    xy, depth = project(after, face.camera)
    left = face.left[skin.triangle]
    out = np.zeros(len(xy), bool)
    for side in SIDES:
        own = moved & (left == (side == "left"))
        own &= face.faces("face", "eyelid")[skin.triangle]
        photo = photo_depth(face, side, xy[own]) if own.any() else None
        if photo is not None:
            out[own] = depth[own] < photo + S.before_photo
    return out
