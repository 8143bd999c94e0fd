"""Colours that the photo shows on cloth and that are not the cloth's: they do not go round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..surface.limbs import ARMS, TORSO
from .fabric_clusters import fabric_lab, has_hue, have_same_hue


@dataclass(frozen=True)
class StrayColorSettings:
    """Shaded skin and fallen hair on clothes."""

    skin_like: float = 0.2  # share of clothes up to which what has skin's hue may be shaded skin
    of_hair: float = 80.0  # percentile of the hair's colours about their median that are like it
    hair_like: float = 0.15  # share of the other cloth up to which such colours are not its own
    least: int = 40  # seen texels of either that tell
    fallen_to: float = 0.12  # metres over the pelvis at rest down to which hair falls
    upper_arm: float = 0.40  # metres from the spine at rest up to which it lies on arms
    sleeve: float = 0.7  # share of an arm's cloth from which on its sleeve has the hair's colours


S = register_settings("lift.stray_colors", StrayColorSettings())


def find_shaded_skin(albedo: FloatArray, seen: FloatArray, skin_color: FloatArray) -> BoolArray:
    """Find the few of a garment's colours that have the skin's hue: an arm's shadow beside it.

    Args:
        albedo: [N, 3] of the garment's texels.
        seen: [N] 0..1 how surely each shows its own class.
        skin_color: [3] 0..1.

    Returns:
        [N] whether each is such a colour.
    """
    lab, skin = fabric_lab(albedo), fabric_lab(skin_color)
    alike = has_hue(lab) & have_same_hue(lab, skin)
    few = seen[alike].sum() < S.skin_like * seen.sum()
    return np.asarray(alike & few)


def find_fallen_hair(
    albedo: FloatArray, seen: FloatArray, rest: FloatArray, group: IntArray, hair: FloatArray
) -> BoolArray:
    """Find hair on chest and shoulders that was taken for cloth.

    It has the hair's colours, which neither the lower trunk nor most of the sleeves have.

    Args:
        albedo: [N, 3] of the texels of upper wear.
        seen: [N] 0..1 how surely each shows its own class.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb.
        hair: [K, 3] albedo of what the photo shows of the hair.

    Returns:
        [N] whether each is such a texel.
    """
    nothing = np.zeros(len(albedo), bool)
    if len(hair) < S.least:
        return nothing
    strands = fabric_lab(hair)
    middle = np.median(strands, axis=0)
    reach = np.percentile(np.linalg.norm(strands - middle, axis=1), S.of_hair)
    alike = np.linalg.norm(fabric_lab(albedo) - middle, axis=1) < reach
    shown = seen > 0.3
    reached = (group == TORSO) & (rest[:, 1] > S.fallen_to)
    for arm in ARMS:
        mine = (group == arm) & shown
        if mine.any() and alike[mine].mean() < S.sleeve:
            reached |= (group == arm) & (np.abs(rest[:, 0]) < S.upper_arm)
    elsewhere = alike[shown & ~reached]
    if len(elsewhere) < S.least or elsewhere.mean() > S.hair_like:
        return nothing
    return np.asarray(shown & reached & alike)
