"""Clothes beside a bare limb that show its colour: its blurred or shaded edge spills onto them.

Labels separate limb and clothes to within a pixel or two. The pixels between mix both colours, and
the completion would spread that mixture over the rest of the garment. A wider patch that has the
skin's very colour mixes nothing: it is skin, or a sleeve of that colour which was called skin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....core.color import rgb_to_lab
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import Camera, FloatArray
from ..grids.pixel_grids import blur_within
from ..pixels.regions import Regions
from ..pixels.skin_tone import measure_hue
from ..shape.depth_sheets import LimbBorders
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS, TRUNK_AND_LEGS


@dataclass(frozen=True)
class SkinRimSettings:
    """Clothes that have the colour of the skin beside them."""

    band: float = 0.03  # metres beside a bare arm within which they are looked for
    lighter: float = 1.1  # most lightness, of the skin's
    alike: float = 0.9  # most distance to the skin's hue, of that to the clothes'
    same: float = 8.0  # most CIE Lab distance to the skin's colour of a pixel that does not mix it
    spill: float = 0.007  # metres beside the skin that labels may be off by


S = register_settings("lift.skin_rims", SkinRimSettings())


def doubt_skin_rims(
    borders: LimbBorders, regions: Regions, colors: FloatArray, camera: Camera
) -> LimbBorders:
    """Add clothes beside bare arms that have the arms' hue to the pixels that are not trusted.

    Args:
        borders: of the limbs.
        regions: of the photo.
        colors: [H, W, 3] sRGB 0..1, on their grid.
        camera: of their grid.
    """
    skin = (regions.label == SKIN) & np.isin(regions.group, ARMS)
    clothes = np.isin(regions.label, (UPPER, LOWER)) & np.isin(regions.group, TRUNK_AND_LEGS)
    drawn = regions.body.face >= 0
    if not (skin.any() and clothes.any() and drawn.any()):
        return borders
    metre = float(camera.K[0, 0] / np.median(regions.body.depth[drawn]))
    band = S.band * metre
    row, col, away = find_nearest(skin)
    near = clothes & (away < band)
    sure = clothes & ~near
    if not sure.any():
        return borders
    lab = rgb_to_lab(colors)
    hue = measure_hue(lab)
    of_skin, of_clothes = (
        blur_within(np.dstack([hue, lab[..., :1]]), kind, band) for kind in (skin, sure)
    )
    to_skin = np.linalg.norm(hue - of_skin[..., :2], axis=-1)
    to_clothes = np.linalg.norm(hue - of_clothes[..., :2], axis=-1)
    rim = near & (to_skin < S.alike * to_clothes) & (lab[..., 0] < S.lighter * of_skin[..., 2])
    light = of_skin[..., 2:]
    off = np.linalg.norm(lab - np.dstack([light, of_skin[..., :2] * light]), axis=-1)
    same = rim & (off < S.same)
    rim &= ~ndimage.binary_propagation(same & (away > S.spill * metre), mask=same)
    place = np.stack([row, col], -1)
    sides = np.stack([place, np.stack(find_nearest(sure)[:2], -1)])
    return replace(
        borders,
        behind=borders.behind | rim,
        nearer=np.where(rim[..., None], place, borders.nearer),
        sure=np.where(rim[..., None], sides, borders.sure),
    )
