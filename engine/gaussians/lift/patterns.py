"""Cloth with an all-over pattern: flowers, checks, batik, a leopard's spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...core.color import rgb_to_lab
from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray
from .labels import LOWER, UPPER
from .pixel_grids import erode, smooth_within


@dataclass(frozen=True)
class PatternSettings:
    """When cloth is patterned."""

    reach: float = 0.35  # inter-ocular distances around a pixel with which it is compared
    hues: float = 11.0  # a*b* units, the median difference: badges and shadows cover less
    ratios: float = 0.15  # the same of the channels' logarithms: folds change hues, but not these
    lights: float = 10.0  # the same of L*, whatever the hues: folds are wider, or fainter
    floor: float = 0.08  # added to channels before their logarithm
    few: int = 400  # pixels of cloth below which it is plain
    least_pattern: float = 18.0
    """Squared inter-ocular distances below which several colours are letters, not a pattern.

    Two jerseys between bare arms show 10 and 14, six patterned clothes 25 and more.
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
        off = (values - smooth_within(values, own, reach))[own]
        away = [
            float(np.median(np.linalg.norm(off[:, channels], axis=1)))
            for channels in (slice(1, 3), slice(3, 6), slice(0, 1))
        ]
        if (away[0] > S.hues and away[1] > S.ratios) or away[2] > S.lights:
            small = own.sum() < S.least_pattern * unit**2 and not worn[-1].any()
            (lettered if small else patterned).add(cloth)
    return Prints(frozenset(patterned), frozenset(lettered))
