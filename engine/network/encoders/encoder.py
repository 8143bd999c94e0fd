"""What the encoders have in common, and the one place that chooses among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from ...core.types import LikenessError
from ..config import ENCODERS, EncoderConfig

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


def create_encoder(config: EncoderConfig, allow_download: bool | None = None) -> Encoder:
    """The encoder that a config describes.

    Our own one starts with random weights from torch's global generator, so seed that (as
    ``create_network`` does) or load a state afterwards. The others come with their weights, from
    a file or a folder; see :func:`~likeness.engine.files.weights.find_weights`.

    Args:
        config: kind, sizes, source, and whether it is trained.
        allow_download: whether weights that are not on this computer may be fetched; None asks
            the environment (``LIKENESS_ALLOW_DOWNLOAD``).

    Raises:
        LikenessError: the weights are missing or damaged, are not of this kind, or do not fit
            the config; a package is missing.
    """
    if config.kind == "own":
        from .own import OwnEncoder

        return OwnEncoder(config).frozen_if_wanted()
    if config.kind == "sapiens":
        from .torchscript import TorchScriptEncoder

        return TorchScriptEncoder(config, allow_download).frozen_if_wanted()
    if config.kind in ("sapiens2", "dinov2"):
        from .hub import HubEncoder

        return HubEncoder(config, allow_download).frozen_if_wanted()
    raise LikenessError(
        f"There is no encoder '{config.kind}'.", f"Choose one of: {', '.join(ENCODERS)}."
    )
