"""Takes the background's colour off a matte's rim, before backdrops that are of one colour.

Matting may leave a seam of the background at full alpha, most of all in the hollows of a profile.
Splats would carry it onto the far side of the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..core.distances import measure_depth
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray


@dataclass(frozen=True)
class RimSettings:
    """Rims of mattes; lengths are pixels of the picture in which alpha is solved."""

    width: float = 3.0  # of the rim in which colours are compared
    near: float = 4.0  # standard deviation of what counts as beside a pixel
    contrast: float = 0.25  # least distance of both sides' colours, 0..1 for each channel
    calm: float = 0.25  # most standard deviation of the background there, as a share of that
    share: tuple[float, float] = (0.4, 0.8)  # of the way to the background's colour: alpha falls
    beside: float = 0.3  # distance from the line between both colours at most, as a share


S = register_settings("imaging.rims", RimSettings())


def tighten_rim(image: FloatArray, alpha: FloatArray) -> FloatArray:
    """Lower alpha at the person's rim where the colour is the background's.

    Args:
        image: [H, W, 3] sRGB in 0..1.
        alpha: [H, W] in 0..1.

    Returns:
        [H, W] alpha, nowhere higher.
    """
    inside = measure_depth(alpha > 0.5)
    rim = (inside > 0) & (inside <= S.width)
    background = (alpha < 0.02) & (measure_depth(alpha <= 0.5) > 1.5)
    person = inside > S.width
    if not (rim.any() and background.any() and person.any()):
        return alpha
    behind, spread = _mean_around(image, background, rim)
    before, _ = _mean_around(image, person, rim)
    way = behind - before
    length = np.maximum(np.linalg.norm(way, axis=-1), 1e-6)
    off = image[rim] - before
    share = (off * way).sum(-1) / length**2
    aside = np.linalg.norm(off - np.clip(share, 0.0, 1.0)[:, None] * way, axis=-1)
    plain = (length > S.contrast) & (spread < S.calm * length) & (aside < S.beside * length)
    out = alpha.copy()
    out[rim] *= np.where(plain, 1.0 - smoothstep(share, *S.share), 1.0)
    return out


def _mean_around(
    image: FloatArray, known: BoolArray, at: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Colours [N, 3] of the ``known`` pixels around those ``at``, and how far they spread [N]."""
    weight = ndimage.gaussian_filter(known.astype(np.float32), S.near)[at]
    values = np.concatenate([image, image**2], -1) * known[..., None]
    blurred = [ndimage.gaussian_filter(values[..., k], S.near)[at] for k in range(6)]
    mean, square = np.split(np.stack(blurred, -1) / np.maximum(weight, 1e-9)[:, None], 2, -1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0).sum(-1))
    return mean, np.where(weight > 1e-4, spread, np.inf)
