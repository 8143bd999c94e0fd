"""Textures of many materials in one array, with mip levels, for compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.color import linear_to_srgb, srgb_to_linear
from ..core.kernels import kernel
from ..core.types import FloatArray, IntArray
from ..wardrobe.mesh_parts import Material

LEVELS = 16  # the most mip levels of a texture
CHANNELS = 7  # of a sample: linear red, green, blue, alpha, roughness, slope along u, along v


class Textures(NamedTuple):
    """Textures of M materials, one row of texels after the other, level after level.

    Attributes:
        texels: [N, 5] uint8: sRGB, straight alpha, roughness.
        relief: [R, 2] float32 slopes of the surface along u and v; metres per unit of u or v for
            heights, plain for normal maps.
        start: [M, LEVELS] first texel of a level.
        relief_start: [M, LEVELS] the same for ``relief``, -1 without relief.
        size: [M, LEVELS, 2] height and width.
        levels: [M] number of levels.
        linear: [256] linear values of the stored colours.
    """

    texels: NDArray[np.uint8]
    relief: NDArray[np.float32]
    start: IntArray
    relief_start: IntArray
    size: IntArray
    levels: IntArray
    linear: NDArray[np.float32]


LINEAR = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
_STORED = np.round(linear_to_srgb((np.arange(8192) + 0.5) / 8192) * 255.0).astype(np.uint8)


class MipMaps(NamedTuple):
    """One material's textures in all sizes.

    Attributes:
        material: whose they are; its arrays stay alive with them.
        colors: [H, W, 5] uint8 each, see :func:`mip_levels`.
        slopes: [H, W, 2] float32 each, empty without relief.
    """

    material: Material
    colors: list[NDArray[np.uint8]]
    slopes: list[NDArray[np.float32]]


MipCache = dict[tuple[Any, ...], MipMaps]
"""Mip maps by the arrays that they come from."""


def pack_textures(
    materials: Sequence[Material], mips: bool = True, known: MipCache | None = None
) -> Textures:
    """Pack the materials' textures, in their order.

    Args:
        materials: of a figure.
        mips: False: only what alpha needs.
        known: mip maps of the last figure, in and out: those of the same arrays are used again.
    """
    texels: list[NDArray[np.uint8]] = []
    reliefs: list[NDArray[np.float32]] = [np.zeros((1, 2), np.float32)]
    count = len(materials)
    start, size = np.zeros((count, LEVELS), np.int64), np.ones((count, LEVELS, 2), np.int64)
    relief_start, levels = np.full((count, LEVELS), -1, np.int64), np.zeros(count, np.int64)
    at, relief_at = 0, 1
    used: MipCache = {}
    for m, material in enumerate(materials):
        maps = None if known is None else known.get(_arrays_of(material))
        maps = maps or _mip_maps(material if mips else Material("plain", material.color), mips)
        used[_arrays_of(material)] = maps
        levels[m] = len(maps.colors)
        for k, level in enumerate(maps.colors):
            start[m, k], size[m, k] = at, level.shape[:2]
            texels.append(level.reshape(-1, 5))
            at += len(texels[-1])
        for k, slopes in enumerate(maps.slopes):
            relief_start[m, k] = relief_at
            reliefs.append(slopes.reshape(-1, 2))
            relief_at += len(reliefs[-1])
    if known is not None:
        known.clear()
        known.update(used)
    return Textures(
        np.concatenate(texels), np.concatenate(reliefs), start, relief_start, size, levels, LINEAR
    )


def _arrays_of(material: Material) -> tuple[Any, ...]:
    """What a material's mip maps depend on, as a key."""
    maps = (material.color, material.roughness, material.bump, material.normal)
    return tuple(id(one) if isinstance(one, np.ndarray) else one for one in maps)


def _mip_maps(material: Material, mips: bool) -> MipMaps:
    color, roughness, relief = _maps(material)
    colors = mip_levels(color, roughness, LEVELS if mips else 1)
    slopes: list[NDArray[np.float32]] = []
    while relief is not None:
        slopes.append(relief.astype(np.float32))
        relief = _halved(_halved(relief, 0), 1) if len(slopes) < len(colors) else None
    return MipMaps(material, colors, slopes)


def mip_levels(
    color: NDArray[np.uint8], roughness: NDArray[np.uint8], most: int = LEVELS
) -> list[NDArray[np.uint8]]:
    """Make a texture's mip levels: the texture and its halves down to one texel.

    Each texel is a mean of the light that comes off (so weighted by alpha, in linear colours), of
    alpha, and of roughness.

    Args:
        color: [H, W, 4] uint8 sRGB and straight alpha.
        roughness: [H, W] uint8 of 255ths.
        most: levels, at most.

    Returns:
        [H, W, 5] uint8 each: sRGB, straight alpha, roughness.
    """
    first = np.concatenate([color, roughness[..., None]], 2)
    if most == 1:
        return [first]
    out, values = [first], _means_of(first, LINEAR)
    while (values.shape[0] > 1 or values.shape[1] > 1) and len(out) < most:
        values = _halved(_halved(values, 0), 1)
        out.append(_stored_means(values, _STORED))
    return out


@kernel()
def _means_of(texels, linear):  # type: ignore[no-untyped-def]
    """[H, W, 8] what is averaged: light off the texel, alpha, roughness, the colour itself."""
    height, width = texels.shape[0], texels.shape[1]
    out = np.empty((height, width, 8), np.float32)
    for y in range(height):
        for x in range(width):
            alpha = np.float32(texels[y, x, 3] / 255.0)
            for c in range(3):
                out[y, x, 5 + c] = linear[texels[y, x, c]]
                out[y, x, c] = out[y, x, 5 + c] * alpha
            out[y, x, 3], out[y, x, 4] = alpha, texels[y, x, 4] / 255.0
    return out


@kernel()
def _stored_means(values, stored):  # type: ignore[no-untyped-def]
    """[H, W, 5] texels of such means; where nothing is solid, the mean of the clear colours."""
    height, width = values.shape[0], values.shape[1]
    out = np.empty((height, width, 5), np.uint8)
    for y in range(height):
        for x in range(width):
            solid = values[y, x, 3]
            for c in range(3):
                light = values[y, x, c] / solid if solid > 1e-4 else values[y, x, 5 + c]
                out[y, x, c] = stored[min(max(int(light * 8192), 0), 8191)]
            out[y, x, 3] = int(solid * 255.0 + 0.5)
            out[y, x, 4] = int(values[y, x, 4] * 255.0 + 0.5)
    return out


def _halved(values: FloatArray, axis: int) -> FloatArray:
    """Means of pairs along an axis; an odd length is split evenly, so that the mean stays."""
    n = values.shape[axis]
    if n == 1:
        return values
    v = np.moveaxis(values, axis, 0)
    half = n // 2
    if n % 2 == 0:
        out = (v[0::2] + v[1::2]) * np.float32(0.5)
    else:
        i = np.arange(half, dtype=np.float32).reshape(-1, *[1] * (v.ndim - 1))
        out = ((half - i) * v[0:-1:2] + half * v[1::2] + (i + 1) * v[2::2]) / np.float32(n)
    return np.moveaxis(out, 0, axis)


def _maps(material: Material) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray | None]:
    """Colour, roughness and slopes of one size: the largest of the maps'."""
    maps = [material.color, material.roughness, material.bump, material.normal]
    shapes = [m.shape[:2] for m in maps if isinstance(m, np.ndarray)]
    size = max(s[1] for s in shapes), max(s[0] for s in shapes)
    color = _resized(material.color, size)
    if isinstance(material.roughness, np.ndarray):
        roughness = _resized(material.roughness, size)
    else:
        roughness = np.full(color.shape[:2], round(255 * float(material.roughness)), np.uint8)
    if material.normal is not None:
        n = _resized(material.normal, size).astype(np.float32) / 127.5 - 1.0
        up = np.maximum(n[..., 2], 0.2)
        return color, roughness, np.stack([-n[..., 0] / up, n[..., 1] / up], -1)
    if material.bump is None:
        return color, roughness, None
    height = np.asarray(material.bump, np.float32)
    if height.shape != size[::-1]:
        picture = Image.fromarray(height).resize(size, Image.Resampling.BILINEAR)
        height = np.asarray(picture, np.float32)
    along_u = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * (height.shape[1] / 2)
    along_v = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * (height.shape[0] / 2)
    return color, roughness, np.stack([along_u, along_v], -1)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if picture.shape[:2] == size[::-1]:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


@kernel(inline="always")
def _corners(height, width, u, v):  # type: ignore[no-untyped-def]
    """The four texels around (u, v), as offsets, and the shares of right and low."""
    x = (u - np.floor(u)) * width - 0.5
    y = (v - np.floor(v)) * height - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    x1, y1 = x0 + 1, y0 + 1
    x0, y0 = x0 if x0 >= 0 else width - 1, y0 if y0 >= 0 else height - 1
    x1, y1 = x1 if x1 < width else 0, y1 if y1 < height else 0
    return y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1, fx, fy


@kernel()
def sample_alpha(textures, m, u, v, level):  # type: ignore[no-untyped-def]
    """Bilinear alpha in 0..1 of a material's texture; repeats.

    Args:
        textures: of the figure.
        m: row of the material.
        u: to the right, 0..1.
        v: down, 0..1.
        level: of the mips.
    """
    k = min(max(level, 0), textures.levels[m] - 1)
    s = textures.start[m, k]
    a, b, c, d, fx, fy = _corners(textures.size[m, k, 0], textures.size[m, k, 1], u, v)
    t = textures.texels
    top = t[s + a, 3] * (1.0 - fx) + t[s + b, 3] * fx
    low = t[s + c, 3] * (1.0 - fx) + t[s + d, 3] * fx
    return (top * (1.0 - fy) + low * fy) / 255.0


@kernel()
def sample_texture(textures, m, u, v, level, out):  # type: ignore[no-untyped-def]
    """Sample everything at a point of a material, bilinear; repeats.

    Args:
        textures: of the figure.
        m: row of the material.
        u: to the right, 0..1.
        v: down, 0..1.
        level: of the mips.
        out: [7] takes linear colours, alpha and roughness (0..1), and slopes along u and v.
    """
    k = min(max(level, 0), textures.levels[m] - 1)
    s = textures.start[m, k]
    a, b, c, d, fx, fy = _corners(textures.size[m, k, 0], textures.size[m, k, 1], u, v)
    rows = (s + a, s + b, s + c, s + d)
    shares = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy)
    out[:] = 0.0
    t = textures.texels
    for i in range(4):
        alpha = shares[i] * t[rows[i], 3] / 255.0
        for channel in range(3):
            out[channel] += alpha * textures.linear[t[rows[i], channel]]
        out[3] += alpha
        out[4] += shares[i] * t[rows[i], 4] / 255.0
    if out[3] > 1e-6:
        for channel in range(3):
            out[channel] /= out[3]
    if textures.relief_start[m, 0] >= 0:
        r = textures.relief_start[m, k] - s
        for i in range(4):
            out[5] += shares[i] * textures.relief[rows[i] + r, 0]
            out[6] += shares[i] * textures.relief[rows[i] + r, 1]
