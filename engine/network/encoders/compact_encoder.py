"""Our own encoder: small, trained together with the decoder, free to be shipped.

Four stages of convolutional blocks at strides 4, 8, 16 and 32 (depthwise 7 x 7, then a channel MLP:
Liu et al. 2022, "A ConvNet for the 2020s"), self-attention over the coarsest one, so that every
place sees the whole person, and an upward path that adds the finer stages again (Lin et al. 2017,
"Feature Pyramid Networks"), so that features at stride 8 still locate things to the pixel.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.types import LikenessError
from ..config import EncoderConfig
from .encoder import Encoder

NORMAL = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))  # the crop's mid grey becomes 0, as padding is
WIDTHS = (1, 2, 4, 6)  # of the stages, in units of config.width
STRIDES = (4, 8, 16, 32)
HEADS = 6
EXPANSION = 4  # of the channel MLPs


class ConvBlock(nn.Module):
    """x + MLP(norm(depthwise 7 x 7 (x))) on [B, C, H, W]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mlp = _mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: [B, C, H, W].

        Returns:
            [B, C, H, W].
        """
        out: Tensor = self.mlp(self.norm(self.spread(x).permute(0, 2, 3, 1)))
        return x + out.permute(0, 3, 1, 2)


class AttentionBlock(nn.Module):
    """Self-attention over all places, and a channel MLP, on [B, C, H, W]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = _mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: [B, C, H, W].

        Returns:
            [B, C, H, W].
        """
        height, width = x.shape[2:]
        tokens: Tensor = x.flatten(2).transpose(1, 2)
        heads = self.query_key_value(self.norm_attention(tokens)).unflatten(2, (3, HEADS, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        tokens = tokens + self.mlp(self.norm_mlp(tokens))
        return tokens.transpose(1, 2).reshape(x.shape[0], -1, height, width)


class CompactEncoder(Encoder):
    """Convolutional pyramid with attention at its top; about 2 M parameters for ``base``.

    Args:
        config: Its sizes.

    Raises:
        LikenessError: The picture's side is not a multiple of 32, or the stride is not available.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config, NORMAL)
        if config.stride not in STRIDES:
            raise LikenessError(
                f"Our own encoder does not have a stride of {config.stride}.",
                f"Set encoder.stride to one of: {', '.join(map(str, STRIDES))}.",
            )
        if config.image_size % STRIDES[-1]:
            raise LikenessError(
                f"A picture of {config.image_size} pixels does not divide into cells of "
                f"{STRIDES[-1]}.",
                f"Set encoder.image_size to a multiple of {STRIDES[-1]}.",
            )
        widths = [k * config.width for k in WIDTHS]
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(widths[0], widths[0], 3, stride=2, padding=1),
        )
        self.narrower = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvBlock(w) for _ in range(config.depth))) for w in widths
        )
        self.attention = nn.Sequential(*(AttentionBlock(widths[-1]) for _ in range(config.depth)))
        # The upward path has one width, from the coarsest stage to our stride.
        first, top = STRIDES.index(config.stride), widths[2]
        self.laterals = nn.ModuleList(nn.Conv2d(w, top, 1) for w in widths[first:])
        self.wider = nn.ModuleList(ConvBlock(top) for _ in widths[first:-1])
        self.norm = nn.LayerNorm(top)
        self.head = nn.Linear(top, config.channels)
        self.apply(_first_weights)

    def features(self, images: Tensor) -> Tensor:
        """Compute features of normalised pictures.

        Args:
            images: [B, 3, S, S].

        Returns:
            [B, C, S / stride, S / stride].
        """
        x = self.stem(images)
        levels = [self.stages[0](x)]
        for narrower, stage in zip(self.narrower, self.stages[1:], strict=True):
            levels.append(stage(narrower(levels[-1])))
        levels[-1] = self.attention(levels[-1])
        levels = levels[-len(self.laterals) :]
        x = self.laterals[-1](levels[-1])
        for i in range(len(self.wider) - 1, -1, -1):
            # Nearest: its backward pass is deterministic on GPUs; the block after it smooths.
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.wider[i](x + self.laterals[i](levels[i]))
        out: Tensor = self.head(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return out


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, EXPANSION * width), nn.SiLU(), nn.Linear(EXPANSION * width, width)
    )


@torch.no_grad()
def _first_weights(module: nn.Module) -> None:
    """Preserve the variance of activations: variance 1 / inputs, biases 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        inputs = module.weight[0].numel()
        nn.init.trunc_normal_(module.weight, std=inputs**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
