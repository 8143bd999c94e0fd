"""Bilinear sampling of images, and the same as a sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from .types import FloatArray, IntArray


def bilinear(image: FloatArray, xy: FloatArray) -> FloatArray:
    """Sample an image bilinearly, clamped at its border.

    Args:
        image: [H, W, C].
        xy: [N, 2] pixels, centres at +0.5.

    Returns:
        [N, C].
    """
    (y0, y1), (x0, x1), fy, fx = _neighbours(image.shape[0], image.shape[1], xy)
    fx, fy = fx[:, None], fy[:, None]
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    bottom = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    out: FloatArray = top * (1 - fy) + bottom * fy
    return out


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
