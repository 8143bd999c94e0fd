"""Person segmentation of a crop (MediaPipe's selfie network, 256²)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.types import FloatArray
from ...imaging.resize import affine_crop
from .roi import Roi, invert_affine, letterbox_roi
from .tflite_model import TFLiteModel


class SelfieSegmenter:
    """Soft mask of everything human and what it holds."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._model = TFLiteModel(model, threads)

    def look(self, rgb: FloatArray, roi: Roi) -> FloatArray:
        """The mask of one crop.

        Args:
            rgb: [H, W, 3] in 0..1.
            roi: the crop.

        Returns:
            [256, 256] float32, 0..1.
        """
        crop = roi.cut(rgb, self._model.width, edge=True)
        return np.clip(self._model(crop)["activation_10"][..., 0], 0, 1)

    def mask(self, rgb: FloatArray) -> FloatArray:
        """The mask of a whole picture, from a single crop.

        Args:
            rgb: [H, W, 3] in 0..1.

        Returns:
            [H, W] float32, 0..1.
        """
        height, width = rgb.shape[:2]
        roi = letterbox_roi(width, height)
        seen = self.look(rgb, roi)
        return affine_crop(seen, invert_affine(roi.matrix(seen.shape[0])), width, height, edge=True)
