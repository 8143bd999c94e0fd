"""Several samples per pixel: averaged to pictures, and derivatives the way back."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.threads import run_parts
from ..core.types import FloatArray
from .raster_types import DEPTH_EPSILON, RenderOutput

ROWS_PER_PART = 64  # at least, for a thread


def average_samples(fine: RenderOutput, samples: int) -> RenderOutput:
    """Average the samples of every pixel; a pixel's depth is that of what covers it.

    Args:
        fine: Pictures of C cameras whose pixels are the samples.
        samples: Per pixel, along each side.
    """
    if samples == 1:
        return fine
    rgb, alpha, depth = (np.ascontiguousarray(part, np.float32) for part in fine)
    cameras, height, width = (np.array(alpha.shape) // (1, samples, samples)).tolist()
    mean = np.empty((cameras, height, width, rgb.shape[3]), np.float32)
    cover = np.empty((cameras, height, width), np.float32)
    distance = np.empty((cameras, height, width), np.float32)
    given = (rgb, alpha, depth, samples)
    run_parts(_average, height, *given, mean, cover, distance, least=ROWS_PER_PART)
    return RenderOutput(mean, cover, distance)


@kernel()
def _average(first, beyond, rgb, alpha, depth, samples, mean, cover, distance):  # type: ignore[no-untyped-def]
    cameras, _, width, channels = mean.shape
    count = np.float32(samples * samples)
    for c in range(cameras):
        for y in range(first, beyond):
            for x in range(width):
                covered, far = np.float32(0.0), np.float32(0.0)
                for v in range(y * samples, (y + 1) * samples):
                    for u in range(x * samples, (x + 1) * samples):
                        covered += alpha[c, v, u]
                        far += alpha[c, v, u] * depth[c, v, u]
                for k in range(channels):
                    total = np.float32(0.0)
                    for v in range(y * samples, (y + 1) * samples):
                        for u in range(x * samples, (x + 1) * samples):
                            total += rgb[c, v, u, k]
                    mean[c, y, x, k] = total / count
                cover[c, y, x] = covered / count
                distance[c, y, x] = far / max(covered, count * np.float32(DEPTH_EPSILON))


def spread_derivatives(
    upstream: list[FloatArray | None], fine: RenderOutput, render: RenderOutput, samples: int
) -> list[FloatArray | None]:
    """Return a loss's derivatives with respect to the samples.

    Args:
        upstream: Those with respect to the pixels' rgb [N, H, W, 3], alpha and depth [N, H, W];
            None: zero.
        fine: The samples.
        render: Their averages.
        samples: Per pixel, along each side.

    Returns:
        The same, of pictures ``samples`` times as high and as wide.
    """
    if samples == 1:
        return upstream

    d_rgb, d_alpha, d_depth = (
        None if given is None else _spread(np.ascontiguousarray(given, np.float32), samples)
        for given in upstream
    )
    if d_depth is not None:  # the mean of depths, weighted by alpha
        weight = d_depth / np.maximum(_repeat(render.alpha, samples), DEPTH_EPSILON)
        by_alpha = weight * (fine.depth - _repeat(render.depth, samples))
        d_alpha = by_alpha if d_alpha is None else d_alpha + by_alpha
        d_depth = weight * fine.alpha
    return [d_rgb, d_alpha, d_depth]


def _repeat(values: FloatArray, samples: int) -> FloatArray:
    return np.repeat(np.repeat(values, samples, axis=1), samples, axis=2)


def _spread(values: FloatArray, samples: int) -> FloatArray:
    """Divide the pixels' values [C, H, W, ...] equally among their samples."""
    cameras, height, width = values.shape[:3]
    pixels = values.reshape(cameras, height, width, -1)
    out = np.empty((cameras, height * samples, width * samples, pixels.shape[3]), np.float32)
    run_parts(_share, out.shape[1], pixels, samples, out, least=ROWS_PER_PART)
    return out.reshape(out.shape[: values.ndim])


@kernel()
def _share(first, beyond, pixels, samples, out):  # type: ignore[no-untyped-def]
    cameras, _, width, channels = pixels.shape
    count = np.float32(samples * samples)
    for c in range(cameras):
        for y in range(first, beyond):
            row = y // samples
            for x in range(width):
                for k in range(channels):
                    share = pixels[c, row, x, k] / count
                    for u in range(x * samples, (x + 1) * samples):
                        out[c, y, u, k] = share
