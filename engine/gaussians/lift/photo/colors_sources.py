"""Which seen colours go round to what is not seen.

A back has no badges, buttons, ties or beards. What touches the outline goes round the body: a
colour is carried as far as it is also found on the flanks of the same limb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import SOLID


@dataclass(frozen=True)
class SourceSettings:
    """Which seen colours go round the body."""

    flank: float = 0.6  # cosine to the camera below which a surface counts as flank
    upright: float = 0.6  # how far from the limb's axis its normal is: shoulders' tops are none
    min_flank: int = 60  # texels of flank that can speak for a limb
    ring: float = 0.04  # metres along a limb within which
    few: int = 8  # texels of flank can speak for a ring; else what turns away most there does
    rare: float = 0.25  # of a colour's share on the flanks over that everywhere: not carried
    common: float = 0.6  # and fully carried
    rim_hair: float = 0.15  # inter-ocular distances inside the outline without its own colour
    outer_hair: float = 0.4  # the same within which light from behind gilds it most
    inner_hair: float = 0.7  # the same from which on it is in its own shade
    little_hair: float = 0.15  # of the hair: less than this inside says nothing
    backlight: tuple[float, float] = (20.0, 35.0)
    """L* by which outer hair is paler than inner from where on light may, and must, come from
    behind."""


S = register_settings("lift.colors_sources", SourceSettings())


_BIN = np.array([9.0, 7.0, 7.0])  # L*a*b* of a histogram's cell
_CELLS = (14, 32, 32)


def wraparound_weights(
    albedo: FloatArray, facing: FloatArray, level: FloatArray, part: IntArray, along: FloatArray
) -> FloatArray:
    """Weigh how much each seen point's colour belongs to what goes round its limb.

    Args:
        albedo: [N, 3] 0..1.
        facing: [N] cosine to the camera, across the limb.
        level: [N] 0..1 how far the normal is from the limb's own axis (the top of a shoulder is
            not a flank).
        part: [N] limb.
        along: [N] metres along it.

    Returns:
        [N] 0..1.
    """
    ring = np.floor((along - along.min(initial=0.0)) / S.ring).astype(np.int64)
    cell = _cells(albedo)
    out = np.ones(len(albedo))
    whole = (facing < S.flank) & (level > S.upright)
    for p in np.unique(part):
        own = part == p
        flank = own & whole
        if flank.sum() < S.min_flank:
            # An arm hides the flank: what turns away most stands for it.
            if own.sum() < 3 * S.min_flank:
                continue
            flank = own & (facing <= np.percentile(facing[own], 100.0 / 3.0))
        # A skirt whose sides both arms hide is no badge on the blouse above it.
        count = np.bincount(ring[flank], minlength=int(ring.max()) + 1)
        upright = own & (level > S.upright)
        for k in np.unique(ring[upright & (count[ring] < S.few)]):
            here = upright & (ring == k)
            flank |= here & (facing <= np.percentile(facing[here], 100.0 / 3.0))
        usual = _density(cell[own])
        there = _density(cell[flank])
        share = there[tuple(cell[own].T)] / np.maximum(usual[tuple(cell[own].T)], 1e-9)
        out[own] = np.clip((share - S.rare) / (S.common - S.rare), 0.0, 1.0)
    return out


def _cells(albedo: FloatArray) -> IntArray:
    lab = rgb_to_lab(np.clip(albedo, 0.0, 1.0))
    index = np.floor(lab / _BIN + [0.5, _CELLS[1] / 2, _CELLS[2] / 2]).astype(np.int64)
    return np.asarray(np.clip(index, 0, np.array(_CELLS) - 1))


def _density(cell: IntArray) -> FloatArray:
    flat = np.ravel_multi_index(tuple(cell.T), _CELLS)
    count = np.bincount(flat, minlength=int(np.prod(_CELLS))).reshape(_CELLS).astype(float)
    return np.asarray(ndimage.gaussian_filter(count, 0.9, mode="constant") / len(cell))


def measure_backlight(colors: FloatArray, hair: BoolArray, inside: FloatArray) -> float:
    """Return how surely (0..1) light from behind gilds the hair.

    Loose hair before the sun is pale for centimetres, and only its midst has its own colour.

    Args:
        colors: [H, W, 3] 0..1.
        hair: [H, W] pixels of hair.
        inside: [H, W] inter-ocular distances from the person's outline.
    """
    outer, inner = hair & (inside < S.outer_hair), hair & (inside >= S.inner_hair)
    if min(outer.sum(), inner.sum()) <= S.little_hair * hair.sum():
        return 0.0
    pale, own = (float(np.median(rgb_to_lab(colors[at])[:, 0])) for at in (outer, inner))
    low, high = S.backlight
    return float(np.clip((pale - own - low) / (high - low), 0.0, 1.0))


def find_deep_hair(backlight: float, inside: FloatArray) -> BoolArray:
    """Return the pixels [H, W] so deep inside that hair has its own colour there.

    Args:
        backlight: 0..1 of :func:`measure_backlight`.
        inside: [H, W] inter-ocular distances from the person's outline.
    """
    return np.asarray(inside > S.rim_hair + backlight * (S.inner_hair - S.rim_hair))


def select_lit_hair(
    colors: FloatArray, alpha: FloatArray, hair: BoolArray, near_skin: BoolArray, deep: BoolArray
) -> BoolArray:
    """Select the pixels that show the hair's own colour.

    Strands that shade into the skin beside the face, those at the outline that the background
    shines through, the deepest shadow and rim light are left out.

    Args:
        colors: [H, W, 3] 0..1.
        alpha: [H, W] 0..1 of the matte.
        hair: [H, W] pixels of hair.
        near_skin: [H, W] pixels beside skin.
        deep: [H, W] pixels well inside the person.

    Returns:
        [H, W]; ``hair`` itself where too little is left.
    """
    good = hair & (alpha > SOLID) & ~near_skin & deep
    if good.sum() < 0.2 * hair.sum():
        good = hair & (alpha > SOLID)
    if not good.any():
        return hair
    light = colors.mean(-1)
    low, high = np.percentile(light[good], [25, 85])
    return np.asarray(good & (light >= low) & (light <= high))
