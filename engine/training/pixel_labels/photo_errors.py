"""How photos differ from clean renderings: other colours, wrong mattes, things in front, the file.

Everything works on a square of :data:`SIDE` pixels that has been cut already.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray
from ...gaussians.lift.pixels.labels_parser import PARSED
from ..atlas_labels.garments import random_color
from .people import UNKNOWN

SKIN, HAIR = PARSED.index("skin"), PARSED.index("hair")
WORN = tuple(PARSED.index(name) for name in ("upper", "lower", "shoes", "hat"))


@dataclass(frozen=True)
class PhotoErrorSettings:
    """How often (0..1) and how far pictures are changed."""

    recolor: float = 0.6  # of pieces of clothing that get another colour
    like_skin: float = 0.05  # of those, colours close to the person's skin
    like_hair: float = 0.05  # the same, to the hair
    plain: float = 0.28  # the same, white, grey or black
    pattern: float = 0.2  # of pieces that get a pattern
    other_hair: float = 0.5
    other_skin: float = 0.4
    held: float = 0.15  # of pictures with something in front of the person
    spill: float = 0.2  # of pictures whose mask holds some of the background
    gaps: float = 0.1  # of pictures whose mask lacks parts of the person
    rim: float = 2.0  # pixels by which a mask's border may lie off, at most
    blur: float = 0.25
    noise: float = 0.3
    jpeg: float = 0.35


S = register_settings("training.photo_errors", PhotoErrorSettings())

_HAIRS = np.array(
    [
        [0.06, 0.05, 0.05],
        [0.16, 0.11, 0.08],
        [0.30, 0.20, 0.12],
        [0.48, 0.34, 0.20],
        [0.72, 0.58, 0.38],
        [0.85, 0.78, 0.62],
        [0.50, 0.22, 0.10],
        [0.62, 0.61, 0.60],
        [0.88, 0.87, 0.85],
    ]
)


def smooth_noise(rng: np.random.Generator, side: int, cells: int) -> FloatArray:
    """Return smooth noise [side, side] of about unit size.

    Args:
        rng: random numbers.
        side: pixels.
        cells: independent values along a side.
    """
    coarse = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def random_pattern(rng: np.random.Generator, side: int) -> FloatArray:
    """Return a pattern [side, side, 3] of two colours or more: stripes, checks, dots, prints.

    Args:
        rng: random numbers.
        side: pixels.
    """
    y, x = np.mgrid[:side, :side].astype(np.float32)
    x, y = x + 6.0 * smooth_noise(rng, side, 6), y + 6.0 * smooth_noise(rng, side, 6)
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    period = float(np.exp(rng.uniform(np.log(4), np.log(50))))
    share = rng.uniform(-0.6, 0.6)
    kind = rng.integers(4)
    if kind == 0:
        weight = np.sin(2 * np.pi * u / period) > share
    elif kind == 1:
        weight = 0.5 * (np.sin(2 * np.pi * u / period) > share)
        weight = weight + 0.5 * (np.sin(2 * np.pi * v / period) > share)
    elif kind == 2:
        weight = np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period) > 0.4 + 0.4 * share
    else:
        weight = smooth_noise(rng, side, int(rng.integers(6, 40))) > share
    one, two = random_color(rng), random_color(rng)
    out = one + np.asarray(weight, np.float32)[..., None] * (two - one)
    if rng.random() < 0.3:
        blobs = smooth_noise(rng, side, int(rng.integers(6, 30))) > 1.0
        out = np.where(blobs[..., None], random_color(rng), out)
    return np.asarray(out)


def recolor_people(
    rgb: FloatArray, label: IntArray, piece: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Give garments, hair and skin other colours; light and folds stay.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        label: [H, W] rows of ``PARSED``.
        piece: [H, W] number of the garment.
        rng: random numbers.

    Returns:
        [H, W, 3].
    """
    out = rgb.copy()
    own = label == SKIN
    skin = np.median(rgb[own], 0) if own.any() else np.array([0.7, 0.5, 0.4])
    if own.any() and rng.random() < S.other_skin:
        tint = np.exp(rng.normal(0, 0.18) + rng.normal(0, 0.05, 3))
        out[own], skin = out[own] * tint, skin * tint
    own = label == HAIR
    hair = np.median(rgb[own], 0) if own.any() else np.array([0.1, 0.08, 0.07])
    if own.any() and rng.random() < S.other_hair:
        new = _HAIRS[rng.integers(len(_HAIRS))] * np.exp(rng.normal(0, 0.2))
        if rng.random() < 0.05:
            new = random_color(rng)
        gain = min(2.5, (new.mean() + 0.08) / (hair.mean() + 0.08))
        out[own], hair = new + (out[own] - hair) * gain, new
    cloth = np.isin(label, WORN)
    for one in np.unique(piece[cloth]):
        own = cloth & (piece == one)
        if rng.random() > S.recolor:
            continue
        middle = np.median(rgb[own], 0)
        draw = rng.random()
        new = random_color(rng)
        if draw < S.like_skin:
            new = skin * np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
        elif draw < S.like_skin + S.like_hair:
            new = hair * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3))
        elif draw < S.like_skin + S.like_hair + S.plain:
            new = np.full(3, rng.choice([0.04, 0.1, 0.3, 0.6, 0.85, 0.95])) + rng.normal(0, 0.02, 3)
        shade = (rgb[own].mean(-1) + 0.05) / (middle.mean() + 0.05)
        shade = shade[:, None] ** rng.uniform(0.5, 1.2)
        if rng.random() < S.pattern:
            pattern = random_pattern(rng, len(rgb))[own]
            new = 0.6 * new + 0.4 * pattern if rng.random() < 0.5 else pattern
        detail = (rgb[own] - middle) * rng.uniform(0.0, 0.3)
        out[own] = new * shade + detail
    return np.asarray(np.clip(out, 0, 1))


def random_shape(rng: np.random.Generator, side: int, at: FloatArray, size: float) -> BoolArray:
    """Return a random blob or bar [side, side].

    Args:
        rng: random numbers.
        side: pixels.
        at: [2] row and column of its middle.
        size: pixels from the middle to the border.
    """
    y, x = np.mgrid[:side, :side]
    turn, long = rng.uniform(0, np.pi), rng.uniform(1, 4) ** rng.choice([0, 1])
    u = (x - at[1]) * np.cos(turn) + (y - at[0]) * np.sin(turn)
    v = (y - at[0]) * np.cos(turn) - (x - at[1]) * np.sin(turn)
    u, v = u / (size * long), v * long / size
    if rng.random() < 0.4:
        return np.asarray(np.maximum(np.abs(u), np.abs(v)) < 1.0)
    return np.asarray(np.hypot(u, v) + 0.25 * smooth_noise(rng, side, 8) < 1.0)


def hold_something(
    rgb: FloatArray, label: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Put something in front of the person.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        label: [H, W] rows of ``PARSED``.
        rng: random numbers.

    Returns:
        The picture, and the labels, none where that thing is.
    """
    people = np.argwhere((label != PARSED.index("none")) & (label != UNKNOWN))
    if rng.random() > S.held or len(people) == 0:
        return rgb, label
    side = len(rgb)
    at = people[rng.integers(len(people))]
    thing = random_shape(rng, side, at, rng.uniform(0.03, 0.14) * side)
    color = random_pattern(rng, side) if rng.random() < 0.5 else random_color(rng)
    light = 1.0 + 0.2 * smooth_noise(rng, side, 4)[..., None]
    painted = np.where(thing[..., None], np.clip(color * light, 0, 1), rgb)
    return painted, np.where(thing, PARSED.index("none"), label)


def spoil_mask(
    alpha: FloatArray, behind: BoolArray, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Make a matte's mistakes.

    Args:
        alpha: [H, W] 0..1.
        behind: [H, W] pixels that show the background.
        rng: random numbers.

    Returns:
        The mask [H, W], and where it shows background [H, W].
    """
    side = len(alpha)
    level: FloatArray | float = 0.5
    soft = alpha
    if rng.random() < 0.6:
        soft = ndimage.gaussian_filter(alpha, rng.uniform(0.5, S.rim))
        level = np.clip(0.5 + 0.25 * smooth_noise(rng, side, 10) + rng.normal(0, 0.1), 0.1, 0.9)
    mask = soft > level
    near = np.argwhere(mask)
    if len(near) and rng.random() < S.spill:
        for _ in range(rng.integers(1, 4)):
            at = near[rng.integers(len(near))] + rng.normal(0, 0.08 * side, 2)
            mask |= random_shape(rng, side, at, rng.uniform(0.02, 0.12) * side)
    if len(near) and rng.random() < S.gaps:
        at = near[rng.integers(len(near))]
        mask &= ~random_shape(rng, side, at, rng.uniform(0.02, 0.08) * side)
    return np.asarray(mask), np.asarray(mask & behind)


def spoil_colors(rgb: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Change light, camera and file of a picture.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        rng: random numbers.

    Returns:
        [H, W, 3].
    """
    side = len(rgb)
    if rng.random() < 0.3:  # light from one side
        rgb = rgb * np.exp(0.3 * smooth_noise(rng, side, 3))[..., None]
    rgb = np.clip(rgb, 0, 1) ** np.exp(rng.normal(0, 0.15))
    rgb = rgb * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3))
    rgb = 0.5 + np.exp(rng.normal(0, 0.15)) * (rgb - 0.5)
    grey = rgb.mean(-1, keepdims=True)
    saturation = 0.0 if rng.random() < 0.02 else np.exp(rng.normal(0, 0.15))
    rgb = grey + saturation * (rgb - grey)
    if rng.random() < S.blur:
        sigma = rng.uniform(0.3, 1.6)
        rgb = ndimage.gaussian_filter(rgb, (sigma, sigma, 0))
    if rng.random() < S.noise:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32) * rng.uniform(0.005, 0.04)
        if rng.random() < 0.5:
            noise = ndimage.gaussian_filter(noise, (0.7, 0.7, 0)) * 2.0
        rgb = rgb + noise
    rgb = np.clip(rgb, 0, 1)
    if rng.random() < S.jpeg:
        file = io.BytesIO()
        Image.fromarray(np.round(255 * rgb).astype(np.uint8)).save(
            file, "JPEG", quality=int(rng.integers(25, 92))
        )
        rgb = np.asarray(Image.open(file), np.float32) / 255.0
    return np.asarray(rgb, np.float32)
