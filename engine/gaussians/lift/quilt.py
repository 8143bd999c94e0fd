"""Texture for what the photo does not show, quilted from patches of what it shows.

The unseen part of a grid is filled patch by patch, outwards from the seen part. Each patch is the
window of the seen texture that fits best to what lies around it already (after Efros and Freeman
2001); what is left of the misfit fades into the patch, so that no border shows. Grids are limbs
unrolled (``colors_unroll.py``): rows along the limb, columns around it, which wrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class QuiltSettings:
    """Patches of texture."""

    patch: float = 0.08  # metres along a side
    overlap: float = 0.3  # share of a patch that overlaps its neighbours
    least: int = 5  # cells along the side of the smallest patch
    cover: float = 0.97  # share of a window that must be seen
    few: int = 8  # windows below which they are cut smaller, or from another limb
    candidates: int = 80  # windows that are compared for a patch
    print_candidates: int = 400  # the same of prints, which must go on in phase
    along: float = 0.5  # cost, in variances, of a window from 30 cm farther along the limb
    again: float = 1.0  # the same of a window for each time that it was taken before
    fade: float = 0.012  # metres over which a misfit fades into a patch
    print_fade: float = 0.003  # the same of prints, whose colours do not mix
    join: float = 0.03  # metres between what is shown and what is laid, for patches to join them


S = register_settings("lift.quilt", QuiltSettings())


def quilt_texture(
    texture: FloatArray,
    source: BoolArray,
    shown: BoolArray,
    wanted: BoolArray,
    cell: float,
    flip: bool,
    rng: np.random.Generator,
    others: Sequence[tuple[FloatArray, BoolArray]] = (),
    laid: tuple[FloatArray, BoolArray] | None = None,
) -> FloatArray | None:
    """Fill a grid with texture.

    Args:
        texture: [R, C, K] zero-mean, where ``source`` or ``shown``.
        source: [R, C] cells that windows may be made of.
        shown: [R, C] cells whose texture the result must join.
        wanted: [R, C] cells to fill; the columns wrap.
        cell: metres of a cell's side.
        flip: whether windows may be mirrored: folds may, prints may not.
        rng: draws the candidates.
        others: texture and source of other limbs in the same fabric, for want of windows here.
        laid: texture [R, C, K] and cells [R, C] where it is laid as a whole before any patch,
            short of what is shown.

    Returns:
        [R, C, K], zero where neither shown nor wanted; None where no window has enough of the
        source.
    """
    grids = [(texture, source), *others]
    side = max(S.least, round(S.patch / cell))
    origins = _all_windows(grids, side)
    while len(origins) < S.few and side > S.least:
        side = max(S.least, int(0.75 * side))
        origins = _all_windows(grids, side)
    if len(origins) == 0:
        return None
    rows, columns = source.shape
    out = np.where(shown[..., None], texture, 0.0)
    filled = shown.copy()
    if laid is not None:
        own = laid[1] & wanted & ~_widened(shown, S.join / cell)
        out[own] = laid[0][own]
        filled |= own
    every = np.concatenate([t[m] for t, m in grids])
    variance = max(float(every.var(0).sum()), 1e-9)
    closed = [_holes_closed(t, m) if m.any() else t for t, m in grids]
    taken = np.zeros(len(origins))
    fade = S.fade if flip else S.print_fade
    step = max(1, side - max(1, round(S.overlap * side)))
    for r0, c0 in _order(wanted & ~filled, shown, step, side):
        r = np.arange(max(r0, 0), min(r0 + side, rows))
        part = slice(r[0] - r0, r[-1] - r0 + 1)  # of a patch that reaches over the limb's end
        at = np.ix_(r, np.mod(np.arange(c0, c0 + side), columns))
        held = filled[at]
        todo = wanted[at] & ~held
        if not todo.any():
            continue
        most = S.candidates if flip else S.print_candidates
        pick = rng.choice(len(origins), min(most, len(origins)), replace=False)
        window = _cut(closed, origins[pick], side)[:, part]
        if flip:
            window = np.concatenate([window, window[:, :, ::-1]])
            pick = np.concatenate([pick, pick])
        far = np.abs(origins[pick, 1] - r0) * cell / 0.3
        cost = variance * (S.along * far**2 + (S.again if flip else 0.0) * taken[pick])
        if held.any():
            misfit = ((window[:, held] - out[at][held]) ** 2).sum(2).mean(1)
            cost = cost + 4.0 * misfit
        best = int(cost.argmin())
        taken[_near(origins, origins[pick[best]], side)] += 1.0
        out[at] = np.where(
            todo[..., None], _joined(window[best], out[at], held, cell, fade), out[at]
        )
        filled[at] |= todo
    return out


def _all_windows(grids: Sequence[tuple[FloatArray, BoolArray]], side: int) -> IntArray:
    """[M, 3] grid, first row and column of every window; of the first grid if it has enough."""
    out = np.zeros((0, 3), np.int64)
    for k, (_, source) in enumerate(grids):
        found = _windows(source, side)
        out = np.concatenate([out, np.insert(found, 0, k, axis=1)])
        if k == 0 and len(out) >= S.few:
            break
    return out


def _windows(source: BoolArray, side: int) -> IntArray:
    """[M, 2] first row and column of every window of one grid's source; columns wrap."""
    rows, columns = source.shape
    if min(rows, columns) < side:
        return np.zeros((0, 2), np.int64)
    wide = np.pad(source.astype(float), ((0, 0), (0, side)), mode="wrap")
    total = np.pad(wide.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    seen = total[side:, side:] - total[:-side, side:] - total[side:, :-side]
    seen = (seen + total[:-side, :-side])[: rows - side + 1, :columns]
    return np.argwhere(seen >= S.cover * side * side)


def _widened(cells: BoolArray, radius: float) -> BoolArray:
    """[R, C] cells and those up to so many cells beside them; columns wrap."""
    if not cells.any():
        return cells
    n = cells.shape[1]
    away = ndimage.distance_transform_edt(~np.tile(cells, (1, 3)))
    return np.asarray(away[:, n : 2 * n] <= radius)


def _near(origins: IntArray, one: IntArray, side: int) -> BoolArray:
    """[M] windows that share more than half of their side with ``one`` [3]."""
    same = origins[:, 0] == one[0]
    return np.asarray(same & (np.abs(origins - one)[:, 1:].max(1) < 0.5 * side))


def _holes_closed(texture: FloatArray, source: BoolArray) -> FloatArray:
    """[R, C, K] the source, its few missing cells taken from beside them."""
    index = ndimage.distance_transform_edt(~source, return_distances=False, return_indices=True)
    return np.asarray(texture[tuple(index)])


def _cut(textures: Sequence[FloatArray], origins: IntArray, side: int) -> FloatArray:
    """[M, side, side, K] windows; columns wrap."""
    out = np.empty((len(origins), side, side, textures[0].shape[2]))
    for k in np.unique(origins[:, 0]):
        own = origins[:, 0] == k
        r = origins[own, 1, None, None] + np.arange(side)[None, :, None]
        c = origins[own, 2, None, None] + np.arange(side)[None, None, :]
        out[own] = textures[k][r, np.mod(c, textures[k].shape[1])]
    return out


def _order(wanted: BoolArray, shown: BoolArray, step: int, side: int) -> list[tuple[int, int]]:
    """First rows and columns of the patches that cover ``wanted``, from what is shown outwards."""
    rows, columns = wanted.shape
    three = np.tile(shown, (1, 3))
    away = np.zeros(wanted.shape)
    if shown.any():
        away = ndimage.distance_transform_edt(~three)[:, columns : 2 * columns]
    out = []
    for r0 in range(-(side - step) // 2, rows, step):
        for c0 in range(0, columns, step):
            r = np.clip(np.arange(r0, r0 + side), 0, rows - 1)
            at = np.ix_(r, np.mod(np.arange(c0, c0 + side), columns))
            if wanted[at].any():
                out.append((float(away[at][wanted[at]].mean()), r0, c0))
    return [(r0, c0) for _, r0, c0 in sorted(out)]


def _joined(
    window: FloatArray, around: FloatArray, held: BoolArray, cell: float, fade: float
) -> FloatArray:
    """[s, s, K] a window, its misfit to what is ``held`` around it faded into it."""
    if not held.any():
        return window
    distance, index = ndimage.distance_transform_edt(~held, return_indices=True)
    misfit = (around - window)[tuple(index)]
    misfit = ndimage.gaussian_filter(misfit, (1.0, 1.0, 0.0), mode="nearest")
    return np.asarray(window + misfit * np.exp(-distance * cell / fade)[..., None])
