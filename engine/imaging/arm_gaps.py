"""Pieces of an uneven background that the matte adds beside arms.

Between a hand and its elbow the networks behind the matte see things on a table as held. What has a
colour that the background beside it shows, and the person near it does not, is background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..core.distances import measure_depth
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray


@dataclass(frozen=True)
class ArmGapSettings:
    """Background beside arms. Lengths are shares of the square root of the person's area."""

    near_arm: float = 0.18  # from the fitted arm to such a piece, at most
    around: float = 0.15  # of a piece, where colours of the background and the person count
    apart: float = 10.0  # CIE Lab that colours of places so far apart count as farther off
    samples: int = 4  # of each that a pixel is compared with
    every: int = 3  # of their pixels one is looked at
    least: int = 20  # of those that say anything
    unlike: float = 13.0  # CIE Lab to the person's colours, at least
    alike: float = 0.5  # of that distance, at most, to the background's
    thin: float = 0.006  # half width of a piece, at least
    rim: float = 0.012  # around it, where pixels nearer to the background's colours go along
    min_area: float = 1.8e-3  # of the person's area: smaller ones may be shadows and pockets


S = register_settings("imaging.arm_gaps", ArmGapSettings())


def find_added_beside_arms(
    lab: FloatArray,
    alpha: FloatArray,
    beside: BoolArray,
    body: BoolArray,
    arms: BoolArray,
    unit: float,
) -> BoolArray:
    """Find background that the matte took for the person's beside arms.

    Args:
        lab: [H, W, 3] CIE Lab of the photo.
        alpha: [H, W] 0..1 of its matte.
        beside: [H, W] pixels beside the fitted body and its hair.
        body: [H, W] pixels of the fitted body.
        arms: [H, W] of its arms.
        unit: square root of the person's area, pixels.

    Returns:
        [H, W] such pixels.
    """
    out = np.zeros(alpha.shape, bool)
    asked = (alpha > 0.3) & beside & (measure_depth(~arms) < S.near_arm * unit)
    shown, solid = alpha < 0.02, (alpha > 0.9) & body
    patches, count = ndimage.label(asked)
    reach = S.around * unit
    wide = ndimage.maximum(measure_depth(asked), patches, np.arange(1, count + 1)) > S.thin * unit
    for number, box in enumerate(ndimage.find_objects(patches), 1):
        if not wide[number - 1]:
            continue
        at = tuple(slice(max(0, int(s.start - reach)), int(s.stop + reach) + 1) for s in box)
        own = patches[at] == number
        if own.sum() < S.min_area * unit**2:
            continue
        near = measure_depth(~own) < reach
        rows, cols = np.indices(own.shape)
        places = np.dstack([lab[at], S.apart / reach * np.dstack([rows, cols])])
        samples = [places[near & kind[at]][:: S.every] for kind in (solid, shown)]
        if min(len(kind) for kind in samples) < S.least:
            continue
        to_person, to_wall = (
            np.median(cKDTree(kind).query(places[own], k=S.samples)[0], axis=1) for kind in samples
        )
        added, may = np.zeros_like(own), np.zeros_like(own)
        added[own] = (to_person > S.unlike) & (to_wall < S.alike * to_person)
        may[own] = to_wall < to_person
        core = measure_depth(added) > S.thin * unit
        added &= measure_depth(~core) <= S.thin * unit
        parts, count = ndimage.label(added)
        large = np.bincount(parts.ravel(), minlength=count + 1) >= S.min_area * unit**2
        large[0] = False
        added = large[parts]
        if added.any():
            out[at] |= added | (may & (measure_depth(~added) < S.rim * unit))
    return out
