"""Clothes beside a bare limb that show its colour: its blurred or shaded edge spills onto them.

Labels separate limb and clothes to within a pixel or two. The pixels between mix both colours, and
the completion would spread that mixture over the rest of the garment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.color import rgb_to_lab
from ...core.distances import find_nearest
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray
from .depth_sheets import LimbBorders
from .labels import LOWER, SKIN, UPPER
from .limbs import ARMS, TRUNK_AND_LEGS
from .pixel_grids import blur_within, dilate, erode
from .regions import Regions
from .skin_tone import measure_hue


@dataclass(frozen=True)
class SkinRimSettings:
    """Clothes that have the colour of the skin beside them."""

    band: float = 0.03  # metres beside a bare arm within which they are looked for
    lighter: float = 1.1  # most lightness, of the skin's
    alike: float = 0.9  # most distance to the skin's hue, of that to the clothes'
    slit: float = 0.025  # metres of the widest gap between fingers


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
    band = S.band * _pixels_per_metre(regions, camera)
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
    place = np.stack([row, col], -1)
    sides = np.stack([place, np.stack(find_nearest(sure)[:2], -1)])
    return replace(
        borders,
        behind=borders.behind | rim,
        nearer=np.where(rim[..., None], place, borders.nearer),
        sure=np.where(rim[..., None], sides, borders.sure),
    )


def doubt_slits(borders: LimbBorders, regions: Regions, camera: Camera) -> LimbBorders:
    """Add the cloth that shows between fingers to the pixels that are not trusted.

    Skin spills over all of it, and once the hand has moved, the scraps lie on the garment.

    Args:
        borders: of the limbs.
        regions: of the photo.
        camera: of their grid.
    """
    skin = (regions.label == SKIN) & np.isin(regions.group, ARMS)
    if not skin.any() or not (regions.body.face >= 0).any():
        return borders
    half = max(round(0.5 * S.slit * _pixels_per_metre(regions, camera)), 1)
    slits = _close(skin, half) & np.isin(regions.label, (UPPER, LOWER))
    place = np.stack(find_nearest(skin)[:2], -1)
    return replace(
        borders,
        behind=borders.behind | slits,
        nearer=np.where(slits[..., None], place, borders.nearer),
        slits=slits,
    )


def _close(mask: BoolArray, pixels: int) -> BoolArray:
    """[H, W] the mask with its gaps up to twice as many pixels wide."""
    padded = np.pad(mask, pixels, mode="edge")
    inner = slice(pixels, -pixels)
    return erode(dilate(padded, pixels), pixels)[inner, inner]


def _pixels_per_metre(regions: Regions, camera: Camera) -> float:
    return float(camera.K[0, 0] / np.median(regions.body.depth[regions.body.face >= 0]))
