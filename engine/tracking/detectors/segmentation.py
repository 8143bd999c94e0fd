"""Person segmentation of a crop (MediaPipe's selfie network, 256²)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...imaging.resize import affine_crop
from ...types import FloatArray
from .model import Model
from .roi import inverse, letterbox


class SelfieSegmenter:
    """Soft mask of everything human and what it holds."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._model = Model(model, threads)

    def mask(self, rgb: FloatArray) -> FloatArray:
        """[H, W, 3] in 0..1 -> [H, W] float32 0..1. The whole picture is seen at once."""
        height, width = rgb.shape[:2]
        roi = letterbox(width, height)
        pixels = self._model.width
        small = self._model(roi.cut(rgb, pixels, edge=True))["activation_10"][..., 0]
        return np.clip(affine_crop(small, inverse(roi.matrix(pixels)), width, height, edge=True), 0, 1)
