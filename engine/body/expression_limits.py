"""Limits that expressions set one another.

ARKit's ``mouthClose`` brings the lips of an open jaw together: by itself it would drive each lip
through the other. It is applied as far as ``jawOpen`` opens the mouth, and a little more, which
presses the lips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.types import FloatArray
from .names import JAW_ACTION, LIPS_ACTION

PRESSED = 0.05
"""Most of ``mouthClose`` beyond ``jawOpen``."""


def find_lip_limit(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the columns of ``mouthClose`` and ``jawOpen``; None without both.

    Args:
        names: of a body's expressions.
    """
    if LIPS_ACTION in names and JAW_ACTION in names:
        return names.index(LIPS_ACTION), names.index(JAW_ACTION)
    return None


def limit_expression(expression: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the coefficients as they are applied.

    Args:
        expression: [..., E].
        names: [E] of the body's expressions.

    Returns:
        [..., E].
    """
    out = np.array(expression)
    if (columns := find_lip_limit(names)) is not None:
        lips, jaw = columns
        out[..., lips] = np.minimum(out[..., lips], np.maximum(out[..., jaw], 0.0) + PRESSED)
    return out
