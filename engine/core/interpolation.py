"""Smooth transitions between two values."""

from __future__ import annotations

import numpy as np

from .types import FloatArray, IntArray


def smoothstep(
    x: FloatArray | IntArray, low: float | FloatArray, high: float | FloatArray
) -> FloatArray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``.

    Args:
        x: [...] any numbers.
        low: Scalar or [...]: where the result leaves 0; may be larger than ``high``.
        high: Scalar or [...]: where the result reaches 1.

    Returns:
        [...] in 0..1.
    """
    s = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    return np.asarray(s * s * (3.0 - 2.0 * s))
