"""Sapiens2's keypoints through ``transformers`` (Khirodkar et al., 2026), where it is installed.

Neither ``transformers`` nor torch is a dependency of Likeness, and the weights have a licence of
their own (docs/ESTIMATORS.md): nothing is installed, and nothing is downloaded unless the user
allows it. This file needs torch and is imported only on demand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ...core.types import FloatArray, LikenessError, Observation, Portrait
from ...files.downloads import resolve_model
from .estimate import KeypointEstimate
from .keypoints import NetworkCrop, find_peaks, from_goliath, person_box

CLASS_NAME = "Sapiens2ForPoseEstimation"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as in training
MIN_POINTS = 63


def load_model(model: str, allow_download: bool = False) -> Any:
    """The pose network from a local folder or a hub name, in evaluation mode.

    Raises:
        LikenessError: ``transformers`` is missing or too old, or the model cannot be loaded.
    """
    try:
        import transformers
    except ImportError as error:
        raise LikenessError(
            "Sapiens2 needs the package 'transformers', which is not installed.",
            "Run 'pip install transformers torch'.",
        ) from error
    network = getattr(transformers, CLASS_NAME, None)
    if network is None:
        raise LikenessError(
            f"The installed transformers {transformers.__version__} has no {CLASS_NAME}.",
            "Run 'pip install -U transformers'.",
        )
    source, offline = resolve_model(model, allow_download)
    try:
        loaded = network.from_pretrained(source, local_files_only=offline, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"'{model}' cannot be loaded as a Sapiens2 pose model ({error}).",
            "Give the folder of a downloaded model (config.json and model.safetensors).",
        ) from error
    if loaded.config.num_labels < MIN_POINTS:
        raise LikenessError(
            f"'{model}' finds {loaded.config.num_labels} keypoints, not Sapiens2's 308.",
            "Give a pose model such as facebook/sapiens2-pose-0.4b.",
        )
    return loaded.eval()


class SapiensKeypoints:
    """A :class:`~.estimate.KeypointEstimator`: Sapiens2 on the crop of the observed person.

    Args:
        model: a local folder, or a name on the hub such as ``facebook/sapiens2-pose-0.4b``.
        device: where torch runs; ``auto`` is a GPU where one is available.
        flip: look at the mirrored crop, too, and take the mean (twice the time).
        allow_download: whether a model that is not on this computer may be downloaded.

    Raises:
        LikenessError: see :func:`load_model`.
    """

    def __init__(
        self, model: str, device: str = "auto", flip: bool = False, allow_download: bool = False
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.network = load_model(model, allow_download).to(self.device)
        self.flip = flip
        size = self.network.config.image_size
        self.height, self.width = (size, size) if isinstance(size, int) else tuple(size)

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        """The person's keypoints in pixels of ``portrait.rgb``; None without a person."""
        box = person_box(observation)
        if box is None:
            return None
        crop = NetworkCrop.around(box, self.height, self.width)
        heatmaps = self._heatmaps(self._input(portrait.rgb, crop))
        places, values = find_peaks(heatmaps)
        points = crop.to_picture(places, *heatmaps.shape[1:])
        return from_goliath(points, np.clip(values, 0.0, 1.0), "Sapiens2")

    def _input(self, rgb: FloatArray, crop: NetworkCrop) -> torch.Tensor:
        """[1, 3, H, W] the crop, normalised; black beyond the picture."""
        height, width = rgb.shape[:2]
        picture = torch.as_tensor(np.ascontiguousarray(rgb), dtype=torch.float32).permute(2, 0, 1)
        grid = 2.0 * crop.grid() / [width, height] - 1.0
        cut = torch.nn.functional.grid_sample(
            picture[None],
            torch.as_tensor(grid[None], dtype=torch.float32),
            mode="bilinear",
            padding_mode="zeros",
            align_corners=False,
        )
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
        return ((cut - mean) / deviation).to(self.device)

    @torch.inference_mode()
    def _heatmaps(self, pixels: torch.Tensor) -> FloatArray:
        """[K, h, w], the mean of both sides when mirrored ones are looked at."""
        found = self.network(pixel_values=pixels).heatmaps
        pairs = self.network.config.flip_pairs
        if self.flip and pairs:
            index = torch.as_tensor(pairs, device=self.device)
            other = self.network(pixel_values=pixels.flip(-1), flip_pairs=index).heatmaps
            found = 0.5 * (found + other)
        out: FloatArray = found[0].float().cpu().numpy().astype(np.float64)
        return out
