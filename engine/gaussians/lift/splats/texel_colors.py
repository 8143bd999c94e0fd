"""Texels of the dressed surface before they are splats: where they lie, and in which colours.

Colours come from the photo where a texel is seen squarely, and are completed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.geometry import vertex_normals
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....dual_uv.sampling import SeenPoints, SurfaceSamples, core_points
from ...squareness import cosine_to_camera
from ..colors.colors import complete_texels
from ..colors.skirt_colors import skirt_colors
from ..face.plain_face import paint_plain_face
from ..garments.label_edges import smooth_edges
from ..garments.labels_surface import labels_at
from ..grids.pixel_grids import SOLID, erode
from ..photo.photo_view import PhotoLookup, PhotoView
from ..photo.trust import (
    bound_facing,
    facing_ramp,
    find_hand_stains,
    find_other_cloth,
    find_pale_rim,
    find_specks,
)
from ..shape.depth_sheets import composite_sheets
from ..shape.dressed_mesh import DressedMesh
from ..skirts.skirt_wearer import SkirtWearer
from ..surface.labels import HAIR, HAT, LOWER, NONE, OBJECT, SHOES, SKIN, UPPER, NamesArray
from ..surface.limbs import HEAD, TORSO, TRUNK_AND_LEGS
from ..surface.surfels import INNER_PARTS
from .turned_texels import show_turned


@dataclass(frozen=True)
class TexelColorSettings:
    """Places, sizes and colours of texels."""

    spacing: float = 0.75  # standard deviation in widths of a texel
    crisp: float = 0.85  # of that where no photo splats lie over them: sharp, and just closed
    at_seam: float = 1.5  # of it along the atlas's seams, where texels may lie farther apart
    min_radius: float = 2e-4  # metres
    max_radius: float = 0.012  # metres
    covers: int = 4  # texels that colour skin below a collar beside them, or a waistband
    skirt_rim: float = 0.2  # share of a skirt's texels, from its top, that colour nothing below it
    shoe_beside: int = 12  # texels of a shoe that look the same way
    deep_hair: float = 0.5  # cosine from which on hair shows its usual colour
    rounded: float = 0.75  # share of the way from a flat triangle to a round one that hair lies
    in_sight: float = 0.03  # metres off the photo's own surface within which the photo shows it
    min_facing: float = 0.25  # cosine below which the photo's colour smears over too much surface


S = register_settings("lift.texel_colors", TexelColorSettings())


PART_COLORS = {
    "teeth": (0.86, 0.83, 0.77),
    "tongue": (0.62, 0.30, 0.29),
    "mouth": (0.30, 0.10, 0.10),
    "eye": (0.80, 0.78, 0.76),
    "eye_back": (0.80, 0.78, 0.76),
}
"""What a portrait seldom shows, under soft light; scaled by the photo's own brightness."""


@dataclass(frozen=True)
class SurfaceTexels:
    """N texels of the dressed surface in the photo's pose.

    Attributes:
        points: [N, 3] metres, world space.
        normal: [N, 3] unit.
        radius: [N] metres, standard deviation of each one's splat.
        color: [N, 3] 0..1.
        hair_way: [N, 3] unit tangents along hair from root to tip; zero where there is none.
        label: [N] index into ``labels.LABELS``.
        group: [N] limb, index into ``limbs.GROUPS``.
        part: [N] name of the body's part.
        facing: [N] cosine to the camera.
        seen: [N] the photo shows it.
        known: [N] the photo shows it squarely enough for its colour.
        at_seam: [N] beside a seam of the atlas, and drawn larger for it.
        at: where the photo shows them.
    """

    points: FloatArray
    normal: FloatArray
    radius: FloatArray
    color: FloatArray
    hair_way: FloatArray
    label: IntArray
    group: IntArray
    part: NamesArray
    facing: FloatArray
    seen: BoolArray
    known: BoolArray
    at_seam: BoolArray
    at: PhotoLookup

    @property
    def is_shell(self) -> BoolArray:
        """[N] something is worn there."""
        return np.asarray(self.label != SKIN)

    @property
    def inner(self) -> BoolArray:
        """[N] inside the eyes or the mouth."""
        return np.isin(self.part, INNER_PARTS)


def color_texels(
    view: PhotoView,
    samples: SurfaceSamples,
    side: IntArray,
    body: Body,
    vertices: FloatArray,
    groups: IntArray,
    dressed: DressedMesh,
    shares: FloatArray,
    openness: FloatArray,
    wearer: SkirtWearer | None = None,
) -> SurfaceTexels:
    """Place texels on the dressed surface, and complete their colours.

    Args:
        view: the photo.
        samples: the texels.
        side: [N] texels along a side of the atlas that each is from.
        body: the person's own, with the skirt if there is one.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        dressed: the worn surface in that pose.
        shares: [V, L] 0..1 of :func:`..garments.labels_surface.label_surface`.
        openness: [V] 0..1 of the person's own vertices, without the skirt's, of
            :func:`..surface.colors_occlusion.vertex_occlusion`.
        wearer: of a skirt, if there is one.
    """
    regions, f = view.regions, body.f
    corner = f[samples.triangle]
    points = samples.points(dressed.vertices, f)
    normals = vertex_normals(dressed.vertices, f)
    normal = samples.points(normals, f)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    label = labels_at(shares, corner, samples.bary)
    round_ = np.isin(label, [HAIR, HAT])
    points[round_] -= _sag(points, dressed.vertices, normals, corner, samples.bary)[round_]
    shod = dressed.shod[corner].all(1)
    normal = even_shoe_normals(points, normal, shod)
    group = groups[corner[:, 0]]
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    inner = np.isin(part, INNER_PARTS)
    hidden = regions.hidden[samples.triangle]
    at = view.look_up(points, group)
    facing = cosine_to_camera(points, normal)
    named = regions.label[at.row, at.col]
    is_shell = label != SKIN

    # Core-UV of the dressed body, once from the pixels of skin and once from the others, so that
    # worn texels do not take skin, nor skin what is worn.
    solid = erode(regions.mask & (view.alpha > SOLID), max(1, int(0.03 * regions.unit)))
    core = core_points(view.camera, dressed.vertices, body, samples)
    bare, worn = (core.within(solid & pixels).seen for pixels in (regions.skin, ~regions.skin))
    core = SeenPoints(np.where(is_shell, worn, bare), core.xy)
    sampled = core.read(view.colors, view.camera)
    seen = core.seen & at.visible & (facing > S.min_facing)
    seen &= ~hidden & ~np.isin(named, [NONE, OBJECT]) & ((label != SHOES) | (named == SHOES))
    head, inside = group == HEAD, view.inside[at.row, at.col]
    sampled[seen] = view.read_fine(points[seen])
    pale = _pale_hair(sampled, seen & (label == HAIR), facing, at, view)
    pale *= 1.0 - view.backlight  # gilded hair is pale, but what the photo shows
    squarely = np.where(head & ~is_shell, np.minimum(facing, bound_facing(inside)), facing)
    frontal = facing_ramp(squarely, label, head, pale) >= 1.0
    known = seen & ~inner & frontal
    known &= ~find_other_cloth(label, named)
    mixed = view.borders.before[at.row, at.col] & np.isin(group, TRUNK_AND_LEGS)
    known &= ~(view.borders.behind[at.row, at.col] | mixed)  # arms have few texels to lose
    rest = samples.points(body.v_template, f)
    known &= ~find_specks(sampled, points, rest, known & head & ~is_shell, body)
    known &= ~find_hand_stains(sampled, known & ~is_shell, samples.triangle, body)
    radius = measure_radii(samples, side, body, vertices, dressed.vertices)
    # Texels lie farther apart there; at the outline larger ones would stand over it.
    seam = near_seam(body, corner, samples.bary)
    at_seam = seam & ((facing < -S.min_facing) | (head & ~known & ~inner))
    radius[~known & ~inner & ~at_seam] *= S.crisp
    radius[at_seam & (label != HAIR)] *= S.at_seam
    if wearer is None:
        color, hair_way = complete_texels(
            points, normal, label, known, sampled, radius, samples, body, openness, view
        )
    else:
        own = samples.triangle < len(wearer.bare.f)
        color, hair_way = np.empty((len(points), 3)), np.zeros((len(points), 3))
        color[own], hair_way[own] = complete_texels(
            points[own],
            normal[own],
            label[own],
            known[own],
            sampled[own],
            radius[own],
            samples.take(own),
            wearer.bare,
            openness,
            view,
        )
        color[~own] = skirt_colors(
            samples.triangle[~own] - len(wearer.bare.f),
            samples.bary[~own],
            wearer.skirt.piece.f,
            wearer.points,
            wearer.skirt.label,
            view,
        )
        if wearer.skirt.label == LOWER:  # else the trunk shows what it is of
            below = own & (group == TORSO)
            below[own] |= wearer.covered[wearer.bare.f[samples.triangle[own]]].any(1)
            below &= (label == LOWER) & ~known
            color = color_below_skirt(color, below, ~own, points)
    color = smooth_edges(
        color, label, ~known & ~inner, radius, samples, dressed.vertices, f, shares
    )
    # Edge-on, one pixel covers much depth: a test of depth as exact as of the others would fail.
    front = composite_sheets(view.sheets, "front")[at.row, at.col]
    turned = at.visible & (np.abs(at.z - front) < S.in_sight) & ~frontal
    turned &= ~inner & ~hidden & (part != "ear")
    color = show_turned(color, turned, squarely, label, head, points, view)
    brightness = float(np.clip(regions.skin_color.mean() / 0.62, 0.35, 1.15))
    for name, tone in PART_COLORS.items():
        own = (part == name) & ~(seen & (part == "eye"))
        color[own] = np.array(tone) * brightness
    eye = seen & (part == "eye")
    color[eye] = sampled[eye]
    if not regions.face.any():
        color = paint_plain_face(color, rest, part, ~known & ~eye, body)
    covered = at.visible & (facing > 0.0) & (named == UPPER) & np.isin(part, ("torso", "neck"))
    color, label = clothe_covered_skin(color, label, covered, points)
    return SurfaceTexels(
        points=points,
        normal=normal,
        radius=radius,
        color=color,
        hair_way=hair_way,
        label=label,
        group=group,
        part=part,
        facing=facing,
        seen=seen,
        known=known,
        at_seam=at_seam,
        at=at,
    )


def color_below_skirt(
    color: FloatArray, below: BoolArray, skirt: BoolArray, points: FloatArray
) -> FloatArray:
    """Give a skirt's waistband and the legs below it the skirt's colours beside them.

    The one lies on the trunk, and the others may come through where legs stand apart. What the
    body wears below the hem, such as tights, would give them theirs. The skirt's upper rim may lie
    in the shade of a shirt, and says nothing.

    Args:
        color: [N, 3] 0..1.
        below: [N] texels of the waistband and the legs.
        skirt: [N] texels of the skirt.
        points: [N, 3] metres.

    Returns:
        [N, 3] 0..1.
    """
    if skirt.any():
        rim = np.quantile(points[skirt][:, 1], 1.0 - S.skirt_rim)
        skirt = skirt & (points[:, 1] <= rim)
    if skirt.sum() < S.covers or not below.any():
        return color
    color = np.array(color)
    color[below] = _colors_beside(points[below], points[skirt], color[skirt])
    return color


def clothe_covered_skin(
    color: FloatArray, label: IntArray, covered: BoolArray, points: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Clothe bare skin where the photo shows upper wear, in the colours of that beside it.

    A collar lies higher than the body's shoulder, whose skin would stand before it.

    Args:
        color: [N, 3] 0..1.
        label: [N] index into ``labels.LABELS``.
        covered: [N] texels that face pixels of upper wear.
        points: [N, 3] metres.

    Returns:
        color: [N, 3] 0..1.
        label: [N].
    """
    bare, worn = np.nonzero(covered & (label == SKIN))[0], np.nonzero(label == UPPER)[0]
    if len(worn) < S.covers or len(bare) == 0:
        return color, label
    color, label = np.array(color), np.array(label)
    color[bare], label[bare] = _colors_beside(points[bare], points[worn], color[worn]), UPPER
    return color, label


def _colors_beside(points: FloatArray, others: FloatArray, colors: FloatArray) -> FloatArray:
    """[N, 3] mean colours of the nearest of ``others`` [M, 3] to points [N, 3]."""
    _, beside = cKDTree(others).query(points, S.covers)
    return np.asarray(colors[beside].mean(1))


def _pale_hair(
    sampled: FloatArray, hair: BoolArray, facing: FloatArray, at: PhotoLookup, view: PhotoView
) -> FloatArray:
    """[N] 0..1: how surely a texel of seen ``hair`` [N] shows the background or light behind."""
    inside = view.inside[at.row, at.col]
    out = np.zeros(len(facing))
    deep = hair & (facing > S.deep_hair)
    if deep.any():
        deep &= inside >= np.median(inside[deep])
        usual = np.median(sampled[deep], axis=0)
        out[hair] = find_pale_rim(sampled[hair], usual, inside[hair])
    return out


def near_seam(body: Body, corner: IntArray, bary: FloatArray) -> BoolArray:
    """Find the texels whose nearest vertex lies on a seam of the atlas.

    Args:
        body: the person's own.
        corner: [N, 3] vertices of each texel's triangle.
        bary: [N, 3] barycentric coordinates on it.

    Returns:
        [N] whether it does.
    """
    count = len(body.atlas_vt)
    pairs = np.unique(body.f.ravel().astype(np.int64) * count + np.asarray(body.atlas_ft).ravel())
    places = np.bincount(pairs // count, minlength=len(body.v_template))
    return np.asarray((places > 1)[corner[np.arange(len(corner)), bary.argmax(1)]])


def _sag(
    points: FloatArray,
    vertices: FloatArray,
    normals: FloatArray,
    corner: IntArray,
    bary: FloatArray,
) -> FloatArray:
    """[N, 3] how far points of triangles lie below the smooth surface (Phong tessellation)."""
    out = np.zeros_like(points)
    for k in range(3):
        n = normals[corner[:, k]]
        deep = np.einsum("nd,nd->n", points - vertices[corner[:, k]], n)
        out += (S.rounded * bary[:, k] * deep)[:, None] * n
    return out


def even_shoe_normals(points: FloatArray, normal: FloatArray, shoe: BoolArray) -> FloatArray:
    """Turn the texels of closed shoes like those beside them: folds between toes look anywhere.

    Args:
        points: [N, 3] metres.
        normal: [N, 3] unit.
        shoe: [N] texels of shoes.

    Returns:
        [N, 3] unit.
    """
    out = np.array(normal)
    rows = np.nonzero(shoe)[0]
    if len(rows) < S.shoe_beside:
        return out
    _, beside = cKDTree(points[rows]).query(points[rows], S.shoe_beside)
    mean = normal[rows][beside].mean(1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    out[rows] = np.where(length > 0.1, mean / np.maximum(length, 1e-9), normal[rows])
    return out


def measure_radii(
    samples: SurfaceSamples, side: IntArray, body: Body, vertices: FloatArray, shell: FloatArray
) -> FloatArray:
    """Return the standard deviation [N] (metres) of each texel's splat, from its own surface.

    Args:
        samples: the texels.
        side: [N] texels along a side of the atlas that each is from.
        body: the person's own.
        vertices: [V, 3] metres, of the body.
        shell: [V, 3] metres, of what it wears.
    """

    def areas(mesh: FloatArray) -> FloatArray:
        a, b, c = (mesh[body.f[samples.triangle, k]] for k in range(3))
        return np.asarray(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))

    area = areas(vertices)
    # A texel stands for its own part of the atlas: where triangles are finer than texels, for
    # more of the surface than the triangle that it lies in.
    a, b, c = (body.atlas_vt[body.atlas_ft[samples.triangle, k]] for k in range(3))
    (x, y), (u, v) = (b - a).T, (c - a).T
    texels = 0.5 * np.abs(x * v - y * u) * side**2.0
    share = area / np.maximum(texels, 1e-9)
    grown = np.sqrt(np.clip(areas(shell) / np.maximum(area, 1e-12), 1.0, 9.0))
    radius: FloatArray = S.spacing * np.sqrt(share) * grown
    return np.clip(radius, S.min_radius, S.max_radius)
