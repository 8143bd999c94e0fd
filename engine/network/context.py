"""Inputs of the heads about a Gaussian's place and the rest of the person. Without torch.

What a photo does not show follows mostly from a few things that it shows: the colour of the same
limb elsewhere, the person's overall brightness, and the direction of the light. A network that must
find these by attention needs far more people than one that gets them as inputs (ours; measured in
docs/training.md).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numba
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..core.types import LAYERS, BoolArray, FloatArray, IntArray
from .config import AnyDecoder
from .inputs import LIFT_CHANNELS, NetworkInputs, color_patches, lift_channels
from .uv_grids import LIMBS, UVGrids, means_by

Values = TypeVar("Values", bound=Any)
"""An array, or a tensor of torch."""

CONTEXT_CHANNELS = 3 + 3 + len(LIMBS) + 3 + 7 + 4 + 3 + 4 + 3 + 4
"""Channels of :func:`context_channels`."""

_COLORS = 3  # the first of lift_channels, which the heads do not get

HEAD_CHANNELS = LIFT_CHANNELS - _COLORS + CONTEXT_CHANNELS
"""Channels of the heads' inputs for each Gaussian."""

AWAY = HEAD_CHANNELS - 1
"""Channel with the distance to the nearest place that the photo shows, in units of 10 cm."""

AROUND = slice(HEAD_CHANNELS - 7, HEAD_CHANNELS - 4)
"""Channels with the mean colour around."""

FREE_FROM, FREE_TO, NEVER_FROM = 0.4, 2.5, 3.5  # times 10 cm from what the photo shows
_FEW = 10  # Gaussians that are too few for a limb
_PLACE = 2.0  # per metre
_DARKEST = 0.05  # added to brightness before its logarithm
_RIDGE = 1e-3
_RING, _FEW_IN_RING = 0.04, 5  # metres along a limb; Gaussians that are too few for a ring
_CELL = 0.02  # metres of the cells for neighbourhoods
_AROUND, _NEAREST, _BETWEEN = 20, 64, 4  # cells
_FAR, _NOWHERE = 0.1, 1.0  # metres: the unit of distances, and where nothing is shown at all
_SOFT = 0.01  # metres within which the nearest ones count alike

# Means and deviations over synthetic people, rounded: normalised numbers are learned ten times
# faster. Of colours, brightness, a limb's deviations, the light, and the share that is shown.
_COLOR, _BRIGHT, _SPREAD, _LIT, _SHARE = (
    (0.35, 0.18),
    (0.35, 0.12),
    (0.12, 0.06),
    (0.0, 0.15),
    (0.5, 0.15),
)


def head_channels(inputs: NetworkInputs, grids: UVGrids) -> FloatArray:
    """Compute the heads' inputs.

    They are :func:`.inputs.lift_channels` without colours, and :func:`context_channels`. A
    Gaussian's own colour is left out, only the mean around it is included: otherwise the heads
    learn to darken whatever is lighter than its surroundings, and patterns fade.

    Args:
        inputs: Of one person, N Gaussians.
        grids: Of the network.

    Returns:
        [N, 56] float32.
    """
    own = lift_channels(inputs.base, inputs.facing)[:, _COLORS:]
    return np.concatenate([own, context_channels(inputs, grids)], -1)


def change_allowance(lift: Values) -> Values:
    """Get the share of a change that Gaussians may take.

    None where the photo shows their place, and more with growing distance from there, because a
    border would be visible. None again far from everything shown: the hands and legs of a
    portrait's person are in none of its pictures, so their looks were never supervised.

    Args:
        lift: [..., 56] of :func:`head_channels`.

    Returns:
        [..., 1] in 0..1.
    """
    away = lift[..., AWAY, None]
    near = (away / FREE_FROM).clip(0.0, 1.0)
    share: Values = near * ((NEVER_FROM - away) / (NEVER_FROM - FREE_TO)).clip(0.0, 1.0)
    return share


def lift_inputs(
    inputs: NetworkInputs, grids: UVGrids, config: AnyDecoder
) -> tuple[FloatArray, FloatArray]:
    """Compute the decoder's inputs about the lift; they are empty in the paper's form.

    Args:
        inputs: Of one person, N Gaussians.
        grids: Of the network.
        config: Of the decoder.

    Returns:
        [Tc, p * p * 4] colours of the tokens' texels (:func:`.inputs.color_patches`), and [N, 56]
            of :func:`head_channels`; [Tc, 0] and [N, 0] in the paper's form.
    """
    if not config.residual:
        tokens, count = len(grids.core_cells), len(inputs.base)
        return np.zeros((tokens, 0), np.float32), np.zeros((count, 0), np.float32)
    patches = color_patches(inputs.color_map, grids, config.patch)
    return patches, head_channels(inputs, grids) if inputs.lift is None else inputs.lift


def context_channels(inputs: NetworkInputs, grids: UVGrids) -> FloatArray:
    """Compute the context of Gaussians, in numbers of similar size.

    The last eleven change gradually over the surface, because the output must too: otherwise the
    border between places that are nearer to one side and those nearer to the other would be
    visible.

    Args:
        inputs: Of one person, N Gaussians.
        grids: Of the network.

    Returns:
        [N, 42] float32: place (3) and normal (3) on the template, limb (8); the mean colour of that
        limb (3); what the photo shows of it: mean colour (3), deviation (3) and whether it shows
        any (1); the photo's light (4: how the logarithm of brightness changes with the normal, and
        a constant); the person's mean brightness, that of what the photo shows, and its share of
        the Gaussians (3); the mean colour that the photo shows at the same height of the limb, and
        whether there is any (4); the mean colour around (3); and of the places that the photo
        shows, the nearest ones' colour, and the distance of the nearest (4).
    """
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
        _PLACE * place,
        normal,
        np.eye(len(LIMBS))[limb],
        _even(mean[limb], _COLOR),
        known[limb, None] * _even(seen[limb], _COLOR),
        known[limb, None] * _even(deviation[limb], _SPREAD),
        known[limb, None],
        np.tile(np.concatenate([light, person]), (count, 1)),
        _gradual(place, _ring(place, limb, colors, shown), colors, shown),
    ]
    out: FloatArray = np.concatenate(parts, -1).astype(np.float32)
    return out


def _even(values: FloatArray, usual: tuple[float, float]) -> FloatArray:
    mean, deviation = usual
    out: FloatArray = (values - mean) / deviation
    return out


def _by_limb(colors: FloatArray, limb: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means [L, 3] and deviations [L, 3] of colours [n, 3] by limb, and [L] whether there are some.

    They are zero where there are hardly any colours; the last is 0 or 1.
    """
    mean, number = means_by(colors, limb, len(LIMBS))
    square, _ = means_by(colors**2, limb, len(LIMBS))
    known = (number > _FEW).astype(np.float64)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return known[:, None] * mean, known[:, None] * spread, known


def _ring(place: FloatArray, limb: IntArray, colors: FloatArray, shown: BoolArray) -> FloatArray:
    """[N, 4] the mean colour shown at the same height of the limb, and 0 or 1 whether there is any.

    Of arms: at the same distance from the middle.
    """
    arms = np.isin(limb, [LIMBS.index("arm"), LIMBS.index("hand")])
    along = np.where(arms, np.abs(place[:, 0]), place[:, 1])
    ring, number = _numbered(np.stack([limb, np.floor(along / _RING).astype(np.int64)], 1))
    mean, shows = means_by(colors[shown], ring[shown], number)
    known = (shows > _FEW_IN_RING)[:, None].astype(np.float64)
    out: FloatArray = np.concatenate([known * _even(mean, _COLOR), known], 1)[ring]
    return out


def _gradual(
    place: FloatArray, ring: FloatArray, colors: FloatArray, shown: BoolArray
) -> FloatArray:
    """[N, 11] what changes gradually over the surface.

    ``ring`` [N, 4], the mean colour around, and colour and distance of the nearest shown places.
    Computed in cells of the template's space, so that finer lifts give the same, and interpolated
    between these.
    """
    if not len(place):
        return np.zeros((0, 11))
    cell, number = _numbered(np.floor(place / _CELL).astype(np.int64))
    middle, _ = means_by(place, cell, number)
    color, _ = means_by(colors, cell, number)
    away, which = _nearest(middle, middle, _AROUND)
    around = _even(color[which].mean(1), _COLOR)
    visible, shows = means_by(colors[shown], cell[shown], number)
    there = shows > 0
    near, far = np.zeros((number, 3)), np.full((number, 1), _NOWHERE / _FAR)
    if there.any():
        away, which = _nearest(middle, middle[there], _NEAREST)
        near, far = _even(_blended(visible[there], away, which), _COLOR), away[:, :1] / _FAR
    told = np.concatenate([means_by(ring, cell, number)[0], around, near, far], 1)
    return _blended(told, *_nearest(place, middle, _BETWEEN))


def _blended(values: FloatArray, away: FloatArray, which: IntArray) -> FloatArray:
    """[n, K] the mean of values [C, K] at the rows ``which`` [n, m].

    They are weighted by the inverse of their distance ``away`` [n, m] to the fourth power.
    """
    weight = (away**2 + _SOFT**2) ** -2
    count, most = which.shape
    rows = np.arange(0, count * most + 1, most)
    shares = sparse.csr_matrix((weight.ravel(), which.ravel(), rows), (count, len(values)))
    out: FloatArray = shares @ values / weight.sum(1)[:, None]
    return out


def _numbered(keys: IntArray) -> tuple[IntArray, int]:
    """[N] the number of each row of keys [N, K] among the distinct ones, and their count."""
    keys = keys - keys.min(0, initial=0)
    flat = np.ravel_multi_index(tuple(keys.T), tuple(keys.max(0, initial=0) + 1))
    values, number = np.unique(flat, return_inverse=True)
    return number.reshape(-1), len(values)


def _nearest(places: FloatArray, points: FloatArray, most: int) -> tuple[FloatArray, IntArray]:
    """[n, m] distances and indices of the points [P, 3] nearest to each place [n, 3], in order.

    m is ``most``, or P where there are fewer.
    """
    most = min(most, len(points))
    away, which = cKDTree(points).query(places, most, workers=numba.get_num_threads())
    return away.reshape(len(places), most), which.reshape(len(places), most)


def _light(bright: FloatArray, normal: FloatArray, limb: IntArray) -> FloatArray:
    """[4] least squares over what the photo shows.

    How the logarithm of brightness, relative to its limb's mean, changes with the normal on the
    body at rest (3), and the constant.
    """
    if len(bright) <= _FEW:
        return np.zeros(4)
    level = np.log(bright + _DARKEST)
    number = np.bincount(limb, minlength=len(LIMBS))
    level -= (np.bincount(limb, level, len(LIMBS)) / np.maximum(number, 1))[limb]
    terms = np.concatenate([normal, np.ones((len(normal), 1))], 1)
    system = terms.T @ terms / len(terms) + _RIDGE * np.eye(4)
    out: FloatArray = np.linalg.solve(system, terms.T @ level / len(terms))
    return out
