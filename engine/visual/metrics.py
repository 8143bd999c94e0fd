"""Image metrics: PSNR, SSIM at one scale and several, intersection of silhouettes.

The windows, constants and scales of SSIM are defined here, for :mod:`..training.perceptual` too.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

from ..core.types import BoolArray, FloatArray

SSIM_SIGMA = 1.5
SSIM_RADIUS = 5  # 11 x 11 pixels
SSIM_SIZE = 2 * SSIM_RADIUS + 1
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, finest first
MIN_SCALE_TERM = 1e-4  # fractional powers of less have no useful slope, or are undefined


def ssim_window() -> FloatArray:
    """Compute the [11] Gaussian weights of a window along one axis, which add up to one."""
    window = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
    return np.asarray(window / window.sum())


def scale_weights(height: int, width: int) -> list[float]:
    """Get the exponents of MS-SSIM's scales, finest first, for pictures of a size in pixels.

    A scale whose pictures are smaller than a window is left out; the others add up to one.

    >>> [round(weight, 3) for weight in scale_weights(47, 90)]
    [0.071, 0.453, 0.476]
    """
    scales = 1
    while scales < len(SCALE_WEIGHTS) and min(height, width) >> scales >= SSIM_SIZE:
        scales += 1
    return [weight / sum(SCALE_WEIGHTS[:scales]) for weight in SCALE_WEIGHTS[:scales]]


def psnr(a: FloatArray, b: FloatArray, mask: FloatArray | BoolArray | None = None) -> float:
    """Compute the peak signal-to-noise ratio in dB; inf when the pictures are equal.

    Args:
        a: [H, W] or [H, W, C] in 0..1.
        b: The same.
        mask: [H, W] weights (or bools) of the pixels; the result is nan where they add up to 0.
    """
    squared = (np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2
    if squared.ndim == 3:
        squared = squared.mean(axis=-1)
    weights = np.ones_like(squared) if mask is None else np.asarray(mask, np.float64)
    total = weights.sum()
    if total <= 0:
        return float("nan")
    error = float((weights * squared).sum() / total)
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


def ssim(a: FloatArray, b: FloatArray, mask: FloatArray | BoolArray | None = None) -> float:
    """Compute the structural similarity (Wang et al. 2004), mean over channels and pixels.

    Gaussian window of 11 x 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, biased covariances;
    windows that reach outside the picture do not count.

    Args:
        a: [H, W] or [H, W, C] in 0..1, at least 11 pixels each way.
        b: The same.
        mask: [H, W] weights of the windows by their middle pixel.

    Raises:
        ValueError: The pictures differ in size, or are smaller than a window.
    """
    a, b = _pictures(a, b)
    similarity, _ = _similarities(a, b)
    weights = np.ones(similarity.shape[:2]) if mask is None else _inner(np.asarray(mask, float))
    return float(_weighted(similarity, weights).mean())


def ms_ssim(a: FloatArray, b: FloatArray, mask: FloatArray | BoolArray | None = None) -> float:
    """Compute the multi-scale structural similarity (Wang et al. 2003), mean over channels.

    Windows and constants as in :func:`ssim`, scales as in :func:`scale_weights`; pictures are
    halved by means of 2 x 2 pixels. One minus this is
    :class:`..training.perceptual.MultiScaleSSIM`.

    Args:
        a: [H, W] or [H, W, C] in 0..1, at least 11 pixels each way.
        b: The same.
        mask: [H, W] weights of the windows by their middle pixel; halved with the pictures.

    Raises:
        ValueError: The pictures differ in size, or are smaller than a window.
    """
    a, b = _pictures(a, b)
    weights = np.ones(a.shape[:2]) if mask is None else np.asarray(mask, np.float64)
    exponents = scale_weights(*a.shape[:2])
    product = np.ones(a.shape[2])
    for scale, exponent in enumerate(exponents, 1):
        whole, contrast = _similarities(a, b)
        means = _weighted(whole if scale == len(exponents) else contrast, _inner(weights))
        product *= np.maximum(means, MIN_SCALE_TERM) ** exponent
        a, b, weights = (_halved(x) for x in (a, b, weights))
    return float(product.mean())


def _pictures(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    a, b = np.atleast_3d(np.asarray(a, np.float64)), np.atleast_3d(np.asarray(b, np.float64))
    if a.shape != b.shape or min(a.shape[:2]) < SSIM_SIZE:
        raise ValueError(f"two pictures of one size, from {SSIM_SIZE} pixels: {a.shape}, {b.shape}")
    return a, b


def _similarities(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """SSIM of all windows inside the picture [H - 10, W - 10, C], and that without luminance."""
    window = ssim_window()

    def blurred(x: FloatArray) -> FloatArray:
        return _inner(correlate1d(correlate1d(x, window, axis=0), window, axis=1))

    mean_a, mean_b = blurred(a), blurred(b)
    var_a = blurred(a * a) - mean_a**2
    var_b = blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    contrast = (2 * both + SSIM_C2) / (var_a + var_b + SSIM_C2)
    light = mean_a**2 + mean_b**2
    return contrast * (2 * mean_a * mean_b + SSIM_C1) / (light + SSIM_C1), contrast


def _inner(x: FloatArray) -> FloatArray:
    """Without the border where windows would reach outside."""
    return x[SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]


def _weighted(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[C] means of [H, W, C] with weights [H, W]; nan without any weight."""
    total = weights.sum()
    if total <= 0:
        return np.full(values.shape[2], np.nan)
    return np.asarray(np.tensordot(weights, values, 2) / total)


def _halved(x: FloatArray) -> FloatArray:
    """[H // 2, W // 2, ...] means of 2 x 2 pixels; an odd last row or column is left out."""
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    x = x[:height, :width]
    return np.asarray((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4)


def silhouette_iou(alpha_a: FloatArray, alpha_b: FloatArray, threshold: float = 0.5) -> float:
    """Compute the intersection over union of two silhouettes; 1 when both are empty.

    Args:
        alpha_a: [H, W] 0..1.
        alpha_b: [H, W] 0..1.
        threshold: alpha above which a pixel belongs to a silhouette.

    >>> silhouette_iou(np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 0.9, 0.8]])).__round__(3)
    0.333
    """
    a, b = np.asarray(alpha_a) > threshold, np.asarray(alpha_b) > threshold
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
