"""Marks of held and removed things: in a matte, and on labelled pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....core.types import HELD, BoolArray, IntArray, Matte
from ..grids.pixel_grids import resize_nearest
from ..pixels.regions import Regions
from ..surface.labels import NONE, OBJECT
from ..surface.limbs import ARMS, TORSO

REMOVED = HELD.index("removed")
"""The mark of what a removed thing hid."""


def mark_held_objects(regions: Regions, held: IntArray | None) -> Regions:
    """Label held things as objects of their arms, and removed ones as none of the person.

    Args:
        regions: of the photo.
        held: [H, W] of its matte, at any size.
    """
    if held is None:
        return regions
    here = np.where(regions.mask, resize_nearest(held, regions.mask.shape), 0)
    kept = (here > 0) & (here != REMOVED)
    group = np.where(kept, np.array([TORSO, *ARMS, TORSO])[here], regions.group)
    label = np.where(kept, OBJECT, np.where(here == REMOVED, NONE, regions.label))
    own = here == 0
    return replace(
        regions,
        group=group,
        label=label,
        skin=regions.skin & own,
        face=regions.face & own,
        hair=regions.hair & own,
    )


def mark_removed(matte: Matte, gone: BoolArray) -> Matte:
    """Mark pixels of a matte as removed, except held objects.

    Args:
        matte: of the portrait.
        gone: [H, W] at any size.
    """
    if not gone.any():
        return matte
    held = matte.held if matte.held is not None else np.zeros(matte.alpha.shape, np.uint8)
    there = resize_nearest(gone, matte.alpha.shape) & (held == 0)
    return replace(matte, held=np.where(there, REMOVED, held))


def removed_pixels(regions: Regions) -> BoolArray:
    """Return the pixels [H, W] of the person where something was removed."""
    return np.asarray(regions.mask & (regions.label == NONE))
