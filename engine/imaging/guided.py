"""The guided filter (He, Sun and Tang 2013): smooths one picture along the edges of another."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..types import FloatArray
from .resize import resize


def guided_filter(
    values: FloatArray,
    guide: FloatArray,
    radius: int,
    epsilon: float,
    full_guide: FloatArray | None = None,
) -> FloatArray:
    """``values`` as a locally linear function of the guide's colours.

    Args:
        values: [H, W].
        guide: [H, W, 3] in 0..1.
        radius: half side of the window in pixels.
        epsilon: colour variance below which the filter averages.
        full_guide: [H', W', 3] the same picture at a higher resolution; the linear function is
            then applied there ("fast guided filter", He and Sun 2015).

    Returns:
        [H, W], or [H', W'] with ``full_guide``; float32.
    """
    size = 2 * radius + 1

    def mean(x: FloatArray) -> FloatArray:
        blurred: FloatArray = ndimage.uniform_filter(x, (size, size, *(1,) * (x.ndim - 2)))
        return blurred

    g = np.asarray(guide, np.float64)
    v = np.asarray(values, np.float64)
    mean_g, mean_v = mean(g), mean(v)
    covariance = mean(g[..., :, None] * g[..., None, :])
    covariance -= mean_g[..., :, None] * mean_g[..., None, :]
    covariance += epsilon * np.eye(3)
    cross = mean(g * v[..., None]) - mean_g * mean_v[..., None]
    slope = np.linalg.solve(covariance, cross[..., None])[..., 0]
    offset = mean_v - (slope * mean_g).sum(-1)
    slope, offset = mean(slope), mean(offset)
    if full_guide is not None:
        height, width = full_guide.shape[:2]
        slope = resize(slope, width, height, "bilinear")
        offset = resize(offset, width, height, "bilinear")
        g = full_guide
    return ((slope * g).sum(-1) + offset).astype(np.float32)
