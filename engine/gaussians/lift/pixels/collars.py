"""Pale collars beside the jaw, which lie where the body has its neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import dilate
from ..surface.labels import SKIN, UPPER


@dataclass(frozen=True)
class CollarSettings:
    """Which pixels labelled as skin are cloth."""

    colder: float = 0.4  # share of the skin's hue, in its shade, below which it is cloth
    rim: float = 0.7  # the same of pixels beside it, which show both
    light: float = 1.0  # of the skin's lightness; darker is shadow, hair or a rim of light
    grey: float = 4.0  # a*b* units of the skin's hue below which it tells nothing: grey photos
    darkest: float = 0.35  # least shade, over the skin's lightness, to which its hue is scaled
    beard: float = 0.1  # share of a patch inside the face that makes it a beard
    few: float = 0.02  # squared eyes' distances; smaller patches are highlights


S = register_settings("lift.collars", CollarSettings())


def claim_collars(
    label: IntArray,
    lab: FloatArray,
    tone: FloatArray,
    where: BoolArray,
    face: BoolArray,
    unit: float,
) -> IntArray:
    """Give pale patches of skin that touch upper wear to it.

    The body has its neck there, and a white shirt is a small part of what a dark suit's pixels
    teach: the rules take its collar for skin, which then hangs from the jaw in shreds.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        tone: [3] L*a*b* of the skin.
        where: [H, W] pixels that a collar may cover.
        face: [H, W] pixels well inside the face: a patch that reaches there is a white beard.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    hue = float(tone[1:] @ tone[1:])
    if hue < S.grey**2:
        return label
    shade = np.clip(lab[..., 0] / max(float(tone[0]), 1e-3), S.darkest, 1.0)
    share = (lab[..., 1:] @ tone[1:]) / (shade * hue)
    skin = where & (label == SKIN)
    pale = skin & (share < S.colder) & (lab[..., 0] > S.light * tone[0])
    patch, count = ndimage.label(pale, np.ones((3, 3)))
    size = np.bincount(patch.ravel(), minlength=count + 1)
    beard = np.bincount(patch[face], minlength=count + 1) > S.beard * size
    beside = np.unique(patch[dilate(label == UPPER, 1) & pale])
    taken = [k for k in beside if not beard[k] and size[k] > S.few * unit**2]
    collar = np.isin(patch, taken)
    collar |= dilate(collar, 1) & skin & (share < S.rim)
    return np.where(collar, UPPER, label)
