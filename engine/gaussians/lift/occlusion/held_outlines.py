"""Restores the parts of held things that the matte cut off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, Matte
from ....imaging.color_model import fit_colors
from ....imaging.matting import foreground_colors
from ....imaging.resize import resize
from ..grids.pixel_grids import dilate, erode, fit_grid, resize_nearest
from ..pixels.labels_pixels import COLOUR_SCALE
from ..pixels.labels_pixels import S as LABELS_PIXELS
from .held_marks import REMOVED
from .held_objects import S as HELD_OBJECTS


@dataclass(frozen=True)
class HeldOutlineSettings:
    """How far a held thing goes on beyond a matte."""

    reach: float = 0.5  # of the square root of its area, around it, where the rest may be
    ring: float = 2.0  # the same within which the background's colours are learned
    clear: float = 0.05  # alpha below which a pixel is surely background
    ratio: float = 2.0  # least log ratio of its colours' density to the background's
    seam: int = 2  # pixels between what is seen and what is added that are closed
    common: tuple[float, float] = (10.0, 3.0)
    """Percentile of its own colours' log density, and how far below that they still are its own."""


S = register_settings("lift.held_outlines", HeldOutlineSettings())


def complete_held_objects(matte: Matte, photo: FloatArray) -> Matte:
    """Give held things the pixels around them that have their colours, and not the background's.

    Args:
        matte: of the photo, with what hands hold marked.
        photo: [H, W, 3] sRGB 0..1.
    """
    size = None if matte.held is None else fit_grid(matte.alpha, HELD_OBJECTS.pixels)
    if matte.held is None or size is None:
        return matte
    height, width = matte.alpha.shape
    small = resize(photo, *size, "bilinear")
    alpha = resize(matte.alpha, *size, "bilinear")
    here = resize_nearest(matte.held, alpha.shape)
    features = rgb_to_lab(small) / COLOUR_SCALE
    held, grown = matte.held, matte.alpha
    for what in range(1, REMOVED):
        whole = _complete(here == what, alpha, features)
        if whole is not None:
            fine = resize(whole.astype(np.float32), width, height, "bilinear")
            held = np.where((fine > 0.5) & (grown < 0.5), np.uint8(what), held)
            grown = np.maximum(grown, fine)
    if grown is matte.alpha:
        return matte
    # Elsewhere what was removed may be painted over.
    added = (grown > matte.alpha)[..., None]
    colors = np.where(added, foreground_colors(photo, grown), matte.foreground)
    return replace(matte, alpha=grown, foreground=colors.astype(np.float32), held=held)


def _complete(thing: BoolArray, alpha: FloatArray, features: FloatArray) -> BoolArray | None:
    """[H, W] a whole thing; None where too little of it is seen, or nothing is missing."""
    side = np.sqrt(thing.sum())
    near = dilate(thing, round(S.reach * side)) & (alpha < 0.5)
    around = dilate(thing, round(S.ring * side)) & (alpha < S.clear) & ~near
    inside = erode(thing, 1)
    if min(inside.sum(), around.sum()) < LABELS_PIXELS.min_seeds or not near.any():
        return None
    own, background = (fit_colors(features[pixels], 4) for pixels in (inside, around))
    usual, slack = S.common
    density = own.log_density(features[near])
    alike = np.zeros_like(thing)
    alike[near] = density - background.log_density(features[near]) > S.ratio
    alike[near] &= density > np.percentile(own.log_density(features[inside]), usual) - slack
    patches, _ = ndimage.label(ndimage.binary_opening(alike) | thing)
    rest = np.isin(patches, np.unique(patches[thing])) & ~thing
    if not rest.any():
        return None
    joined = ndimage.binary_closing(rest | thing, iterations=S.seam)  # over the matte's soft rim
    return np.asarray(thing | (ndimage.binary_fill_holes(joined) & dilate(rest, S.seam)))
