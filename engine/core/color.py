"""Colour spaces: sRGB, linear RGB and CIE L*a*b*."""

from __future__ import annotations

import numpy as np

from .types import FloatArray

_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


SHADED_LAB = np.array([0.5, 1.0, 1.0])
"""Weights of L*a*b* where the colours of one surface are compared: light and shade count half."""


def srgb_to_linear(rgb: FloatArray) -> FloatArray:
    """Undo the sRGB transfer curve.

    Args:
        rgb: [...] sRGB in 0..1.

    Returns:
        [...] linear RGB in 0..1.
    """
    rgb = np.asarray(rgb)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: FloatArray) -> FloatArray:
    """Apply the sRGB transfer curve, the inverse of :func:`srgb_to_linear`.

    Args:
        linear: [...] linear RGB in 0..1; negative values count as 0.

    Returns:
        [...] sRGB in 0..1.
    """
    linear = np.maximum(linear, 0.0)
    return np.asarray(
        np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    )


def rgb_to_lab(rgb: FloatArray) -> FloatArray:
    """Convert sRGB to CIE L*a*b* (D65).

    Args:
        rgb: [..., 3] sRGB in 0..1.

    Returns:
        [..., 3] L*, a* and b*, with L* in 0..100.

    >>> np.round(rgb_to_lab(np.array([1.0, 1.0, 1.0])), 1) + 0.0
    array([100.,   0.,   0.])
    """
    xyz = srgb_to_linear(rgb) @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


def lab_to_rgb(lab: FloatArray) -> FloatArray:
    """Convert CIE L*a*b* (D65) to sRGB, the inverse of :func:`rgb_to_lab`.

    Args:
        lab: [..., 3] L*, a* and b*, with L* in 0..100.

    Returns:
        [..., 3] sRGB; colours outside its gamut are over 1, or 0 in a channel.

    >>> np.round(lab_to_rgb(rgb_to_lab(np.array([0.2, 0.6, 0.4]))), 6)
    array([0.2, 0.6, 0.4])
    """
    fy = (lab[..., 0] + 16.0) / 116.0
    f = np.stack([fy + lab[..., 1] / 500.0, fy, fy - lab[..., 2] / 200.0], -1)
    xyz = np.where(f > 6 / 29, f**3, (116.0 * f - 16.0) * 27 / 24389) * _WHITE
    return linear_to_srgb(xyz @ np.linalg.inv(_RGB_TO_XYZ).T)
