"""The rim of hair along a face, which was labelled as the face's skin.

Where a head turns, such pixels stay in front of the hair, a dark line down the cheek.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ....imaging.gaps import box_around
from ..grids.pixel_grids import blur_within, erode
from ..surface.labels import HAIR, SKIN


@dataclass(frozen=True)
class HairRimSettings:
    """Skin beside hair that has the hair's colours."""

    width: float = 0.04  # eyes' distances of skin beside hair that are looked at
    widest: int = 3  # pixels of it, at most
    around: float = 2.0  # pixels, standard deviation over which the colours beside it are averaged
    nearer: float = 0.6  # distance of its color to the hair's, over that to the skin's, at most


S = register_settings("lift.hair_rims", HairRimSettings())


def claim_hair_rims(label: IntArray, lab: FloatArray, unit: float) -> IntArray:
    """Make hair of skin along its border that has the color of the hair beside it.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    if not (label == HAIR).any():
        return label
    width = min(max(round(S.width * unit), 1), S.widest)
    here = box_around(label == HAIR, S.around)
    hair, skin, colors = label[here] == HAIR, label[here] == SKIN, lab[here]
    away = find_nearest(hair)[2]
    rim = skin & (away <= width)
    deep_hair, deep_skin = erode(hair, 1), skin & (away > width + 1)
    if not (rim.any() and deep_hair.any() and deep_skin.any()):
        return label
    to_hair, to_skin = (
        np.linalg.norm((colors - blur_within(colors, deep, S.around))[rim], axis=-1)
        for deep in (deep_hair, deep_skin)
    )
    out = label.copy()
    out[here][rim] = np.where(to_hair < S.nearer * to_skin, HAIR, SKIN)
    return out
