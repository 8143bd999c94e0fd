"""Cloth with an all-over pattern: flowers, checks, batik, a leopard's spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import erode, smooth_within
from ..surface.labels import LOWER, UPPER


@dataclass(frozen=True)
class PatternSettings:
    """When cloth is patterned."""

    reach: float = 0.35  # inter-ocular distances around a pixel with which it is compared
    hues: float = 11.0  # a*b* units, the median difference: badges and shadows cover less
    ratios: float = 0.15  # the same of the channels' logarithms: folds change hues, but not these
    lights: float = 10.0  # the same of L*, whatever the hues: folds are wider, or fainter
    floor: float = 0.08  # added to channels before their logarithm
    few: int = 400  # pixels of cloth below which it is plain
    mark: float = 22.0  # L*a*b* units by which dots and zigzags stand out from what is around them
    even: float = 0.96  # share of the cloth near such marks: folds and badges leave more of it bare
    near: float = 0.8  # inter-ocular distances that are near one
    dense: float = 3.8  # marks on a square inter-ocular distance
    rim: float = 0.15  # inter-ocular distances along the cloth's edges that are left out
    least_marked: float = 5.0  # squared inter-ocular distances that show it
    least_pattern: float = 24.0
    """Squared inter-ocular distances below which several colours are letters, not a pattern.

    Three jerseys between bare arms show 10, 14 and 23, six patterned clothes 25 and more.
    """

    spread: float = 0.86
    """Share of the cloth near marks below which they are letters.

    A jersey with letters has 0.76, a dozen patterned clothes 0.88 and more.
    """


S = register_settings("lift.patterns", PatternSettings())


class Prints(NamedTuple):
    """Clothes of several colours, as indices into ``labels.LABELS``.

    Attributes:
        patterned: those with an all-over pattern.
        lettered: those that show too little cloth for a pattern, so probably letters.
    """

    patterned: frozenset[int]
    lettered: frozenset[int]


def find_prints(colors: FloatArray, label: IntArray, solid: BoolArray, unit: float) -> Prints:
    """Find which clothes have an all-over pattern, and which have letters.

    Clothes that the frame cuts go on beyond it, and count as larger.

    Args:
        colors: [H, W, 3] 0..1.
        label: [H, W] index into ``labels.LABELS``.
        solid: [H, W] pixels that the person covers wholly.
        unit: pixels between the eyes.
    """
    lab = rgb_to_lab(colors)
    ratio = np.log(np.clip(colors, 0.0, 1.0) + S.floor)
    ratio -= ratio.mean(-1, keepdims=True)
    patterned: set[int] = set()
    lettered: set[int] = set()
    reach = S.reach * unit
    for cloth in (UPPER, LOWER):
        worn = solid & (label == cloth)
        own = erode(worn, 1)
        if own.sum() < S.few:
            continue
        values = np.dstack([lab, ratio])
        off = values - smooth_within(values, own, reach)
        away = [
            float(np.median(np.linalg.norm(off[own][:, channels], axis=1)))
            for channels in (slice(1, 3), slice(3, 6), slice(0, 1))
        ]
        several = (away[0] > S.hues and away[1] > S.ratios) or away[2] > S.lights
        count, near = _find_marks(off[..., :3], own, unit)
        area = own.sum() / unit**2
        # Dots are too few for a median to notice.
        dotted = area >= S.least_marked and near > S.even and count > S.dense * area
        if several or dotted:
            small = area < S.least_pattern and not worn[-1].any()
            (lettered if small or near < S.spread else patterned).add(cloth)
    return Prints(frozenset(patterned), frozenset(lettered))


def _find_marks(off: FloatArray, own: BoolArray, unit: float) -> tuple[int, float]:
    """Return how many small marks lie on a cloth, and the share of the cloth that is near one.

    Args:
        off: [H, W, 3] L*a*b* less what is around each pixel.
        own: [H, W] pixels of the cloth.
        unit: pixels between the eyes.
    """
    mark = (np.linalg.norm(off, axis=-1) > S.mark) & erode(own, max(1, round(S.rim * unit)))
    if not mark.any():
        return 0, 0.0
    near = ndimage.distance_transform_edt(~mark) < S.near * unit
    return ndimage.label(mark, np.ones((3, 3)))[1], float(near[own].mean())
