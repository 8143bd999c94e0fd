"""Bilinear sampling of images, and the same as a sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from .kernels import kernel
from .threads import run_parts
from .types import FloatArray, IntArray

POINTS_PER_PART = 8192  # at least, for a thread


def bilinear(image: FloatArray, xy: FloatArray) -> FloatArray:
    """Sample an image bilinearly, clamped at its border.

    Args:
        image: [H, W, C].
        xy: [N, 2] pixels, centres at +0.5.

    Returns:
        [N, C].
    """
    out = np.empty((len(xy), image.shape[2]))
    kind = np.float32 if image.dtype == np.float32 else np.float64
    given = np.ascontiguousarray(image, kind), np.ascontiguousarray(xy, np.float64)
    run_parts(_sample, len(xy), *given, out, least=POINTS_PER_PART)
    return out


@kernel()
def _sample(first, beyond, image, xy, out):  # type: ignore[no-untyped-def]
    for i in range(first, beyond):
        for c in range(image.shape[2]):
            out[i, c] = sample_bilinear(image, xy[i, 0], xy[i, 1], c)


@kernel()
def sample_bilinear(image, x, y, channel):  # type: ignore[no-untyped-def]
    """Do as :func:`bilinear` at one place, within another kernel."""
    height, width, _ = image.shape
    x, y = (x - 0.5 if x > 0.5 else 0.0), (y - 0.5 if y > 0.5 else 0.0)  # 0 where it is not finite
    x, y = min(x, width - 1.0), min(y, height - 1.0)
    x0, y0 = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = image[y0, x0, channel] * (1.0 - fx) + image[y0, x1, channel] * fx
    bottom = image[y1, x0, channel] * (1.0 - fx) + image[y1, x1, channel] * fx
    return top * (1.0 - fy) + bottom * fy


def bilinear_matrix(height: int, width: int, xy: FloatArray) -> csr_array:
    """Return :func:`bilinear` as a sparse matrix, to be multiplied with an image [H * W, C].

    Multiplied with :func:`.dual_uv.sampling.scatter_matrix` it does both steps at once, so that
    features of many channels are never sampled for every point.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        xy: [N, 2] pixels, centres at +0.5.

    Returns:
        [N, H * W] with four entries a row.
    """
    (y0, y1), (x0, x1), fy, fx = _neighbours(height, width, xy)
    near = (((y0, 1 - fy), (y1, fy)), ((x0, 1 - fx), (x1, fx)))
    columns = np.stack([y * width + x for y, _ in near[0] for x, _ in near[1]], -1)
    shares = np.stack([of_y * of_x for _, of_y in near[0] for _, of_x in near[1]], -1)
    starts = np.arange(0, 4 * len(xy) + 1, 4)
    return csr_array((shares.ravel(), columns.ravel(), starts), shape=(len(xy), height * width))


def _neighbours(
    height: int, width: int, xy: FloatArray
) -> tuple[tuple[IntArray, IntArray], tuple[IntArray, IntArray], FloatArray, FloatArray]:
    """Return rows and columns of four pixels around each point, and the second ones' weights."""
    x = np.clip(xy[:, 0] - 0.5, 0, width - 1)
    y = np.clip(xy[:, 1] - 0.5, 0, height - 1)
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    return (y0, y1), (x0, x1), y - y0, x - x0
