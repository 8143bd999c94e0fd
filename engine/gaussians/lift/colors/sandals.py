"""Whether the photo's shoes are sandals: closed shoes stay closed, of whatever colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import FloatArray
from ..pixels.regions import Regions
from ..surface.labels import SHOES, SKIN
from ..surface.limbs import LEFT_LEG, RIGHT_LEG
from .fabric_clusters import fabric_lab


@dataclass(frozen=True)
class SandalSettings:
    """What a sandal is."""

    straps: float = 0.2  # share of pixels in the skin's colour from which on a shoe is one
    alike: tuple[float, float] = (8.0, 12.0)  # CIE Lab: the skin's colour, and one near it
    few: int = 25  # pixels of bare legs; where there are fewer, the face shows the skin


S = register_settings("lift.sandals", SandalSettings())


def are_sandals(regions: Regions, colors: FloatArray) -> bool:
    """Tell whether the shoes are sandals: many of their pixels have the skin's very colour.

    Brown leather has such pixels too, but then about as many are a little farther off.

    Args:
        regions: of the photo.
        colors: [H, W, 3] sRGB 0..1, on the same grid.
    """
    legs = np.isin(regions.group, (LEFT_LEG, RIGHT_LEG))
    shoe, skin = legs & (regions.label == SHOES), regions.label == SKIN
    skin = legs & skin if (legs & skin).sum() >= S.few else regions.face & skin
    if not shoe.any() or not skin.any():
        return False
    lab = fabric_lab(colors)  # feet are darker or brighter
    away = np.linalg.norm(lab[shoe] - np.median(lab[skin], axis=0), axis=1)
    alike, nearly = (away < S.alike[0]).mean(), (away < S.alike[1]).mean()
    return bool(alike > S.straps and nearly - alike < 0.5 * alike)
