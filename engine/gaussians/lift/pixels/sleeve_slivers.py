"""Slivers of a sleeve, or of background, beside an arm that were taken for the trunk's cloth.

Where a hand lies before its own sleeve, or the sleeve hangs beside the trunk in its shadow, the
border of both limbs has teeth. On the trunk they would stand off its sides when the arm moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.distances import drop_thin
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera
from ..grids.pixel_grids import connected_patches, dilate
from ..surface.labels import LOWER, UPPER
from ..surface.limbs import ARMS, TRUNK_AND_LEGS
from .regions import Regions
from .sleeve_pixels import pixel_size


@dataclass(frozen=True)
class SleeveSliverSettings:
    """Thin parts of the trunk beside arms."""

    thin: float = 0.012  # metres that half their width is at most
    beside: float = 0.25  # least share of arms in their border
    off_trunk: float = 0.5  # least share of them where no trunk or leg is drawn
    cloth: float = 0.9  # least share of clothes in them


S = register_settings("lift.sleeve_slivers", SleeveSliverSettings())


def find_sleeve_slivers(regions: Regions, camera: Camera) -> BoolArray:
    """Find thin parts of the trunk's cloth [H, W] beside arms and off the body's own trunk.

    Args:
        regions: of the photo.
        camera: of their grid.
    """
    out = np.zeros_like(regions.mask)
    drawn = regions.trunk.face >= 0
    if not drawn.any():
        return out
    thin = S.thin / pixel_size(regions.trunk, camera)
    trunk = regions.mask & np.isin(regions.group, TRUNK_AND_LEGS)
    arms = regions.mask & np.isin(regions.group, ARMS)
    margin = int(thin) + 2  # the trunk goes on beyond the frame
    kept = drop_thin(np.pad(trunk, margin, mode="edge"), thin)[margin:-margin, margin:-margin]
    cloth = np.isin(regions.label, (UPPER, LOWER))
    for patch in connected_patches(trunk & ~kept & dilate(arms, round(4 * thin))):
        ring = dilate(patch, 1) & ~patch
        beside = arms[ring].mean() > S.beside
        if beside and drawn[patch].mean() < 1.0 - S.off_trunk and cloth[patch].mean() > S.cloth:
            out |= patch
    return out
