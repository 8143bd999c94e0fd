"""Tells plain materials from prints by how their colours vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import FloatArray
from ..photo.photo_light import S as LIGHT
from ..surface.labels import SKIN


@dataclass(frozen=True)
class ClothMaterialSettings:
    """How much materials vary."""

    max_skin_detail: float = 0.06  # most of skin's texture, of its logarithm
    printed: tuple[float, float] = (5.0, 0.2)
    """Deviation in cloth's second hue that makes it a print: a*b* units, and over its chroma."""

    pastel: float = 2.0  # the same in its first hue over its chroma: several colours around grey


S = register_settings("lift.cloth_materials", ClothMaterialSettings())


@dataclass(frozen=True)
class Material:
    """How a material varies about its smoothed colour, in the logarithm.

    Attributes:
        most: soft limit of texture.
        print: whether its hue varies too: stripes, checks, flowers.
        odd: deviation from which on something is not the material.
    """

    most: float
    print: bool
    odd: float


def weigh_channels(colors: FloatArray) -> FloatArray:
    """Return the share of each channel in the light of a cloth's colours; they add up to one.

    The logarithm of a channel that a saturated colour hardly has is noise.

    Args:
        colors: [M, 3] 0..1.

    Returns:
        [3].
    """
    usual = np.clip(np.median(colors, axis=0), 0.0, None) + LIGHT.floor
    return np.asarray(usual / usual.sum())


def judge_material(
    shown: FloatArray,
    hue: FloatArray,
    chroma: float,
    weights: FloatArray,
    label: int,
    printed: bool,
) -> Material:
    """Judge a material where it is seen well.

    Args:
        shown: [M, 3] logarithm of its colours over the base.
        hue: [M, 2] a*b* of its colours less the base's.
        chroma: of the base: light changes the hue of a strong colour more.
        weights: [3] of :func:`weigh_channels`.
        label: index into ``labels.LABELS``.
        printed: whether its colours are several by themselves.
    """
    if label == SKIN:
        return Material(S.max_skin_detail, False, 3.0 * S.max_skin_detail)
    light = shown @ weights
    deviation = 1.48 * float(np.median(np.abs(light - np.median(light))))
    # Folds and highlights wash a colour out, which is one direction; flowers have several.
    _, axes = np.linalg.eigh(np.cov(hue.T))
    along = hue @ axes
    second, first = 1.48 * np.median(np.abs(along - np.median(along, axis=0)), axis=0)
    several = second > max(S.printed[0], S.printed[1] * chroma)
    several |= first > max(S.printed[0], S.pastel * chroma)
    if printed or several:
        most = max(5.0 * deviation, 0.04)
        return Material(most, True, 6.0 * most)
    return Material(max(1.5 * deviation, 0.02), False, max(3.0 * deviation, 0.12))
