"""Texels near the end of a garment: hems, cuffs, collars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....core.settings import register_settings
from ....core.types import FloatArray, IntArray
from .colors_texels import Texels


@dataclass(frozen=True)
class GarmentEndSettings:
    """Where a garment's texels end."""

    to_middle: float = 0.8  # of its splat's deviation from the end to a texel beside it


S = register_settings("lift.garment_end_texels", GarmentEndSettings())


@dataclass(frozen=True)
class GarmentEnd:
    """One kind of a garment's ends.

    Attributes:
        label: of the garment, index into ``labels.LABELS``.
        other: of what begins there.
        limbs: on which, indices into ``limbs.GROUPS``.
        above: whether that lies above the garment; None on arms, where either may.
        both: whether the band may lie on both sides, as a belt does.
    """

    label: int
    other: int
    limbs: tuple[int, ...]
    above: bool | None
    both: bool = False

    @property
    def turned(self) -> GarmentEnd:
        """The same end of the other garment."""
        return GarmentEnd(self.other, self.label, self.limbs, not self.above)


def find_texels_near_end(t: Texels, end: GarmentEnd, reach: float) -> tuple[IntArray, FloatArray]:
    """Rows [M] of a garment's texels within ``reach`` metres of its end, and their metres [M]."""
    rows, metres = [np.zeros(0, np.int64)], [np.zeros(0)]
    for limbs in [[limb] for limb in end.limbs] if end.above is None else [end.limbs]:
        on_limb = np.isin(t.group, limbs)
        own = np.nonzero(on_limb & (t.label == end.label))[0]
        beyond = np.nonzero(on_limb & (t.label == end.other))[0]
        if reach <= 0.0 or len(own) == 0 or len(beyond) == 0:
            continue
        most = reach + S.to_middle * float(t.radius[beyond].max())
        away, index = cKDTree(t.rest[beyond]).query(t.rest[own], distance_upper_bound=most)
        found = np.isfinite(away)
        own, index, away = own[found], beyond[index[found]], away[found]
        away = np.maximum(away - S.to_middle * t.radius[index], 0.0)
        fits = away < reach
        if end.above is not None:
            fits &= (t.rest[index, 1] > t.rest[own, 1]) == end.above
        rows.append(own[fits])
        metres.append(away[fits])
    return np.concatenate(rows), np.concatenate(metres)
