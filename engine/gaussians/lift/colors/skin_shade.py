"""The colour of shade on skin: what the light leaves dark is redder than what it lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import FloatArray
from ..photo.photo_light import S as LIGHT


@dataclass(frozen=True)
class SkinShadeSettings:
    """How the colour of shade is measured on the skin that a photo shows."""

    sure: float = 0.3  # trust in a texel's colour from which it counts
    least: int = 200  # of these, or there is too little skin to tell
    bins: int = 10  # of lightness, of which each counts as its median
    span: tuple[float, float] = (0.02, 0.98)  # quantiles of lightness that the bins cover
    range: float = 0.15  # logarithm of the lightest bin's light over the darkest's, at least
    most: float = 0.25  # by which a channel's light may fall off faster or slower than the mean


S = register_settings("lift.skin_shade", SkinShadeSettings())


def tint_shade(color: FloatArray, shade: FloatArray, trust: FloatArray) -> FloatArray:
    """Find the colour of shade on skin that the fitted light does not account for.

    Red light goes further in skin than blue light, and highlights hide its colour: multiplied by
    that light alone, lit skin would turn grey where it is dark. The photo's skin shows by how much.

    Args:
        color: [N, 3] the photo's colours of skin, 0..1.
        shade: [N, 3] fitted light, there and on the skin that the photo does not show.
        trust: [N] 0..1 how far a colour may be carried; 0 where none is seen.

    Returns:
        [N, 3] by which shaded skin is to be multiplied, of mean 1 in each row.
    """
    sure = trust > S.sure
    if sure.sum() < S.least:
        return np.ones_like(shade)
    light = np.log(color[sure].mean(1) + LIGHT.floor)
    albedo = np.log(color[sure] / shade[sure] + LIGHT.floor)
    balance = albedo - albedo.mean(1, keepdims=True)
    edges = np.quantile(light, np.linspace(*S.span, S.bins + 1))
    which = np.digitize(light, edges) - 1
    filled = [k for k in range(S.bins) if (which == k).any()]
    middle = np.array([np.median(light[which == k]) for k in filled])
    if len(middle) < 2 or np.ptp(middle) < S.range:
        return np.ones_like(shade)
    tone = np.stack([np.median(balance[which == k], axis=0) for k in filled])
    slope = np.clip(np.polyfit(middle, tone, 1)[0], -S.most, S.most)
    dark = np.log(shade.mean(1) / np.average(shade[sure].mean(1), weights=trust[sure]))
    tint = np.exp(dark[:, None] * slope)
    return np.asarray(tint / tint.mean(1, keepdims=True))
