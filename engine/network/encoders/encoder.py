"""What the encoders have in common, and the one place that chooses among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from ...core.types import LikenessError
from ..config import EncoderConfig

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of the pictures that most backbones were trained on, RGB in 0..1."""


class Encoder(nn.Module, ABC):
    """From square pictures to features on a grid.

    A frozen one stays in evaluation mode whatever :meth:`train` is told, its parameters take no
    gradients, and it keeps no activations.

    Args:
        config: what it takes and gives.
        normal: mean and deviation of each colour channel that the backbone expects.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, config: EncoderConfig, normal: tuple[tuple[float, ...], tuple[float, ...]]
    ) -> None:
        super().__init__()
        self.config = config
        for name, values in zip(("mean", "deviation"), normal, strict=True):
            value = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Features of normalised pictures, as :meth:`forward` gives them."""

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, C, S / stride, S / stride] of pictures [B, 3, S, S], RGB in 0..1.

        Raises:
            LikenessError: the pictures or the features are of another size than the config says.
        """
        config = self.config
        side = config.image_size
        if tuple(images.shape[1:]) != (3, side, side):
            raise LikenessError(
                f"The encoder was given pictures {list(images.shape)}, not [B, 3, {side}, {side}].",
                "Crop and resize them to encoder.image_size.",
            )
        images = (images - self.mean) / self.deviation
        if config.frozen:
            with torch.no_grad():
                found = self.features(images)
        else:
            found = self.features(images)
        cells = side // config.stride
        if tuple(found.shape[1:]) != (config.channels, cells, cells):
            where = f"'{config.source}'" if config.source else f"The encoder '{config.kind}'"
            raise LikenessError(
                f"{where} gives features {list(found.shape)}, not "
                f"[B, {config.channels}, {cells}, {cells}].",
                "Set encoder.image_size, encoder.stride and encoder.channels to what it was made "
                "for, or take other weights.",
            )
        return found

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.config.frozen)

    def frozen_if_wanted(self) -> Self:
        """Itself, without gradients and in evaluation mode where the config says so."""
        if self.config.frozen:
            self.requires_grad_(False)
        return self.train(self.training)
