"""Texture for what the photo does not show, quilted from patches of what it shows.

The unseen part of a grid is filled patch by patch, outwards from the seen part. Each patch is the
window of the seen texture that fits best to what lies around it already (after Efros and Freeman
2001); what is left of the misfit fades into the patch, so that no border shows. Grids are limbs
unrolled (``colors_unroll.py``): rows along the limb, columns around it, which wrap.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.distances import find_nearest, measure_depth
from ...core.kernels import kernel
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
    windows, corners = _lay_out(
        [_holes_closed(t, m) if m.any() else t for t, m in grids], origins, side
    )
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
        far = np.abs(origins[pick, 1] - r0) * cell / 0.3
        cost = variance * (S.along * far**2 + (S.again if flip else 0.0) * taken[pick])
        around = out[at]
        first = corners[pick] + [part.start, 0]
        both = (
            _misfits(windows, first, around, held, flip, held.sum())
            if held.any()
            else np.zeros((2, 1))
        )
        cost = cost + 4.0 * both[: 1 + flip]
        mirrored, best = np.unravel_index(int(cost.argmin()), cost.shape)
        taken[_near(origins, origins[pick[best]], side)] += 1.0
        row, column = first[best]
        window = windows[row : row + len(r), column : column + side]
        window = window[:, ::-1] if mirrored else window
        out[at] = np.where(todo[..., None], _joined(window, around, held, cell, fade), around)
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
    away = measure_depth(~np.tile(cells, (1, 3)))
    return np.asarray(away[:, n : 2 * n] <= radius)


def _near(origins: IntArray, one: IntArray, side: int) -> BoolArray:
    """[M] windows that share more than half of their side with ``one`` [3]."""
    same = origins[:, 0] == one[0]
    return np.asarray(same & (np.abs(origins - one)[:, 1:].max(1) < 0.5 * side))


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
def _misfits(windows, corners, around, held, flip, count):  # type: ignore[no-untyped-def]
    """[2, M] mean squares of what windows, mirrored as well, differ from ``count`` held cells."""
    rows, columns, channels = around.shape
    out = np.zeros((2, corners.shape[0]))
    for m in range(corners.shape[0]):
        top, left = corners[m]
        for mirrored in range(2 if flip else 1):
            total = 0.0
            for y in range(rows):
                for x in range(columns):
                    if held[y, x]:
                        column = left + (columns - 1 - x if mirrored else x)
                        for c in range(channels):
                            step = windows[top + y, column, c] - around[y, x, c]
                            total += step * step
            out[mirrored, m] = total / count
    return out


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


def _joined(
    window: FloatArray, around: FloatArray, held: BoolArray, cell: float, fade: float
) -> FloatArray:
    """[s, s, K] a window, its misfit to what is ``held`` around it faded into it."""
    if not held.any():
        return window
    row, column, distance = find_nearest(held)
    misfit = (around - window)[row, column]
    rows, columns, _ = misfit.shape
    misfit = _blur(rows) @ misfit.reshape(rows, -1)
    misfit = _blur(columns) @ misfit.reshape(window.shape)
    return np.asarray(window + misfit * np.exp(-distance * cell / fade)[..., None])


@functools.cache
def _blur(count: int) -> FloatArray:
    """[count, count] matrix that blurs so many cells in a row: SciPy's filter takes far longer."""
    return np.asarray(ndimage.gaussian_filter1d(np.eye(count), 1.0, axis=0, mode="nearest"))
