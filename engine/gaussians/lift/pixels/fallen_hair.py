"""Long hair over clothes: its ends, which rules and parser take for cloth below the shoulders.

Where hair passes into "cloth" without a change of colour, the hair goes on. It is followed down as
far as its colours go; black hair on a black jacket would lead all over that, so it counts only
where the rest of the clothes looks different.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import fit_colors
from ..grids.pixel_grids import smooth_within
from ..surface.labels import HAIR, UPPER


@dataclass(frozen=True)
class FallenHairSettings:
    """Ends of long hair.

    Of 191 photos looked at, it changes seven, rightly but for a damaged painting.
    """

    least: float = 0.5  # squared eyes' distances of hair below the chin that may go on
    grown: float = 0.3  # the same of what goes on, at least
    contact: float = 0.3  # eyes' distances along which both have to touch
    components: int = 4  # of the mixture of the hair's colours
    usual: float = 15.0  # percentile of its own pixels whose likelihood is enough
    smooth: float = 0.06  # eyes' distances over which that is smoothed
    rounds: int = 3  # of following it, each with the colours of what was found
    aside: float = 0.25  # eyes' distances beside the fallen hair within which it goes on
    elsewhere: float = 0.35  # of what goes on, the most that looks like it elsewhere in the cloth
    cloth: float = 0.3  # of the same, the least that is left of the cloth
    apart: float = 15.0  # L*a*b* units between both


S = register_settings("lift.fallen_hair", FallenHairSettings())


def follow_fallen_hair(
    label: IntArray, features: FloatArray, lab: FloatArray, below_chin: BoolArray, unit: float
) -> IntArray:
    """Give the ends of long hair their label.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        features: [H, W, F] colours and texture, as mixtures of colours are fitted to.
        lab: [H, W, 3] L*a*b*.
        below_chin: [H, W] pixels below the chin.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    upper, fallen = label == UPPER, (label == HAIR) & below_chin
    if fallen.sum() < S.least * unit**2 or not upper.any():
        return label
    alike, grown = _follow(fallen, upper, features, unit)
    columns = np.nonzero(fallen.any(0))[0]
    reach = round(S.aside * unit)
    grown[:, : max(0, columns[0] - reach)] = False
    grown[:, columns[-1] + reach + 1 :] = False
    if grown.sum() < S.grown * unit**2:
        return label
    rest = upper & ~grown
    if (alike & rest).sum() > S.elsewhere * grown.sum() or rest.sum() < S.cloth * grown.sum():
        return label
    apart = np.linalg.norm(np.median(lab[grown], axis=0) - np.median(lab[rest], axis=0))
    return np.where(grown, HAIR, label) if apart > S.apart else label


def _follow(
    fallen: BoolArray, upper: BoolArray, features: FloatArray, unit: float
) -> tuple[BoolArray, BoolArray]:
    """[H, W] upper wear in the colours of the fallen hair, and what of it goes on from that."""
    both = fallen | upper
    beside = ndimage.binary_dilation(fallen, iterations=2)
    alike, grown = np.zeros_like(fallen), np.zeros_like(fallen)
    for _ in range(S.rounds):
        known = fallen | grown
        tone = fit_colors(features[known], S.components).log_density(features[both], equal=False)
        like = np.zeros(both.shape)
        like[both] = tone > np.percentile(tone[known[both]], S.usual)
        near = upper & (smooth_within(like, both, max(1.0, S.smooth * unit)) > 0.5)
        patches, count = ndimage.label(near)
        touching = np.bincount(patches[near & beside], minlength=count + 1)
        held = np.nonzero(touching > 2.0 * S.contact * unit)[0]
        more = np.isin(patches, held[held > 0])
        if more.sum() <= 1.05 * grown.sum():
            break
        alike, grown = near, more
    return alike, grown
