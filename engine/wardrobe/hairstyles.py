"""Hairstyles as splats: strands grown from the scalp, each in one tone, as fine as a photo's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.model import Body
from ..core import noise
from ..core.interpolation import smoothstep
from ..core.rotations import matrix_to_quaternion
from ..core.settings import register_settings
from ..core.types import FloatArray, Gaussians, IntArray, LikenessError
from ..gaussians.lift.accessories.glasses import nearest_triangles, rigid_triangles
from ..gaussians.lift.surface.nape import Nape
from . import hair_cards as cards
from . import hair_growth as growth
from .asset_files import load_garment
from .dress import PosedBody, garment_rest
from .hair_binding import normalize
from .head_shape import HeadShape, head_shape
from .library import check_asset
from .mesh_splats import scatter_evenly


@dataclass(frozen=True)
class HairstyleSettings:
    """Strands of hairstyles."""

    splats: int = 52_000  # of one style, at most
    step: float = 0.014  # metres between the points of a strand that does not curl
    overlap: float = 0.5  # standard deviation of a splat along its strand, in steps
    width: tuple[float, float] = (0.0005, 0.0011)  # metres, standard deviation across a strand
    share: float = 0.30  # of a lock's width that each of its strands covers
    thin: float = 0.15  # third axis over the second
    opacity: float = 0.9
    faint: float = 0.05  # opacity below which a splat is left out
    tone: float = 0.16  # of brightness from strand to strand, and
    lock: float = 0.12  # from lock to lock
    hue: float = 0.02  # of the strands' hue
    fair: float = 0.6  # share of these differences that white hair does not have
    root: float = 0.72  # brightness of roots, and
    tip: float = 1.10  # of tips
    depth: float = 0.35  # loss of brightness of what lies below other hair
    deep: float = 0.012  # metres below the outer hair at which that is reached
    gloss: float = 0.30  # highlight across strands
    gloss_power: float = 10.0
    light: tuple[float, float, float] = (0.15, 0.85, 0.5)  # direction of that highlight
    faded: float = 0.75  # of a strand's way from which on it gets thinner
    card: tuple[float, float] = (1.9, 0.42)  # standard deviation along a card's strands and across,
    # in steps of the spacing


S = register_settings("wardrobe.hairstyles", HairstyleSettings())

STYLES: dict[str, str] = {name.replace(" ", "-"): name for name in growth.STYLES}
"""The wardrobe's names of the generator's styles."""

_PARTINGS = (0.018, -0.018, 0.03, -0.03, 0.0)


def grow_hairstyle(
    rest: FloatArray, body: Body, item: str, color: FloatArray, length: float, seed: int
) -> Gaussians:
    """Grow the hair of a style, without light.

    Args:
        rest: [V, 3] the body at rest, filled out by its clothes, metres.
        body: the person's own.
        item: key of :data:`STYLES`.
        color: [3] sRGB 0..1.
        length: 0..1 between the shortest and the longest that the style knows.
        seed: of roots and strands.

    Returns:
        N splats at rest, metres; their third axes point away from the head.
    """
    head = head_shape(rest, body)
    style = growth.STYLES[STYLES[item]]
    part = _PARTINGS[seed % len(_PARTINGS)]
    paths, width = growth.grow_hair(style, head, part, length, 0.0, seed)
    return _draw_strands(paths, width, head, color, seed)


def _draw_strands(
    paths: FloatArray, width: FloatArray, head: HeadShape, color: FloatArray, seed: int
) -> Gaussians:
    """Splats along the strands of locks with these paths [N, K, 3] and widths [N]."""
    rng = np.random.default_rng([seed, 17])
    paths = _resample(paths)
    each = max(1, int(S.splats / (len(paths) * (paths.shape[1] - 1))))
    each = min(each, 4)
    if len(paths) * (paths.shape[1] - 1) > S.splats:
        kept = rng.permutation(len(paths))[: S.splats // (paths.shape[1] - 1)]
        paths, width = paths[kept], width[kept] * len(width) / len(kept)
    tangent = normalize(np.gradient(paths, axis=1))
    outward = _outward(paths, head)
    across = normalize(np.cross(tangent, outward))
    lock = np.repeat(np.arange(len(paths)), each)
    side = rng.uniform(-0.5, 0.5, (len(lock), 1, 1)) * width[lock, None, None]
    wander = 0.15 * width[lock, None, None] * rng.normal(size=(len(lock), 1, 1))
    open_ = np.linspace(0.35, 1.0, paths.shape[1])[None, :, None]
    strands = paths[lock] + open_ * (side * across[lock] + wander * outward[lock])
    low, high = strands[:, :-1], strands[:, 1:]
    middle, way = 0.5 * (low + high), high - low
    step = np.linalg.norm(way, axis=-1)
    along = way / np.maximum(step, 1e-9)[..., None]
    out = _outward(middle, head)
    out = normalize(out - along * (out * along).sum(-1, keepdims=True))
    R = np.stack([along, np.cross(out, along), out], -1)
    s = (np.arange(step.shape[1]) + 0.5) / step.shape[1]
    sigma = np.clip(S.share * width[lock], *S.width)[:, None]
    sigma = sigma * (1.0 - 0.55 * smoothstep(s, S.faded, 1.0))[None]
    tone = np.exp(rng.normal(0.0, S.tone, len(lock)) + rng.normal(0.0, S.lock, len(paths))[lock])[
        :, None
    ]
    tone = tone * np.interp(s, [0.0, 0.25, 1.0], [S.root, 1.0, S.tip])[None]
    tone = tone * _shade_depth(middle.reshape(-1, 3), head, seed).reshape(step.shape)
    light = np.array(S.light) / np.linalg.norm(S.light)
    # Kajiya and Kay: a strand shines where the light falls across it.
    shine = (1.0 - (along @ light) ** 2) ** (0.5 * S.gloss_power)
    shine = shine * np.clip(out @ light, 0.0, 1.0) * np.exp(rng.normal(0.0, 0.3, (len(lock), 1)))
    warm = np.exp(rng.normal(0.0, S.hue, (len(lock), 1, 1)) * [1.0, 0.0, -1.0])
    fair = 1.0 - S.fair * float(np.mean(color))  # strands of light hair differ less
    rgb = color * tone[..., None] ** fair * warm
    rgb = rgb + S.gloss * shine[..., None] * (0.25 * rgb + 0.35 * color + 0.04) * fair
    kept = (step > 1e-4).ravel()
    splats = Gaussians(
        middle.reshape(-1, 3).astype(np.float32),
        matrix_to_quaternion(R.reshape(-1, 3, 3)).astype(np.float32),
        np.stack([S.overlap * step, sigma, S.thin * sigma], -1).reshape(-1, 3).astype(np.float32),
        np.full(step.size, S.opacity, np.float32),
        np.clip(rgb.reshape(-1, 3), 0.0, 1.0).astype(np.float32),
    )
    return splats.take(kept)


def _resample(paths: FloatArray) -> FloatArray:
    """[N, K, 3] the same paths with points at equal, small distances.

    Longer splats would stand off where the head is round.
    """
    long = np.linalg.norm(np.diff(paths, axis=1), axis=2).sum(1)
    count = max(paths.shape[1], int(np.ceil(np.quantile(long, 0.9) / S.step)) + 1)
    return growth.resample_paths(paths, count)


def cover_hair_cards(
    path: str, posed: PosedBody, head: HeadShape, color: FloatArray, length: float, seed: int
) -> Gaussians:
    """Cover the cards of a MakeHuman hairstyle with splats along their strands, without light.

    Args:
        path: of the .mhclo file.
        posed: the body at rest, with the helpers that garments hang on.
        head: at rest.
        color: [3] sRGB 0..1.
        length: 0..1; 0.5 is as the library has it.
        seed: of the locks' unevenness.

    Raises:
        LikenessError: the hair cannot be read, is made for another base mesh, or has no picture.
    """
    check_asset(Path(path))
    garment = load_garment(Path(path))
    if garment.texture is None:
        raise LikenessError(
            f"The hair '{path}' has no picture.",
            "Give its .mhmat a diffuseTexture that exists, or choose other hair.",
        )
    points, _ = garment_rest(garment, posed)
    cut = float(np.interp(length, [0.0, 0.5, 1.0], [0.4, 1.0, 1.5]))
    points = cards.reshape_cards(
        points, head.skin, head.centre, head.chin + 0.03, cut, 1.0, 0.002, seed
    )
    points = head.trunk.outside(head.skin.outside(points, 0.0015), growth.CLEARANCE)
    picture = cards.recolor_texture(
        garment.texture, 1024, color, 0.0, color, np.zeros((1024, 1024)), color, 0.0
    )
    corners = points[garment.f]
    area = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    spacing = float(np.sqrt(area.sum() / S.splats))
    triangle, bary = scatter_evenly(corners, spacing)
    at = np.einsum("nk,nkd->nd", bary, corners[triangle])
    uv = np.einsum("nk,nkd->nd", bary, garment.uv[triangle])
    col, row = np.minimum((np.mod(uv, 1.0) * 1024).astype(int), 1023).T
    rgba = picture[row, col] / 255.0
    # Painted strands run down the picture.
    edge = corners[:, 1:] - corners[:, :1]
    flat = garment.uv[:, 1:] - garment.uv[:, :1]
    along = flat[:, 1, 0, None] * edge[:, 0] - flat[:, 0, 0, None] * edge[:, 1]
    along = normalize(along)[triangle]
    out = _outward(at, head)
    out = normalize(out - along * (out * along).sum(1, keepdims=True))
    R = np.stack([along, np.cross(out, along), out], -1)
    sigma = spacing * np.array([*S.card, S.thin * S.card[1]])
    splats = Gaussians(
        at.astype(np.float32),
        matrix_to_quaternion(R).astype(np.float32),
        np.tile(sigma, (len(at), 1)).astype(np.float32),
        (S.opacity * rgba[:, 3]).astype(np.float32),
        rgba[:, :3].astype(np.float32),
    )
    return splats.take(rgba[:, 3] > S.faint)


def _outward(points: FloatArray, head: HeadShape) -> FloatArray:
    """Unit directions [..., 3] away from the head, and below it away from its axis."""
    middle = head.centre + np.array([0.0, -0.02, -0.01])
    away = points - middle
    away[..., 1] = np.maximum(away[..., 1], 0.0)
    return normalize(away)


def _shade_depth(points: FloatArray, head: HeadShape, seed: int) -> FloatArray:
    """[N] brightness left below other hair, by the depth below the outermost around."""
    away = points - head.centre
    radius = np.linalg.norm(away, axis=1)
    azimuth = np.arctan2(away[:, 0], away[:, 2])
    column = np.round(azimuth / 0.12).astype(int)
    row = np.round(away[:, 1] / 0.012).astype(int)
    _, cell = np.unique(np.stack([column, row], 1), axis=0, return_inverse=True)
    outer = np.zeros(cell.max() + 1)
    np.maximum.at(outer, cell, radius)
    below = np.clip((outer[cell] - radius) / S.deep, 0.0, 1.0)
    clump = 0.5 * noise.fractal_noise(points, seed + 9, 0.02, 2)
    return np.asarray(1.0 - S.depth * np.clip(below + clump * below, 0.0, 1.0))


def bind_hair(points: FloatArray, body: Body) -> tuple[IntArray, FloatArray]:
    """Find what carries hair: the skull, and beside the neck the rope inside it.

    Args:
        points: [N, 3] at rest, metres.
        body: the person's own.

    Returns:
        triangle: [N] rows of ``body.f``.
        bary: [N, 3] barycentric coordinates on them.
    """
    rest = np.asarray(body.v_template, np.float64)
    part = np.array(body.part_names)[body.face_part]
    trunk = np.asarray(np.nonzero(np.isin(part, ["neck", "torso"]))[0])
    rows = np.concatenate([rigid_triangles(body), trunk])
    triangle, bary = nearest_triangles(points, rows, rest, body)
    return Nape(body, rest).bind_hair(points, triangle, bary)
