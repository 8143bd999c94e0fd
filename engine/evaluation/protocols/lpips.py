"""LPIPS of two pictures, where torch and the weights are at hand. Needs torch."""

from __future__ import annotations

import numpy as np
import torch

from ...core.types import FloatArray, LikenessError
from ...training.perceptual import create_perceptual

BACKBONES = ("lpips-alex", "lpips-vgg")
"""The first one is what LPIPS's authors measure with; it is taken where both are at hand."""

MIN_LPIPS_SIDE = 32  # pixels: what is smaller, its layers pool away


class LpipsMetric:
    """A measure of two pictures; its ``name`` is that of the backbone.

    Args:
        kind: one of :data:`BACKBONES`, or ``auto`` for the first whose weights are found.

    Raises:
        LikenessError: there are no weights; says which of the missing ones were looked for.
    """

    def __init__(self, kind: str = "auto") -> None:
        first: LikenessError | None = None
        for name in BACKBONES if kind == "auto" else (kind,):
            try:
                self._module = create_perceptual(name)
            except LikenessError as error:
                first = first or error
            else:
                self.name = name
                return
        assert first is not None
        raise first

    def __call__(self, a: FloatArray, b: FloatArray) -> float:
        """Of two pictures [H, W, 3] in 0..1."""
        with torch.no_grad():
            pair = [
                torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32))
                for x in (a, b)
            ]
            return float(self._module(*pair)[0])
