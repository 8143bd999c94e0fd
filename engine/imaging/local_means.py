"""Colours around each pixel: their weighted means, and how steeply they change."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..core.types import BoolArray, FloatArray
from .resize import resize


def measure_steps(lab: FloatArray) -> FloatArray:
    """Measure how steeply colours change from pixel to pixel: edges.

    Args:
        lab: [H, W, 3] CIE Lab.

    Returns:
        [H, W] CIE Lab per pixel.
    """
    steps = [ndimage.gaussian_gradient_magnitude(lab[..., c], 1.0) for c in range(3)]
    return np.asarray(np.linalg.norm(steps, axis=0))


def measure_contrast(lab: FloatArray, side: int) -> FloatArray:
    """Measure how much each channel differs within a square around each pixel.

    Args:
        lab: [H, W, 3] CIE Lab.
        side: pixels along each side of the square.

    Returns:
        [H, W, 3] largest less smallest value.
    """
    box = (side, side, 1)
    return np.asarray(ndimage.maximum_filter(lab, box) - ndimage.minimum_filter(lab, box))


def mean_around(
    values: FloatArray, weight: FloatArray | BoolArray, sigma: float, least: float = 1e-6
) -> tuple[FloatArray, FloatArray]:
    """Compute the mean of what lies around each pixel, and how far it spreads.

    Args:
        values: [H, W, C].
        weight: [H, W] of each pixel.
        sigma: standard deviation of the surroundings, pixels.
        least: mean weight there below which nothing is known.

    Returns:
        mean: [H, W, C].
        spread: [H, W] standard deviation, of all channels together; infinite where nothing is
            known.
    """

    def blurred(grid: FloatArray) -> FloatArray:
        # Truncated early, and computed on a coarser grid: it varies slowly.
        step = max(1, int(sigma / 6))
        coarse = ndimage.uniform_filter(grid, step)[::step, ::step]
        wide = ndimage.gaussian_filter(coarse, sigma / step, truncate=3.0)
        return np.asarray(resize(np.asarray(wide, np.float32), grid.shape[1], grid.shape[0]))

    share = blurred(np.asarray(weight, np.float64))
    known = np.maximum(share, least)
    mean = np.stack([blurred(values[..., c] * weight) / known for c in range(values.shape[-1])], -1)
    square = blurred((values**2).sum(-1) * weight) / known
    spread = np.sqrt(np.clip(square - (mean**2).sum(-1), 0.0, None))
    return mean, np.where(share > least, spread, np.inf)
