"""Cuts of a film: where colours and structure of the picture change at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ..core.settings import register_settings
from ..core.types import FloatArray
from ..imaging.resize import resize


@dataclass(frozen=True)
class CutSettings:
    """When the picture has changed so much that a new shot begins."""

    candidate: float = 0.45  # change of the picture, 0..1, that is a cut if the person jumps, too
    certain: float = 0.8  # change that is a cut in any case


S = register_settings("tracking.cuts", CutSettings())


_SIDE = 32
_BINS = 6


@dataclass(frozen=True)
class FrameSignature:
    """A small description of a picture.

    Attributes:
        structure: [32, 32] grey values with mean 0 and length 1.
        colours: [216] shares of colours that sum to 1.
    """

    structure: FloatArray
    colours: FloatArray

    @staticmethod
    def of(rgb: FloatArray) -> FrameSignature:
        """The signature of a picture.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        step = max(1, min(rgb.shape[:2]) // 128)
        small = resize(np.ascontiguousarray(rgb[::step, ::step]), _SIDE, _SIDE, "area")
        grey = gaussian_filter(small.astype(np.float64).mean(2), 1.0)
        grey -= grey.mean()
        bins = np.clip((small * _BINS).astype(np.int64), 0, _BINS - 1)
        number = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]
        colours = np.bincount(number.ravel(), minlength=_BINS**3) / number.size
        return FrameSignature(grey / max(float(np.linalg.norm(grey)), 1e-6), colours)

    def change(self, other: FrameSignature) -> float:
        """0 for the same picture, about 1 for unrelated ones; lights that come on change little."""
        alike = float((self.structure * other.structure).sum())
        common = float(np.minimum(self.colours, other.colours).sum())
        return float(np.clip(1 - max(alike, 0.0), 0, 1) * np.clip(1.5 - common, 0, 1))
