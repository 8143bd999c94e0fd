"""Texels of a limb on a grid over its unrolled surface (``colors_unroll.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from .colors_unroll import UnrolledLimb


@dataclass(frozen=True)
class LimbGridSettings:
    """Values on the grid of a limb."""

    spread: float = 1.5  # cells, standard deviation over which scattered values are smoothed
    cover: float = 1.0  # cells, the same of counts around a cell


S = register_settings("lift.limb_grid", LimbGridSettings())


def _blurred(values: FloatArray, cells: float) -> FloatArray:
    """[R, C] values blurred on a grid whose columns wrap; ``cells`` is the standard deviation."""
    return np.asarray(ndimage.gaussian_filter(values, cells, mode=("nearest", "wrap")))


@dataclass(frozen=True)
class LimbGrid:
    """Texels [M] on a grid over their unrolled limb; its columns go around.

    Attributes:
        v: [M] row of each, fractional.
        u: [M] column of each, fractional.
        shape: rows and columns.
        step: metres between rows and columns.
        top: height of the first row, metres along the limb.
    """

    v: FloatArray
    u: FloatArray
    shape: tuple[int, int]
    step: float
    top: float

    @staticmethod
    def over(unrolled: UnrolledLimb, chosen: IntArray) -> LimbGrid:
        """Make about as many cells as there are texels.

        Args:
            unrolled: all texels of the limb.
            chosen: [M] rows of those in the grid.
        """
        height, arc = unrolled.height[chosen], unrolled.arc[chosen]
        girth = float(np.median(unrolled.girth[chosen]))
        extent = max(float(np.ptp(height)), 0.02)
        area = float(np.ptp(unrolled.height)) * float(np.median(unrolled.girth))
        cell = float(np.clip(np.sqrt(area / len(unrolled.height)), 0.002, 0.02))
        rows, columns = max(2, int(np.ceil(extent / cell)) + 1), max(8, round(girth / cell))
        top = float(height.min())
        return LimbGrid((height - top) / cell, arc * columns, (rows, columns), cell, top)

    def _total(self, values: FloatArray, chosen: BoolArray) -> FloatArray:
        row = np.clip(self.v[chosen].astype(int), 0, self.shape[0] - 1)
        flat = row * self.shape[1] + np.mod(self.u[chosen].astype(int), self.shape[1])
        size = self.shape[0] * self.shape[1]
        return np.bincount(flat, values, size).astype(float).reshape(self.shape)

    def count(self, chosen: BoolArray) -> FloatArray:
        """Count the chosen [M] texels in each cell [R, C]."""
        return self._total(np.ones(int(chosen.sum())), chosen)

    def covers(self, chosen: BoolArray, share: float) -> BoolArray:
        """Return the cells [R, C] in and around which more than a share of texels is chosen [M]."""
        own, every = self.count(chosen), self.count(np.ones(len(chosen), bool))
        soft = [_blurred(counts, S.cover) for counts in (own, every)]
        return np.asarray((soft[0] > share * soft[1]) & ndimage.binary_dilation(own > 0))

    def front(self, metres: float) -> BoolArray:
        """Return the cells [R, C] within a distance of the middle of the front."""
        column = np.arange(self.shape[1])
        aside = np.minimum(column, self.shape[1] - column) * self.step
        return np.broadcast_to(aside < metres, self.shape)

    def turned_over(
        self, values: FloatArray, among: BoolArray
    ) -> tuple[FloatArray, BoolArray] | None:
        """Mirror values of some cells to the other side of the limb.

        Stripes and hems then join at the sides, and no view shows both copies whole.

        Args:
            values: [R, C, K].
            among: [R, C] the cells that have values.

        Returns:
            The mirrored values [R, C, K] and cells [R, C], or None if no cell has a value.
        """
        if not among.any():
            return None
        turn = np.exp(2j * np.pi * np.arange(self.shape[1]) / self.shape[1])
        middle = np.angle((among @ turn).sum()) / (2 * np.pi) * self.shape[1]
        over = self.shape[1] // 2 + round(2 * middle) - np.arange(self.shape[1])
        over = np.mod(over, self.shape[1])
        return values[:, over], among[:, over]

    def blur(self, values: FloatArray, metres: float) -> FloatArray:
        """Blur values [R, C]; ``metres`` is the standard deviation."""
        return _blurred(values, metres / self.step)

    def nearest(self, cells: BoolArray) -> tuple[FloatArray, IntArray]:
        """Find the nearest of some cells.

        Args:
            cells: [R, C], at least one.

        Returns:
            distance: [R, C] metres.
            place: [2, R, C] row and column.
        """
        n = self.shape[1]
        row, column, away = find_nearest(np.tile(cells, (1, 3)))
        middle = (slice(None), slice(n, 2 * n))
        index = np.stack([row[middle], column[middle] % n])
        return away[middle] * self.step, index

    def spread(self, values: FloatArray, chosen: BoolArray) -> FloatArray:
        """Return the chosen [M] texels' smooth values [M, K] at all cells [R, C, K]."""
        sums = [self._total(v, chosen) for v in values[chosen].T]
        soft = [_blurred(v, S.spread) for v in (*sums, self.count(chosen))]
        known = soft[-1] > 0.01
        means = np.stack(soft[:-1], -1) / np.maximum(soft[-1], 1e-9)[..., None]
        return np.asarray(means[find_nearest(known)[:2]])

    def smooth(self, values: FloatArray, among: BoolArray, metres: float) -> FloatArray:
        """Blur values [R, C, K] among some cells [R, C]; ``metres`` is the standard deviation."""
        soft = np.maximum(self.blur(among.astype(float), metres), 1e-3)
        return np.stack(
            [self.blur(v * among, metres) / soft for v in np.moveaxis(values, -1, 0)], -1
        )


def read_wrapped(grid: FloatArray, place: FloatArray) -> FloatArray:
    """Read a grid whose columns wrap.

    Args:
        grid: [R, C, K].
        place: [N, 2] column and row of each, the middle of the first cell at 0.5, 0.5.

    Returns:
        [N, K] bilinear.
    """
    at = [place[:, 1] - 0.5, place[:, 0] - 0.5]
    wide = np.concatenate([grid, grid[:, :2]], axis=1)
    at[1] = np.mod(at[1], grid.shape[1])
    return np.stack(
        [
            ndimage.map_coordinates(wide[..., k], at, order=1, mode="nearest")
            for k in range(grid.shape[2])
        ],
        -1,
    )
