"""Bald crowns between hair at the sides: rules take them for hair, the parser for skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.color import SHADED_LAB
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import smooth_within
from ..surface.labels import HAIR, SKIN


@dataclass(frozen=True)
class BaldCrownSettings:
    """Bald crowns."""

    share: float = 0.35  # of the head's hair that the parser calls skin, at least
    alike: float = 18.0  # L*a*b* units, half of L*, that it is off the face's colour at most
    smooth: float = 2.0  # pixels over which the two cues are smoothed


S = register_settings("lift.bald_crowns", BaldCrownSettings())


def bare_bald_crown(
    label: IntArray, lab: FloatArray, of_skin: FloatArray, face: BoolArray, head: BoolArray
) -> IntArray:
    """Label a bald crown skin.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        of_skin: [H, W] 0..1 the parser's probability of skin.
        face: [H, W] pixels of the face's skin.
        head: [H, W] pixels around the head, above the chin.

    Returns:
        [H, W] labels; the same for all but those whose hair is mostly skin by place and colour.
    """
    hair = (label == HAIR) & head
    if not (hair.any() and face.any()):
        return label
    tone = np.median(lab[face], axis=0)
    alike = np.linalg.norm((lab - tone) * SHADED_LAB, axis=-1) < S.alike
    bare = hair & alike & (of_skin > 0.5)
    if bare.sum() < S.share * hair.sum():
        return label
    evened = smooth_within(bare.astype(float), hair, S.smooth) > 0.5
    return np.where(hair & evened, SKIN, label)
