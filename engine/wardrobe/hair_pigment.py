"""Pigments of hair: two melanins, and strands without any."""

from __future__ import annotations

import numpy as np

from ..core.types import FloatArray

# Absorption of linear light by one unit of each melanin; the shape of the measured curves.
EUMELANIN = np.array([0.55, 0.88, 1.28])
PHEOMELANIN = np.array([0.25, 0.70, 1.60])
WHITEST, SHEEN = 0.62, 0.008  # linear reflectance without melanin, and of the strands' surface
WHITE = np.array([0.78, 0.77, 0.75])  # sRGB of grey hair's strands without any


def to_srgb(linear: FloatArray) -> FloatArray:
    """Encode linear colours by a power of 1/2.2, clipped to 0..1.

    Args:
        linear: [..., 3] 0..1.

    Returns:
        [..., 3] sRGB 0..1.
    """
    return np.asarray(np.clip(linear, 0.0, 1.0) ** (1 / 2.2))


def to_linear(srgb: FloatArray) -> FloatArray:
    """Decode sRGB colours by a power of 2.2, clipped to 0..1.

    Args:
        srgb: [..., 3] 0..1.

    Returns:
        [..., 3] linear 0..1.
    """
    return np.asarray(np.clip(srgb, 0.0, 1.0) ** 2.2)


def melanin_color(eumelanin: float, pheomelanin: float) -> FloatArray:
    """[3] sRGB of hair with these amounts of black-brown and red-yellow pigment."""
    absorbed = eumelanin * EUMELANIN + pheomelanin * PHEOMELANIN
    return to_srgb(WHITEST * np.exp(-absorbed) + SHEEN)


def mix_grey(color: FloatArray, grey: float) -> FloatArray:
    """The colour of strands seen from afar when some of them are white.

    Args:
        color: [3] sRGB 0..1 of strands with pigment.
        grey: share of white strands, 0..1.

    Returns:
        [3] sRGB 0..1.
    """
    return to_srgb((1.0 - grey) * to_linear(color) + grey * to_linear(WHITE))
