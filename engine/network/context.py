"""What the heads are told of a Gaussian's place and of the rest of the person. Without torch.

What a photo does not show follows mostly from few things that it does: which colour the same limb
has elsewhere, how bright the person is on the whole, and from where the light comes. A network
that has to find these by attention needs far more people than one that is told (ours; measured in
docs/training.md).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..types import LAYERS, BoolArray, FloatArray, IntArray
from .grids import LIMBS, UVGrids, means_by
from .inputs import LIFT_CHANNELS, NetworkInputs, lift_channels

CONTEXT_CHANNELS = 3 + 3 + len(LIMBS) + 3 + 7 + 4 + 3 + 4 + 3 + 4
"""Numbers of :func:`context_channels`."""

HEAD_CHANNELS = LIFT_CHANNELS + CONTEXT_CHANNELS
"""Numbers that the heads are told of each Gaussian."""

_FEW = 10  # Gaussians that tell nothing of a limb
_PLACE = 2.0  # per metre
_DARKEST = 0.05  # added to brightness before its logarithm
_RIDGE = 1e-3
_RING, _FEW_IN_RING = 0.04, 5  # metres along a limb; Gaussians that tell nothing of a ring
_CELL = 0.02  # metres of the cells in which what is nearby is looked for
_AROUND, _NEAREST = 6, 5  # cells
_FAR = 0.1  # metres

# Means and deviations over made-up people, rounded: numbers of one size are learned ten times as
# fast. Of colours, brightness, a limb's deviations, the light, and the share that is shown.
_COLOR, _BRIGHT, _SPREAD, _LIT, _SHARE = (
    (0.35, 0.18), (0.35, 0.12), (0.12, 0.06), (0.0, 0.15), (0.5, 0.15),
)  # fmt: skip


def head_channels(inputs: NetworkInputs, grids: UVGrids) -> FloatArray:
    """[N, 59] float32: :func:`..inputs.lift_channels`, where colours are told as in the others,
    and :func:`context_channels`."""
    own = lift_channels(inputs.base, inputs.facing)
    own[:, :3] = _even(own[:, :3], _COLOR)
    return np.concatenate([own, context_channels(inputs, grids)], -1)


def context_channels(inputs: NetworkInputs, grids: UVGrids) -> FloatArray:
    """[N, 42] float32, in numbers of one size: place (3) and normal (3) on the template, limb (8);
    the mean colour of that limb (3); what the photo shows of it: mean colour (3), deviation (3)
    and whether it shows any (1); the photo's light (4: how the logarithm of brightness changes
    with the normal, and a constant); the person's mean brightness, that of what the photo shows,
    and its share of the Gaussians (3); the mean colour that the photo shows at the same height of
    the limb, and whether there is any (4); the mean colour around (3); and the nearest ones that
    the photo shows, and how far away they are (4)."""
    base = inputs.base
    count = len(base)
    size = grids.texel_limb.shape[0]
    col, row = np.minimum((inputs.uv * size).astype(np.int64), size - 1).T
    limb = grids.texel_limb[row, col].astype(np.int64)
    place = np.asarray(grids.texel_place[row, col], np.float64)
    normal = grids.texel_normal[row, col]
    colors = np.asarray(base.colors, np.float64)
    shown = base.layer == LAYERS.index("photo")
    mean, _, _ = _by_limb(colors, limb)
    seen, deviation, known = _by_limb(colors[shown], limb[shown])
    bright = colors.mean(1)
    person = [
        bright.mean() if count else 0.0,
        bright[shown].mean() if shown.any() else 0.0,
        shown.mean() if count else 0.0,
    ]
    light = _even(_light(bright[shown], normal[shown], limb[shown]), _LIT)
    person = [*_even(np.array(person[:2]), _BRIGHT), _even(np.array(person[2]), _SHARE)]
    parts = [
        _PLACE * place, normal, np.eye(len(LIMBS))[limb],
        _even(mean[limb], _COLOR), known[limb, None] * _even(seen[limb], _COLOR),
        known[limb, None] * _even(deviation[limb], _SPREAD), known[limb, None],
        np.tile(np.concatenate([light, person]), (count, 1)),
        _ring(place, limb, colors, shown), *_nearby(place, colors, shown),
    ]  # fmt: skip
    out: FloatArray = np.concatenate(parts, -1).astype(np.float32)
    return out


def _even(values: FloatArray, usual: tuple[float, float]) -> FloatArray:
    mean, deviation = usual
    out: FloatArray = (values - mean) / deviation
    return out


def _by_limb(colors: FloatArray, limb: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """[L, 3] means and [L, 3] deviations of colours [n, 3] by limb, zero where there are hardly
    any, and [L] 0 or 1 where there are some."""
    mean, number = means_by(colors, limb, len(LIMBS))
    square, _ = means_by(colors**2, limb, len(LIMBS))
    known = (number > _FEW).astype(np.float64)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return known[:, None] * mean, known[:, None] * spread, known


def _ring(place: FloatArray, limb: IntArray, colors: FloatArray, shown: BoolArray) -> FloatArray:
    """[N, 4] the mean colour that is shown at the same height of the limb (of arms: as far from
    the middle), and 0 or 1 whether there is any."""
    arms = np.isin(limb, [LIMBS.index("arm"), LIMBS.index("hand")])
    along = np.where(arms, np.abs(place[:, 0]), place[:, 1])
    ring, number = _numbered(np.stack([limb, np.floor(along / _RING).astype(np.int64)], 1))
    mean, shows = means_by(colors[shown], ring[shown], number)
    known = (shows > _FEW_IN_RING)[:, None].astype(np.float64)
    out: FloatArray = np.concatenate([known * _even(mean, _COLOR), known], 1)[ring]
    return out


def _nearby(
    place: FloatArray, colors: FloatArray, shown: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """[N, 3] the mean colour around, and [N, 4] the nearest that the photo shows with their
    distance. Looked for by cells of the template's space, so that finer lifts say the same."""
    cell, number = _numbered(np.floor(place / _CELL).astype(np.int64))
    middle, _ = means_by(place, cell, number)
    color, _ = means_by(colors, cell, number)
    around, _ = _nearest(middle, middle, color, _AROUND)
    visible, shows = means_by(colors[shown], cell[shown], number)
    there = shows > 0
    if not there.any():
        return _even(around, _COLOR)[cell], np.zeros((len(place), 4))
    seen, away = _nearest(middle, middle[there], visible[there], _NEAREST)
    return (
        _even(around, _COLOR)[cell],
        np.concatenate([_even(seen, _COLOR), away[:, None] / _FAR], 1)[cell],
    )


def _numbered(keys: IntArray) -> tuple[IntArray, int]:
    """[N] the number of each row of keys [N, K] among the different ones, and how many."""
    keys = keys - keys.min(0, initial=0)
    flat = np.ravel_multi_index(tuple(keys.T), tuple(keys.max(0, initial=0) + 1))
    values, number = np.unique(flat, return_inverse=True)
    return number.reshape(-1), len(values)


def _nearest(
    middle: FloatArray, points: FloatArray, colors: FloatArray, most: int
) -> tuple[FloatArray, FloatArray]:
    """[C, 3] mean colour of the points [P, 3] nearest to each middle [C, 3], and [C] how far away
    these are on average."""
    most = min(most, len(points))
    if not most:
        return np.zeros((len(middle), 3)), np.zeros(len(middle))
    away, which = cKDTree(points).query(middle, most)
    away, which = away.reshape(len(middle), most), which.reshape(len(middle), most)
    return colors[which].mean(1), away.mean(1)


def _light(bright: FloatArray, normal: FloatArray, limb: IntArray) -> FloatArray:
    """[4] how the logarithm of brightness, beside its limb's mean, changes with the normal on the
    body at rest (3), and the constant: least squares over what the photo shows."""
    if len(bright) <= _FEW:
        return np.zeros(4)
    level = np.log(bright + _DARKEST)
    number = np.bincount(limb, minlength=len(LIMBS))
    level -= (np.bincount(limb, level, len(LIMBS)) / np.maximum(number, 1))[limb]
    terms = np.concatenate([normal, np.ones((len(normal), 1))], 1)
    system = terms.T @ terms / len(terms) + _RIDGE * np.eye(4)
    out: FloatArray = np.linalg.solve(system, terms.T @ level / len(terms))
    return out
