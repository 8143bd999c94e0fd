"""Resampling of float32 pictures, for all of the engine.

Pixel centres lie at +0.5, so a point at (x, y) of a picture [H, W] lies at (x * w / W, y * h / H)
of the same picture resized to [h, w].
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..core.kernels import kernel
from ..core.types import FloatArray, IntArray

_FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}

_MAX_SAMPLES = 8
"""Maximum samples per output pixel and axis in :func:`affine_crop`."""


def resize(
    image: FloatArray,
    width: int,
    height: int,
    method: str = "lanczos",
    clip: bool = True,
    box: tuple[int, int, int, int] | None = None,
) -> FloatArray:
    """Resize a picture without aliasing.

    Args:
        image: [H, W] or [H, W, C].
        width: New width in pixels.
        height: New height in pixels.
        method: ``lanczos`` (sharpest), ``bilinear`` or ``area``. All of them widen their support
            when they shrink.
        clip: Whether what ``lanczos`` overshoots is clipped to the input's range.
        box: Left, top, right and bottom of the part of the new picture that is wanted; None: all.

    Returns:
        [height, width] or [height, width, C] float32, or the same of the part.

    >>> resize(np.array([[0.0, 1.0], [2.0, 3.0]]), 1, 1, "area")
    array([[1.5]], dtype=float32)
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    left, top, right, bottom = box or (0, 0, width, height)
    if source.shape[:2] == (height, width):
        return source[top:bottom, left:right].copy()
    channels = source[..., None] if source.ndim == 2 else source
    across, down = source.shape[1] / width, source.shape[0] / height
    beyond = min(right * across, source.shape[1]), min(bottom * down, source.shape[0])  # rounding
    part = (left * across, top * down, *beyond)
    size = (right - left, bottom - top)
    resized = np.empty((size[1], size[0], channels.shape[2]), np.float32)
    for c in range(channels.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(channels[..., c]))
        resized[..., c] = np.asarray(plane.resize(size, _FILTERS[method], part))
    if clip and method == "lanczos":
        np.clip(resized, source.min(), source.max(), out=resized)
    return resized[..., 0] if source.ndim == 2 else resized


def resize_rgba(
    colors: FloatArray,
    alpha: FloatArray,
    width: int,
    height: int,
    box: tuple[int, int, int, int] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Scale colours and alpha so that transparent pixels do not bleed.

    Args:
        colors: [H, W, 3] straight, 0..1.
        alpha: [H, W] 0..1.
        width: Of the result, in pixels.
        height: Of the result, in pixels.
        box: Left, top, right and bottom of the part of the result that is wanted; None: all.

    Returns:
        colors: [height, width, 3] straight, 0..1, or the part's.
        alpha: [height, width] 0..1, or the part's.
    """
    if (width, height) == (alpha.shape[1], alpha.shape[0]):
        left, top, right, bottom = box or (0, 0, width, height)
        return colors[top:bottom, left:right], alpha[top:bottom, left:right]
    # Both overshoot alike at an outline, so their ratio is right only unclipped.
    weighted = resize(colors * alpha[..., None], width, height, clip=False, box=box)
    small_alpha = resize(alpha, width, height, clip=False, box=box)
    plain = resize(colors, width, height, box=box)
    ok = small_alpha > 0.02
    out = np.where(ok[..., None], weighted / np.maximum(small_alpha, 0.02)[..., None], plain)
    return np.clip(out, 0.0, 1.0), np.clip(small_alpha, 0.0, 1.0)


def fit_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return width and height of the same aspect with the longer side at most ``max_side``.

    >>> fit_size(4000, 3000, 2000), fit_size(640, 480, 2000)
    ((2000, 1500), (640, 480))
    """
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def scale_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Return width and height times ``scale``, each at least 8.

    >>> scale_size(640, 480, 0.5), scale_size(640, 480, 0.01)
    ((320, 240), (8, 8))
    """
    return max(8, round(width * scale)), max(8, round(height * scale))


def downsample(image: FloatArray, factor: int) -> FloatArray:
    """Average square blocks of pixels, fast; remaining rows and columns are dropped.

    Args:
        image: [H, W, C].
        factor: Side of a block in pixels.

    Returns:
        [H // factor, W // factor, C] float32.

    >>> downsample(np.arange(4.0).reshape(2, 2, 1), 2)
    array([[[1.5]]], dtype=float32)
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    height, width, channels = source.shape
    out = np.zeros((height // factor, width // factor, channels), np.float32)
    _block_means(source, factor, out)
    return out


@kernel(fastmath=True)
def _block_means(image, factor, out):  # type: ignore[no-untyped-def]
    height, width, channels = out.shape
    share = np.float32(1.0 / (factor * factor))
    for y in range(height):
        for sy in range(factor):
            row = y * factor + sy
            for x in range(width):
                for sx in range(factor):
                    for c in range(channels):
                        out[y, x, c] += share * image[row, x * factor + sx, c]


def affine_crop(
    image: FloatArray, matrix: FloatArray, width: int, height: int, edge: bool = False
) -> FloatArray:
    """Sample a picture through an affine map, bilinearly, averaging where it shrinks.

    Args:
        image: [H, W] or [H, W, C].
        matrix: [2, 3] from output pixels to input pixels.
        width: Width of the output in pixels.
        height: Height of the output in pixels.
        edge: Repeat the border outside the picture, instead of zero.

    Returns:
        [height, width] or [height, width, C] float32.

    >>> affine_crop(np.arange(4.0).reshape(2, 2), np.array([[1.0, 0, 0], [0, 1, 0]]), 2, 2)
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    channels = source[..., None] if source.ndim == 2 else source
    m = np.ascontiguousarray(matrix, dtype=np.float64)
    step = max(float(np.hypot(m[0, 0], m[1, 0])), float(np.hypot(m[0, 1], m[1, 1])))
    samples = int(np.clip(np.ceil(step), 1, _MAX_SAMPLES))
    out = np.zeros((height, width, channels.shape[2]), np.float32)
    if m[0, 1] == 0.0 == m[1, 0]:
        columns = _axis_weights(m[0, 0], m[0, 2], width, channels.shape[1], samples, edge)
        rows = _axis_weights(m[1, 1], m[1, 2], height, channels.shape[0], samples, edge)
        _sample_upright(channels, *columns, *rows, out)
    else:
        _sample_affine(channels, m, samples, edge, out)
    return out[..., 0] if source.ndim == 2 else out


def _axis_weights(
    scale: float, offset: float, count: int, length: int, samples: int, edge: bool
) -> tuple[IntArray, FloatArray]:
    """Return each output pixel's first input pixel [count] and weights [count, n] from there.

    Args:
        scale: Input pixels per output pixel.
        offset: Input pixels.
        count: Number of output pixels.
        length: Number of input pixels.
        samples: Number of samples per output pixel.
        edge: Repeat the border instead of zero.
    """
    within = (np.arange(samples) + 0.5) / samples
    place = scale * (np.arange(count)[:, None] + within) + offset - 0.5
    if edge:
        place = np.clip(place, 0.0, length - 1.0)
    low = np.floor(place).astype(np.int64)
    share = (place - low) / samples
    first = np.clip(low.min(1), 0, length - 1)
    pixel = np.concatenate([low, low + 1], axis=1)
    share = np.concatenate([1.0 / samples - share, share], axis=1)
    exists = (pixel >= 0) & (pixel < length)
    tap = np.where(exists, pixel - first[:, None], 0)
    weights = np.zeros((count, int(tap.max()) + 1), np.float32)
    np.add.at(weights, (np.arange(count)[:, None], tap), np.where(exists, share, 0.0))
    return first, weights


@kernel(fastmath=True)
def _sample_upright(image, x0, wx, y0, wy, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` [h, w, C] with weighted sums: along the rows, then along the columns."""
    height, width, channels = out.shape
    low = y0.min()
    high = min(y0.max() + wy.shape[1], image.shape[0])
    rows = np.zeros((high - low, width * channels), np.float32)
    for y in range(high - low):
        for x in range(width):
            for k in range(wx.shape[1]):
                weight = wx[x, k]
                if weight != 0.0:
                    for c in range(channels):
                        rows[y, x * channels + c] += weight * image[low + y, x0[x] + k, c]
    for y in range(height):
        for k in range(wy.shape[1]):
            weight = wy[y, k]
            if weight != 0.0:
                for x in range(width):
                    for c in range(channels):
                        out[y, x, c] += weight * rows[y0[y] - low + k, x * channels + c]


@kernel(fastmath=True)
def _sample_affine(image, m, samples, edge, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` [h, w, C] with the mean of samples² bilinear samples per pixel."""
    in_h, in_w, channels = image.shape
    height, width, _ = out.shape
    share = np.float32(1.0 / (samples * samples))
    for y in range(height):
        for x in range(width):
            for sy in range(samples):
                v = y + (sy + 0.5) / samples
                for sx in range(samples):
                    u = x + (sx + 0.5) / samples
                    px = m[0, 0] * u + m[0, 1] * v + m[0, 2] - 0.5
                    py = m[1, 0] * u + m[1, 1] * v + m[1, 2] - 0.5
                    if edge:
                        px = min(max(px, 0.0), in_w - 1.0)
                        py = min(max(py, 0.0), in_h - 1.0)
                    elif px <= -1.0 or py <= -1.0 or px >= in_w or py >= in_h:
                        continue
                    x0 = int(np.floor(px))
                    y0 = int(np.floor(py))
                    fx = np.float32(px - x0)
                    fy = np.float32(py - y0)
                    w00 = share * (1 - fy) * (1 - fx)
                    w01 = share * (1 - fy) * fx
                    w10 = share * fy * (1 - fx)
                    w11 = share * fy * fx
                    if x0 >= 0 and y0 >= 0 and x0 + 1 < in_w and y0 + 1 < in_h:
                        for c in range(channels):
                            out[y, x, c] += (
                                w00 * image[y0, x0, c]
                                + w01 * image[y0, x0 + 1, c]
                                + w10 * image[y0 + 1, x0, c]
                                + w11 * image[y0 + 1, x0 + 1, c]
                            )
                        continue
                    # On the border: only the neighbours that exist.
                    for c in range(channels):
                        if y0 >= 0 and x0 >= 0:
                            out[y, x, c] += w00 * image[y0, x0, c]
                        if y0 >= 0 and x0 + 1 < in_w:
                            out[y, x, c] += w01 * image[y0, x0 + 1, c]
                        if y0 + 1 < in_h and x0 >= 0:
                            out[y, x, c] += w10 * image[y0 + 1, x0, c]
                        if y0 + 1 < in_h and x0 + 1 < in_w:
                            out[y, x, c] += w11 * image[y0 + 1, x0 + 1, c]
