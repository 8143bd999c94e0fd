"""Exact Euclidean distances on pixel grids, several times as fast as scipy's.

Felzenszwalb & Huttenlocher 2012, "Distance transforms of sampled functions": nearest pixels along
columns first, then the lower envelope of their parabolas along each row.
"""

from __future__ import annotations

import numpy as np

from .kernels import kernel
from .threads import run_parts
from .types import BoolArray, FloatArray, IntArray

ROWS_PER_PART = 256  # at least, for a thread


def find_nearest(known: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Find the nearest known pixel to each pixel.

    Args:
        known: [H, W] the pixels that count.

    Returns:
        row: [H, W] int32 of the nearest known pixel; -1 where there is none in the whole grid.
        column: [H, W] int32, the same.
        distance: [H, W] float64 pixels to it; more than any in the grid where there is none.
    """
    height, width = known.shape
    rows, columns = np.full((height, width), -1, np.int32), np.full((height, width), -1, np.int32)
    distance = np.full((height, width), float(height + width))
    if known.any():
        above = np.empty((height, width), np.int32)
        _sweep_columns(np.ascontiguousarray(known), above)
        run_parts(_sweep_rows, height, above, rows, columns, distance, least=ROWS_PER_PART)
    return rows, columns, distance


def measure_depth(mask: BoolArray) -> FloatArray:
    """Return how far each pixel of a mask is from the nearest pixel outside it.

    Args:
        mask: [H, W] the pixels.

    Returns:
        [H, W] float64 pixels, 0 outside the mask; more than any distance in the grid if the mask
        is everywhere.
    """
    return find_nearest(~mask)[2]


@kernel()
def fill_nearest(known, rows, columns, distance):  # type: ignore[no-untyped-def]
    """Fill in :func:`find_nearest`, within another kernel; some pixel must be known."""
    above = np.empty(known.shape, np.int32)
    _sweep_columns(known, above)
    _sweep_rows(0, known.shape[0], above, rows, columns, distance)


@kernel()
def _sweep_columns(known, row):  # type: ignore[no-untyped-def]
    """Set the row of the nearest known pixel in the same column; -1 where there is none."""
    height, width = known.shape
    for x in range(width):
        row[0, x] = 0 if known[0, x] else -1
    for y in range(1, height):
        for x in range(width):
            row[y, x] = y if known[y, x] else row[y - 1, x]
    for y in range(height - 2, -1, -1):
        for x in range(width):
            below, above = row[y + 1, x], row[y, x]
            if below > y and (above < 0 or below - y < y - above):
                row[y, x] = below


@kernel()
def _sweep_rows(first, beyond, nearest, rows, columns, distance):  # type: ignore[no-untyped-def]
    """Find the nearest of the columns' nearest pixels, for a range of rows."""
    width = nearest.shape[1]
    place, start = np.empty(width, np.int32), np.empty(width + 1)
    height_at = np.empty(width)
    for y in range(first, beyond):
        last = -1
        for x in range(width):
            if nearest[y, x] < 0:
                continue
            away = np.float64(nearest[y, x] - y)
            own = away * away + np.float64(x) * x
            cross = -np.inf
            while last >= 0:
                cross = (own - height_at[last]) / (2.0 * (x - place[last]))
                if cross > start[last]:
                    break
                last -= 1
            last += 1
            place[last], height_at[last] = x, own
            start[last] = cross if last > 0 else -np.inf
        start[last + 1] = np.inf
        k = 0
        for x in range(width):
            while start[k + 1] < x:
                k += 1
            at = place[k]
            down, across = nearest[y, at] - y, at - x
            rows[y, x], columns[y, x] = nearest[y, at], at
            distance[y, x] = np.sqrt(np.float64(down * down + across * across))


def drop_thin(pixels: BoolArray, thin: float) -> BoolArray:
    """Leave out the parts of a mask that are at most twice ``thin`` wide.

    Args:
        pixels: [H, W] the mask.
        thin: pixels.

    Returns:
        [H, W].
    """
    core = measure_depth(pixels) > thin
    return np.asarray(pixels & (measure_depth(~core) <= thin))


def add_places(values: FloatArray, per_pixel: float) -> FloatArray:
    """Append each pixel's place to its values, so that distances between pixels count both.

    Args:
        values: [H, W, C] such as colours.
        per_pixel: units of them that a pixel's distance counts.

    Returns:
        [H, W, C + 2].
    """
    rows, columns = np.indices(values.shape[:2])
    return np.dstack([values, per_pixel * rows, per_pixel * columns])
