"""Strips of hair along grown paths: their meshes, and the texture of their strands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.interpolation import smoothstep
from ..core.types import FloatArray, IntArray
from ..wardrobe.hair_binding import normalize
from ..wardrobe.hair_growth import baldness
from ..wardrobe.hair_pigment import mix_grey, to_linear, to_srgb
from ..wardrobe.head_shape import HeadShape

TILES, TILE_WIDTH, TILE_HEIGHT, STRANDS = 12, 40, 256, 11


def make_undercoat(head: HeadShape, receding: float) -> tuple[FloatArray, IntArray, FloatArray]:
    """Make two layers on the scalp, so that skin doesn't shine between the strips.

    The hairline's surroundings stay free.

    Args:
        head: at rest.
        receding: 0..1 how far the hairline recedes.

    Returns:
        Vertices [N, 3] in metres, triangles [F, 3] and the corners' texture coordinates
        [F, 3, 2], as of ribbons.
    """
    points, normals = head.vertices[head.faces], head.normals[head.faces]
    inside = head.hairline.query(points.reshape(-1, 3))[0].reshape(-1, 3).min(1) > 0.0085
    hairless = (baldness(points.reshape(-1, 3), head, receding) > -0.2).reshape(-1, 3).any(1)
    points, normals = points[inside & ~hairless], normals[inside & ~hairless]
    away = points - head.crown
    azimuth = np.arctan2(away[..., 0], away[..., 2]) / (2 * np.pi)
    azimuth -= np.round(azimuth - azimuth[:, :1])  # no triangle goes all the way round
    out, uv = [], []
    for layer in range(2):
        out.append((points + (0.0006 + 0.0008 * layer) * normals).reshape(-1, 3))
        v = 0.05 + 0.5 * np.linalg.norm(away, axis=-1)  # roots: dark, and alike in all tiles
        uv.append(np.stack([3.0 * azimuth + 0.37 * layer, np.clip(v, 0.0, 0.16)], -1))
    f = np.arange(len(out[0]) * 2).reshape(-1, 3)
    return np.concatenate(out), f, np.concatenate(uv)


def make_flyaways(
    paths: FloatArray, head: HeadShape, rng: np.random.Generator, count: int = 90
) -> tuple[FloatArray, FloatArray]:
    """Make a few single strands that leave the outline: copies of paths, bent outwards.

    Args:
        paths: [N, K, 3] of the hair at rest, metres.
        head: at rest.
        rng: random numbers.
        count: of strands.

    Returns:
        Paths [M, K, 3] and their widths [M], metres.
    """
    chosen = paths[rng.choice(len(paths), min(count, len(paths)), replace=False)]
    s = np.linspace(0, 1, paths.shape[1])[None, :, None] ** 1.5
    away = normalize(chosen - head.centre)
    wind = rng.normal(0, 0.006, (len(chosen), 1, 3))
    out = chosen + s * (away * rng.uniform(0.003, 0.014, (len(chosen), 1, 1)) + wind)
    return out, np.full(len(chosen), 0.0012)


def make_ribbons(
    paths: FloatArray, width: FloatArray, head: HeadShape, rng: np.random.Generator, twist: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Make flat strips along paths that lie on the head like scales.

    Args:
        paths: [N, K, 3] from the roots on, metres at rest.
        width: [N] metres.
        head: at rest.
        rng: random numbers.
        twist: radians by which strips turn about their paths, standard deviation.

    Returns:
        vertices [N * K * 2, 3], triangles [F, 3], and the corners' texture coordinates
        [F, 3, 2]: v runs from the roots (0) to the ends (1), u across one of the texture's tiles.
    """
    count, points = paths.shape[:2]
    tangent = normalize(np.gradient(paths, axis=1))
    middle = head.centre + np.array([0.0, -0.02, -0.01])
    outward = paths - np.where(paths[..., 1:2] > middle[1], middle, 0.0)
    outward[..., 1] *= paths[..., 1] > middle[1]  # below the ears: away from the axis
    outward[..., 2] -= np.where(paths[..., 1] > middle[1], 0.0, middle[2])
    across = normalize(np.cross(tangent, normalize(outward)))
    over = np.cross(across, tangent)
    angle = rng.normal(0, twist, (count, 1, 1))
    across = np.cos(angle) * across + np.sin(angle) * over
    taper = np.linspace(1.0, 0.7, points)[None, :, None]
    half = 0.5 * width[:, None, None] * taper * across
    vertices = np.stack([paths - half, paths + half], 2).reshape(-1, 3)
    start = (np.arange(count)[:, None] * points + np.arange(points - 1)[None]).ravel() * 2
    a, b, c, d = start, start + 1, start + 3, start + 2
    f = np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1).reshape(-1, 3)
    tile = rng.integers(TILES, size=count)
    u = (tile[:, None] + np.array([0.02, 0.98])[None]) / TILES
    way = np.linalg.norm(np.diff(paths, axis=1), axis=2).cumsum(1)
    v = np.zeros((count, points))
    v[:, 1:] = way / np.maximum(way[:, -1:], 1e-9)
    uv = np.empty((count, points, 2, 2))
    uv[..., 0] = u[:, None]
    uv[..., 1] = 0.004 + 0.992 * v[:, :, None]
    return vertices, f, uv.reshape(-1, 2)[f]


def strand_texture(
    color: FloatArray,
    grey: float,
    ends: FloatArray,
    roots: FloatArray,
    streak: FloatArray,
    streaks: float,
    curl: float,
    seed: int,
) -> NDArray[np.uint8]:
    """[256, 480, 4] tiles side by side, each a lock of strands from the roots (top) down.

    Args:
        color: [3] sRGB of strands with pigment.
        grey: share of strands without pigment.
        ends: [3] sRGB towards the tips.
        roots: [3] sRGB next to the scalp.
        streak: [3] sRGB of some of the locks.
        streaks: share of those locks.
        curl: 0..1, how the strands wind within a lock.
        seed: of the strands.
    """
    rng = np.random.default_rng([seed, 13])
    y = np.linspace(0, 1, TILE_HEIGHT)[:, None]
    x = np.arange(TILE_WIDTH)[None] + 0.5
    picture = np.zeros((TILE_HEIGHT, TILES, TILE_WIDTH, 4))
    along = smoothstep(y, 0.25, 0.9)[..., None]
    near = smoothstep(y, 0.22, 0.03)[..., None]
    for tile in range(TILES):
        lock = rng.random() < streaks
        rgb = np.tile(to_linear(mix_grey(color, grey)), (TILE_HEIGHT, TILE_WIDTH, 1)) * 0.35
        alpha = np.zeros((TILE_HEIGHT, TILE_WIDTH))
        for _ in range(STRANDS):
            white = rng.random() < grey
            # A drawn strand stands for several: few of them are all white.
            base = to_linear(mix_grey(color, 0.3 + 0.6 * grey if white else 0.3 * grey))
            if not white:
                base = np.asarray(base * (1 - along) + to_linear(ends) * along)
                base = np.asarray(base * (1 - near) + to_linear(roots) * near)
                if lock:
                    base = 0.35 * base + 0.65 * to_linear(streak)
            shade = np.exp(rng.normal(0.0, 0.26)) * (1 - 0.35 * near)
            place = rng.uniform(0.06, 0.94) * TILE_WIDTH
            wind = rng.normal(0, 0.06) + curl * 0.10 * np.sin(
                2 * np.pi * (y * rng.uniform(2.5, 5) + rng.random())
            )
            centre = place + TILE_WIDTH * (wind * y + 0.015 * np.sin(9 * y + rng.uniform(0, 6)))
            end = rng.uniform(0.72, 1.0)
            half = np.interp(y, [0, 0.35, end], [2.5, 2.2, 0.55])
            cover = np.clip(half - np.abs(x - centre) + 0.5, 0, 1) * smoothstep(y, end, end - 0.06)
            round_ = 1.0 - 0.35 * np.clip(np.abs(x - centre) / (half + 0.5), 0, 1) ** 2
            rgb += cover[..., None] * (
                np.broadcast_to(base, rgb.shape) * shade * round_[..., None] - rgb
            )
            alpha = np.maximum(alpha, cover)
        picture[:, tile, :, :3] = to_srgb(rgb)
        picture[:, tile, :, 3] = alpha * smoothstep(y, 0.0, 0.03)
    flat = picture.reshape(TILE_HEIGHT, TILES * TILE_WIDTH, 4)
    return np.asarray(np.rint(255 * np.clip(flat, 0, 1)), np.uint8)
