"""Hair put on an avatar in place of its own, its own hair cut shorter, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..body.model import Body
from ..core.attributes import constant_span
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, Gaussians, IntArray, LikenessError
from ..gaussians.binding import place_gaussians
from .attribute_splats import COMES, GOES_AFTER, AddedSplats, find_own
from .avatar_wearer import fill_out, make_garment_body, measure_thickness
from .bare_head import HeadSkin
from .hair_binding import build_surface, normalize
from .hairstyles import bind_hair, cover_hair_cards, grow_hairstyle
from .head_shape import HeadShape, head_shape
from .items import ItemRequest


@dataclass(frozen=True)
class HairEditSettings:
    """How hair is put on and cut."""

    over_cloth: float = 1.1  # times the clothes' thickness under hair that hangs
    most_cloth: float = 0.05  # metres
    under: float = 0.85  # share of the hair's colour in the scalp between strands
    angle: float = 0.07  # radians around a hat's splats that stay free of hair
    crop: tuple[float, float] = (0.12, 1.0)  # share of its thickness that cut hair keeps
    least: float = 0.8  # of a splat's size that cut hair keeps: smaller ones leave gaps
    free: float = 0.6  # such a share below which it leaves the ears
    short: float = 0.5  # length, 0..1, below which hair that hangs is gone
    end: float = 0.006  # metres by which ends differ
    close: float = 0.0015  # metres over the scalp, least


S = register_settings("wardrobe.hair_edit", HairEditSettings())

_HAIR, _HAT = PARTS.index("hair"), PARTS.index("hat")


def fit_hair(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of a hairstyle, and of the head below it.

    Args:
        avatar: with its attributes, without one of this category.
        request: of the category ``hair``, with its colour.

    Raises:
        LikenessError: hair of a library cannot be read, or does not fit; or there is none to cut.
    """
    body: Body = avatar.body
    own = find_own(avatar)
    skin = HeadSkin(avatar, own)
    color = np.array(request.color)
    if request.item == "bald":
        bare = skin.cover(request.seed)
    elif request.item == "shaved":
        bare = skin.cover(request.seed, color)
    else:
        bare = skin.cover(request.seed, color, S.under)
    hair = bare.splats.take(np.zeros(0, np.int64))
    triangle: IntArray = np.zeros(0, np.int64)
    bary: FloatArray = np.zeros((0, 3))
    lit = False
    if request.item == "trimmed":
        hair, rows = _cut_hair(avatar, own & (avatar.gaussians.part == _HAIR), request, skin)
        triangle, bary = avatar.gaussians.triangle[rows], avatar.gaussians.bary[rows]
        lit = True
    elif request.item not in ("bald", "shaved"):
        cloth = measure_thickness(avatar, ("upper", "skirt", "skin"), ("neck", "torso"))
        rest = _raise_head(body, skin, np.minimum(S.over_cloth * cloth, S.most_cloth))
        hair = _grow(body, rest, request, color)
        hair = hair.take(~_find_below_hat(avatar, own, hair))
        triangle, bary = bind_hair(np.asarray(hair.means, np.float64), body)
    count = len(bare.triangle)
    return AddedSplats(
        Gaussians.concatenate([bare.splats, hair]),
        np.concatenate([bare.triangle, triangle]),
        np.concatenate([bare.bary, bary]),
        constant_span(COMES, count + len(hair)),
        skin.hair,
        np.concatenate([np.ones(count, bool), np.full(len(hair), lit)]),
        np.ones(count + len(hair)),
        np.concatenate([bare.part, np.full(len(hair), _HAIR)]),
        np.full(count + len(hair), -1),
        GOES_AFTER,
    )


def _grow(body: Body, rest: FloatArray, request: ItemRequest, color: FloatArray) -> Gaussians:
    if request.is_garment:
        posed = make_garment_body(body, rest)
        head = head_shape(rest, body)
        return cover_hair_cards(request.item, posed, head, color, request.length, request.seed)
    return grow_hairstyle(rest, body, request.item, color, request.length, request.seed)


def _find_below_hat(avatar: Avatar, own: BoolArray, hair: Gaussians) -> BoolArray:
    """[K] hair in the directions in which the photo shows a hat."""
    hat = own & (avatar.gaussians.part == _HAT)
    if not hat.any():
        return np.zeros(len(hair), bool)
    body: Body = avatar.body
    placed = place_gaussians(avatar.gaussians.take(hat), body.v_template, body)
    centre = head_shape(np.asarray(body.v_template, np.float64), body).centre
    there = normalize(np.asarray(placed.means, np.float64) - centre)
    here = normalize(np.asarray(hair.means, np.float64) - centre)
    return np.asarray(cKDTree(there).query(here)[0] < S.angle)


def _raise_head(body: Body, skin: HeadSkin, thickness: FloatArray) -> FloatArray:
    """[V, 3] the body at rest below hair, with clothes [V] metres thick and the head's own skin."""
    head = body.part_vertices("scalp", "face")
    thick = np.array(thickness)
    thick[head] = np.maximum(thick[head], skin.find_height(body.v_template[head]))
    return fill_out(body, thick)


def _cut_hair(
    avatar: Avatar, hair: BoolArray, request: ItemRequest, skin: HeadSkin
) -> tuple[Gaussians, IntArray]:
    """The photo's hair, cut: at rest, with the rows that it came from.

    From 1 to 0.5 what hangs gets shorter, up to the ears' lobes; below that the rest is cropped.
    """
    body: Body = avatar.body
    rows = np.nonzero(hair)[0]
    placed = place_gaussians(avatar.gaussians.take(rows), body.v_template, body)
    points = np.asarray(placed.means, np.float64)
    rest = np.asarray(body.v_template, np.float64)
    head = head_shape(rest, body)
    if not len(rows):
        raise LikenessError(
            "The avatar has no hair to cut.", "Give it another hair, such as hair=bob."
        )
    rng = np.random.default_rng([request.seed, 19])
    end = _end_height(points, head, request.length) + rng.normal(0.0, S.end, len(rows))
    stays = points[:, 1] > end
    share = float(np.interp(request.length, [0.0, S.short], S.crop))
    ear = cKDTree(rest[body.part_vertices("ear")]).query(points)[0]
    rest = _raise_head(body, skin, np.zeros(len(rest)))
    if share < S.free:  # ears are free of short hair
        beside = cKDTree(rest[body.part_vertices("scalp", "face", "neck")]).query(points)[0]
        stays &= beside < ear
    surface = build_surface(rest, body, "scalp", "face", "ear", "neck")
    height, normals = surface.height(points)
    lower = np.where(height > S.close, np.maximum(share * height, S.close), S.close)
    moved = points + (lower - height)[:, None] * normals
    size = np.clip(share, S.least, 1.0)
    scales = np.asarray(placed.scales) * [size, size, 1.0]
    out = replace(placed, means=moved.astype(np.float32), scales=scales.astype(np.float32))
    return out.take(stays), rows[stays]


def _end_height(points: FloatArray, head: HeadShape, length: float) -> float:
    """Height in metres at which hair ends."""
    low, lobe = float(points[:, 1].min()), head.level(0.25)
    return float(np.interp(length, [S.short, 1.0], [max(lobe, low), low - 0.05]))
