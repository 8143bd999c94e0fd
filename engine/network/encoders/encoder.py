"""The base class of the encoders."""

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

    A frozen one always stays in evaluation mode, its parameters have no gradients, and it keeps no
    activations.

    Args:
        config: Of its inputs and outputs.
        normal: Mean and deviation of each colour channel that the backbone expects.
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
        """Compute features of normalised pictures.

        Args:
            images: [B, 3, S, S], normalised by the backbone's mean and deviation.

        Returns:
            [B, C, S / stride, S / stride].
        """

    def features_and_code(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features and a code of the whole of normalised pictures.

        By default, the code is the features' mean.

        Args:
            images: [B, 3, S, S], normalised.

        Returns:
            [B, C, S / stride, S / stride] and [B, C].
        """
        found = self.features(images)
        return found, found.mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Compute features of pictures.

        Args:
            images: [B, 3, S, S] sRGB in 0..1.

        Returns:
            [B, C, S / stride, S / stride].

        Raises:
            LikenessError: See :meth:`encode`.
        """
        return self.encode(images)[0]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features of pictures, and a code of each picture as a whole.

        Args:
            images: [B, 3, S, S] sRGB in 0..1.

        Returns:
            [B, C, S / stride, S / stride] and [B, C].

        Raises:
            LikenessError: The pictures or the features differ in size from the config.
        """
        config = self.config
        side = config.image_size
        if tuple(images.shape[1:]) != (3, side, side):
            raise LikenessError(
                f"The encoder got pictures {list(images.shape)}, not [B, 3, {side}, {side}].",
                "Crop and resize them to encoder.image_size.",
            )
        images = (images - self.mean) / self.deviation
        if config.frozen:
            with torch.no_grad():
                found, code = self.features_and_code(images)
        else:
            found, code = self.features_and_code(images)
        cells = side // config.stride
        if tuple(found.shape[1:]) != (config.channels, cells, cells):
            where = f"'{config.source}'" if config.source else f"The encoder '{config.kind}'"
            raise LikenessError(
                f"{where} gives features {list(found.shape)}, not "
                f"[B, {config.channels}, {cells}, {cells}].",
                "Set encoder.image_size, encoder.stride and encoder.channels to its own, or use "
                "other weights.",
            )
        return found, code

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.config.frozen)

    def frozen_if_wanted(self) -> Self:
        """Freeze it where the config says so; returns itself."""
        if self.config.frozen:
            self.requires_grad_(False)
        return self.train(self.training)
