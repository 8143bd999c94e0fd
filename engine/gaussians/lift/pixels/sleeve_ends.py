"""Where sleeves end: at a step in colour, or there is none.

Pale skin beside white cloth, or tanned skin beside tan hair, may be taken for a sleeve down to the
hand. A true hem shows: across it the arm changes its colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import smooth_within
from ..surface.labels import SKIN, UPPER
from ..surface.limbs import ARMS


@dataclass(frozen=True)
class SleeveEndSettings:
    """Where sleeves end."""

    ring: float = 0.02  # metres along an arm of which one colour is taken
    few: int = 6  # pixels of a ring: fewer tell no colour
    beside: int = 3  # rings on either side of an end whose colours are compared
    lightness: float = 0.5  # weight of L* beside a* and b*: an arm is rounded, and shaded
    hem: float = 6.0  # of such units over an end: less is no hem
    sought: float = 9.0  # the same where one is looked for instead
    alike: float = 0.5  # distance to the skin beyond that hem, over the one before it, at most
    shoulder: tuple[float, float] = (0.11, 0.30)
    """Metres from the middle and above the pelvis, standard rest: where an arm's shoulder is."""

    calm: float = 1.5  # pixels over which the choice between skin and cloth is smoothed


S = register_settings("lift.sleeve_ends", SleeveEndSettings())


def settle_sleeve_ends(
    group: IntArray, label: IntArray, lab: FloatArray, rest: FloatArray
) -> IntArray:
    """Make skin of upper wear on an arm that ends without a hem.

    Where the arm's colours change farther up, its sleeve ends there; else the arm is bare, and its
    shoulder may be.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        rest: [H, W, 3] metres in the standard T-pose, of the place on the body.

    Returns:
        [H, W] labels.
    """
    out = label.copy()
    tone = lab * [S.lightness, 1.0, 1.0]
    ring = (np.abs(rest[..., 0]) / S.ring).astype(int)
    x, y = S.shoulder
    shoulder = (np.abs(rest[..., 0]) > x) & (rest[..., 1] > y)
    for arm in ARMS:
        own = (group == arm) & np.isin(label, (SKIN, UPPER))
        found = _find_end(own, label == SKIN, tone, ring)
        if found is None or found.step >= S.hem:
            continue
        may = own & (label == UPPER)
        if found.sleeve is None:
            trunk = (label == UPPER) & (group >= 0) & ~np.isin(group, ARMS) & ~shoulder
            if trunk.sum() < S.few:
                continue
            cloth = np.median(tone[trunk], axis=0)
            if np.linalg.norm(cloth - found.skin) < S.sought:
                continue
            pieces, _ = ndimage.label(may | (shoulder & (label == UPPER) & (group >= 0)))
            same_side = np.sign(rest[..., 0]) == np.sign(np.median(rest[..., 0][own]))
            may = same_side & (pieces > 0) & np.isin(pieces, np.unique(pieces[may]))
        else:
            cloth = found.sleeve
            may &= ring >= found.end
        nearer = np.linalg.norm(tone - found.skin, axis=-1) - np.linalg.norm(tone - cloth, axis=-1)
        out[may & (smooth_within(nearer, may, S.calm) < 0.0)] = SKIN
    return out


@dataclass(frozen=True)
class _End:
    """How a sleeve ends.

    Attributes:
        step: how much the colours differ across its end.
        skin: [3] colour beyond it.
        end: ring before which the colours change; 0 where they change nowhere.
        sleeve: [3] colour before that; None where they change nowhere.
    """

    step: float
    skin: FloatArray
    end: int
    sleeve: FloatArray | None


def _find_end(own: BoolArray, skin: BoolArray, tone: FloatArray, ring: IntArray) -> _End | None:
    """How the sleeve of an arm's pixels ``own`` [H, W] ends; None if it does not, or has none."""
    if not own.any():
        return None
    length = int(ring[own].max()) + 1
    count = np.bincount(ring[own], minlength=length)
    bare = np.bincount(ring[own & skin], minlength=length) > 0.5 * count
    shown = count >= S.few
    covered, beyond = np.nonzero(shown & ~bare)[0], np.nonzero(shown & bare)[0]
    if not len(covered) or not len(beyond) or beyond.max() < covered.max():
        return None
    calm = smooth_within(tone, own, 1.0)
    colors = np.full((length, 3), np.nan)
    for k in np.nonzero(shown)[0]:
        colors[k] = np.median(calm[own & (ring == k)], axis=0)

    def beside(at: int) -> tuple[FloatArray, FloatArray] | None:
        """The colours [3] before and beyond the beginning of a ring."""
        parts = colors[max(at - S.beside, 0) : at], colors[at : at + S.beside]
        parts = tuple(part[~np.isnan(part[:, 0])] for part in parts)
        return (parts[0].mean(0), parts[1].mean(0)) if all(map(len, parts)) else None

    last = int(covered.max()) + 1
    across = beside(last)
    if across is None:
        return None
    bare_arm = across[1]
    sides = {at: pair for at in range(int(covered.min()) + 1, last) if (pair := beside(at))}
    steps = {at: float(np.linalg.norm(pair[1] - pair[0])) for at, pair in sides.items()}
    best, end, sleeve = S.sought, 0, None
    for at, pair in sides.items():
        # Only at its greatest: before and beyond it, both sides' colours mix.
        if steps[at] < max(best, steps.get(at - 1, 0.0), steps.get(at + 1, 0.0)):
            continue
        away = [float(np.linalg.norm(side - bare_arm)) for side in pair]
        if away[1] < S.alike * away[0]:
            best, end, sleeve = steps[at], at, pair[0]
    return _End(float(np.linalg.norm(across[1] - across[0])), bare_arm, end, sleeve)
