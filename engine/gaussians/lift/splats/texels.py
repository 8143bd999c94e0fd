"""Texel splats: one Gaussian per covered texel of the body's atlas, from Core-UV or Shell-UV.

A texel is *core* where the photo (or what lies around it) says skin, *shell* where something is
worn. Both lie on the dressed mesh, and close the person all around. Colours come from the photo
where a texel is seen squarely, and are completed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import project
from ....core.geometry import vertex_normals
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ....dual_uv.sampling import SeenPoints, SurfaceSamples, core_points
from ...binding import bind_gaussians
from ...squareness import cosine_to_camera
from ..colors.colors import complete_texels
from ..colors.skirt_colors import hem_distance, skirt_colors
from ..face.plain_face import paint_plain_face
from ..garments.label_edges import smooth_edges
from ..garments.labels_surface import labels_at
from ..grids.pixel_grids import SOLID, distance_inside, erode
from ..photo.hand_texels import (
    find_cuff,
    find_leaving_hands,
    find_sleeves_behind,
    move_hands_behind,
    move_hands_beside_sleeves,
)
from ..photo.limb_texels import S as LIMB_TEXELS
from ..photo.limb_texels import fit_beside_limbs, move_beside_limbs, sink_behind_arms
from ..photo.outline_texels import move_inside, spread_draw_in
from ..photo.photo_view import PhotoLookup, PhotoView
from ..photo.trust import bound_facing, facing_ramp, find_hand_stains, find_pale_rim, find_specks
from ..pixels.regions import hidden_below
from ..shape.dressed_mesh import DressedMesh
from ..shape.hair_field import tangents
from ..skirts.skirt_wearer import SkirtWearer
from ..surface.labels import HAIR, HAT, NONE, OBJECT, SHOES, SKIN
from ..surface.limbs import ARMS, HEAD, TRUNK_AND_LEGS
from ..surface.surfels import CORE, INNER_PARTS, SHELL, surfels_on_plane
from .bends import (
    lay_crotch_on_body,
    lay_out_bends,
    lengthen_texels,
    settle_outliers,
    stretched_surface,
)


@dataclass(frozen=True)
class TexelSettings:
    """Texel splats below the photo's and all around."""

    under_photo: float = 0.006  # metres that texels lie below the photo splats
    opacity: float = 0.95  # 0..1
    spacing: float = 0.75  # standard deviation in widths of a texel
    under_hair: float = 0.5  # cosine below which skin may have to give way to hair beside it
    surfaces: float = 0.15  # cosine below which texels lie at the surface: photo splats end there
    crisp: float = 0.85  # of that where no photo splats lie over them: sharp, and just closed
    at_seam: float = 1.5  # of it along the atlas's seams, where texels may lie farther apart
    swollen: float = 1.5  # most size of a texel's splat over that of its place on the body at rest
    beside: int = 3  # neighbours of a texel of the head
    closed: float = 0.7  # standard deviation over the distance to the last of them, at least
    most_closed: float = 1.8  # most times that it grows for that
    clear: float = 1.5  # standard deviations that it stays within the outline, and beside hair
    min_radius: float = 2e-4  # metres
    max_radius: float = 0.012  # metres
    shoe_beside: int = 12  # texels of a shoe that look the same way
    inset: float = 0.6  # of a texel's standard deviation that worn ones lie below the surface
    room: float = 1.25  # of that reach, the room that it needs within the outline
    edge_on: float = 0.6  # of its radius that a disc seen edge-on is thick across the outline
    edgeways: float = 0.2  # the same along the line of sight
    stand_in: float = 1.0  # of its length along the outline beyond its width that it lies deeper
    outline: float = 0.6  # alpha above which a pixel has room for texels
    draw_in: float = 0.024  # metres that a texel may be drawn in to the outline
    draw_in_hand: float = 0.006  # metres; the same of a hand: more would turn fingers inside out
    draw_in_steps: int = 6  # steps of drawing in
    hem_facing: float = 0.5  # cosine from which on photo splats alone make a skirt's hem
    deep_hair: float = 0.5  # cosine from which on hair shows its usual colour
    rounded: float = 0.75  # share of the way from a flat triangle to a round one that hair lies
    slender_hair: float = 1.3  # square root of length over width of unseen hair's splats
    min_facing: float = 0.25  # cosine below which the photo's colour smears over too much surface


S = register_settings("lift.texels", TexelSettings())


CLOSED_PARTS = ("face", "ear", "neck", "scalp")
"""Parts whose splats leave no gaps: the mouth behind them is dark."""

PART_COLORS = {
    "teeth": (0.86, 0.83, 0.77),
    "tongue": (0.62, 0.30, 0.29),
    "mouth": (0.30, 0.10, 0.10),
    "eye": (0.80, 0.78, 0.76),
    "eye_back": (0.80, 0.78, 0.76),
}
"""What a portrait seldom shows, under soft light; scaled by the photo's own brightness."""


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


def _beside(points: FloatArray, others: BoolArray) -> BoolArray:
    """[N] whether points [N, 3] lie beside one of the ``others`` [N]."""
    if not others.any():
        return others
    away, _ = cKDTree(points[others]).query(points, distance_upper_bound=S.max_radius)
    return np.asarray(away < S.max_radius)


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


@dataclass(frozen=True)
class TexelLayer:
    """Core and shell of a person.

    Attributes:
        gaussians: N, one per texel.
        completed: [N] those whose colour the photo does not show.
        label: [N] index into ``labels.LABELS``.
        hair_way: [N, 3] unit tangents along hair from root to tip, world axes of the photo's
            camera; zero where there is none.
    """

    gaussians: BoundGaussians
    completed: BoolArray
    label: IntArray
    hair_way: FloatArray

    @property
    def unseen_hair(self) -> IntArray:
        """[M] rows of hair that the photo does not show."""
        return np.nonzero((self.label == HAIR) & self.completed)[0]

    @property
    def shown_hair(self) -> IntArray:
        """[M] rows of hair that the photo shows."""
        return np.nonzero((self.label == HAIR) & ~self.completed)[0]


def texel_layer(
    view: PhotoView,
    samples: SurfaceSamples,
    side: IntArray,
    body: Body,
    vertices: FloatArray,
    groups: IntArray,
    dressed: DressedMesh,
    shares: FloatArray,
    openness: FloatArray,
    near_hidden: BoolArray,
    wearer: SkirtWearer | None = None,
) -> TexelLayer:
    """Make core and shell Gaussians, one per texel, with every colour completed.

    Args:
        view: the photo.
        samples: the texels.
        side: [N] texels along a side of the atlas that each is from.
        body: the person's own, with the skirt if there is one.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        dressed: the worn surface in that pose.
        shares: [V, L] 0..1 of :func:`.labels_surface.label_surface`.
        openness: [V] 0..1 of the person's own vertices, without the skirt's, of
            :func:`.colors_occlusion.vertex_occlusion`.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides.
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
    is_shell = label != SKIN
    group = groups[corner[:, 0]]
    part = np.array(body.part_names)[body.face_part[samples.triangle]]
    inner = np.isin(part, INNER_PARTS)
    hidden = regions.hidden[samples.triangle]
    at = view.look_up(points, group)
    facing = cosine_to_camera(points, normal)

    # Core-UV of the dressed body, once from the pixels of skin and once from the others, so that
    # worn texels do not take skin, nor skin what is worn.
    solid = erode(regions.mask & (view.alpha > SOLID), max(1, int(0.03 * regions.unit)))
    core = core_points(view.camera, dressed.vertices, body, samples)
    bare, worn = (core.within(solid & pixels).seen for pixels in (regions.skin, ~regions.skin))
    core = SeenPoints(np.where(is_shell, worn, bare), core.xy)
    sampled = core.read(view.colors, view.camera)
    seen = core.seen & at.visible & (facing > S.min_facing)
    named = regions.label[at.row, at.col]
    seen &= ~hidden & ~np.isin(named, [NONE, OBJECT]) & ((label != SHOES) | (named == SHOES))
    head, inside = group == HEAD, view.inside[at.row, at.col]
    xy, _ = project(points[seen], view.camera)
    finer = np.array(view.fine.shape[1::-1]) / [view.camera.width, view.camera.height]
    sampled[seen] = bilinear(view.fine, xy * finer)
    pale = _pale_hair(sampled, seen & (label == HAIR), facing, at, view)
    pale *= 1.0 - view.backlight  # gilded hair is pale, but what the photo shows
    squarely = np.where(head & ~is_shell, np.minimum(facing, bound_facing(inside)), facing)
    known = seen & ~inner & (facing_ramp(squarely, label, head, pale) >= 1.0)
    mixed = view.borders.before[at.row, at.col] & np.isin(group, TRUNK_AND_LEGS)
    known &= ~(view.borders.behind[at.row, at.col] | mixed)  # arms have few texels to lose
    rest = samples.points(body.v_template, f)
    known &= ~find_specks(sampled, points, rest, known & head & ~is_shell, body)
    known &= ~find_hand_stains(sampled, known & ~is_shell, samples.triangle, body)
    radius = _radii(samples, side, body, vertices, dressed.vertices)
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
    color = smooth_edges(
        color, label, ~known & ~inner, radius, samples, dressed.vertices, f, shares
    )
    brightness = float(np.clip(regions.skin_color.mean() / 0.62, 0.35, 1.15))
    for name, tone in PART_COLORS.items():
        own = (part == name) & ~(seen & (part == "eye"))
        color[own] = np.array(tone) * brightness
    eye = seen & (part == "eye")
    color[eye] = sampled[eye]
    if not regions.face.any():
        color = paint_plain_face(color, rest, part, ~known & ~eye, body)

    opacity = np.full(len(points), S.opacity)
    if wearer is not None:  # the hem is an edge in front of the legs
        cloth = samples.triangle >= len(wearer.bare.f)
        room = hem_distance(
            samples.triangle[cloth] - len(wearer.bare.f),
            samples.bary[cloth],
            wearer.skirt.piece.f,
            wearer.points,
        )
        at_hem = np.zeros(len(points), bool)
        at_hem[cloth] = room < radius[cloth]
        radius[cloth] = np.minimum(radius[cloth], np.maximum(room, 0.3 * radius[cloth]))
        other = regions.label[at.row, at.col] != wearer.skirt.label
        shown = at.visible & regions.mask[at.row, at.col]
        opacity[cloth & other & shown & (facing > 0.0)] = 0.0  # the photo shows legs there
        opacity[at_hem & shown & (facing > S.hem_facing)] = 0.0  # the photo's splats are enough
    # Nothing may stand where the photo shows background, nor skin of the head where it shows
    # hair, nor a hand where it shows the sleeve behind it: what was fitted too wide is drawn in
    # rather than opened.
    person = view.alpha > S.outline
    places = person, person & ~regions.hair, person & ~find_sleeves_behind(view)
    rooms = np.stack([distance_inside(place) for place in places])
    face = (group == HEAD) & ~is_shell & (facing < S.under_hair)
    bare_hand = (part == "hand") & ~hidden & ~is_shell
    where = np.select([face, bare_hand], [1, 2], 0)
    # A disc that is seen edge-on hardly reaches over the outline.
    reach = radius * np.clip(np.abs(facing) + S.edge_on, 0.0, 1.0)
    points = move_hands_beside_sleeves(points, reach, bare_hand, group, at, rooms, view)
    at = view.look_up(points, group)
    # Texels under photo splats step back, or their blur would show through.
    over = at.visible & regions.mask[at.row, at.col] & ~hidden
    over &= regions.label[at.row, at.col] != NONE
    sink = np.where(part == "eye", 0.25, np.where(inner, 0.0, 1.0)) * S.under_photo
    sink = sink * np.clip((facing - S.surfaces) / 0.35, 0.0, 1.0) * over
    # A disc's visible edge lies beyond its middle: worn discs stand in by part of their radius.
    sink = sink + np.where(is_shell, S.inset, 0.0) * radius
    points = points - sink[:, None] * normal
    # A sleeve continues behind the object that hides its forearm.
    behind = near_hidden[at.row, at.col] & np.isin(group, ARMS)
    # Nor is anything known of a head that the frame cuts.
    behind |= head & regions.head_cut
    metres = np.where(behind, np.inf, _room(at, rooms, where, view.camera))
    # The trunk and legs continue behind a table that hides them, as wide as they are.
    hiding = hidden_below(person, view.camera, vertices, groups)
    of_trunk = np.isin(group, TRUNK_AND_LEGS)
    covered = hiding[at.row, at.col] & of_trunk
    outside = np.nonzero(at.inside & (metres < 0.3 * reach) & ~inner & ~covered)[0]
    drawn = np.zeros(len(points))
    for _ in range(S.draw_in_steps):
        drawn[outside] += S.draw_in / S.draw_in_steps
        at = view.look_up(points - drawn[:, None] * normal, group)
        metres = np.where(behind, np.inf, _room(at, rooms, where, view.camera))
        outside = outside[metres[outside] < 0.3 * reach[outside]]
        if len(outside) == 0:
            break
    even = head & (part != "ear")  # an ear has too many folds to follow its surroundings
    drawn[even] = spread_draw_in(drawn[even], points[even], normal[even])
    # Or they would stick out of the cheek.
    opacity[np.isin(part, ("mouth", "teeth", "tongue")) & (drawn > 0.0)] = 0.0
    drawn = np.where(part == "hand", np.minimum(drawn, S.draw_in_hand), drawn)
    points = points - np.where(inner, 0.0, drawn)[:, None] * normal
    at = view.look_up(points, group)
    stiff = inner | head | behind | hidden | (part == "hand")
    points = move_inside(points, S.room * reach, ~stiff, at, rooms[0], view.camera)
    at = view.look_up(points, group)
    metres = np.where(behind, np.inf, _room(at, rooms, where, view.camera))
    beyond = at.inside & ~(hiding[at.row, at.col] & of_trunk)
    # A hand that hangs below the frame stays whole, and on its arm.
    beyond &= ~(hidden & find_leaving_hands(samples.triangle, at.inside, body))
    fits = np.where(beyond, np.clip(metres / (S.room * reach), LIMB_TEXELS.least_fit, 1.0), 1.0)
    # Seen edge-on it may be as long as ever along the outline, and longer along the line of sight:
    # from the side, the surface would have gaps.
    along = fits + (1.0 - fits) * np.clip(1.0 - 2.0 * np.abs(facing), 0.0, 1.0)
    deep = metres / (S.room * radius * np.clip(np.abs(facing) + S.edgeways, 0.0, 1.0))
    deep = np.where(beyond, np.clip(deep, fits, 1.0), 1.0)
    radius, oblong = radius * np.sqrt(along * deep), np.sqrt(along / deep)
    points = points - (S.stand_in * (along - fits) * radius)[:, None] * normal
    opacity[beyond & (metres < 0.3 * reach)] = 0.0
    points = sink_behind_arms(points, group, inner, S.under_photo, view)
    points = move_beside_limbs(points, group, hidden, S.under_photo, view)
    reach = radius * np.clip(np.abs(facing) + S.edge_on, 0.0, 1.0)
    radius = radius * fit_beside_limbs(points, reach, group, hidden, S.under_photo, view)
    at = view.look_up(points, group)
    down_arm = np.abs(rest[:, 0])
    hand = part == "hand"
    points, shows = move_hands_behind(
        points, hidden, hand, group, down_arm, radius, facing, at, view
    )
    opacity[shows] = 0.0
    cuff = shows & find_cuff(down_arm, at, view, body)
    opacity[cuff] = S.opacity
    color[cuff] = bilinear(view.fine, project(points[cuff], view.camera)[0] * finer)
    keep = (opacity > 0) & (part != "lash")
    hair = label == HAIR
    closed = np.nonzero(keep & ~hair & np.isin(part, CLOSED_PARTS))[0]
    room = np.where(at.inside, _room(at, rooms, 1 * at.visible, view.camera), np.inf)[closed]
    radius[closed] = _close_gaps(points[closed], radius[closed], room / S.clear)
    # Hair that ends under a hat shows no tips; on the neck slender splats leave the seam open.
    thin = hair & ~known & ~(at_seam & (part != "scalp")) & ~_beside(points, label == HAT)
    slender = np.where(thin, S.slender_hair, oblong)
    outline = np.cross(normal, points)  # the camera stands at the origin
    outline /= np.maximum(np.linalg.norm(outline, axis=1, keepdims=True), 1e-9)
    way = tangents(np.where(thin[:, None], hair_way, outline), normal)
    world = surfels_on_plane(
        points[keep],
        normal[keep],
        radius[keep],
        color[keep],
        opacity[keep],
        way[keep],
        slender[keep],
    )
    layer = np.where(is_shell[keep], SHELL, CORE).astype(np.uint8)
    bound = bind_gaussians(world, samples.triangle[keep], samples.bary[keep], layer, vertices, body)
    surface = stretched_surface(dressed, body, vertices)
    wide = _radii(samples, side, body, body.v_template, surface)[keep]
    inset = np.where(is_shell[keep], S.inset, 0.0) * wide
    bound = lay_out_bends(bound, ~seen[keep], wide, inset, surface, view, vertices, body)
    # What is small in a squeezed fold would be a cloud once that is stretched.
    most = np.where(np.isin(group[keep], ARMS), S.swollen * wide, S.max_radius)
    most = np.where(head[keep], np.inf, most) / np.maximum(bound.scales.max(1), 1e-9)
    bound = replace(bound, scales=bound.scales * np.minimum(most, 1.0)[:, None].astype(np.float32))
    parts = np.nonzero((~head & ~hand & ~inner & ~np.isin(label, [HAIR, HAT]))[keep])[0]
    stiff = np.nonzero(shod[keep])[0]
    bound = settle_outliers(bound, parts, body)
    bound = lay_crotch_on_body(bound, np.nonzero(~seen[keep])[0], body)
    bound = lengthen_texels(bound, side[keep], np.setdiff1d(parts, stiff), vertices, body)
    return TexelLayer(bound, ~known[keep] & ~inner[keep], label[keep], hair_way[keep])


def _close_gaps(points: FloatArray, radius: FloatArray, room: FloatArray) -> FloatArray:
    """[N] metres: splats at points [N, 3], as large as their distance to each other needs.

    Texels of the head are up to four times as long as wide, and do not stay where they were. They
    grow up to ``room`` [N] (metres).
    """
    if len(points) <= S.beside:
        return radius
    away, _ = cKDTree(points).query(points, S.beside + 1)
    most = np.maximum(np.minimum(S.most_closed * radius, room), radius)
    return np.asarray(np.clip(S.closed * away[:, -1], radius, most))


def _room(at: PhotoLookup, rooms: FloatArray, where: IntArray, camera: Camera) -> FloatArray:
    """[N] metres from projected points to where they must not be.

    ``rooms`` [K, H, W] hold the distances in pixels to such places, ``where`` [N] which are meant.
    """
    pixels = rooms[where, at.row, at.col]
    return np.asarray(np.maximum(pixels - 0.5, 0.0) * at.z / camera.K[0, 0])


def _radii(
    samples: SurfaceSamples, side: IntArray, body: Body, vertices: FloatArray, shell: FloatArray
) -> FloatArray:
    """[N] standard deviation of each texel's splat in metres, from the surface it stands for."""

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
