"""Several samples per pixel: averaged to pictures, and derivatives the way back."""

from __future__ import annotations

import numpy as np

from ..core.types import FloatArray
from .raster_types import DEPTH_EPSILON, RenderOutput


def average_samples(fine: RenderOutput, samples: int) -> RenderOutput:
    """Average the samples of every pixel; a pixel's depth is that of what covers it.

    Args:
        fine: Pictures of C cameras whose pixels are the samples.
        samples: Per pixel, along each side.
    """
    if samples == 1:
        return fine
    alpha = _mean(fine.alpha, samples)
    depth = _mean(fine.alpha * fine.depth, samples) / np.maximum(alpha, DEPTH_EPSILON)
    return RenderOutput(_mean(fine.rgb, samples), alpha, np.asarray(depth, np.float32))


def _mean(values: FloatArray, samples: int) -> FloatArray:
    """[C, H, W, ...] means over samples [C, H * samples, W * samples, ...]."""
    c, h, w, *rest = values.shape
    blocks = values.reshape(c, h // samples, samples, w // samples, samples, *rest)
    # Sums over one short axis at a time are faster than numpy's mean over both.
    total = np.add.reduce([blocks[:, :, k] for k in range(samples)])
    total = np.add.reduce([total[:, :, :, k] for k in range(samples)])
    return np.asarray(total / np.float32(samples**2), np.float32)


def spread_derivatives(
    upstream: list[FloatArray | None], fine: RenderOutput, render: RenderOutput, samples: int
) -> list[FloatArray | None]:
    """Return a loss's derivatives with respect to the samples.

    Args:
        upstream: Those with respect to the pixels' rgb, alpha and depth; None: zero.
        fine: The samples.
        render: Their averages.
        samples: Per pixel, along each side.
    """
    if samples == 1:
        return upstream

    def spread(values: FloatArray) -> FloatArray:
        return np.repeat(np.repeat(values, samples, axis=1), samples, axis=2)

    d_rgb, d_alpha, d_depth = (
        None if given is None else np.asarray(spread(given) / samples**2, np.float32)
        for given in upstream
    )
    if d_depth is not None:  # the mean of depths, weighted by alpha
        weight = d_depth / np.maximum(spread(render.alpha), DEPTH_EPSILON)
        by_alpha = weight * (fine.depth - spread(render.depth))
        d_alpha = by_alpha if d_alpha is None else d_alpha + by_alpha
        d_depth = weight * fine.alpha
    return [d_rgb, d_alpha, d_depth]
