"""Steps of colours: each takes the mean difference that its splat paints.

A picture is linear in the splats' colours, and each splat's weight in it is known. So a colour
moves by the residual averaged with these weights (simultaneous iterative reconstruction, as in
tomography: Gilbert 1972), over-relaxed and with some momentum. That takes fewer steps than Adam,
whose steps have a length that knows nothing of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.settings import register_settings
from ...core.types import FloatArray
from .parameters import COLORS


@dataclass(frozen=True)
class ColorStepSettings:
    """How far colours go in a step."""

    relaxation: float = 1.5  # times the mean residual
    last: float = 0.4  # part of it that is left in the last step: views disagree
    momentum: float = 0.3  # of the step before
    damping: float = 1.0  # pixels: a splat that paints fewer moves less


S = register_settings("refine.color_steps", ColorStepSettings())


class ColorSteps:
    """Moves the colours of one avatar.

    Args:
        free: [N, 3] 0..1 how freely each may move.
        low: [N, 3] least colours.
        high: [N, 3] greatest colours.
    """

    def __init__(self, free: FloatArray, low: FloatArray, high: FloatArray) -> None:
        self._free, self._low, self._high = free, low, high
        self._velocity: NDArray[np.float32] = np.zeros_like(low)

    def take(
        self, numbers: FloatArray, residual: FloatArray, painted: FloatArray, done: float
    ) -> None:
        """Take one step, in place.

        Args:
            numbers: [N, 9] in the columns of ``parameters``; their colours change.
            residual: [N, 3] what is wanted less what is drawn in one view, summed over the pixels
                with each splat's weights, and what regularisers add.
            painted: [M] how many pixels of that view each of the drawn splats, the first M,
                paints: the sum of its weights.
            done: 0..1 of all steps.
        """
        drawn = slice(len(painted))
        length = S.last + (1.0 - S.last) * 0.5 * (1.0 + np.cos(np.pi * done))
        share = S.relaxation * length / (painted + S.damping)
        step = S.momentum * self._velocity
        step[drawn] += share[:, None] * self._free[drawn] * residual[drawn]
        before = numbers[:, COLORS]
        after = np.clip(before + step, self._low, self._high).astype(np.float32)
        self._velocity = after - before
        numbers[:, COLORS] = after
