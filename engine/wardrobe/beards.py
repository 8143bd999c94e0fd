"""Beards grown hair by hair from the face, so that a slider lets them grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.rotations import matrix_to_quaternion
from ..core.settings import register_settings
from ..core.types import LAYERS, PARTS, Avatar, FloatArray, Gaussians, IntArray
from ..gaussians.lift.colors.colors_base import beard_area
from .hair_binding import build_surface, normalize
from .head_shape import head_shape
from .mesh_splats import make_discs


@dataclass(frozen=True)
class BeardStyle:
    """How a beard grows.

    Attributes:
        length: metres, of the longest hairs.
        hairs: how many.
        jaw: 0..1 how much of jaw and throat it covers.
        chin: 0..1 the same of the chin.
        lip: 0..1 the same of the upper lip.
        steps: splats of a hair.
        width: metres, standard deviation across a hair.
    """

    length: float
    hairs: int
    jaw: float
    chin: float
    lip: float
    steps: int
    width: float = 0.00027


STYLES: dict[str, BeardStyle] = {
    "stubble": BeardStyle(0.0022, 22000, 1.0, 1.0, 1.0, 1, 0.00017),
    "short": BeardStyle(0.007, 12000, 1.0, 1.0, 1.0, 2),
    "full": BeardStyle(0.024, 14000, 1.0, 1.0, 1.0, 4),
    "goatee": BeardStyle(0.014, 6500, 0.0, 1.0, 1.0, 3),
    "moustache": BeardStyle(0.011, 3600, 0.0, 0.0, 1.0, 3),
}


@dataclass(frozen=True)
class BeardSettings:
    """The hairs of beards."""

    chin: tuple[float, float] = (0.020, 0.032)  # metres beside the middle where a goatee ends
    lip_high: float = 0.016  # metres over the lips that a moustache reaches
    lip_low: float = 0.6  # share of that height by which it is lower at its ends
    lip_wide: tuple[float, float] = (0.027, 0.032)  # metres beside the middle where it ends
    thin_lip: float = 0.7  # density of a moustache over that of a beard
    throat: float = 0.022  # metres below chin and mouth down to which it grows, there and behind
    neckline: float = 0.006  # metres over which it ends there
    root: float = 0.0006  # metres over the skin
    off: tuple[float, float] = (0.55, 1.0)  # how much hairs stand off the skin, and hang
    jitter: float = 0.30  # of their directions
    rim: float = 0.12  # length of its hairs at the rim over that within
    before: float = 0.02  # metres behind the lips from which on hairs are as long as the chin's
    whiskers: float = 0.005  # metres, longest hairs before the ears
    tone: float = 0.20  # of their brightness
    shade: float = 0.30  # opacity of the shade between the roots
    shade_every: int = 4  # hairs for one splat of that shade
    shade_size: float = 0.0011  # metres
    grown: float = 0.25  # part of the slider in which a piece of a hair appears
    opacity: float = 0.9
    seen: int = 500  # splats of the photo that tell the colour; labels of fewer are doubtful
    dark: float = 0.3  # quantile of the hair's brightness that a beard has
    red: float = 0.35  # least red over yellow in Lab: hair that looks green has a lamp's colour
    yellow: float = 0.7  # most yellow of such hair over its lightness
    dyed: tuple[float, float] = (-14.0, -7.0)  # a of Lab: below it green is a dye, above it a lamp
    brown: tuple[float, float, float] = (0.20, 0.14, 0.10)  # where no hair is seen


S = register_settings("wardrobe.beards", BeardSettings())

_PHOTO = LAYERS.index("photo")


def find_hair_color(avatar: Avatar, category: str) -> FloatArray:
    """Return the colour [3] that hair or a beard of this person has, sRGB 0..1.

    Args:
        avatar: whose beard or hair it takes.
        category: ``hair`` or ``beard``.
    """
    bound = avatar.gaussians
    parts, level = (("beard", "hair"), S.dark) if category == "beard" else (("hair", "beard"), 0.5)
    for part in parts:
        own = bound.colors[(bound.part == PARTS.index(part)) & (bound.layer == _PHOTO)]
        if len(own) > S.seen:
            bright = own.mean(1)
            near = np.argsort(np.abs(bright - np.quantile(bright, level)))[: S.seen]
            light, a, b = rgb_to_lab(np.median(own[near], axis=0).astype(np.float64))
            of_lamp = np.clip((a - S.dyed[0]) / (S.dyed[1] - S.dyed[0]), 0.0, 1.0)
            if a < S.red * b:
                b -= of_lamp * max(b - S.yellow * light, 0.0)
                a += of_lamp * max(S.red * b - a, 0.0)
            return np.clip(lab_to_rgb(np.array([light, a, b])), 0.0, 1.0)
    return np.array(S.brown)


def grow_beard(
    body: Body, item: str, color: FloatArray, seed: int
) -> tuple[Gaussians, IntArray, FloatArray]:
    """Grow a beard on a face at rest.

    Args:
        body: the person's own.
        item: key of :data:`STYLES`.
        color: [3] sRGB 0..1.
        seed: of the hairs.

    Returns:
        splats: N at rest, metres.
        triangle: [N] of the body, that each grows from.
        span: [N, 2] of the slider in which each appears.
    """
    style = STYLES[item]
    rng = np.random.default_rng([seed, 61])
    rest = np.asarray(body.v_template, np.float64)
    density = _density(body, style)
    part = np.array(body.part_names)[body.face_part]
    weight = np.where(np.isin(part, ["face", "neck"]), density[body.f].mean(1), 0.0)
    a, b, c = (rest[body.f[:, k]] for k in range(3))
    weight *= np.linalg.norm(np.cross(b - a, c - a), axis=1)
    triangle = np.sort(rng.choice(len(weight), style.hairs, p=weight / weight.sum()))
    u, v = rng.random((2, style.hairs))
    over = u + v > 1.0
    u, v = np.where(over, 1.0 - u, u), np.where(over, 1.0 - v, v)
    bary = np.stack([1.0 - u - v, u, v], 1)
    corner = body.f[triangle]
    root = np.einsum("nk,nkd->nd", bary, rest[corner])
    normal = normalize(np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[corner]))
    local = np.einsum("nk,nk->n", bary, density[corner])
    length = style.length * np.clip(local, S.rim, 1.0) * rng.uniform(0.6, 1.0, style.hairs)
    short = min(S.whiskers / style.length, 1.0)
    length *= short + (1.0 - short) * _find_front(root, rest, body)
    down = np.array([0.0, -1.0, 0.12]) - normal * (normal @ [0.0, -1.0, 0.12])[:, None]
    side = np.sign(root[:, :1]) * np.minimum(np.abs(root[:, :1]) / 0.02, 1.0)
    on_lip = (density > 0) & (beard_area(body) < 0.3)
    apart = np.where(on_lip[corner].any(1)[:, None], 1.3 * side, 0.15 * side) * [[1.0, 0.0, 0.0]]
    way = S.off[0] * normal + S.off[1] * down + apart
    way = normalize(way + rng.normal(0.0, S.jitter, way.shape))
    skin = build_surface(rest, body, "face", "neck", "lips")
    tone = np.exp(rng.normal(0.0, S.tone, (style.hairs, 1)))
    splats, triangles, spans = [], [], []
    at = root + S.root * normal
    for k in range(style.steps):
        step = length / style.steps
        end = skin.outside(at + step[:, None] * way, S.root + 0.0006 * k)
        along = normalize(end - at)
        out = normalize(normal - along * (normal * along).sum(1, keepdims=True))
        R = np.stack([along, np.cross(out, along), out], -1)
        taper = 1.0 - 0.5 * k / style.steps
        width = np.full(style.hairs, style.width * taper)
        splats.append(
            Gaussians(
                (0.5 * (at + end)).astype(np.float32),
                matrix_to_quaternion(R).astype(np.float32),
                np.stack([0.42 * step, width, 0.1 * width], 1).astype(np.float32),
                np.full(style.hairs, S.opacity, np.float32),
                np.clip(color * tone * (0.85 + 0.25 * k / style.steps), 0, 1).astype(np.float32),
            )
        )
        low = (1.0 - S.grown) * (k + rng.random(style.hairs)) / style.steps
        spans.append(np.stack([low, low + S.grown], 1))
        triangles.append(triangle)
        way = normalize(way + 0.35 * np.array([0.0, -1.0, 0.0]))
        at = end
    few = slice(None, None, S.shade_every)
    splats.append(_shade(root[few], normal[few], local[few], color))
    triangles.append(triangle[few])
    spans.append(np.tile([0.0, 0.5], (len(root[few]), 1)))
    return (
        Gaussians.concatenate(splats),
        np.concatenate(triangles),
        np.concatenate(spans).astype(np.float32),
    )


def _density(body: Body, style: BeardStyle) -> FloatArray:
    """[V] 0..1 how dense the hairs stand."""
    rest = np.asarray(body.v_template, np.float64)
    area = beard_area(body)
    lips = rest[body.part_vertices("lips")]
    aside = np.abs(rest[:, 0] - lips[:, 0].mean())
    chin = np.clip((S.chin[1] - aside) / (S.chin[1] - S.chin[0]), 0.0, 1.0)
    front = np.clip((rest[:, 2] - lips[:, 2].min()) / 0.01 + 1.0, 0.0, 1.0)
    out = area * _above_neckline(rest, body) * np.maximum(style.jaw, style.chin * chin * front)
    # It follows the lip, which falls towards the corners of the mouth.
    end = np.clip(aside / S.lip_wide[1], 0.0, 1.0) ** 2
    top = lips[:, 1].max() - end * (lips[:, 1].max() - lips[:, 1].mean())
    high = S.lip_high * (1.0 - S.lip_low * end)
    over = np.clip((rest[:, 1] - (top - 0.006)) / 0.003, 0.0, 1.0)
    over *= np.clip((top + high - rest[:, 1]) / 0.004, 0.0, 1.0)
    over *= np.clip((S.lip_wide[1] - aside) / (S.lip_wide[1] - S.lip_wide[0]), 0.0, 1.0) * front
    if style.jaw:  # it joins the beard beside the mouth
        corner = np.clip(1.0 - np.abs(aside - S.lip_wide[0]) / 0.008, 0.0, 1.0) * front
        out = np.maximum(out, corner * (np.abs(rest[:, 1] - lips[:, 1].mean()) < 0.014))
    return np.asarray(np.maximum(out, S.thin_lip * style.lip * over))


def _find_front(root: FloatArray, rest: FloatArray, body: Body) -> FloatArray:
    """[K] where between ears (0) and chin (1) hairs grow."""
    lips, ear = (rest[body.part_vertices(name)] for name in ("lips", "ear"))
    back, front = float(np.quantile(ear[:, 2], 0.9)), float(lips[:, 2].mean())
    return np.asarray(smoothstep(root[:, 2], back, front - S.before))


def _above_neckline(rest: FloatArray, body: Body) -> FloatArray:
    """[V] 0..1 what is not shaved: above a line from the throat to the lobes of the ears."""
    lips, ear = (rest[body.part_vertices(name)] for name in ("lips", "ear"))
    throat = np.array([head_shape(rest, body).chin - S.throat, lips[:, 2].mean()])
    jaw = np.array([lips[:, 1].mean() - S.throat, np.quantile(ear[:, 2], 0.9)])
    back = (throat[1] - rest[:, 2]) / max(throat[1] - jaw[1], 1e-3)
    line = throat[0] + np.clip(back, 0.0, 1.0) * (jaw[0] - throat[0])
    above = np.clip((rest[:, 1] - line) / S.neckline + 0.5, 0.0, 1.0)
    return np.asarray(above * np.clip((rest[:, 2] - jaw[1]) / S.neckline + 1.0, 0.0, 1.0))


def _shade(
    root: FloatArray, normal: FloatArray, density: FloatArray, color: FloatArray
) -> Gaussians:
    """The skin between the roots, in the beard's shade."""
    return make_discs(
        root + 0.5 * S.root * normal,
        normal,
        np.full(len(root), S.shade_size),
        np.tile(0.8 * color, (len(root), 1)),
        S.shade * np.clip(density, 0.0, 1.0),
    )
