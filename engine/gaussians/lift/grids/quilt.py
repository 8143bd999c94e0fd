"""Texture for what the photo does not show, quilted from patches of what it shows.

The unseen part of a grid is filled patch by patch, outwards from the seen part. Each patch is the
window of the seen texture that fits best to what lies around it already (after Efros and Freeman
2001); what is left of the misfit fades into the patch, so that no border shows. Grids are limbs
unrolled (``surface/colors_unroll.py``): rows along the limb, columns around it, which wrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....core.distances import fill_nearest, find_nearest, measure_depth
from ....core.kernels import kernel
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray


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

_BLUR = 4
"""Cells beside one with which its misfit is mixed."""

_WEIGHTS = np.exp(-0.5 * np.arange(-_BLUR, _BLUR + 1) ** 2)
_WEIGHTS /= _WEIGHTS.sum()


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
    out = np.where(shown[..., None], texture, 0.0)
    filled = shown.copy()
    if laid is not None:
        own = laid[1] & wanted & ~_widened(shown, S.join / cell)
        out[own] = laid[0][own]
        filled |= own
    every = np.concatenate([t[m] for t, m in grids])
    variance = max(float(every.var(0).sum()), 1e-9)
    windows, corners = _lay_out(
        [_holes_closed(t, m) if m.any() else t for t, m in grids], origins, side
    )
    taken = np.zeros(len(origins))
    fade = (S.fade if flip else S.print_fade) / cell
    most = min(S.candidates if flip else S.print_candidates, len(origins))
    step = max(1, side - max(1, round(S.overlap * side)))
    costs = variance * S.along * (cell / 0.3) ** 2, variance * (S.again if flip else 0.0)
    for r0, c0 in _order(wanted & ~filled, shown, step, side):
        if _needs_patch(wanted, filled, r0, c0, side):
            pick = rng.choice(len(origins), most, replace=False)
            place = r0, c0, side, flip, fade
            _lay_patch(out, filled, wanted, windows, corners, origins, taken, pick, place, costs)
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
    away = measure_depth(~np.tile(cells, (1, 3)))
    return np.asarray(away[:, n : 2 * n] <= radius)


def _holes_closed(texture: FloatArray, source: BoolArray) -> FloatArray:
    """[R, C, K] the source, its few missing cells taken from beside them."""
    return np.asarray(texture[find_nearest(source)[:2]])


def _lay_out(
    textures: Sequence[FloatArray], origins: IntArray, side: int
) -> tuple[FloatArray, IntArray]:
    """All textures below each other, their first columns repeated; the windows' corners [M, 2]."""
    width = max(texture.shape[1] for texture in textures) + side
    tall = np.cumsum([0, *(len(texture) for texture in textures)])
    out = np.zeros((tall[-1], width, textures[0].shape[2]))
    for top, texture in zip(tall[:-1], textures, strict=True):
        wide = np.concatenate([texture, texture[:, :side]], 1)
        out[top : top + len(texture), : wide.shape[1]] = wide
    return out, np.stack([origins[:, 1] + tall[origins[:, 0]], origins[:, 2]], -1)


@kernel()
def _needs_patch(wanted, filled, r0, c0, side):  # type: ignore[no-untyped-def]
    """Whether a patch at a row and a column would fill any cell; columns wrap."""
    rows, columns = wanted.shape
    for y in range(max(r0, 0), min(r0 + side, rows)):
        for x in range(c0, c0 + side):
            if wanted[y, x % columns] and not filled[y, x % columns]:
                return True
    return False


@kernel()
def _lay_patch(  # type: ignore[no-untyped-def]
    out, filled, wanted, windows, corners, origins, taken, pick, place, costs
):
    """Fill a patch of ``out`` with the window that fits best of those at ``pick``.

    Args:
        out: [R, C, K] the grid.
        filled: [R, C] its cells that have a texture.
        wanted: [R, C] cells to fill.
        windows: [T, W, K] all textures.
        corners: [M, 2] of the windows there.
        origins: [M, 3] of the windows in their grids.
        taken: [M] how often windows beside each were taken.
        pick: [n] the windows that are compared.
        place: first row and column of the patch, its side, whether windows may be mirrored, and
            the cells over which a misfit fades.
        costs: of a row's distance, squared, and of each time that a window was taken.
    """
    r0, c0, side, flip, fade = place
    rows, columns, channels = out.shape
    first, beyond = max(r0, 0), min(r0 + side, rows)  # a patch may reach over the limb's end
    held = np.empty((beyond - first, side), np.bool_)
    around = np.empty((beyond - first, side, channels))
    for y in range(beyond - first):
        for x in range(side):
            held[y, x] = filled[first + y, (c0 + x) % columns]
            for c in range(channels):
                around[y, x, c] = out[first + y, (c0 + x) % columns, c]
    best, mirrored = _best_window(
        windows, corners, origins, taken, pick, first - r0, r0, around, held, flip, costs
    )
    for m in range(len(taken)):
        near = max(abs(origins[m, 1] - origins[best, 1]), abs(origins[m, 2] - origins[best, 2]))
        if origins[m, 0] == origins[best, 0] and near < 0.5 * side:
            taken[m] += 1.0
    top, left = corners[best, 0] + first - r0, corners[best, 1]
    window = np.empty_like(around)
    for y in range(beyond - first):
        for x in range(side):
            column = left + (side - 1 - x if mirrored else x)
            for c in range(channels):
                window[y, x, c] = windows[top + y, column, c]
    _join(window, around, held, fade)
    for y in range(beyond - first):
        for x in range(side):
            column = (c0 + x) % columns
            if wanted[first + y, column] and not held[y, x]:
                filled[first + y, column] = True
                for c in range(channels):
                    out[first + y, column, c] = window[y, x, c]


@kernel()
def _best_window(  # type: ignore[no-untyped-def]
    windows, corners, origins, taken, pick, skipped, r0, around, held, flip, costs
):
    """The window that costs least, and whether mirrored; its first rows may be ``skipped``."""
    rows, columns, channels = around.shape
    count = max(held.sum(), 1)
    best, best_mirrored, least = pick[0], False, np.inf
    for mirrored in range(2 if flip else 1):
        for m in pick:
            far = origins[m, 1] - r0
            total = 0.0
            for y in range(rows):
                for x in range(columns):
                    if held[y, x]:
                        column = corners[m, 1] + (columns - 1 - x if mirrored else x)
                        for c in range(channels):
                            step = windows[corners[m, 0] + skipped + y, column, c] - around[y, x, c]
                            total += step * step
            cost = costs[0] * far * far + costs[1] * taken[m] + 4.0 * total / count
            if cost < least:
                best, best_mirrored, least = m, mirrored == 1, cost
    return best, best_mirrored


@kernel()
def _join(window, around, held, fade):  # type: ignore[no-untyped-def]
    """Fade a window's misfit to what is ``held`` around it into it."""
    if not held.any():
        return
    rows, columns, channels = window.shape
    row, column = np.empty(held.shape, np.int32), np.empty(held.shape, np.int32)
    away = np.empty(held.shape)
    fill_nearest(held, row, column, away)
    misfit, soft = np.empty_like(window), np.empty_like(window)
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                i, j = row[y, x], column[y, x]
                misfit[y, x, c] = around[i, j, c] - window[i, j, c]
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                total = 0.0
                for k in range(-_BLUR, _BLUR + 1):
                    total += _WEIGHTS[k + _BLUR] * misfit[min(max(y + k, 0), rows - 1), x, c]
                soft[y, x, c] = total
    for y in range(rows):
        for x in range(columns):
            share = np.exp(-away[y, x] / fade)
            for c in range(channels):
                total = 0.0
                for k in range(-_BLUR, _BLUR + 1):
                    total += _WEIGHTS[k + _BLUR] * soft[y, min(max(x + k, 0), columns - 1), c]
                window[y, x, c] += share * total


def _order(wanted: BoolArray, shown: BoolArray, step: int, side: int) -> list[tuple[int, int]]:
    """First rows and columns of the patches that cover ``wanted``, from what is shown outwards."""
    rows, columns = wanted.shape
    three = np.tile(shown, (1, 3))
    away = np.zeros(wanted.shape)
    if shown.any():
        away = measure_depth(~three)[:, columns : 2 * columns]
    first_rows, first_columns = (
        np.arange(-(side - step) // 2, rows, step),
        np.arange(0, columns, step),
    )
    r = np.clip(first_rows[:, None] + np.arange(side), 0, rows - 1)
    c = np.mod(first_columns[:, None] + np.arange(side), columns)
    at = r[:, None, :, None], c[None, :, None, :]
    count = wanted[at].sum((2, 3))
    mean = (away * wanted)[at].sum((2, 3)) / np.maximum(count, 1)
    some = np.nonzero(count)
    order = np.lexsort((some[1], some[0], mean[some]))
    return [(int(first_rows[i]), int(first_columns[j])) for i, j in np.transpose(some)[order]]
