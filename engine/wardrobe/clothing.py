"""Clothes and shoes of a MakeHuman library on an avatar, in place of the photo's.

A garment is fitted to the person's own body, and kept outside of the skin and of what stays below
it. What it replaces and what it covers gives way; where it is shorter than what it replaces, the
skin below is completed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..body.extension import piece_triangles
from ..body.model import Body
from ..core.attributes import constant_span
from ..core.geometry import triangle_areas, vertex_normals
from ..core.rotations import quaternion_to_matrix
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, PARTS, Avatar, BoolArray, FloatArray, Gaussians, IntArray
from .asset_pictures import paint_asset
from .attribute_splats import (
    COMES,
    GOES_AFTER,
    AddedSplats,
    find_own,
    find_share_of_room,
    find_shown,
)
from .avatar_wearer import fill_out, make_garment_body, measure_thickness, place_at_rest
from .bare_body import BARE, complete_skin, find_strays
from .cloth_homes import find_homes
from .cloth_mesh import (
    Cloth,
    TriangleSurface,
    border_distance,
    is_covered,
    keep_outside,
    neighbour_mean_matrix,
)
from .cloth_pieces import covers_trunk, find_foot_pieces, find_leg_pieces
from .dress import PosedBody
from .fitting import cast_shade
from .garment_layers import GarmentLayer, make_layers
from .hair_binding import normalize
from .items import ItemRequest
from .library import check_asset
from .mesh_parts import MeshPart
from .mesh_splats import cover_mesh, make_discs, scatter_evenly
from .occlusion import measure_openness
from .skin_tone import BareSkin


@dataclass(frozen=True)
class ClothingSettings:
    """How clothes are put on."""

    most_outfit: int = 78_000  # splats of clothes of the whole body,
    most: int = 52_000  # of other clothes,
    most_small: int = 22_000  # and of shoes and bracelets
    share: tuple[float, float] = (0.74, 0.20)  # of the room, of cloth and of completed skin
    finest: float = 0.0019  # metres between them, at least
    clearance: float = 0.003  # metres between cloth and what lies under it
    least: float = 0.002  # metres off the body, of cloth below other clothes
    most_under: float = 0.025  # metres that what stays below cloth lifts it
    reach: float = 0.05  # metres: what lies deeper in the body is another limb
    belt: float = 0.025  # metres under an open edge that stay: one can look in
    rim: float = 0.002  # metres from an edge where nothing comes through
    shoe_belt: float = 0.008  # the same of shoes
    taken_in: float = 0.001  # metres from which on cloth that lies closer to the body gets lining,
    lined: float = 0.03  # on the body up to so many metres from it
    island: float = 0.008  # square metres of skin between covered ones that count as covered
    over_cloth: float = 1.1  # times the thickness of what stays under cloth
    over_skin: float = 0.012  # metres: skin that stands off farther is something else


S = register_settings("wardrobe.clothing", ClothingSettings())

REPLACED: dict[str, tuple[str, ...]] = {
    "upper": ("upper",),
    "lower": ("lower", "skirt"),
    "outfit": ("upper", "lower", "skirt"),
    "coat": (),
    "shoes": ("shoes",),
    "bracelet": (),
}
"""Parts of the photo that a category replaces, if it covers the body there."""

_HELD_BY = {
    "upper": ("spine2", "spine3"),
    "lower": ("left_hip", "right_hip"),
    "skirt": ("left_hip", "right_hip"),
}
"""Joints that hold the skin of the trunk which tells whether a part is replaced."""

_STAYS_UNDER = {
    "upper": ("lower", "skirt"),
    "outfit": ("shoes",),
    "coat": ("upper", "lower", "skirt"),
    "bracelet": ("upper",),
}
"""Parts over which a garment is worn."""

_LIES_UNDER = {"lower": ("upper",), "shoes": ("lower", "skirt")}
"""Parts under which a garment is worn."""

_MAY_COVER = ("skin", "upper", "lower", "skirt", "shoes")


@dataclass(frozen=True)
class _Cloth:
    """A garment's splats: see ``AddedSplats``; ``normals`` [K, 3] have its relief, at rest."""

    splats: Gaussians
    triangle: IntArray
    bary: FloatArray
    normals: FloatArray
    openness: FloatArray
    label: IntArray


def fit_clothing(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of a garment, of skin that hung under what it replaces, and of its shade.

    Args:
        avatar: with its attributes, without one of this category.
        request: of a category in :data:`REPLACED`, a .mhclo file.

    Raises:
        LikenessError: the garment cannot be read, does not fit the body, or has nothing for the
            place where it is worn.
    """
    body: Body = avatar.body
    path = Path(request.item)
    check_asset(path)
    rest = np.asarray(body.v_template, np.float64)
    posed = make_garment_body(body, rest)
    layers = make_layers(path, posed, request.category)
    parts = [name for name in REPLACED[request.category] if _replaces(layers, posed, name)]
    under = _measure_under(avatar, request.category, parts)
    filled = fill_out(body, under)
    over = measure_thickness(avatar, _LIES_UNDER.get(request.category, ()), BARE)
    layers = [
        replace(one, cloth=_tuck(_keep_off(one.cloth, posed, filled), rest, body, over))
        for one in layers
    ]
    cloths = [layer.cloth for layer in layers]
    covers = _find_hidden(cloths, posed, request.category)
    gone, below = _find_gone(avatar, covers, parts)
    below |= _find_poking(avatar, cloths, posed) & ~gone
    gone |= below
    gone |= find_strays(avatar, gone & ~below)
    uv = np.concatenate([one.uv for one in cloths])
    material = paint_asset(path, request.color, request.seed, uv)
    vertices, f = _join(cloths)
    room = find_share_of_room(avatar)
    most = {"outfit": S.most_outfit, "shoes": S.most_small, "bracelet": S.most_small}
    count = min(most.get(request.category, S.most), S.share[0] * room)
    area = float(triangle_areas(vertices, f).sum())
    spacing = max(S.finest, float(np.sqrt(area / max(count, 1.0))))
    solid = body.f[~piece_triangles(body, "skirt")] if "skirt" in parts else body.f
    worn = np.concatenate([rest, vertices]), np.concatenate([solid, f + len(rest)])
    hidden = np.zeros(len(body.f), bool)
    hidden[: len(covers)] = covers
    made = []
    for layer in layers:
        one = layer.cloth
        mesh = MeshPart(path.name, one.rest, one.f, one.uv, one.label, material)
        splats, normals = cover_mesh(mesh, spacing, sharp=True)
        means = np.asarray(splats.means, np.float64)
        feet, skinning = layer.find_feet(means), layer.find_skinning(means)
        openness = measure_openness(means, normals, *worn)
        triangle, bary, tight, wider = find_homes(means, feet, normals, skinning, body)
        loose = np.linalg.norm(tight - means, axis=1) > S.taken_in
        means = tight
        grown = splats.scales * (wider[:, None] ** [1.0, 1.0, 0.0])
        splats = replace(splats, means=means.astype(np.float32), scales=grown.astype(np.float32))
        label = _parts_of(means, one, request, posed)
        made.append((splats, triangle, bary, normals, openness, label))
        if loose.any() and hidden.any():
            lining = _line(body, hidden, splats, loose, spacing)
            near = cKDTree(means).query(lining[0].means)[1]
            made.append((*lining, openness[near], label[near]))
    splats = Gaussians.concatenate([one[0] for one in made])
    triangle, bary, *rest_of_them = (np.concatenate([one[k] for one in made]) for k in range(1, 6))
    cloth = _Cloth(splats, triangle, bary, *rest_of_them)
    skin = complete_skin(
        avatar, gone & ~below, hidden, (vertices, f), request.seed, int(S.share[1] * room)
    )
    shaded = ~gone & find_shown(avatar) & find_own(avatar)
    shade, source = cast_shade(avatar, shaded, vertices, f)
    return _collect(avatar, cloth, skin, shade, source, gone)


def _line(
    body: Body, hidden: BoolArray, cloth: Gaussians, loose: BoolArray, spacing: float
) -> tuple[Gaussians, IntArray, FloatArray, FloatArray]:
    """Splats on the body below cloth that poses stretch: there it may come apart.

    Returns:
        splats: K at rest, in the cloth's colours.
        triangle: [K] of the body.
        bary: [K, 3] on it.
        normals: [K, 3] unit.
    """
    rest = np.asarray(body.v_template, np.float64)
    faces = np.nonzero(hidden)[0]
    tree = cKDTree(np.asarray(cloth.means, np.float64)[loose])
    faces = faces[tree.query(rest[body.f[faces]].mean(1))[0] < S.lined]
    pick, bary = scatter_evenly(rest[body.f[faces]], spacing)
    triangle = faces[pick]
    at = np.einsum("nk,nkd->nd", bary, rest[body.f[triangle]])
    normals = normalize(
        np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[body.f[triangle]])
    )
    near = cKDTree(cloth.means).query(at)[1]
    opaque = np.asarray(cloth.opacities, np.float64)[near]
    splats = make_discs(at, normals, np.full(len(at), spacing), cloth.colors[near], opaque)
    return splats, triangle, bary, normals


def _replaces(layers: list[GarmentLayer], posed: PosedBody, part: str) -> bool:
    """Whether a garment covers the body where the photo's part is worn."""
    if part == "shoes":
        return True
    return any(covers_trunk(layer.cloth, posed, _HELD_BY[part]) for layer in layers)


def _measure_under(avatar: Avatar, category: str, replaced: list[str]) -> FloatArray:
    """[V] metres that what stays under a garment stands off the body."""
    names = [name for name in REPLACED[category] if name not in replaced]
    names += _STAYS_UNDER.get(category, ())
    cloth = measure_thickness(avatar, tuple(names), BARE) if names else 0.0
    skin = np.minimum(measure_thickness(avatar, ("skin",), BARE), S.over_skin)
    return np.asarray(np.maximum(np.minimum(S.over_cloth * cloth, S.most_under), skin))


def _keep_off(layer: Cloth, posed: PosedBody, filled: FloatArray) -> Cloth:
    """A garment that stays outside of the body, with what lies on it."""
    body = posed.dress.body
    names = np.array(body.part_names)[body.face_part]
    f = body.f[np.isin(names, BARE)]
    outer = filled[: len(body.v_template)]
    near = neighbour_mean_matrix(layer.f, len(layer.rest))
    skin = TriangleSurface(outer, f, vertex_normals(outer, body.f))
    return replace(layer, rest=keep_outside(layer.rest, near, [skin], S.clearance, S.reach))


def _tuck(layer: Cloth, rest: FloatArray, body: Body, over: FloatArray) -> Cloth:
    """A garment that stays inside of what is worn over it, [V] metres off the body."""
    near = cKDTree(rest).query(layer.rest)[1]
    normals = vertex_normals(rest, body.f)[near]
    height = ((layer.rest - rest[near]) * normals).sum(1)
    inside = np.maximum(over[near] - S.clearance, S.least)
    out = np.where(over[near] > S.clearance, np.maximum(height - inside, 0.0), 0.0)
    return replace(layer, rest=layer.rest - out[:, None] * normals)


def _find_hidden(layers: list[Cloth], posed: PosedBody, category: str) -> BoolArray:
    """[F] triangles of the default body that lie under a garment, well within its edges."""
    body = posed.dress.body
    rows = body.part_vertices(*BARE)
    points = np.asarray(posed.rest[: len(body.v_template)], np.float64)
    normals = vertex_normals(points, body.f)
    belt = S.shoe_belt if category == "shoes" else S.belt
    under = np.zeros(len(points), bool)
    for layer in layers:
        under[rows] |= is_covered(points[rows], normals[rows], layer, belt)
    return _fill_islands(under[body.f].all(1), points, body.f)


def _fill_islands(hidden: BoolArray, points: FloatArray, f: IntArray) -> BoolArray:
    """[F] hidden triangles, and small shown ones among them, such as an armpit's."""
    _, same = np.unique(points.round(6), axis=0, return_inverse=True)
    shown = same.reshape(-1)[f[~hidden]]
    count = int(same.max()) + 1
    ends = (shown.ravel(), shown[:, [1, 2, 0]].ravel())
    links = sparse.coo_matrix((np.ones(shown.size), ends), (count, count))
    island = connected_components(links, directed=False)[1][shown[:, 0]]
    area = triangle_areas(points, f[~hidden])
    out = hidden.copy()
    out[~hidden] = np.bincount(island, area)[island] < S.island
    return out


def _find_gone(
    avatar: Avatar, covers: BoolArray, replaced: list[str]
) -> tuple[BoolArray, BoolArray]:
    """What goes as a garment comes.

    Returns:
        gone: [N] the avatar's splats that go.
        below: [N] those of them that only lie under it, and are not replaced.
    """
    bound = avatar.gaussians
    off = np.isin(bound.part, [PARTS.index(name) for name in replaced])
    known = bound.triangle < len(covers)
    under = np.zeros(len(bound), bool)
    under[known] = covers[bound.triangle[known]]
    under &= np.isin(bound.part, [PARTS.index(name) for name in _MAY_COVER])
    return off | under, under & ~off


def _find_poking(avatar: Avatar, layers: list[Cloth], posed: PosedBody) -> BoolArray:
    """[N] the avatar's splats that hang under a garment's edges, but come through it."""
    bound, body = avatar.gaussians, posed.dress.body
    covers = np.zeros(len(avatar.body.f), bool)
    rest = np.asarray(posed.rest[: len(body.v_template)], np.float64)
    normals = vertex_normals(rest, body.f)
    under = np.zeros(len(rest), bool)
    for layer in layers:
        under |= is_covered(rest, normals, layer, 0.0)
    covers[: len(body.f)] = under[body.f].any(1)
    may = np.isin(bound.part, [PARTS.index(name) for name in _MAY_COVER])
    rows = np.nonzero(may & covers[bound.triangle])[0]
    points = place_at_rest(bound.take(rows), avatar.body)
    out = np.zeros(len(bound), bool)
    for layer in layers:
        closest, _, signed = TriangleSurface(layer.rest, layer.f).nearest(points, S.reach)
        inside = border_distance(layer.rest, layer.f, closest) > S.rim
        out[rows] |= (np.abs(signed) < S.reach) & (signed > -S.clearance) & inside
    return out


def _parts_of(means: FloatArray, layer: Cloth, request: ItemRequest, posed: PosedBody) -> IntArray:
    """[K] rows of ``PARTS`` of a layer's splats."""
    name = {"coat": "upper", "bracelet": "necklace"}.get(request.category, request.category)
    if name != "outfit":
        return np.full(len(means), PARTS.index(name))
    if find_foot_pieces(layer, posed.joints).all():
        return np.full(len(means), PARTS.index("shoes"))
    if find_leg_pieces(layer).all():
        return np.full(len(means), PARTS.index("lower"))
    waist = float(posed.joints[JOINT_INDEX["spine1"], 1])
    low = np.asarray(means)[:, 1] < waist
    return np.where(low & _hangs(layer, posed), PARTS.index("skirt"), PARTS.index("upper"))


def _hangs(layer: Cloth, posed: PosedBody) -> bool:
    """Whether a garment of one piece goes on well below the hips, as dresses do."""
    knee = posed.joints[JOINT_INDEX["left_knee"], 1]
    hip = posed.joints[JOINT_INDEX["left_hip"], 1]
    return bool(layer.rest[:, 1].min() < 0.5 * (knee + hip))


def _collect(
    avatar: Avatar,
    cloth: _Cloth,
    skin: BareSkin,
    shade: Gaussians,
    source: IntArray,
    gone: BoolArray,
) -> AddedSplats:
    """The garment, the skin beside it and the shade on what stays."""
    bound = avatar.gaussians
    axes = quaternion_to_matrix(np.asarray(cloth.splats.quats, np.float64))
    count, bare, dark = len(cloth.splats), len(skin.splats), len(shade)
    upright = np.tile([0.0, 0.0, 1.0], (bare + dark, 1))
    return AddedSplats(
        Gaussians.concatenate([cloth.splats, skin.splats, shade]),
        np.concatenate([cloth.triangle, skin.triangle, bound.triangle[source]]),
        np.concatenate([cloth.bary, skin.bary, bound.bary[source]]),
        constant_span(COMES, count + bare + dark),
        gone,
        np.arange(count + bare + dark) >= count,
        np.concatenate([cloth.openness, np.ones(bare + dark)]),
        np.concatenate([cloth.label, skin.part, np.asarray(bound.part[source], int)]),
        np.concatenate([np.full(count + bare, -1), source]),
        GOES_AFTER,
        np.concatenate([np.einsum("nab,na->nb", axes, cloth.normals), upright]),
    )


def _join(layers: list[Cloth]) -> tuple[FloatArray, IntArray]:
    starts = np.cumsum([0, *(len(one.rest) for one in layers)])
    f = np.concatenate([one.f + start for one, start in zip(layers, starts, strict=False)])
    return np.concatenate([one.rest for one in layers]), f
