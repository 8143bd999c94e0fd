"""Cloth between the legs that the networks behind the matte miss: a skirt on legs far apart.

They know legs, and leave a gap between them. In front of an even background the gap gives itself
away when it is filled: it is unlike what surrounds the person, all the way from the crotch to one
hem, and has edges or is far darker or more colourful than the soft shadow of two legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..core.color import rgb_to_lab
from ..core.distances import measure_depth
from ..core.landmark_names import ADJUSTABLE
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray, Observation
from .local_means import mean_around, measure_steps
from .resize import fit_size, resize


@dataclass(frozen=True)
class MissedClothSettings:
    """Cloth between the legs. Lengths are shares of the square root of the person's area."""

    side: int = 448  # pixels along the picture's longer side in which it is sought
    visible: float = 0.5  # visibility of hips and ankles, at least
    around: float = 0.15  # over which the background's colour is averaged
    even: float = 3.0  # CIE Lab: most deviation of an even background
    unlike: tuple[float, float] = (4.0, 2.0)  # CIE Lab, and deviations, that cloth is off it
    edge: float = 2.0  # CIE Lab per pixel: least of an edge in cloth
    woven: float = 0.15  # share of its pixels with one, at least
    plain: float = 25.0  # CIE Lab off the background: plain cloth beyond that is not a shadow
    rim: float = 0.03  # beside the mask, where the legs' own edges are
    wide: float = 0.06  # half width of the gap that it fills, at least
    fills: float = 0.85  # of the gap, from its top down to the hem
    closed: float = 0.5  # of each of its rows down to there
    hem: float = 0.15  # of its rows, above the hem, that do not count: hems are not level
    weave: float = 0.03  # holes in what is unlike the background that are a pattern's light parts
    feet: float = 0.12  # of the legs' length above the ankles, where shadows of the feet begin


S = register_settings("imaging.missed_cloth", MissedClothSettings())

_LEGS = np.array(
    [[ADJUSTABLE[f"{side}_{joint}"] for joint in ("hip", "ankle")] for side in ("left", "right")]
)
"""[2, 2] landmarks of hip and ankle of each leg."""


def find_missed_cloth(
    rgb: FloatArray, mask: FloatArray, observation: Observation
) -> BoolArray | None:
    """Find cloth between the legs that a mask of the person lacks.

    Args:
        rgb: [H, W, 3] sRGB 0..1.
        mask: [H, W] 0..1 probability of the person.
        observation: what the detectors found in the photo.

    Returns:
        [H, W] pixels of that cloth; None if there is none.
    """
    if observation.pose_visibility[_LEGS].min() < S.visible:
        return None
    height, width = mask.shape
    w, h = fit_size(width, height, min(S.side, max(width, height)))
    person = resize(np.asarray(mask, np.float32), w, h, "area") > 0.5
    between = ~person & _between_legs(observation.pose[_LEGS] * h / height, w, h)
    unit = float(np.sqrt(person.sum()))
    inner = measure_depth(~person)
    if not (inner[between] > S.wide * unit).any():
        return None
    lab = rgb_to_lab(np.clip(resize(np.asarray(rgb, np.float32), w, h, "area"), 0.0, 1.0))
    wall = measure_depth(~(person | between)) > 2.0 * S.weave * unit
    behind, spread = mean_around(lab, wall, S.around * unit)
    away = np.linalg.norm(lab - behind, axis=-1)
    unlike = between & (spread < S.even) & (away > S.unlike[0] + S.unlike[1] * spread)
    reach = S.weave * unit
    filled = measure_depth(measure_depth(~(unlike | person)) < reach) > reach
    woven = measure_steps(lab) > S.edge
    gaps, count = ndimage.label(between)
    found = np.zeros_like(person)
    for gap in range(1, count + 1):
        own = filled & (gaps == gap)
        core = own & (inner > S.rim * unit)
        if not core.any() or inner[own].max() < S.wide * unit or not _hangs(own, gaps == gap):
            continue
        if woven[core].mean() > S.woven or np.median(away[core]) > S.plain:
            found |= own
    if not found.any():
        return None
    return resize(found.astype(np.float32), width, height, "bilinear") > 0.5


def _hangs(cloth: BoolArray, gap: BoolArray) -> bool:
    """Whether cloth [H, W] fills a gap [H, W] from its top down to one hem."""
    top, hem = gap.any(1).argmax(), len(cloth) - cloth.any(1)[::-1].argmax()
    room, filled = gap[top:hem].sum(1), cloth[top:hem].sum(1)
    above = slice(0, int((1.0 - S.hem) * len(room)))
    room, filled = room[above], filled[above]
    return bool((filled >= S.closed * room).all() and filled.sum() > S.fills * room.sum())


def _between_legs(legs: FloatArray, width: int, height: int) -> BoolArray:
    """[H, W] the pixels between two legs [2, 2, 2], from the hips to above the ankles."""
    rows = np.arange(height) + 0.5
    sides = np.stack([np.interp(rows, leg[:, 1], leg[:, 0]) for leg in legs])
    top, bottom = legs[:, 0, 1].max(), legs[:, 1, 1].min()
    columns = np.arange(width) + 0.5
    inside = (columns > sides.min(0)[:, None]) & (columns < sides.max(0)[:, None])
    down = (rows > top) & (rows < bottom - S.feet * (bottom - top))
    return np.asarray(inside & down[:, None])
