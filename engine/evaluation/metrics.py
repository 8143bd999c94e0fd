"""Figures that compare pictures: PSNR, SSIM and the overlap of silhouettes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

from ..types import BoolArray, FloatArray

SSIM_SIGMA = 1.5
SSIM_RADIUS = 5  # 11 x 11 pixels


def psnr(a: FloatArray, b: FloatArray, mask: FloatArray | BoolArray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of values in 0..1; inf when the pictures are equal.

    Args:
        a, b: [H, W] or [H, W, C].
        mask: [H, W] weights (or bools) of the pixels; without weight the result is nan.
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
    """Structural similarity of values in 0..1 (Wang et al. 2004), mean over channels and pixels.

    Gaussian window of 11 x 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, biased covariances;
    windows that reach outside the picture do not count.

    Args:
        a, b: [H, W] or [H, W, C], at least 11 pixels each way.
        mask: [H, W] weights of the windows by their middle pixel.
    """
    a, b = np.atleast_3d(np.asarray(a, np.float64)), np.atleast_3d(np.asarray(b, np.float64))
    size = 2 * SSIM_RADIUS + 1
    if a.shape != b.shape or min(a.shape[:2]) < size:
        raise ValueError(f"two pictures of one size, from {size} pixels: {a.shape}, {b.shape}")
    window = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
    window /= window.sum()

    def blurred(x: FloatArray) -> FloatArray:
        out: FloatArray = correlate1d(correlate1d(x, window, axis=0), window, axis=1)
        return out

    mean_a, mean_b = blurred(a), blurred(b)
    var_a = blurred(a * a) - mean_a**2
    var_b = blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    inner = (slice(SSIM_RADIUS, -SSIM_RADIUS), slice(SSIM_RADIUS, -SSIM_RADIUS))
    values = similarity[inner].mean(axis=-1)
    if mask is None:
        return float(values.mean())
    weights = np.asarray(mask, np.float64)[inner]
    total = weights.sum()
    return float((weights * values).sum() / total) if total > 0 else float("nan")


def silhouette_iou(alpha_a: FloatArray, alpha_b: FloatArray, threshold: float = 0.5) -> float:
    """Intersection over union of two silhouettes [H, W]; 1 when both are empty.

    >>> silhouette_iou(np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 0.9, 0.8]])).__round__(3)
    0.333
    """
    a, b = np.asarray(alpha_a) > threshold, np.asarray(alpha_b) > threshold
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
