"""Hair of an asset library: its cards, made longer or shorter, and its textures, recoloured."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ..core import noise
from ..core.interpolation import smoothstep
from ..core.kernels import kernel
from ..core.types import BoolArray, Camera, FloatArray, IntArray
from ..render.mesh import rasterize_mesh
from .asset_files import Garment, load_texture
from .hair_binding import HAT_TILT, BodySurface
from .hair_pigment import WHITE, to_linear, to_srgb

LIC_STEPS = 14  # texels to each side along which a strand's shade stays the same
PRESSED = 0.004  # metres that hair is thick under a hat
STREAKS = 41  # seed of the streaks, which belong to the texture, not to the person


def reshape_cards(
    points: FloatArray,
    skin: BodySurface,
    centre: FloatArray,
    jaw: float,
    length: float,
    volume: float,
    ruffle: float,
    seed: int,
) -> FloatArray:
    """Give cards of hair another cut.

    Args:
        points: [N, 3] of the cards at rest, metres.
        skin: the head's surface at rest.
        centre: [3] of the head, metres.
        jaw: height in metres from which on hair hangs.
        length: factor on what hangs below.
        volume: factor on the distance from the skull, about 1.
        ruffle: metres by which noise moves the locks; roots stay.
        seed: of that noise.

    Returns:
        [N, 3] metres.
    """
    height, normals = skin.height(points)
    loose = smoothstep(height, 0.002, 0.02)
    moved = points + ((volume - 1.0) * np.clip(height, 0.0, 0.08))[:, None] * normals
    for axis in range(3):
        moved[:, axis] += ruffle * loose * noise.fractal_noise(points, seed + axis, 0.035, 3)
    drop = np.maximum(jaw - moved[:, 1], 0.0)
    moved[:, 1] += (1.0 - length) * drop
    # What was at the chest's width comes back to the neck's as it gets shorter.
    narrow = 1.0 - 0.5 * (1.0 - min(length, 1.0)) * smoothstep(drop, 0.05, 0.25)
    moved[:, [0, 2]] = centre[[0, 2]] + (moved[:, [0, 2]] - centre[[0, 2]]) * narrow[:, None]
    return moved


@kernel()
def _streaked(white, shown, dx, dy, steps):  # type: ignore[no-untyped-def]
    """Means of ``white`` along the lines of a direction field (line integral convolution)."""
    height, width = white.shape
    out = np.zeros((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            if not shown[i, j]:
                continue
            total, count = white[i, j], 1
            for sign in (-1.0, 1.0):
                y, x = i + 0.5, j + 0.5
                px, py = sign * dx[i, j], sign * dy[i, j]
                for _ in range(steps):
                    r, c = int(y), int(x)
                    ux, uy = dx[r, c], dy[r, c]
                    if ux * px + uy * py < 0.0:  # directions have no sign
                        ux, uy = -ux, -uy
                    x, y = x + ux, y + uy
                    if x < 0 or y < 0 or x >= width or y >= height:
                        break
                    px, py = ux, uy
                    total += white[int(y), int(x)]
                    count += 1
            out[i, j] = total / count
    return out


def _flow(luminance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit directions (x, y) along the painted strands: the structure tensor's small axis."""
    # Wide means: painted strands are blurred in places, and noise has no direction.
    gx, gy = ndimage.sobel(luminance, 1), ndimage.sobel(luminance, 0)
    xx, yy, xy = (
        ndimage.gaussian_filter(v, len(luminance) / 80) for v in (gx * gx, gy * gy, gx * gy)
    )
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _ranks(values: FloatArray, shown: BoolArray) -> FloatArray:
    """Each value's share of smaller ones among those shown, 0..1 (by a normal law)."""
    some = values[shown] if shown.any() else values
    z = (values - some.mean()) / max(float(some.std()), 1e-9)
    return np.asarray(1.0 / (1.0 + np.exp(-1.7 * z)), np.float32)


@lru_cache(maxsize=16)
def strand_maps(path: Path, size: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Read the strands of a hair texture, whatever their colour.

    Returns:
        [size, size] float32 each: shade (linear light over the mean), alpha with ends in
        strands, and ranks 0..1 of fine strands and of locks, along the strands.
    """
    rgba = load_texture(path)
    if size != len(rgba):
        rgba = np.asarray(Image.fromarray(rgba).resize((size, size), Image.Resampling.BICUBIC))
    light = (rgba[..., :3] / 255.0) ** 2.2 @ np.array([0.3, 0.55, 0.15])
    alpha = (rgba[..., 3] / 255.0).astype(np.float32)
    dx, dy = _flow(np.sqrt(light))
    rng = np.random.default_rng(STREAKS)
    white = rng.random((size, size), np.float32)
    unit = size // 512 if size >= 512 else 1
    shown = alpha > 0.01
    fine = _ranks(_streaked(white, shown, dx, dy, LIC_STEPS), shown)
    # Locks are wide: at a quarter of the texture's size they still show.
    coarse = ndimage.gaussian_filter(rng.random((size // 4, size // 4), np.float32), 0.8)
    few = tuple(np.ascontiguousarray(v[2::4, 2::4]) for v in (shown, dx, dy))
    wide = Image.fromarray(_streaked(coarse, few[0], few[1], few[2], 3 * LIC_STEPS))
    locks = _ranks(np.asarray(wide.resize((size, size), Image.Resampling.BILINEAR)), shown)
    mean = float(light[alpha > 0.5].mean()) if (alpha > 0.5).any() else 0.1
    around = ndimage.gaussian_filter(light, 40.0 * unit, truncate=1.5)
    # Half of the painted shine stays; the renderer's light adds the rest.
    base = np.sqrt(np.maximum(around, 1e-4) * mean)
    shade = np.exp(np.clip(0.75 * np.log((light + 0.006) / (base + 0.006)), -1.2, 0.5))
    soft = ndimage.gaussian_filter(alpha, 2.5 * unit)
    full = np.maximum(ndimage.maximum_filter(soft, 9 * unit), 0.05)
    # Within a lock this is 1: only edges and ends break up.
    edge = soft / full + 0.5 * (fine - 0.5)
    ends = alpha * smoothstep(edge, 0.42, 0.72)
    shade *= np.exp(0.8 * (fine - 0.5))
    return shade.astype(np.float32), ends.astype(np.float32), fine, locks


def paint_heights(garment: Garment, heights: FloatArray, size: int) -> FloatArray:
    """Paint the rest heights of the cards' vertices into the texture.

    Args:
        garment: the cards.
        heights: [G] of its vertices, metres.
        size: pixels along the sides.

    Returns:
        [size, size] metres.
    """
    flat = np.concatenate([garment.uv.reshape(-1, 2), np.ones((3 * len(garment.f), 1))], 1)
    camera = Camera(np.eye(4), np.array([[size, 0, 0], [0, size, 0], [0, 0, 1.0]]), size, size)
    seen = rasterize_mesh(flat, np.arange(len(flat)).reshape(-1, 3), camera)
    corner = heights[garment.f]
    out = (corner[np.maximum(seen.face, 0)] * seen.bary).sum(-1)
    # Cards that share a place in the texture lie at several heights there: no borders then.
    shown = (seen.face >= 0).astype(np.float64)
    near = ndimage.gaussian_filter(shown, size / 40)
    mean = ndimage.gaussian_filter(out * shown, size / 40) / np.maximum(near, 1e-6)
    return np.where(near > 1e-3, mean, float(heights.max()))


def recolor_texture(
    path: Path,
    size: int,
    color: FloatArray,
    grey: float,
    ends: FloatArray,
    end_share: FloatArray,
    streak: FloatArray,
    streaks: float,
) -> NDArray[np.uint8]:
    """[size, size, 4] a library's hair texture in other colours, uint8.

    Args:
        path: of the texture.
        size: pixels along the sides.
        color: [3] sRGB of strands with pigment.
        grey: share of strands without pigment.
        ends: [3] sRGB of the tips.
        end_share: [size, size] 0..1 how far each texel belongs to the tips.
        streak: [3] sRGB of some of the locks.
        streaks: share of those locks.
    """
    shade, alpha, fine, locks = strand_maps(path, size)
    share = np.asarray(end_share, np.float32)[..., None]
    rgb = to_linear(color) * (1 - share) + to_linear(ends) * share
    if streaks > 0.0:
        chosen = 0.7 * smoothstep(locks, 1.0 - streaks - 0.08, 1.0 - streaks + 0.08)
        rgb = rgb * (1 - chosen[..., None]) + to_linear(streak) * chosen[..., None]
    if grey > 0.0:
        # Texels are wider than strands: they are more or less grey, hardly one or the other.
        apart = 0.7 * min(grey, 1.0 - grey)
        white = (grey + apart * (1.0 - 2.0 * fine))[..., None]
        rgb = rgb * (1 - white) + to_linear(WHITE) * white
    rgba = np.concatenate([to_srgb(rgb * shade[..., None]), alpha[..., None]], -1)
    return np.asarray(np.rint(255 * np.clip(rgba, 0, 1)), np.uint8)


def press_under_hat(
    points: FloatArray, f: IntArray, skin: BodySurface, centre: FloatArray, hat_below: float | None
) -> tuple[FloatArray, IntArray]:
    """Press hair under a hat: what is above its rim goes, and what nears it lies on the head.

    Args:
        points: [N, 3] of the hair at rest, metres.
        f: [F, 3] triangles of the hair.
        skin: the head's surface at rest.
        centre: [3] of the head, metres.
        hat_below: rest height in metres of the rim at the temples, or None: without a hat.

    Returns:
        The points [N, 3] and the rows of ``f`` that stay.
    """
    if hat_below is None:
        return points, np.arange(len(f))
    height, normals = skin.height(points)
    level = points[:, 1] - HAT_TILT * (points[:, 2] - centre[2])
    near = smoothstep(level, hat_below - 0.055, hat_below - 0.005)
    excess = np.clip(height - PRESSED, 0.0, 0.12)
    pressed = points - (near * excess)[:, None] * normals
    stays = np.flatnonzero(level[f].max(1) < hat_below)
    return pressed, stays
