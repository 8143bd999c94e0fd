"""Where the far side of a turned face ends and hair begins: by the colours on both sides.

The body turns away from the camera there: a row of dark pixels that are taken for skin becomes a
band of hair on the cheek when the avatar is seen from its other side. On the near side beards and
sideburns have the colour of the hair, and belong to the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import dilate, erode, smooth_within
from ..surface.labels import HAIR, SKIN


@dataclass(frozen=True)
class HairEdgeSettings:
    """The edge between skin and hair. Lengths are in distances between the eyes."""

    grazing: float = 0.5  # cosine to the camera below which the body turns away
    reach: float = 0.35  # from hair within which skin may be hair
    skin_inside: float = 0.12  # from any other label from which on skin is certain
    hair_inside: float = 0.04  # the same of hair
    around: float = 0.25  # standard deviation of the means of the colours beside the edge
    some: float = 0.005  # share of such pixels around without which there is nothing to compare
    contrast: float = 20.0  # L*a*b* units between the two colours at least
    nearer: float = 0.65  # distance to the hair's colour, over that to the skin's, at most


S = register_settings("lift.hair_edges", HairEdgeSettings())


def settle_hair_edge(
    label: IntArray, lab: FloatArray, where: BoolArray, facing: FloatArray, unit: float
) -> IntArray:
    """Make hair of skin that is joined to hair and has the colour of the hair beside it.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        where: [H, W] pixels that may become hair: of the head's far side, neither eyes nor
            brows.
        facing: [H, W] cosine of the body to the camera, 0 where it is not drawn.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    skin, hair = label == SKIN, label == HAIR
    near = skin & where & (facing < S.grazing)
    if not (near.any() and hair.any()):
        return label
    near &= dilate(hair, max(round(S.reach * unit), 1))
    sides = (
        erode(skin, max(round(S.skin_inside * unit), 1)),
        erode(hair, max(round(S.hair_inside * unit), 1)),
    )
    sigma = S.around * unit
    to_skin, to_hair = (lab - smooth_within(lab, side, sigma) for side in sides)
    known = np.all([ndimage.gaussian_filter(s.astype(float), sigma) > S.some for s in sides], 0)
    known &= np.linalg.norm(to_skin - to_hair, axis=-1) > S.contrast
    nearer = np.linalg.norm(to_hair, axis=-1) < S.nearer * np.linalg.norm(to_skin, axis=-1)
    taken = near & known & nearer
    taken = ndimage.binary_propagation(taken & dilate(hair, 1), mask=taken)
    return np.where(taken, HAIR, label)
