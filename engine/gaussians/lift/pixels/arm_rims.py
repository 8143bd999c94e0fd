"""Background along a bare arm's rim that the matte took for the arm: dark corners, lit edges.

An arm's skin varies in light, and hardly in hue. What differs from all of the skin around it, and
begins at the person's outline, is a piece of what lies behind; on the arm it would stay a blot.
A watch or a strap crosses the arm and meets the outline on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....core.color import SHADED_LAB, rgb_to_lab
from ....core.distances import add_places, measure_depth
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray
from ..grids.pixel_grids import connected_patches, dilate
from ..surface.labels import SKIN
from ..surface.limbs import ARMS
from .regions import Regions
from .sleeve_pixels import pixel_size


@dataclass(frozen=True)
class ArmRimSettings:
    """Pieces of background along arms."""

    deep: float = 0.006  # metres inside an arm's skin beyond which it is surely skin
    rim: float = 0.03  # metres from the person's outline up to which such pieces reach
    strange: float = 15.0  # L*a*b* units (half of L*) off all skin around, and off the usual skin
    around: float = 0.05  # metres that count as much as the next
    apart: float = 10.0  # of those units
    nearest: int = 3  # pixels of skin that a pixel is compared with
    plain: float = 0.95  # least share of an arm's skin that is alike: others have tattoos
    few: int = 40  # pixels of that skin without which nothing is known
    least: int = 4  # pixels of a piece


S = register_settings("lift.arm_rims", ArmRimSettings())


def find_arm_rims(regions: Regions, colors: FloatArray, camera: Camera) -> BoolArray:
    """Find background [H, W] that counts as the skin of bare arms; hands have nails and rings.

    Args:
        regions: of the photo.
        colors: [H, W, 3] sRGB 0..1, on their grid.
        camera: of their grid.
    """
    out = np.zeros_like(regions.mask)
    if not (regions.body.face >= 0).any():
        return out
    metre = 1.0 / pixel_size(regions.body, camera)
    lab = rgb_to_lab(colors) * SHADED_LAB
    points = add_places(lab, S.apart / (S.around * metre))
    inside = measure_depth(regions.mask)
    outline = inside <= 1.5
    for arm in ARMS:
        skin = regions.mask & (regions.label == SKIN) & (regions.group == arm)
        deep = skin & (measure_depth(skin) > S.deep * metre)
        if not deep.any():
            continue
        usual = np.linalg.norm(lab - np.median(lab[deep], axis=0), axis=-1) < S.strange
        sure = deep & usual
        if sure.sum() < max(S.few, S.plain * deep.sum()):
            continue
        asked = skin & ~np.isfinite(regions.hands_beside)
        strange = np.zeros_like(skin)
        away, _ = cKDTree(points[sure]).query(points[asked], k=S.nearest)
        strange[asked] = away.max(-1) > S.strange
        for piece in connected_patches(strange):
            wide = dilate(piece, 1) & skin  # what mixes with it goes along
            if piece.sum() < S.least or inside[piece].max() > S.rim * metre:
                continue
            if len(connected_patches(wide & outline)) == 1:
                out |= wide
    return out
