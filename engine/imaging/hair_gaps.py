"""Gaps between locks and curls, through which an even background shows.

The networks behind the matte call the outline of hair solid, with the wall that shows between the
strands. From the front nobody notices; from the side it lies on the hair as pale scribbles. Near
the outline, what has the colour of the wall is the wall, and what lies between that colour and the
hair's is partly covered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..core.color import rgb_to_lab
from ..core.distances import measure_depth
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray
from .local_means import mean_around
from .matte_check import HEAD, BodyMap
from .matting import SOLID_ALPHA
from .resize import resize


@dataclass(frozen=True)
class HairGapSettings:
    """Gaps in hair. Lengths are shares of the square root of the fitted head's area."""

    side: int = 640  # pixels along the longer side of the head's surroundings, at most
    resolved: float = 60.0  # pixels of the photo that the unit of lengths has at least
    beyond: float = 1.1  # of the head's box to each side, for its hair
    hair: float = 1.7  # around the head in which hair is
    off_body: float = 0.02  # beside the fitted body's outline
    around: float = 0.3  # standard deviation of the surroundings that give the wall's colour
    least: float = 1e-3  # share of the wall in those below which nothing is known
    even: float = 4.0  # CIE Lab: most deviation of an even wall
    dark: float = 20.0  # CIE lightness of a wall below which hair's shadows look like it
    alike: tuple[float, float] = (3.0, 1.5)  # CIE Lab, and deviations, that a gap is off it at most
    unlike: float = 20.0  # CIE Lab between the hair and the wall, at least
    clear: float = 4.5  # times what a gap may be off the wall that the hair must be off it
    strands: float = 0.12  # standard deviation of the surroundings that give the hair's colour
    mostly: float = 0.6  # share of the person's pixels there that are unlike the wall
    deep: float = 0.08  # from the outline to a gap, at most
    aside: float = 0.25  # distance from the line between both colours at most, as a share
    rim: float = 0.02  # around gaps, and along the outline, where pixels mix both colours
    near_gap: float = 0.15  # from a gap along the outline: farther off it may be a hat's
    covered: float = 0.8  # share of the way from the wall's colour to the hair's that is all hair


S = register_settings("imaging.hair_gaps", HairGapSettings())


def open_hair_gaps(rgb: FloatArray, alpha: FloatArray, body: BodyMap) -> FloatArray:
    """Find how much of each pixel the hair covers at most.

    Args:
        rgb: [H, W, 3] sRGB 0..1 of the photo.
        alpha: [H, W] 0..1 of its matte.
        body: the fitted body in the photo.

    Returns:
        [H, W] float32 0..1; one where nothing is to be opened.
    """
    height, width = alpha.shape
    covered = np.ones((height, width), np.float32)
    head = body.part == HEAD
    scale = height / head.shape[0]  # pixels of the photo for each of the map
    if np.sqrt(head.sum()) * scale < S.resolved:
        return covered
    rows, cols = (
        _widened(head.any(axis), S.beyond * np.sqrt(head.sum()), scale, longest)
        for axis, longest in ((1, height), (0, width))
    )
    tall, wide = rows.stop - rows.start, cols.stop - cols.start
    step = min(1.0, S.side / max(tall, wide))
    size = max(1, round(wide * step)), max(1, round(tall * step))
    unit = float(np.sqrt(head.sum())) * scale * step

    def crop(values: FloatArray) -> FloatArray:
        return resize(np.asarray(values[rows, cols], np.float32), *size, "area")

    def crop_map(values: FloatArray) -> FloatArray:
        return crop(resize(np.asarray(values, np.float32), width, height, "bilinear"))

    to_head = measure_depth(~head)
    to_rest = measure_depth((body.part < 0) | head)
    near = (to_head < S.hair * np.sqrt(head.sum())) & (to_head < to_rest)
    beside = crop_map(body.inside) * scale * step < -S.off_body * unit
    lab = rgb_to_lab(np.clip(crop(rgb), 0.0, 1.0))
    share = _find_cover(lab, crop(alpha), beside & (crop_map(near) > 0.5), unit)
    covered[rows, cols] = resize(np.asarray(share, np.float32), wide, tall, "bilinear")
    return covered


def _widened(inside: BoolArray, margin: float, scale: float, longest: int) -> slice:
    """Rows or columns of the photo around those of the map, with a margin in the map's pixels."""
    first, last = np.nonzero(inside)[0][[0, -1]]
    low, high = int(scale * (first - margin)), int(scale * (last + 1 + margin))
    return slice(max(low, 0), min(high, longest))


def _find_cover(lab: FloatArray, alpha: FloatArray, hair: BoolArray, unit: float) -> FloatArray:
    """[H, W] 0..1: how much of each pixel hair covers.

    Args:
        lab: [H, W, 3] CIE Lab of the photo.
        alpha: [H, W] 0..1 of the matte.
        hair: [H, W] pixels beside the head.
        unit: square root of the head's area, pixels.
    """
    wall = ndimage.binary_erosion(alpha < 0.02, iterations=2)
    behind, spread = mean_around(lab, wall, S.around * unit, S.least)
    near = S.alike[0] + S.alike[1] * np.minimum(spread, S.even)
    away = np.linalg.norm(lab - behind, axis=-1)
    even = (spread < S.even) & (behind[..., 0] > S.dark)
    hair = hair & even
    solid = hair & (alpha > 0.3)
    if not (solid & (away < near)).any():
        return np.ones(alpha.shape)
    unlike = away > S.unlike
    weight = np.where(hair & (alpha > SOLID_ALPHA) & unlike, away**2, 0.0)
    own, varies = mean_around(lab, weight, S.strands * unit)
    mostly, _ = mean_around(unlike[..., None].astype(float), solid, S.strands * unit)
    way = own - behind
    length = np.maximum(np.linalg.norm(way, axis=-1), 1e-6)
    may = hair & np.isfinite(varies) & (length > np.maximum(S.unlike, S.clear * near))
    may &= (mostly[..., 0] > S.mostly) & (measure_depth(alpha > 0.02) < S.deep * unit)
    gaps = may & solid & (away < near)
    first = near / length
    along = ((lab - behind) * way).sum(-1) / length**2
    aside = np.linalg.norm(lab - behind - along[..., None] * way, axis=-1)
    mixed = may & (aside < S.aside * length)
    to_gap = measure_depth(~gaps)
    rim = (to_gap < S.near_gap * unit) & (measure_depth(alpha >= 0.02) < S.rim * unit)
    mixed &= rim | (to_gap < S.rim * unit)
    share = np.clip((along - first) / (S.covered - first), 0.0, 1.0)
    return np.where(mixed, share, 1.0)
