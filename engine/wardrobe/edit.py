"""Puts things on an avatar, takes them off again, and sets their sliders.

What is added is splats of its own, bound to the same body, between the avatar's own splats, which
stay as they are; those that give way go with the slider (core/attributes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.attributes import APPEARS, Attribute, NothingToEditError, constant_span, record_edit
from ..core.geometry import vertex_normals
from ..core.rotations import quaternion_to_matrix
from ..core.settings import register_settings
from ..core.types import (
    LAYERS,
    PARTS,
    Avatar,
    BoolArray,
    BoundGaussians,
    FloatArray,
    Gaussians,
    IntArray,
    LikenessError,
)
from ..gaussians.binding import bind_gaussians, place_gaussians
from ..gaussians.lift.accessories.glasses import nearest_triangles, rigid_triangles
from ..gaussians.lift.lift_multiview import thin_rows
from ..gaussians.relight.photo_shade import (
    find_light,
    find_normals,
    light_all_around,
    turn_to_camera,
)
from .attribute_splats import (
    AddedSplats,
    check_room,
    choose_spans,
    count_room,
    find_own,
    find_shown,
    insert_splats,
    share_room,
    thin_added,
)
from .avatar_wearer import (
    AvatarWearer,
    fill_out,
    make_garment_body,
    make_wearer,
    measure_thickness,
    place_at_rest,
)
from .beard_edit import fit_beard
from .beards import find_hair_color
from .brows import find_brow_color, fit_brows
from .clothing import REPLACED, fit_clothing
from .face_shapes import fit_shape
from .fitting import (
    cast_shade,
    find_above,
    find_outside,
    find_under_hat,
    press_below,
    press_hair,
    sink_hair,
)
from .hair_binding import HAT_TILT, BodySurface, build_surface, normalize
from .hair_edit import fit_hair
from .head_shape import head_shape
from .items import (
    DEFAULT_COLORS,
    WITHOUT_COLOR,
    ItemRequest,
    check_item,
    format_color,
    hat_rim,
    is_metallic,
    make_garment,
    make_item,
    parse_color,
)
from .mesh_parts import MeshPart
from .mesh_splats import cover_mesh
from .occlusion import measure_openness
from .tables import Color
from .wrinkles import fit_wrinkles


@dataclass(frozen=True)
class EditSettings:
    """How things are put on."""

    pressed: float = 0.35  # share of the hair's thickness that stays under a hat
    most_pressed: float = 0.010  # metres
    flat: float = 0.022  # metres of hair that headphones are made for,
    band: float = 0.012  # and the same of hairbands
    flatter: float = 0.010  # metres that they come closer over flatter hair
    over_ears: float = 0.003  # metres over them that hair under a hairband stays, at least
    most_on_hair: float = 0.035  # metres of hair more than that
    over_cloth: float = 1.15  # times the clothes' thickness under a scarf or a chain
    most_cloth: float = 0.05  # metres
    pressed_cloth: float = 0.02  # metres that a scarf leaves of them
    cast: float = 0.4  # light that is left where the sky is not seen
    thinnest: float = 0.25  # least share of the pressed hair's splats
    longest: float = 0.004  # metres, standard deviation of pressed hair: more sticks through a brim
    wall: float = 0.003  # metres of cloth: hair is as wide as a hat at its rim
    clear: float = 64.0  # of 255: alpha of a lens that throws no shade
    metal: tuple[float, float] = (0.55, 0.85)  # brightness of metal: least, and more upwards


S = register_settings("wardrobe.edit", EditSettings())

SPACING = {
    "hat": 0.0022,
    "headphones": 0.0018,
    "glasses": 0.0008,
    "earrings": 0.0006,
    "necklace": 0.0008,
    "scarf": 0.0024,
}
"""Metres between the splats of an item."""

_OF_FACE = ("brows", "nose", "mouth", "wrinkles")
"""Categories whose splats are few, and fine as those of the photo."""

_PART_OF = {"outfit": "upper", "coat": "upper", "bracelet": "necklace"}
"""Parts of categories that are none themselves; all others are of the face."""

PRESENT = ("glasses", "held")
"""Parts of the photo that can be taken off: what they hide has been completed."""

_SHELL, _PHOTO = LAYERS.index("shell"), LAYERS.index("photo")


def add_item(avatar: Avatar, request: ItemRequest, value: float = 1.0) -> Avatar:
    """Put something on an avatar; it replaces what was added in the same category.

    Args:
        avatar: with its attributes.
        request: the item.
        value: of its slider.

    Raises:
        LikenessError: the wardrobe has no such item, the avatar's file has no parts, or a
            garment does not fit.
    """
    check_item(request)
    check_value(request.category, value)
    if not avatar.gaussians.part.any():
        raise LikenessError(
            "This avatar's file does not say what its splats show, so nothing can be put on.",
            "Build the avatar again.",
        )
    if any(one.name == request.category for one in avatar.attributes):
        avatar = remove_attribute(avatar, request.category)
    color = _choose_color(avatar, request)
    if color is not None:  # as the file keeps it, so that it can be fitted again
        request = replace(request, color=parse_color(format_color(color)))
    added = _make_splats(avatar, request)
    if request.category in _OF_FACE:
        check_room(avatar, request.category, len(added.splats))
    else:
        count = share_room(avatar, request.category, len(added.splats))
        added = thin_added(added, count)
    bound = _bind(avatar, added, request.category)
    usual = DEFAULT_COLORS.get(request.category)
    of_it = request.color or usual or np.median(bound.colors, axis=0)
    attribute = Attribute(
        request.category,
        request.category if request.category in PARTS else _PART_OF.get(request.category, "face"),
        request.item_name,
        format_color(of_it),
        value,
        choose_spans(added.gives_way, added.goes),
    )
    worn = insert_splats(avatar, bound, added.span, attribute, added.source)
    return record_edit(worn, _describe(request, attribute))


def _describe(request: ItemRequest, attribute: Attribute) -> dict[str, Any]:
    """The record of an item: enough to fit it again."""
    edit: dict[str, Any] = {"add": request.category, "item": request.item_name}
    if request.category not in WITHOUT_COLOR:
        edit["color"] = attribute.color
    edit["value"] = attribute.value
    if request.second is not None:
        edit["second"] = format_color(request.second)
    if request.seed:
        edit["seed"] = request.seed
    if request.category == "hair":
        edit["length"] = request.length
    if request.category == "brows":
        edit["thickness"] = request.thickness
    return edit


def _make_splats(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """The splats of an item, and what gives way to it."""
    make = _MAKERS.get(request.category, _fit)
    return make(avatar, request)


def _choose_color(avatar: Avatar, request: ItemRequest) -> Color | None:
    """The colour asked for, or the usual one; None leaves a garment its own."""
    if request.color is not None or request.category in WITHOUT_COLOR:
        return request.color
    if request.is_garment and request.category != "hair":
        return None
    if request.category in DEFAULT_COLORS:
        return DEFAULT_COLORS[request.category]
    if request.category == "brows":
        r, g, b = find_brow_color(avatar)
    else:
        r, g, b = find_hair_color(avatar, request.category)
    return float(r), float(g), float(b)


def set_attribute(avatar: Avatar, name: str, value: float) -> Avatar:
    """Set a slider.

    Args:
        avatar: with its attributes.
        name: of an attribute, or of a part of the photo in :data:`PRESENT`, which gets one.
        value: 0 (without it) to 1.

    Raises:
        NothingToEditError: the avatar has no such attribute.
        LikenessError: the value is out of range.
    """
    check_value(name, value)
    names = [one.name for one in avatar.attributes]
    own = avatar.gaussians.part == PARTS.index(name) if name in PRESENT else np.zeros(1, bool)
    if name not in names and own.any():
        span = choose_spans(own, APPEARS)
        color = format_color(np.median(avatar.gaussians.colors[own], axis=0))
        attribute = Attribute(name, name, "photo", color, value, span)
        return record_edit(
            replace(avatar, attributes=(*avatar.attributes, attribute)),
            {"set": name, "value": value},
        )
    if name not in names:
        has = f"It has {', '.join(names)}." if names else "Add something first."
        if name == "beard" and (avatar.gaussians.part == PARTS.index(name)).any():
            has = "The photo's own is taken off by beard=none."
        raise NothingToEditError(f"The avatar has no attribute '{name}'.", has)
    attributes = tuple(
        replace(one, value=value) if one.name == name else one for one in avatar.attributes
    )
    return record_edit(replace(avatar, attributes=attributes), {"set": name, "value": value})


def remove_attribute(avatar: Avatar, name: str) -> Avatar:
    """Remove an attribute with its splats; all others are as they were before.

    Args:
        avatar: with its attributes.
        name: of the attribute.

    Raises:
        LikenessError: the avatar has no such attribute.
    """
    names = [one.name for one in avatar.attributes]
    if name not in names:
        has = f"It has {', '.join(names)}." if names else "It has none."
        raise LikenessError(f"The avatar has no attribute '{name}'.", has)
    gone = avatar.attributes[names.index(name)]
    kept = np.ones(len(avatar.gaussians), bool)
    if gone.item != "photo":
        kept = gone.factors(0.0) > 0.0
    start = avatar.lod_start
    out = replace(
        avatar,
        gaussians=avatar.gaussians.take(kept),
        lod_start=None if start is None else start[kept],
        attributes=tuple(one.take(kept) for one in avatar.attributes if one is not gone),
    )
    return record_edit(out, {"remove": name})


def check_value(name: str, value: float) -> None:
    """Check a slider's value.

    Raises:
        LikenessError: it is not between 0 and 1.
    """
    if not 0.0 <= value <= 1.0:
        raise LikenessError(
            f"The value {value:g} of '{name}' is out of range.", "Give a number from 0 to 1."
        )


def _fit(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """The splats of an item made of meshes."""
    body: Body = avatar.body
    rest = fill_out(body, _thickness(avatar, request))
    wearer = make_wearer(body, rest)
    if request.is_garment:
        parts = [make_garment(request, make_garment_body(body, rest))]
    else:
        parts = make_item(request, wearer)
    vertices, f = _join_meshes(parts)
    covered = [cover_mesh(part, SPACING[request.category]) for part in parts]
    splats = Gaussians.concatenate([one for one, _ in covered])
    normals = np.concatenate([normal for _, normal in covered])
    means = np.asarray(splats.means, np.float64)
    surface = BodySurface(means, normals, cKDTree(means))
    gives_way, pressed, moved = _gives_way(avatar, request, wearer, vertices, f, surface)
    around = np.concatenate([body.f, f + len(body.v_template)])
    openness = measure_openness(
        np.asarray(splats.means, np.float64), normals, np.concatenate([rest, vertices]), around
    )
    # Not on other things that were put on: what is below them would have none when they go.
    shaded = ~gives_way & find_shown(avatar) & find_own(avatar, "hair")
    shade, source = cast_shade(avatar, shaded, vertices, f)
    triangle, bary = _homes(means, request.category, body)
    bound, count = avatar.gaussians, len(splats)
    room = max(count_room(avatar) - count - len(source), int(S.thinnest * len(pressed)))
    few = thin_rows(np.arange(len(pressed)), room)
    wider = np.sqrt(len(pressed) / max(len(few), 1))
    pressed, moved = pressed[few], moved[few]
    hair = place_gaussians(bound.take(pressed), body.v_template, body)
    scales = np.minimum(hair.scales * [wider, wider, 1.0], S.longest).astype(np.float32)
    hair = replace(hair, means=moved.astype(np.float32), scales=scales)
    below = np.concatenate([source, pressed])
    return AddedSplats(
        Gaussians.concatenate([splats, shade, hair]),
        np.concatenate([triangle, bound.triangle[below]]),
        np.concatenate([bary, bound.bary[below]]),
        constant_span(APPEARS, count + len(below)),
        gives_way,
        np.arange(count + len(below)) >= count,
        np.concatenate([openness, np.ones(len(below))]),
        np.full(count + len(below), PARTS.index(request.category)),
        np.concatenate([np.full(count, -1), below]),
    )


def _lies_on_hair(request: ItemRequest) -> bool:
    """Whether an item lies in a groove of the hair, which it does not hide."""
    return request.category == "headphones" or request.item == "hairband"


def _thickness(avatar: Avatar, request: ItemRequest) -> FloatArray:
    """[V] metres of hair or clothes that stay below an item."""
    if request.category in ("scarf", "necklace"):
        # Skin as well: where a portrait ends, it may stand as far out as the clothes beside it.
        cloth = measure_thickness(avatar, ("upper", "skirt", "skin"), ("neck", "torso"))
        most = S.pressed_cloth if request.category == "scarf" else S.most_cloth
        return np.minimum(S.over_cloth * cloth, most)
    hair = measure_thickness(avatar, ("hair",), ("scalp",))
    if _lies_on_hair(request):
        flat = S.flat if request.category == "headphones" else S.band
        return np.clip(hair - flat, -S.flatter, S.most_on_hair)
    if request.category == "hat":
        return np.minimum(S.pressed * hair, S.most_pressed)
    return np.zeros(len(hair))


def _gives_way(
    avatar: Avatar,
    request: ItemRequest,
    wearer: AvatarWearer,
    vertices: FloatArray,
    f: IntArray,
    surface: BodySurface,
) -> tuple[BoolArray, IntArray, FloatArray]:
    """What goes as the item comes.

    Returns:
        gone: [N] the avatar's splats that go.
        pressed: [K] those of them that come back pressed by a hat.
        moved: [K, 3] their places at rest, metres.
    """
    body, bound = wearer.dress.body, avatar.gaussians
    gone = np.zeros(len(bound), bool)
    nothing = gone, np.zeros(0, np.int64), np.zeros((0, 3))
    if request.category == "glasses":
        return bound.part == PARTS.index("glasses"), *nothing[1:]
    if _lies_on_hair(request):
        centre = head_shape(np.asarray(body.v_template, np.float64), body).centre
        rows, places = press_below(place_at_rest(bound, body), bound, surface.points, centre)
        if request.category == "hat":  # a band leaves the ears covered
            skin = build_surface(np.asarray(body.v_template, np.float64), body, "scalp", "ear")
            places = skin.outside(places, S.over_ears)
        shown = find_shown(avatar)[rows]
        gone[rows] = True
        return gone, rows[shown], places[shown]
    if request.category != "hat":
        return nothing
    if request.is_garment:
        rim: float | None = float(np.quantile(vertices[:, 1], 0.25))
    else:
        rim = hat_rim(request, wearer)
    if rim is None:
        return nothing
    points = place_at_rest(bound, body)
    rest = np.asarray(wearer.posed.rest[: len(body.v_template)], np.float64)
    head = head_shape(rest, body)
    middle = float(head.centre[2])
    bare = build_surface(np.asarray(body.v_template, np.float64), body, "scalp", "face", "ear")
    wall = float(np.linalg.norm(rest - body.v_template, axis=1)[head.scalp].mean()) + S.wall
    through = find_above(points, bound, vertices, f) | find_outside(points, bound, surface)
    under = find_under_hat(points, bound, body, rim, middle)
    shown = find_shown(avatar)
    pressed, moved = press_hair(points, bound, bare, rim, middle, wall)
    pressed, moved = pressed[shown[pressed]], moved[shown[pressed]]
    # What comes through lies close to the head instead, and so does pressed hair that still does.
    beside = through & ~under & (bound.part == PARTS.index("hair")) & shown
    rows = np.union1d(pressed, np.nonzero(beside)[0])
    places = points[rows]
    places[np.searchsorted(rows, pressed)] = moved
    own = bound.take(rows)
    out = find_above(places, own, vertices, f) | find_outside(places, own, surface)
    places[out] = sink_hair(places[out], bare)
    gone = under | through | (find_own(avatar) & (bound.part == PARTS.index("hat")))
    gone[rows] = True
    stays = places[:, 1] < rim + HAT_TILT * (places[:, 2] - middle)
    return gone, rows[stays], places[stays]


def _homes(points: FloatArray, category: str, body: Body) -> tuple[IntArray, FloatArray]:
    """The triangles that carry an item's splats: those of the skull, or of neck and chest."""
    rows = rigid_triangles(body)
    if category in ("scarf", "necklace"):
        part = np.array(body.part_names)[body.face_part]
        rows = np.asarray(np.nonzero(np.isin(part, ["neck", "torso"]))[0])
    return nearest_triangles(points, rows, np.asarray(body.v_template, np.float64), body)


def _bind(avatar: Avatar, added: AddedSplats, category: str) -> BoundGaussians:
    """The added splats on the body, in the photo's light."""
    body: Body = avatar.body
    bound = bind_gaussians(
        added.splats,
        added.triangle,
        added.bary,
        np.full(len(added.splats), _SHELL, np.uint8),
        body.v_template,
        body,
    )
    placed = place_gaussians(bound, body.vertices(avatar.pose)[0], body)
    normals = find_normals(placed)
    if added.facing is not None:
        axes = quaternion_to_matrix(np.asarray(placed.quats, np.float64))
        normals = np.einsum("nab,nb->na", axes, added.facing)
    normals = turn_to_camera(normals, avatar)
    if category == "beard":  # it is lit as a whole, not hair by hair
        skin = vertex_normals(body.vertices(avatar.pose)[0], body.f)[body.f[added.triangle]]
        normals = turn_to_camera(normalize(skin.mean(1)), avatar)
    shade = light_all_around(find_light(avatar), normals)
    tone = S.cast + (1.0 - S.cast) * added.openness
    if is_metallic(category):
        tone = tone * (S.metal[0] + S.metal[1] * np.clip(normals[:, 1] + 0.3, 0.0, 1.0))
    colors = np.where(
        added.lit[:, None], bound.colors, np.clip(bound.colors * shade * tone[:, None], 0.0, 1.0)
    )
    return replace(bound, colors=colors.astype(np.float32), part=added.part.astype(np.uint8))


def _join_meshes(parts: list[MeshPart]) -> tuple[FloatArray, IntArray]:
    """[V, 3] and [F, 3] of all parts but clear lenses."""
    parts = [part for part in parts if part.material.color[..., 3].mean() > S.clear]
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([np.asarray(part.vertices, np.float64) for part in parts])
    return vertices, np.concatenate([p.f + start for p, start in zip(parts, starts, strict=False)])


_MAKERS: dict[str, Callable[[Avatar, ItemRequest], AddedSplats]] = {
    "hair": fit_hair,
    "beard": fit_beard,
    "brows": fit_brows,
    "nose": fit_shape,
    "mouth": fit_shape,
    "wrinkles": fit_wrinkles,
    **dict.fromkeys(REPLACED, fit_clothing),
}
"""What makes the splats of the categories that are not made of meshes."""
