"""The canvas that skin is painted on, texel by texel, in the logarithm of light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.color import srgb_to_linear
from ..core.types import FloatArray, IntArray
from .skin_texels import SkinTexels

LEAST = 0.004  # of linear light, before a logarithm


@dataclass
class Canvas:
    """The maps under the brush, one row for each texel [N].

    Attributes:
        texels: where they lie on the body.
        log: [N, 3] logarithm of linear colours.
        rough: [N] 0..1.
        height: [N] metres.
    """

    texels: SkinTexels
    log: NDArray[np.float32]
    rough: NDArray[np.float32]
    height: NDArray[np.float32]

    def stain(self, rows: IntArray | slice, pigment: FloatArray, amount: FloatArray) -> None:
        """Absorb: more (or less) of a pigment.

        Args:
            rows: [K] of the texels.
            pigment: [3] absorption: taken from the logarithm of linear colours.
            amount: [K] factor on it.
        """
        self.log[rows] -= amount[:, None] * pigment

    def cover(self, rows: IntArray | slice, color: FloatArray, amount: FloatArray) -> None:
        """Lay a colour over texels.

        Args:
            rows: [K] of the texels.
            color: [3] or [K, 3] sRGB 0..1.
            amount: [K] 0..1 how opaque it is.
        """
        over = log_color(color)
        self.log[rows] += amount[:, None].astype(np.float32) * (over - self.log[rows])


def log_color(srgb: FloatArray | tuple[float, float, float]) -> NDArray[np.float32]:
    """Take the logarithm of the linear light of colours.

    Args:
        srgb: [..., 3] 0..1.

    Returns:
        [..., 3] float32.
    """
    return np.asarray(np.log(np.maximum(srgb_to_linear(np.asarray(srgb)), LEAST)), np.float32)
