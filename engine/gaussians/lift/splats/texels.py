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
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ....dual_uv.sampling import SurfaceSamples
from ...binding import bind_gaussians
from ..colors.skirt_colors import hem_distance
from ..grids.pixel_grids import distance_inside
from ..photo.hand_texels import (
    find_cloth_behind,
    find_cuff,
    find_leaving_hands,
    move_hands_behind,
    move_hands_beside_cloth,
)
from ..photo.limb_texels import S as LIMB_TEXELS
from ..photo.limb_texels import (
    draw_in_before_arms,
    fit_beside_limbs,
    move_beside_limbs,
    sink_behind_arms,
)
from ..photo.outline_texels import move_inside, spread_draw_in
from ..photo.photo_view import PhotoLookup, PhotoView
from ..pixels.regions import hidden_below
from ..shape.depth_sheets import composite_sheets
from ..shape.dressed_mesh import DressedMesh
from ..shape.hair_field import tangents
from ..skirts.skirt_wearer import SkirtWearer
from ..surface.labels import HAIR, HAT, NONE, UPPER
from ..surface.limbs import ARMS, HEAD, TRUNK_AND_LEGS
from ..surface.surfels import CORE, SHELL, surfels_on_plane
from .bends import (
    lay_crotch_on_body,
    lay_out_bends,
    lengthen_texels,
    settle_outliers,
    stretched_surface,
)
from .texel_colors import S as TEXEL_COLORS
from .texel_colors import SurfaceTexels, measure_radii
from .texel_samples import CLOSED_PARTS


@dataclass(frozen=True)
class TexelSettings:
    """Texel splats below the photo's and all around."""

    under_photo: float = 0.006  # metres that texels lie below the photo splats
    opacity: float = 0.95  # 0..1
    under_hair: float = 0.5  # cosine below which skin may have to give way to hair beside it
    far_hair: float = 0.015  # metres behind skin from which on hair makes it give way in any case
    surfaces: float = 0.15  # cosine below which texels lie at the surface: photo splats end there
    swollen: float = 1.5  # most size of a texel's splat over that of its place on the body at rest
    beside: int = 3  # neighbours of a texel of the head
    closed: float = 0.7  # standard deviation over the distance to the last of them, at least
    most_closed: float = 1.8  # most times that it grows for that
    clear: float = 1.5  # standard deviations that it stays within the outline, and beside hair
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
    slender_hair: float = 1.3  # square root of length over width of unseen hair's splats


S = register_settings("lift.texels", TexelSettings())


def _beside(points: FloatArray, others: BoolArray) -> BoolArray:
    """[N] whether points [N, 3] lie beside one of the ``others`` [N]."""
    if not others.any():
        return others
    away, _ = cKDTree(points[others]).query(points, distance_upper_bound=TEXEL_COLORS.max_radius)
    return np.asarray(away < TEXEL_COLORS.max_radius)


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
    texels: SurfaceTexels,
    view: PhotoView,
    samples: SurfaceSamples,
    side: IntArray,
    body: Body,
    vertices: FloatArray,
    groups: IntArray,
    dressed: DressedMesh,
    near_hidden: BoolArray,
    wearer: SkirtWearer | None = None,
) -> TexelLayer:
    """Make core and shell Gaussians of texels, one of each, that stay within what the photo shows.

    Args:
        texels: of :func:`.texel_colors.color_texels`, which takes the other arguments as well.
        view: the photo.
        samples: the texels' places on the body.
        side: [N] texels along a side of the atlas that each is from.
        body: the person's own, with the skirt if there is one.
        vertices: [V, 3] the body in the photo's pose, world space, metres.
        groups: [V] the limb of each vertex.
        dressed: the worn surface in that pose.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides.
        wearer: of a skirt, if there is one.
    """
    points, normal, label = texels.points, texels.normal, texels.label
    group, part, facing, known = texels.group, texels.part, texels.facing, texels.known
    color, radius = np.array(texels.color), np.array(texels.radius)
    is_shell, inner = texels.is_shell, texels.inner
    regions, head, hand = view.regions, group == HEAD, part == "hand"
    hidden = regions.hidden[samples.triangle]
    at = texels.at
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
    # hair, nor a jaw where it shows a collar, nor a hand where it shows the clothes behind it: what
    # was fitted too wide is drawn in rather than opened.
    person = view.alpha > S.outline
    bare = person & ~regions.hair
    collar = (regions.label == UPPER) & ~np.isin(regions.group, ARMS)
    places = person, bare, person & ~find_cloth_behind(view), bare & ~collar
    rooms = np.stack([distance_inside(place) for place in places])
    before_hair = composite_sheets(view.sheets, "front")[at.row, at.col] - at.z > S.far_hair
    before_hair &= regions.label[at.row, at.col] == HAIR
    face = (group == HEAD) & ~is_shell & ((facing < S.under_hair) | before_hair)
    bare_hand = hand & ~hidden & ~is_shell
    jaw = face & (part == "face") & (facing > 0.0)
    where = np.select([jaw, face, bare_hand], [3, 1, 2], 0)
    # A disc that is seen edge-on hardly reaches over the outline.
    reach = radius * np.clip(np.abs(facing) + S.edge_on, 0.0, 1.0)
    points = move_hands_beside_cloth(points, reach, bare_hand, group, at, rooms, view)
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
    drawn = np.where(hand, np.minimum(drawn, S.draw_in_hand), drawn)
    points = points - np.where(inner, 0.0, drawn)[:, None] * normal
    at = view.look_up(points, group)
    stiff = inner | head | behind | hidden | hand
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
    points = draw_in_before_arms(points, group, inner, S.under_photo, view)
    points = sink_behind_arms(points, group, inner, S.under_photo, view)
    points = move_beside_limbs(points, group, hidden, S.under_photo, view)
    reach = radius * np.clip(np.abs(facing) + S.edge_on, 0.0, 1.0)
    radius = radius * fit_beside_limbs(points, reach, group, hidden, S.under_photo, view)
    at = view.look_up(points, group)
    down_arm = np.abs(samples.points(body.v_template, body.f)[:, 0])
    points, shows = move_hands_behind(
        points, hidden, hand, group, down_arm, radius, facing, at, view
    )
    opacity[shows] = 0.0
    cuff = shows & find_cuff(down_arm, at, view, body)
    opacity[cuff] = S.opacity
    color[cuff] = view.read_fine(points[cuff])
    keep = (opacity > 0) & (part != "lash")
    hair = label == HAIR
    closed = np.nonzero(keep & ~hair & np.isin(part, CLOSED_PARTS))[0]
    room = np.where(at.inside, _room(at, rooms, 1 * at.visible, view.camera), np.inf)[closed]
    radius[closed] = _close_gaps(points[closed], radius[closed], room / S.clear)
    # Hair that ends under a hat shows no tips; on the neck slender splats leave the seam open.
    thin = hair & ~known & ~(texels.at_seam & (part != "scalp")) & ~_beside(points, label == HAT)
    slender = np.where(thin, S.slender_hair, oblong)
    outline = np.cross(normal, points)  # the camera stands at the origin
    outline /= np.maximum(np.linalg.norm(outline, axis=1, keepdims=True), 1e-9)
    way = tangents(np.where(thin[:, None], texels.hair_way, outline), normal)
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
    wide = measure_radii(samples, side, body, body.v_template, surface)[keep]
    inset = np.where(is_shell[keep], S.inset, 0.0) * wide
    bound = lay_out_bends(bound, ~texels.seen[keep], wide, inset, surface, view, vertices, body)
    # What is small in a squeezed fold would be a cloud once that is stretched.
    most = np.where(np.isin(group[keep], ARMS), S.swollen * wide, TEXEL_COLORS.max_radius)
    most = np.where(head[keep], np.inf, most) / np.maximum(bound.scales.max(1), 1e-9)
    bound = replace(bound, scales=bound.scales * np.minimum(most, 1.0)[:, None].astype(np.float32))
    parts = np.nonzero((~head & ~hand & ~inner & ~np.isin(label, [HAIR, HAT]))[keep])[0]
    shod = dressed.shod[body.f[samples.triangle]].all(1)
    stiff = np.nonzero(shod[keep])[0]
    bound = settle_outliers(bound, parts, body)
    bound = lay_crotch_on_body(bound, np.nonzero(~texels.seen[keep])[0], body)
    bound = lengthen_texels(bound, side[keep], np.setdiff1d(parts, stiff), vertices, body)
    return TexelLayer(bound, ~known[keep] & ~inner[keep], label[keep], texels.hair_way[keep])


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
