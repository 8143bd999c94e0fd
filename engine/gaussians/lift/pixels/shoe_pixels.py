"""Where a trouser leg's hem ends over a shoe: along the photo's edge, not at the ankle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from ..grids.pixel_cuts import cut_along_edges
from ..surface.labels import LOWER, SHOES, Places


@dataclass(frozen=True)
class ShoePixelSettings:
    """Where a hem ends over a shoe."""

    shin: float = -0.76  # standard height from which on trousers are trousers
    usual: float = -0.90  # of a hem
    toes: float = 0.11  # metres before the ankle's place at rest where a shoe is a shoe
    prior: float = 3.0  # cost per metre of a pixel's distance from the usual height
    few: int = 8  # pixels of trousers and of toes; fewer tell nothing
    calm: float = 0.7  # pixels over which colours are smoothed


S = register_settings("lift.shoe_pixels", ShoePixelSettings())


def settle_hem_pixels(label: IntArray, lab: FloatArray, places: Places, body: Body) -> IntArray:
    """Divide the pixels around the ankles between trousers and shoes.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        places: where on the body each pixel lies.
        body: the person's own.

    Returns:
        [H, W] index into ``labels.LABELS``.
    """
    names = np.array(body.part_names)[places.part]
    height, forwards = places.rest[..., 1], places.rest[..., 2]
    either = np.isin(label, (LOWER, SHOES)) & np.isin(names, ("leg", "foot"))
    calm = ndimage.gaussian_filter(lab, (S.calm, S.calm, 0.0))
    out = label.copy()
    patches, count = ndimage.label(either, np.ones((3, 3)))
    for patch in range(1, count + 1):
        own = patches == patch
        shoe = own & (label == SHOES) & (names == "foot") & (forwards > S.toes)
        may = own & ~shoe & (height < S.shin)
        trousers = own & (label == LOWER) & (height >= S.shin)
        if shoe.sum() < S.few or trousers.sum() < S.few or not may.any():
            continue
        cost = S.prior * (height - S.usual)
        out[may] = np.where(cut_along_edges(may, shoe, own, calm, cost)[may], SHOES, LOWER)
    return out
