"""Sleeves that show around bare hands.

A forearm that points at the camera hides behind its hand, and its sleeve shows around that. The
fitted body says hand there, which rules of place know as skin. Where cloth and skin have colours
of their own, these decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import fit_colors
from ..grids.pixel_grids import dilate
from ..grids.pixel_smoother import PixelSmoother
from ..surface.labels import SKIN, UPPER, NamesArray


@dataclass(frozen=True)
class HandSleeveSettings:
    """Sleeves around bare hands."""

    forearm: float = 0.45  # metres from the middle, standard rest, at which forearms begin
    sure: float = 0.9  # the parser's probability of pixels that teach a colour
    least: int = 60  # pixels that teach each
    apart: float = 2.2  # deviations from the face's tone up to which a hand's skin teaches
    mixed: float = 0.06  # most of either that may look like the other
    hue: float = 0.12  # most a*b* over L* between skin and its shade
    shade: float = 1.0  # log odds of such a shade, whatever else has its colours
    most: float = 6.0  # log odds of one pixel
    doubt: float = 0.02  # probability that the parser leaves both
    seen: float = 0.3  # the parser's mean probability of a sleeve that touches no other cloth
    bare: float = 0.5  # least share of a hand's skin that stays: with less, the hand is gloved


S = register_settings("lift.hand_sleeves", HandSleeveSettings())


def label_hand_sleeves(
    label: IntArray,
    colors: FloatArray,
    hue: FloatArray,
    skin: FloatArray,
    upper: FloatArray,
    face: BoolArray,
    part: NamesArray,
    across: FloatArray,
    spread: FloatArray,
    mask: BoolArray,
    smoother: PixelSmoother,
) -> IntArray:
    """Label skin at hands and forearms that has the sleeves' colours as upper wear.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        colors: [N, 3] L*a*b* of the mask's pixels, scaled for a colour model.
        hue: [N, 2] the same as of :func:`.skin_tone.measure_hue`.
        skin: [N] the parser's probability of skin.
        upper: [N] the same of upper wear.
        face: [N] sure skin of the face.
        part: [N] name of the body's part.
        across: [N] metres from the middle of the body, standard rest.
        spread: [3] deviation of skin elsewhere from the face's, of ``colors``.
        mask: [H, W] the person.
        smoother: of the mask.

    Returns:
        [H, W] labels.
    """
    own = label[mask]
    at_hand = (part == "hand") | ((part == "arm") & (np.abs(across) > S.forearm))
    hand = at_hand & (own == SKIN)
    cloth = (own == UPPER) & np.isin(part, ["arm", "torso"]) & (upper > S.sure)
    if min(hand.sum(), cloth.sum(), face.sum()) < S.least:
        return label
    apart = np.linalg.norm((colors - np.median(colors[face], axis=0)) / spread, axis=1)
    bare = face | (hand & (skin > S.sure) & (apart < S.apart))
    elsewhere = -0.5 * (apart**2 + np.log(2.0 * np.pi * spread**2).sum()) - 1.0
    of_skin = fit_colors(colors[bare], components=4).log_density(colors, equal=False)
    of_cloth = fit_colors(colors[cloth], components=6).log_density(colors, equal=False)
    odds = np.maximum(of_skin, elsewhere) - of_cloth
    if max((odds[cloth] > 0).mean(), (odds[bare] < 0).mean()) > S.mixed:
        return label
    shade = _is_shade(hue, hue[face])
    odds[shade] = np.maximum(odds[shade], 0.0) + S.shade
    odds = np.clip(odds, -S.most, S.most) + 0.5 * np.log((skin + S.doubt) / (upper + S.doubt))
    won = hand & (smoother(np.clip(odds, -S.most, S.most)[:, None])[:, 0] < 0.0)
    for side in (across < 0.0, across >= 0.0):
        if (won & side).sum() > (1.0 - S.bare) * (hand & side).sum():
            won &= ~side
    taken = np.zeros(mask.shape, bool)
    taken[mask] = won
    patches, count = ndimage.label(taken, np.ones((3, 3)))
    number = patches[mask]
    total, size = (np.bincount(number, of, count + 1) for of in (upper, None))
    believed = total > S.seen * size
    believed[patches[dilate(label == UPPER, 1)]] = True
    return np.where(taken & believed[patches], UPPER, label)


def _is_shade(hue: FloatArray, face: FloatArray) -> BoolArray:
    """Which hues [N, 2] are those [M, 2] of the face's skin, or more saturated ones."""
    skin = np.median(face, axis=0)
    direction = skin / max(float(np.linalg.norm(skin)), 1e-6)
    more = np.clip((hue - skin) @ direction, 0.0, None)
    return np.asarray(np.linalg.norm(hue - skin - more[:, None] * direction, axis=1) < S.hue)
