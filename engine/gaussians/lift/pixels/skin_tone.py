"""The tone of a person's skin in the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, Observation
from ..grids.pixel_grids import erode
from ..surface.labels import NamesArray


@dataclass(frozen=True)
class SkinToneSettings:
    """Measuring the skin's tone."""

    few_pixels: int = 12  # fewer show no tone
    darkest: float = 12.0  # L* below which the dark has no hue


S = register_settings("lift.skin_tone", SkinToneSettings())

# FaceMesh landmarks on cheeks and nose: skin in every portrait, also with glasses or a beard.
_CHEEKS = (50, 280, 4, 195, 117, 346, 187, 411, 205, 425)
_FOREHEAD = (9, 151, 108, 337)

LIKE_SKIN = ((8.0, 95.0), (3.0, 35.0), (3.0, 45.0))
"""Bounds of L*, a* and b* of bare skin, from the darkest to the palest, in daylight and lamplight:
what else is drawn where no face was found is hair or cloth."""
UNSEEN_SKIN = np.array([0.70, 0.52, 0.42])  # where none is shown: neither pale nor dark


def measure_skin_tone(
    lab: FloatArray,
    mask: BoolArray,
    part: NamesArray,
    observation: Observation,
    scale: float,
    unit: float,
) -> FloatArray:
    """Measure the skin's tone on cheeks and forehead.

    Without a detected face (small, dark or turned away), measure it where the body's face is drawn,
    or else on the neck, ears and hands where they look like skin.

    Args:
        lab: [H, W, 3] L*a*b* of the pixels.
        mask: [H, W] the person.
        part: [H, W] name of the body's part that is drawn there.
        observation: the landmarks, in pixels of the portrait.
        scale: pixels of this grid per pixel of the portrait.
        unit: pixels of one inter-ocular distance.

    Returns:
        [3] L*a*b*.
    """
    if observation.face is None:
        bare = mask & (part == "face")
        for inner in (erode(bare, max(1, round(0.15 * unit))), bare):
            if inner.sum() >= S.few_pixels:
                return np.asarray(np.median(lab[inner], axis=0))
        bare = mask & np.isin(part, ["neck", "ear", "hand"])
        for channel, (least, most) in enumerate(LIKE_SKIN):
            bare &= (lab[..., channel] > least) & (lab[..., channel] < most)
        return (
            np.median(lab[bare], axis=0) if bare.sum() >= S.few_pixels else rgb_to_lab(UNSEEN_SKIN)
        )
    height, width = lab.shape[:2]
    places = observation.face[list(_CHEEKS + _FOREHEAD)] * scale
    pixel = np.clip(places.astype(int), 0, [width - 1, height - 1])
    reach = max(1, int(0.06 * unit))
    patches = [
        lab[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].reshape(-1, 3)
        for x, y in pixel
    ]
    return np.asarray(np.median(np.concatenate(patches), axis=0))


def measure_hue(lab: FloatArray) -> FloatArray:
    """Return a*b* over L*: shade leaves it as it is, and the dark has next to none.

    Args:
        lab: [..., 3] L*a*b*.

    Returns:
        [..., 2].
    """
    return np.asarray(lab[..., 1:] / np.maximum(lab[..., :1], S.darkest))


def find_skin_color(
    rgb: FloatArray, skin: BoolArray, face: BoolArray, part: NamesArray
) -> FloatArray:
    """Return the median colour of the face's skin.

    Without a detected face, use the skin where the body's face is drawn, or else all skin.

    Args:
        rgb: [H, W, 3] 0..1.
        skin: [H, W] pixels where the body's own surface is seen.
        face: [H, W] pixels of the detected face.
        part: [H, W] name of the body's part that is drawn there.

    Returns:
        [3] 0..1.
    """
    for seen in (skin & face, skin & (part == "face"), skin):
        if seen.any():
            return np.asarray(np.median(rgb[seen], axis=0))
    return UNSEEN_SKIN
