"""Open coats in the colours of skin, known by what hangs beside trousers.

Camel, beige and brown coats look like skin to a colour, and a small parser follows it. But skin
does not hang beside legs that wear trousers: what does is cloth, and so is what it goes on as.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import ColorModel, fit_colors
from ..surface.labels import LOWER, SKIN, UPPER, NamesArray, Places
from ..surface.limbs import ARMS, HEAD


@dataclass(frozen=True)
class SkinCoatSettings:
    """Coats in the colours of skin; lengths in metres."""

    beside: float = 0.02  # off the fitted body: skin hardly stands so far off a leg
    area: float = 0.004  # square metres that hang there, at least (0.0016 beside a misfitted leg)
    length: float = 0.25  # from its top to its hem, at least: a hand beside a hip is shorter
    clothed: float = 0.3  # share of the legs' pixels there that are lower wear, at least
    neckline: float = 0.2  # over the pelvis, above which the throat may be bare
    throat: float = 0.06  # beside the spine, within which an open coat leaves the neck bare
    few: int = 60  # pixels of a face that teach its colour
    many: int = 2000  # most pixels that teach a colour
    most: float = 4.0  # log odds of one pixel
    sleeveless: float = 1.0
    """Mean log odds of an arm's skin against the coat from which on it is bare: coats have
    sleeves."""


S = register_settings("lift.skin_coats", SkinCoatSettings())


def label_skin_coats(
    label: IntArray,
    lab: FloatArray,
    group: IntArray,
    places: Places,
    part: NamesArray,
    skin: BoolArray,
    metres: float,
) -> IntArray:
    """Label open coats in the colours of skin as upper wear.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        group: [H, W] limb.
        places: where on the body each pixel lies.
        part: [H, W] name of the body's part there, or nearest to it.
        skin: [H, W] sure skin of the face.
        metres: that a pixel is wide.

    Returns:
        [H, W].
    """
    height = places.rest[..., 1]
    off = (label == SKIN) & (height < 0.0) & ~places.on_body & (places.beside > S.beside)
    if off.sum() * metres**2 < S.area or skin.sum() < S.few:
        return label
    trunk = np.isin(part, ["leg", "torso"]) & ~np.isin(group, [*ARMS, HEAD])
    if ndimage.binary_opening(off & trunk).sum() * metres**2 < S.area:
        return label
    bare = (label == SKIN) & trunk
    # Elsewhere it may lie on the fitted legs, but is larger than a hole at a knee.
    patches, _ = ndimage.label(bare & (height < S.neckline))
    large = np.bincount(patches.ravel()) * metres**2 > S.area
    large[0] = False
    coat = large[patches]
    rows = (coat & (height < 0.0)).any(1)
    legs = rows[:, None] & (part == "leg") & places.on_body & ~np.isin(group, ARMS)
    clothed = (label[legs] == LOWER).mean() if legs.any() else 0.0
    if rows.sum() * metres < S.length or clothed < S.clothed:
        return label

    def teach(pixels: BoolArray) -> ColorModel:
        step = -(-int(pixels.sum()) // S.many)
        return fit_colors(lab[pixels][::step], components=4)

    to_skin = teach(skin)

    def odds(pixels: BoolArray) -> FloatArray:
        """[N] log odds of skin against the coat as it is known so far."""
        of_coat = teach(coat).log_density(lab[pixels], equal=False)
        return np.asarray(to_skin.log_density(lab[pixels], equal=False) - of_coat)

    for arm in ARMS:
        sleeve = (label == SKIN) & (group == arm) & (part == "arm")
        if sleeve.any() and float(np.mean(np.clip(odds(sleeve), -S.most, S.most))) < S.sleeveless:
            coat |= sleeve
    chest = (label == SKIN) & (part == "torso") & (group != HEAD) & ~coat
    chest &= (height < S.neckline) | (np.abs(places.rest[..., 0]) > S.throat)
    if chest.any():
        coat[chest] = odds(chest) < 0.0
    return np.where(coat, UPPER, label)
