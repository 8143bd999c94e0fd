"""Bare skin beside clothes of clearly other colours.

Rules of place dress every trunk, and the parser knows few bare ones: bellies between two garments
and chests above a strapped top are then called cloth, and teach what its colours are. Where the
person's clothes and skin have colours of their own, these decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import fit_colors
from ..grids.pixel_grids import dilate, erode
from ..grids.pixel_smoother import PixelSmoother
from ..surface.labels import LOWER, SKIN, UPPER, NamesArray


@dataclass(frozen=True)
class BareSkinSettings:
    """Bare skin among the clothes' pixels."""

    sure: float = 0.9  # the parser's probability of pixels that teach a colour
    unlike: float = 0.05  # and the most that it may see of the other of the two there
    least: int = 200  # pixels that teach each
    usual: float = 10.0  # percentile of the surest skin's density from which on a colour is skin's
    alike: float = 0.25  # most of the sure cloth that may have such colours
    mixed: float = 0.03  # most of either that may look like the other
    most: float = 6.0  # log odds of one pixel
    doubt: float = 0.02  # probability that the parser leaves both
    thin: float = 0.12  # inter-ocular distances from the edge that bare skin reaches somewhere
    seen: float = 0.12  # the parser's mean probability of skin on a bare patch: prints have less
    like_skin: float = 0.6  # share of its colours that are skin's: a limb's shade has other ones
    hue: float = 0.022  # of the scaled a* and b* by which skin in shade differs at most
    small: float = 0.25  # squared inter-ocular distances that it covers at least
    large: float = 6.0  # and at most on a trunk between sleeves: more is a top under a jacket
    sleeved: float = 0.5  # share of the arms that is clothed then


S = register_settings("lift.bare_skin", BareSkinSettings())


def label_bare_skin(
    label: IntArray,
    colors: FloatArray,
    skin: FloatArray,
    cloth: FloatArray,
    plain: BoolArray,
    part: NamesArray,
    mask: BoolArray,
    smoother: PixelSmoother,
    unit: float,
) -> IntArray:
    """Label upper and lower wear that has the skin's colours as skin, if the clothes differ.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        colors: [N, 3] L*a*b* of the mask's pixels, scaled for a colour model.
        skin: [N] the parser's probability of skin.
        cloth: [N] the same of upper or lower wear.
        plain: [N] pixels that teach what skin looks like: no eyes, lips or brows.
        part: [N] name of the body's part.
        mask: [H, W] the person.
        smoother: of the mask.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    worn = np.isin(label[mask], [UPPER, LOWER])
    clothed = worn & (cloth > S.sure) & (skin < S.unlike)
    bare = (label[mask] == SKIN) & (skin > S.sure) & plain
    if min(clothed.sum(), bare.sum()) < S.least:
        return label
    of_skin = fit_colors(colors[bare], components=4).log_density(colors, equal=False)
    alike = of_skin > np.percentile(of_skin[bare], S.usual)
    if alike[clothed].mean() > S.alike:
        return label
    # What the parser takes for cloth and looks like skin may be bare, and does not teach.
    clothed &= ~alike
    of_cloth = fit_colors(colors[clothed], components=6).log_density(colors, equal=False)
    odds = of_skin - of_cloth
    if max((odds[clothed] > 0).mean(), (odds[bare] < 0).mean()) > S.mixed:
        return label
    odds = np.clip(odds, -S.most, S.most) + np.log((skin + S.doubt) / (cloth + S.doubt))
    taken = np.zeros(mask.shape, bool)
    taken[mask] = worn & (smoother(np.clip(odds, -S.most, S.most)[:, None])[:, 0] > 0)
    # Shades and mixed colours beside a bare arm are thin.
    wide = max(1, round(S.thin * unit))
    taken &= dilate(erode(taken, wide), 2 * wide)
    patches, count = ndimage.label(taken, np.ones((3, 3)))
    rows = patches[mask]

    def mean(of: FloatArray) -> FloatArray:
        total, size = (np.bincount(rows, weights, count + 1) for weights in (of, None))
        return np.asarray(total / np.maximum(size, 1))

    on_arm = part == "arm"
    sleeved = (worn & on_arm & (rows == 0)).sum() > S.sleeved * on_arm.sum()
    area = np.bincount(rows, minlength=count + 1) / unit**2
    # Shade leaves skin its hue: a* and b* are the last two.
    hue = np.column_stack([mean(colors[:, k]) for k in (1, 2)])
    off = hue - np.median(colors[bare, 1:], axis=0)
    believed = (mean(1.0 * alike) > S.like_skin) | (np.linalg.norm(off, axis=1) < S.hue)
    believed &= (mean(skin) > S.seen) & (area > S.small)
    believed &= (area < S.large) | (mean(1.0 * (part == "torso")) < 0.5) | ~sleeved
    believed[0] = False
    return np.where(believed[patches], SKIN, label)
