"""Shadows that one limb throws on another beside it: right in the photo's pose, wrong in others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray
from .depth_sheets import DepthSheet, LimbBorders, composite_sheets
from .labels import LOWER, SKIN, UPPER
from .pixel_grids import dilate, smooth_within
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
    floor: float = 0.02  # added to colours before their logarithm


S = register_settings("lift.contact_shadows", ContactShadowSettings())


def find_contact_shadows(
    colors: FloatArray, regions: Regions, sheets: tuple[DepthSheet, ...], borders: LimbBorders
) -> BoolArray:
    """Find the pixels [H, W] that a limb in front of them shades.

    Args:
        colors: [H, W, 3] 0..1 of the foreground.
        regions: of the photo.
        sheets: the trunk and the arms.
        borders: where they end in front of each other.
    """
    out: BoolArray = np.zeros_like(regions.mask)
    front = composite_sheets(sheets, "front")
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
    for label in (SKIN, UPPER, LOWER):
        own = regions.mask & (regions.label == label) & (regions.group != HEAD)
        plain = own & ~band & ~borders.behind
        here = own & band
        if not here.any() or not plain.any():
            continue
        usual = smooth_within(light, plain, width)
        spread = np.sqrt(np.maximum(smooth_within((light - usual) ** 2, plain, width), 0.0))
        near = ndimage.gaussian_filter(plain.astype(float), width) > 1e-3
        least = np.maximum(S.darker, S.steady * spread)
        same = np.abs(hue - smooth_within(hue, plain, width)).max(-1) < S.hue
        out |= here & near & same & (light < usual - least)
    return np.asarray(dilate(out, 1) & band)
