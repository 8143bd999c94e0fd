"""Shadows that one limb throws on another beside it: right in the photo's pose, wrong in others.

They are lightened before anything is made of the photo, so that weave and folds stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import FloatArray, Matte
from ...imaging.resize import resize
from .depth_sheets import DepthSheet, composite_sheets, find_limb_borders
from .labels import LOWER, SKIN, UPPER
from .pixel_grids import smooth_within
from .regions import HEAD, Regions


@dataclass(frozen=True)
class ContactShadowSettings:
    """Shadows beside a limb in front."""

    reach: float = 0.45  # inter-ocular distances from the limb
    jump: float = 0.02  # metres that the limb stands in front, at least
    off_head: float = 0.08  # metres from the head: under a chin it is dark in every pose
    beside: float = 0.7  # inter-ocular distances over which the cloth's usual light is taken
    darker: float = 0.18  # of the logarithm, below that light
    steady: float = 2.0  # the same in deviations of the cloth's own folds
    hue: float = 0.05  # most that shares of red, green and blue differ: else it is an object
    most: float = 1.2  # of the logarithm, that a shadow is lightened: deeper ones hide everything
    shown: float = 1e-3  # share of lit cloth around a place that tells its usual light
    feather: float = 0.7  # pixels over which the lightening begins
    floor: float = 0.02  # added to colours before their logarithm


S = register_settings("lift.contact_shadows", ContactShadowSettings())


def find_contact_shadows(
    colors: FloatArray, regions: Regions, sheets: tuple[DepthSheet, ...]
) -> FloatArray:
    """Find what a limb in front shades, and how much.

    Args:
        colors: [H, W, 3] 0..1 of the foreground.
        regions: of the photo.
        sheets: the trunk and the arms.

    Returns:
        [H, W] factor, 1 or more, that brings each pixel to the light around the shadow.
    """
    out = np.ones(regions.mask.shape)
    front = composite_sheets(sheets, "front")
    borders = find_limb_borders(sheets, regions.mask)
    row, col = np.moveaxis(borders.nearer, -1, 0)
    rows, cols = np.mgrid[: out.shape[0], : out.shape[1]]
    away = np.hypot(row - rows, col - cols) / regions.unit
    band = regions.mask & (away < S.reach) & (front > front[row, col] + S.jump)
    band &= (regions.group != HEAD) & (regions.places.from_head > S.off_head)
    if not band.any():
        return out
    light = np.log(colors.mean(-1) + S.floor)
    hue = (colors + S.floor) / (colors + S.floor).sum(-1, keepdims=True)
    width = S.beside * regions.unit
    missing = np.zeros(out.shape)
    for label in (SKIN, UPPER, LOWER):
        own = regions.mask & (regions.label == label) & (regions.group != HEAD)
        plain = own & ~band & ~borders.behind
        here = own & band
        if not here.any() or not plain.any():
            continue
        usual = smooth_within(light, plain, width)
        spread = np.sqrt(np.maximum(smooth_within((light - usual) ** 2, plain, width), 0.0))
        near = ndimage.gaussian_filter(plain.astype(float), width) > S.shown
        least = np.maximum(S.darker, S.steady * spread)
        same = np.abs(hue - smooth_within(hue, plain, width)).max(-1) < S.hue
        shaded = here & near & same & (light < usual - least)
        missing[shaded] = np.minimum(usual - light, S.most)[shaded]
    return np.asarray(np.exp(smooth_within(missing, band, S.feather)) * band + ~band)


def relight(matte: Matte, gain: FloatArray) -> Matte:
    """Return a matte whose colours are multiplied by a factor [h, w] of a coarser grid."""
    height, width = matte.alpha.shape
    factor = resize(gain.astype(np.float32), width, height, "bilinear")[..., None]
    lit = np.clip(matte.foreground * factor, 0.0, 1.0)
    return replace(matte, foreground=lit.astype(np.float32))
