"""The rim of hair along a face, which was labelled as the face's skin.

Where a head turns, such pixels stay in front of the hair, a dark line down the cheek.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.gaps import box_around
from ..grids.pixel_grids import blur_within
from ..surface.labels import HAIR, SKIN


@dataclass(frozen=True)
class HairRimSettings:
    """Skin beside hair that has the hair's colours."""

    width: float = 0.04  # eyes' distances of skin beside hair that are looked at
    widest: int = 3  # pixels of it, at most
    around: float = 2.0  # pixels, standard deviation over which the colours beside it are averaged
    nearer: float = 0.7  # distance of its colour to the hair's, over that to the skin's, at most
    alike: float = 25.0  # L*a*b* distance to the hair's, at most: earrings lie there, too
    apart: float = 15.0  # the same between hair and skin, at least


S = register_settings("lift.hair_rims", HairRimSettings())


@dataclass(frozen=True)
class HairRim:
    """Skin along its border with hair, and the mean colours on both sides of it.

    Attributes:
        pixels: [H, W] the skin.
        hair: [H, W, 3] L*a*b* of the hair beside each of them.
        skin: [H, W, 3] the same of the skin beyond the rim.
    """

    pixels: BoolArray
    hair: FloatArray
    skin: FloatArray

    def find_hair(self, lab: FloatArray, row: IntArray, col: IntArray) -> BoolArray:
        """Return which colours [N] in the rim are the hair's.

        Args:
            lab: [N, 3] L*a*b*.
            row: [N] of the pixel that shows each.
            col: [N] the same.
        """
        hair, skin = self.hair[row, col], self.skin[row, col]
        to_hair, to_skin, apart = (
            np.linalg.norm(off, axis=-1) for off in (lab - hair, lab - skin, hair - skin)
        )
        alike = (to_hair < S.alike) & (to_hair < S.nearer * to_skin) & (apart > S.apart)
        return np.asarray(alike & self.pixels[row, col])


def find_hair_rim(label: IntArray, lab: FloatArray, where: BoolArray, width: int) -> HairRim | None:
    """Find the skin beside hair; None if there is none, or only that.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        where: [H, W] pixels that may belong to the rim.
        width: pixels of it.
    """
    if not (label == HAIR).any():
        return None
    here = box_around(label == HAIR, S.around)
    hair = label[here] == HAIR
    skin = (label[here] == SKIN) & where[here]
    away = find_nearest(hair)[2]
    rim, deep = skin & (away <= width), skin & (away > width + 1)
    if not (rim.any() and deep.any()):
        return None
    pixels, sides = np.zeros(label.shape, bool), np.zeros((2, *lab.shape))
    pixels[here] = rim
    for side, own in zip(sides, (hair, deep), strict=True):
        side[here] = blur_within(lab[here], own, S.around)
    return HairRim(pixels, *sides)


def claim_hair_rims(label: IntArray, lab: FloatArray, where: BoolArray, unit: float) -> IntArray:
    """Make hair of a face's skin along its border that has the colour of the hair beside it.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        where: [H, W] pixels of the head that may be hair.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    rim = find_hair_rim(label, lab, where, min(max(round(S.width * unit), 1), S.widest))
    if rim is None:
        return label
    row, col = np.nonzero(rim.pixels)
    out = label.copy()
    out[row, col] = np.where(rim.find_hair(lab[row, col], row, col), HAIR, SKIN)
    return out
