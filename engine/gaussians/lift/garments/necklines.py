"""The edge of a collar where the photo does not show it: one even curve round the neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ...mesh_diffusion import mesh_edges
from ..surface.labels import SKIN, UPPER, NamesArray


@dataclass(frozen=True)
class NecklineSettings:
    """The edge of a collar behind."""

    low: float = 0.38  # standard height above which it is looked for
    low_in_front: float = 0.28  # the same where the photo shows nothing of it
    sides: float = 80.0  # degrees from the spine round the neck's axis within which it counts
    span: float = 50.0  # the same up to which it must be found on both sides
    clear: float = 0.6  # share of skin and upper wear at it: hair does not lie over it
    few: int = 12  # edges of triangles that must cross it
    seen: float = 3.0  # weight of the part of it that the photo shows
    usual: float = 0.012  # metres from the curve; edges farther off count less
    uneven: float = 0.025  # median distance in metres beyond which no curve fits
    near: float = 0.05  # metres on either side over which labels change: triangles are coarse


S = register_settings("lift.necklines", NecklineSettings())


def even_neckline(
    shares: FloatArray, weight: FloatArray, rest: FloatArray, part: NamesArray, f: IntArray
) -> FloatArray:
    """Lay the edge between a collar and the neck on a smooth curve, mostly behind.

    The curve gives the height minus the distance from the neck's axis, which decreases all the way
    from the neck to the shoulders, as a few harmonics of the angle around that axis.

    Args:
        shares: [V, len(LABELS)] 0..1 of each label.
        weight: [V] 0..1 trust in what the photo shows, 0 where it shows nothing.
        rest: [V, 3] as of :func:`..surface.labels.standard_rest`.
        part: [V] name of each vertex's part.
        f: [F, 3] the body's triangles.

    Returns:
        [V, len(LABELS)] shares.
    """
    neck = part == "neck"
    if not neck.any():
        return shares
    to_axis = rest[:, [0, 2]] - [0.0, rest[neck, 2].mean()]
    around = np.degrees(np.arctan2(to_axis[:, 0], -to_axis[:, 1]))
    fall = rest[:, 1] - np.linalg.norm(to_axis, axis=1)
    both = shares[:, SKIN] + shares[:, UPPER]
    trunk = part == "torso"
    # A photo that shows nothing of the chest leaves the edge in front uneven, too.
    whole = not (weight[trunk & (rest[:, 1] > S.low_in_front)] > 0).any()
    low, sides = (S.low_in_front, 180.0) if whole else (S.low, S.sides)
    collar = (neck | (trunk & (rest[:, 1] > low))) & (np.abs(around) <= sides)
    level = shares[:, UPPER] - shares[:, SKIN]
    edges = mesh_edges(f)
    edges = edges[(collar & (both > S.clear))[edges].all(1) & (np.prod(level[edges], 1) < 0.0)]
    to = np.abs(level[edges])
    to = to[:, ::-1] / np.maximum(to.sum(1, keepdims=True), 1e-12)
    at, height = (np.sum(value[edges] * to, 1) for value in (around, fall))
    curve = _fit_curve(at, height, np.where((weight[edges] > 0).any(1), S.seen, 1.0))
    if curve is None:
        return shares
    above = fall - _harmonics(around) @ curve
    rows: BoolArray = collar & (weight <= 0) & (np.abs(above) < S.near)
    out = shares.copy()
    worn = 0.5 - 0.5 * above[rows] / S.near
    out[rows, UPPER], out[rows, SKIN] = both[rows] * worn, both[rows] * (1.0 - worn)
    return out


def _harmonics(around: FloatArray) -> FloatArray:
    """[N, 4] of angles [N] in degrees."""
    angle = np.radians(around)
    return np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle), np.cos(2 * angle)], -1)


def _fit_curve(around: FloatArray, height: FloatArray, weight: FloatArray) -> FloatArray | None:
    """Fit [4] harmonics to heights [N] at angles [N], robustly; None if too few or too uneven."""
    if len(around) < S.few or not around.min() < -S.span < S.span < around.max():
        return None
    basis, trust = _harmonics(around), weight
    for _ in range(8):
        root = np.sqrt(trust)
        curve = np.linalg.lstsq(basis * root[:, None], height * root, rcond=None)[0]
        off = np.abs(height - basis @ curve)
        trust = weight / (1.0 + (off / S.usual) ** 2)
    return curve if np.median(off) < S.uneven else None
