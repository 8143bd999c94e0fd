"""StyleUNet: a U-Net whose way up is modulated by styles. Needs torch.

After Wang et al. 2023, "StyleAvatar", as GUAVA uses it: convolutions modulated and demodulated as
in StyleGAN2 (Karras et al. 2020), and the way down scales and shifts the way up (Wang et al. 2021,
"GFP-GAN"). Ours: pictures of any size, since the styles come from a mean over the coarsest level;
and no noise, which would flicker.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the activations below zero
STYLE_LAYERS = 2
_EPS = 1e-8


class StyleUNet(nn.Module):
    """From pictures to pictures of the same size, zero at the start.

    Args:
        channels: Of the input.
        outputs: Channels of the output.
        width: Channels at full resolution; they double with each level.
        levels: Halvings.
        max_width: Limit of the channels.
        style: Channels of the styles.
        code: Channels of an additional code for the styles; 0 without.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        width: int,
        levels: int,
        max_width: int,
        style: int,
        code: int = 0,
    ) -> None:
        super().__init__()
        widths = [min(width * 2**k, max_width) for k in range(levels + 1)]
        self.levels = levels
        self.first = _conv(channels, widths[0])
        self.narrower = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        sizes = [widths[-1] + code, *(style,) * STYLE_LAYERS]
        self.styles = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.wider = nn.ModuleList(UpBlock(b, a, style) for a, b in pairwise(widths))
        self.last = nn.Conv2d(widths[0], outputs, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # The activations keep the variance.
                nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for block in self.wider:
            assert isinstance(block, UpBlock)
            block.begin()
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Compute the output.

        Args:
            x: [B, channels, H, W].
            code: [B, code], if there is one.

        Returns:
            [B, outputs, H, W].
        """
        height, width = x.shape[2:]
        cell = 2**self.levels
        x = F.pad(x, (0, -width % cell, 0, -height % cell))
        x = _activate(self.first(x))
        skips = []
        for block in self.narrower:
            skips.append(x)
            x = block(x)
        style = x.mean((2, 3))
        if code is not None:
            style = torch.cat([style, code], 1)
        for layer in self.styles:
            style = _activate(layer(style))
        for block, skip in zip(reversed(self.wider), reversed(skips), strict=True):
            x = block(x, skip, style)
        out: Tensor = self.last(x)
        return out[..., :height, :width]


class DownBlock(nn.Module):
    """Two convolutions around a halving, with a residual connection."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.one, self.two = _conv(before, before), _conv(before, after)
        self.past = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: [B, before, H, W].

        Returns:
            [B, after, H / 2, W / 2].
        """
        y = _activate(self.two(F.avg_pool2d(_activate(self.one(x)), 2)))
        out: Tensor = (y + self.past(F.avg_pool2d(x, 2))) * math.sqrt(0.5)
        return out


class UpBlock(nn.Module):
    """A doubling, scaled and shifted by the way down, between two styled convolutions."""

    def __init__(self, before: int, after: int, style: int) -> None:
        super().__init__()
        self.one = StyledConv(before, after, style)
        self.condition = nn.Conv2d(after, 2 * after, 1)
        self.two = StyledConv(after, after, style)

    def begin(self) -> None:
        """Set the first weights: all styles and scales are near 1, and the way down is added."""
        outputs, inputs = self.condition.weight.shape[:2]
        nn.init.normal_(self.condition.weight[: outputs // 2], std=0.1 * inputs**-0.5)
        for conv in (self.one, self.two):
            nn.init.normal_(conv.affine.weight, std=0.1 * conv.affine.in_features**-0.5)
            nn.init.ones_(conv.affine.bias)

    def forward(self, x: Tensor, skip: Tensor, style: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: [B, before, H, W].
            skip: [B, after, 2 H, 2 W] of the way down.
            style: [B, style].

        Returns:
            [B, after, 2 H, 2 W].
        """
        # Nearest: its backward pass is deterministic on GPUs.
        x = self.one(F.interpolate(x, scale_factor=2.0, mode="nearest"), style)
        scale, shift = self.condition(skip).chunk(2, 1)
        out: Tensor = self.two(x * (1.0 + scale) + shift, style)
        return out


class StyledConv(nn.Module):
    """A 3 x 3 convolution whose weights each sample scales by input channel and normalises.

    Equation 1 and 3 of StyleGAN2. Scaling the input and the output instead is the same, and keeps
    one set of weights for the batch.
    """

    def __init__(self, before: int, after: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1)
        self.affine = nn.Linear(style, before)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Apply the convolution and its activation.

        Args:
            x: [B, before, H, W].
            style: [B, style].

        Returns:
            [B, after, H, W].
        """
        scale: Tensor = self.affine(style)
        weight = self.conv.weight
        wide = torch.promote_types(x.dtype, torch.float32)  # half precision may overflow
        power = scale.to(wide) ** 2 @ (weight.to(wide) ** 2).sum((2, 3)).T
        norm = torch.rsqrt(power + _EPS)[..., None, None].to(x.dtype)
        y = F.conv2d(x * scale[..., None, None], weight, padding=1) * norm
        assert self.conv.bias is not None
        return _activate(y + self.conv.bias[:, None, None])


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE) * math.sqrt(2.0 / (1.0 + SLOPE**2))
