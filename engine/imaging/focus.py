"""What is out of focus beside a person in focus is background.

Dark blotches behind a head have the colours of hair, so that no colour model can distinguish them;
but where the lens blurred the background, they lack the fine detail of an outline of hair.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..core.distances import measure_depth
from ..core.types import BoolArray, FloatArray

_FINE, _COARSE = (1.0, 1.0), (4.0, 3.0)
"""Pixels of the blur that leaves detail out, and of the one that averages what it left out."""

_LEAST = 0.02
"""Coarse detail, 0..1, below which there is nothing to be in focus."""

_BLURRED = 0.6
"""Largest share of the outline's sharpness that a blurred background has."""

_SHARP = 0.5, 0.9
"""Shares of the way from the background's sharpness to the outline's: blurred, and in focus."""

_RIM = 3.0
"""Pixels beside the person that show how sharp the outline is."""

_BESIDE = 6.0
"""How far around the person the background counts, in distances that the outline may be off."""


def find_focus(
    image: FloatArray, person: BoolArray, hair: FloatArray, reach: FloatArray
) -> FloatArray:
    """Find what around a head is in focus.

    Args:
        image: [h, w, 3] 0..1.
        person: [h, w] the person, roughly.
        hair: [h, w] 0..1 where hair may be. Cloth is smooth, and in focus as well.
        reach: [h, w] pixels that the outline may be off.

    Returns:
        [h, w] 0..1; 1 on the person and away from hair, and everywhere if the background is in
        focus, too.
    """
    ones = np.ones(person.shape)
    beyond = measure_depth(~person)
    outline = (hair > 0.5) & (beyond > 0) & (beyond < _RIM)
    beside = (hair > 0.5) & (beyond > reach) & (beyond < _BESIDE * reach)
    if not (outline.any() and beside.any()):
        return ones
    sharpness = _measure_sharpness(image)
    usual, sharp = float(np.median(sharpness[beside])), float(np.median(sharpness[outline]))
    if usual > _BLURRED * sharp:
        return ones
    low, high = (usual + share * (sharp - usual) for share in _SHARP)
    blurred = np.clip((high - sharpness) / (high - low), 0.0, 1.0)
    return np.where(person, 1.0, 1.0 - hair * blurred)


def _measure_sharpness(image: FloatArray) -> FloatArray:
    """[h, w] fine detail over coarse."""
    coarse = np.maximum(_measure_detail(image, *_COARSE), _LEAST)
    return np.asarray(_measure_detail(image, *_FINE) / coarse)


def _measure_detail(image: FloatArray, left_out: float, around: float) -> FloatArray:
    """[h, w] standard deviation of what a blur of an image [h, w, 3] leaves out."""
    detail = image - ndimage.gaussian_filter(image, (left_out, left_out, 0.0))
    return np.asarray(np.sqrt(ndimage.gaussian_filter((detail**2).sum(-1), around)))
