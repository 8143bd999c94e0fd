"""The guided filter (He, Sun and Tang 2013): smooths one picture along the edges of another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..core.types import FloatArray
from .resize import resize

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def guided_filter(
    values: FloatArray,
    guide: FloatArray,
    radius: int,
    epsilon: float,
    full_guide: FloatArray | None = None,
) -> FloatArray:
    """Express ``values`` as a locally linear function of the guide's colours.

    Args:
        values: [H, W].
        guide: [H, W, 3] in 0..1.
        radius: Half side of the window in pixels.
        epsilon: Colour variance below which the filter averages.
        full_guide: [H', W', 3] the same picture at a higher resolution; the linear function is then
            applied there ("fast guided filter", He and Sun 2015).

    Returns:
        [H, W], or [H', W'] with ``full_guide``; float32.
    """
    size = 2 * radius + 1

    def mean(x: FloatArray) -> FloatArray:
        blurred: FloatArray = ndimage.uniform_filter(x, (size, size, *(1,) * (x.ndim - 2)))
        return blurred

    # Centred first: variances of 1e-5 must survive the subtraction of squared means.
    centre = np.asarray(guide, np.float64).mean((0, 1))
    g = np.asarray(guide, np.float64) - centre
    v = np.asarray(values, np.float64)
    mean_g, mean_v = mean(g), mean(v)
    cross = mean(g * v[..., None]) - mean_g * mean_v[..., None]
    slope = _solve_symmetric(_covariance(g, mean_g, mean), epsilon, cross)
    offset = mean_v - (slope * mean_g).sum(-1)
    slope, offset = mean(slope), mean(offset)
    if full_guide is not None:
        height, width = full_guide.shape[:2]
        slope = resize(slope, width, height, "bilinear")
        offset = resize(offset, width, height, "bilinear")
        g = np.asarray(full_guide, np.float64) - centre
    return np.asarray((slope * g).sum(-1) + offset, np.float32)


def _covariance(
    g: FloatArray, mean_g: FloatArray, mean: Callable[[FloatArray], FloatArray]
) -> list[FloatArray]:
    """The six different entries of the windows' colour covariances, [H, W] each."""
    return [mean(g[..., i] * g[..., j]) - mean_g[..., i] * mean_g[..., j] for i, j in _PAIRS]


def _solve_symmetric(entries: list[FloatArray], epsilon: float, right: FloatArray) -> FloatArray:
    """(A + epsilon I)⁻¹ b per pixel by Cramer's rule; many times faster than general solves."""
    a, b, c, d, e, f = entries
    a, d, f = a + epsilon, d + epsilon, f + epsilon
    cofactors = (d * f - e * e, c * e - b * f, b * e - c * d)
    determinant = a * cofactors[0] + b * cofactors[1] + c * cofactors[2]
    x, y, z = np.moveaxis(right, -1, 0)
    solved = np.stack(
        [
            cofactors[0] * x + cofactors[1] * y + cofactors[2] * z,
            cofactors[1] * x + (a * f - c * c) * y + (b * c - a * e) * z,
            cofactors[2] * x + (b * c - a * e) * y + (a * d - b * b) * z,
        ],
        -1,
    )
    return np.asarray(solved / determinant[..., None])
