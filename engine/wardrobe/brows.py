"""Brows in another shape: the photo's give way to skin, and hairs grow in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.attributes import constant_span
from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.rotations import matrix_to_quaternion
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, BoolArray, FloatArray, Gaussians, IntArray
from ..gaussians.binding import place_gaussians
from ..gaussians.lift.accessories.glasses import nearest_triangles
from .attribute_splats import COMES, GOES_AFTER, AddedSplats, find_own
from .beards import find_hair_color
from .brow_hairs import USUAL, BrowShape, find_brow_raise, grow_brow_hairs
from .face_skin import FaceSkin, find_skins
from .hair_binding import normalize
from .items import ItemRequest
from .makeup import find_share
from .mesh_splats import make_discs

SHAPES: dict[str, BrowShape | None] = {
    "none": None,
    "thin": BrowShape(count=0.8, wide=0.45, long=0.8, arch=0.0015),
    "natural": USUAL,
    "bushy": BrowShape(count=1.8, wide=1.5, long=1.25),
    "straight": BrowShape(straight=1.0),
    "arched": BrowShape(wide=0.8, arch=0.004, outer=-0.002),
    "angled": BrowShape(wide=0.9, straight=0.4, inner=-0.002, outer=0.004),
}


@dataclass(frozen=True)
class BrowSettings:
    """How brows are taken off and grown."""

    gone: float = 0.06  # share of a brow's colour from which on a splat gives way
    whole: float = 0.25  # share from which on all of the splat's colour does
    aside: float = 0.016  # metres above a brow from where its skin takes its grain
    grain: float = 0.7  # of that grain
    density: float = 1.3  # times as many hairs as a brow of cards has: these are thinner
    width: float = 0.00014  # metres, standard deviation across a hair, least,
    blur: float = 0.35  # and the same in sizes of the photo's splats
    taper: float = 0.7  # of that width at the tip
    soft: float = 0.5  # how much denser a brow's middle is than its edges
    opacity: float = 0.7
    faint: float = 0.6  # share of that opacity that hairs at the edge lack
    tone: float = 0.28  # of the hairs' brightness
    shade: float = 0.16  # opacity of the shade between the roots
    shade_size: float = 0.0011  # metres
    grown: float = 0.25  # part of the slider in which a hair appears
    lift: float = 0.0003  # metres over the photo's surface
    hairs: tuple[float, float] = (0.75, 1.0)  # share of the brow that is hair, and not skin,
    contrast: tuple[float, float] = (20.0, 50.0)  # where so many units of L* darker than skin
    darkest: float = 6.0  # least L* of hairs
    dark: float = 0.35  # quantile of a brow's lightness that its hairs have
    fewest: int = 12  # splats of the photo's brows that tell colour and height
    wide: float = 1.3  # times as wide as a brow of cards, whose hairs are thicker


S = register_settings("wardrobe.brows", BrowSettings())

_FACE = PARTS.index("face")
_ABOVE = np.array([0.0, 1.0, 0.0])


def find_brow_color(avatar: Avatar) -> FloatArray:
    """Return the colour [3] of a person's brow hairs in the face's usual light, sRGB 0..1.

    Args:
        avatar: whose brows they are.
    """
    share = find_share(avatar, "brows") * find_own(avatar)
    rows = np.nonzero(share > 0.5)[0]
    if len(rows) < S.fewest:
        return find_hair_color(avatar, "hair")
    bound = avatar.gaussians.take(rows)
    colors = np.asarray(bound.colors, np.float64)
    skin = FaceSkin(avatar, find_own(avatar) & (share == 0.0))
    feet = _find_feet(avatar, rows)
    light = skin.light(feet)
    lab = rgb_to_lab(np.clip(colors / light, 0.0, 1.0))
    darkest = lab[:, 0] <= np.quantile(lab[:, 0], S.dark)
    beside = np.median(rgb_to_lab(np.clip(skin.tone(feet) / light, 0.0, 1.0))[darkest], axis=0)
    shown = np.median(lab[darkest], axis=0)
    # Between the hairs of faint brows there is skin: without it, they are darker.
    contrast = beside[0] - shown[0]
    hair = beside[0] - contrast / np.interp(contrast, S.contrast, S.hairs)
    hair = max(float(hair), S.darkest)
    pure = np.array([hair, *(shown[1:] * hair / max(shown[0], 1.0))])
    return np.asarray(np.clip(lab_to_rgb(pure), 0.0, 1.0))


def _find_feet(avatar: Avatar, rows: IntArray) -> FloatArray:
    """[K, 3] the places of the body at rest that carry some splats, metres."""
    bound, body = avatar.gaussians, avatar.body
    corners = np.asarray(body.v_template, np.float64)[body.f[bound.triangle[rows]]]
    return np.asarray(np.einsum("nk,nkd->nd", bound.bary[rows], corners))


def fit_brows(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of brows, and of the skin below the photo's own.

    Args:
        avatar: with its attributes, without one of this category.
        request: of the category ``brows``, with its colour.

    Raises:
        LikenessError: the body has no landmarks, or the face no skin.
    """
    body: Body = avatar.body
    share = find_share(avatar, "brows")
    gone = share > S.gone
    skin, rows = _uncover(avatar, share, gone)
    bound = avatar.gaussians
    triangle, bary = bound.triangle[rows], bound.bary[rows]
    span = constant_span(COMES, len(rows))
    shape = SHAPES[request.item]
    if shape is not None:
        hairs, spans = _grow(avatar, shape, request, share)
        on_face = np.nonzero(body.face_part == list(body.part_names).index("face"))[0]
        means = np.asarray(hairs.means, np.float64)
        homes = nearest_triangles(means, on_face, np.asarray(body.v_template, np.float64), body)
        skin = Gaussians.concatenate([skin, hairs])
        triangle, bary = np.concatenate([triangle, homes[0]]), np.concatenate([bary, homes[1]])
        span = np.concatenate([span, spans])
    old = np.arange(len(triangle)) < len(rows)
    return AddedSplats(
        skin,
        triangle,
        bary,
        span,
        gone,
        np.ones(len(triangle), bool),
        np.ones(len(triangle)),
        np.full(len(triangle), _FACE),
        np.concatenate([rows, np.full((~old).sum(), -1)]),
        GOES_AFTER,
    )


def _uncover(avatar: Avatar, share: FloatArray, gone: BoolArray) -> tuple[Gaussians, IntArray]:
    """The splats of the photo's brows in the colour of the skin around them, with their rows."""
    body, bound = avatar.body, avatar.gaussians
    rows = np.nonzero(gone)[0]
    feet = _find_feet(avatar, rows)
    colors = np.asarray(bound.colors[rows], np.float64)
    for part, skin in find_skins(avatar, rows, share == 0.0):
        at = feet[part]
        tone = skin.tone(at) + S.grain * skin.grain(at + _ABOVE * S.aside)
        # A part of a brow's colour would still be seen, as its outline.
        amount = np.clip(share[rows][part] / S.whole, 0.0, 1.0)[:, None]
        colors[part] += amount * (tone - colors[part])
    placed = place_gaussians(bound.take(rows), body.v_template, body)
    return replace(placed, colors=np.clip(colors, 0.0, 1.0).astype(np.float32)), rows


def _find_raise(avatar: Avatar, share: FloatArray) -> float:
    """Metres by which the photo's brows lie higher than the landmarks say."""
    body: Body = avatar.body
    rows = np.nonzero((share > 0.5) & find_own(avatar))[0]
    if len(rows) < S.fewest:
        return 0.0
    rest = np.asarray(body.v_template, np.float64)
    return find_brow_raise(body, rest, _find_feet(avatar, rows))


def _grow(
    avatar: Avatar, shape: BrowShape, request: ItemRequest, share: FloatArray
) -> tuple[Gaussians, FloatArray]:
    """The hairs of brows at rest, with the shade between their roots, and their spans [K, 2]."""
    body: Body = avatar.body
    rest = np.asarray(body.v_template, np.float64)
    rng = np.random.default_rng([request.seed, 67])
    dense = replace(shape, count=S.density * shape.count, soft=S.soft)
    raised = _find_raise(avatar, share)
    paths, outward, edge = grow_brow_hairs(
        body, rest, request.thickness, request.seed, dense, raised
    )
    skin = FaceSkin(avatar, find_own(avatar) & (share == 0.0))
    color = np.array(request.color) * skin.light(paths[:, 0])
    count, points = paths.shape[:2]
    high = np.maximum(skin.height(paths[:, 0]), 0.0) + S.lift
    paths = paths + (high[:, None] * outward)[:, None]
    opacity = (S.opacity * (1.0 - S.faint * edge)).astype(np.float32)
    width = max(S.width, S.blur * skin.size)
    tone = np.exp(rng.normal(0.0, S.tone, (count, 1)))
    low = (1.0 - S.grown) * rng.random(count)
    span = np.stack([low, low + S.grown], 1)
    splats, spans = [], []
    for k in range(points - 1):
        start, end = paths[:, k], paths[:, k + 1]
        along = normalize(end - start)
        out = normalize(outward - along * (outward * along).sum(1, keepdims=True))
        R = np.stack([along, np.cross(out, along), out], -1)
        long = 0.42 * np.linalg.norm(end - start, axis=1)
        thin = width * (1.0 - S.taper * k / (points - 1))
        size = np.stack([long, np.full(count, thin), np.full(count, 0.1 * thin)], 1)
        splats.append(
            Gaussians(
                (0.5 * (start + end)).astype(np.float32),
                matrix_to_quaternion(R).astype(np.float32),
                size.astype(np.float32),
                opacity,
                np.clip(color * tone, 0.0, 1.0).astype(np.float32),
            )
        )
        spans.append(span)
    roots = paths[:, :2].mean(1)
    shade = np.full(count, max(S.shade_size, skin.size))
    splats.append(make_discs(roots, outward, shade, color, S.shade * (1.0 - edge)))
    spans.append(span)
    return Gaussians.concatenate(splats), np.concatenate(spans).astype(np.float32)
