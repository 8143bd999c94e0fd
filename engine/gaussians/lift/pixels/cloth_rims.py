"""Clothes beside a bare arm that were called its skin: the arm was fitted over them.

Where a hip's cloth shows just beside an arm, the place says arm and only the colour says cloth. A
strip of trousers would rise with the arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import blur_within
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS


@dataclass(frozen=True)
class ClothRimSettings:
    """Clothes beside a bare arm that were called skin."""

    unlike: float = 12.0  # CIE Lab: least distance to every shade of the arm's skin
    alike: float = 0.5  # most distance to the cloth's colour, of that distance
    lighter: float = 12.0  # CIE lightness: of the skin's highlights above its median
    calm: float = 1.5  # pixels over which the cloth's colour is averaged
    least: int = 30  # pixels of an arm's skin that tell its colour


S = register_settings("lift.cloth_rims", ClothRimSettings())


def release_cloth_rims(
    group: IntArray, label: IntArray, lab: FloatArray
) -> tuple[IntArray, IntArray]:
    """Assign cloth beside bare arms that was taken for their skin to the garment it continues.

    Shade leaves a colour its hue: dark skin beside dark cloth stays with the arm.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.

    Returns:
        [H, W] limb and label of each pixel.
    """
    cloth = np.isin(label, (UPPER, LOWER))
    skin = (label == SKIN) & np.isin(group, ARMS)
    if not (cloth.any() and skin.any()):
        return group, label
    row, col, _ = find_nearest(cloth)
    beside = blur_within(lab, cloth, S.calm)[row, col]
    away = np.linalg.norm(lab - beside, axis=-1)
    group, label = group.copy(), label.copy()
    for arm in ARMS:
        own = skin & (group == arm)
        if own.sum() < S.least:
            continue
        off = _distance_to_shades(lab, np.median(lab[own], axis=0))
        may = own & (off > S.unlike) & (away < S.alike * off)
        won = _connected(may, cloth)
        label[won], group[won] = label[row, col][won], group[row, col][won]
    return group, label


def _distance_to_shades(lab: FloatArray, tone: FloatArray) -> FloatArray:
    """[H, W] CIE Lab distance to the nearest shade of a colour [3], darker or a little lighter."""
    length, lightness = max(float(tone @ tone), 1e-6), max(float(tone[0]), 1e-3)  # black's are 0
    share = np.clip((lab @ tone) / length, 0.0, 1.0 + S.lighter / lightness)
    return np.asarray(np.linalg.norm(lab - share[..., None] * tone, axis=-1))


def _connected(pixels: BoolArray, to: BoolArray) -> BoolArray:
    """[H, W] the pixels of a mask that touch another one, directly or through others of them."""
    return np.asarray(ndimage.binary_propagation(to & ~pixels, mask=to | pixels) & pixels)
