"""The polishing network: planes in, a bounded change of their colours out. Needs torch.

A UNet whose first and last layers work at the full resolution: a pixel shuffle at the end would
leave a checkerboard of two pixels, which passes for sharpness. It has no normalisation layers,
so the change of a pixel depends on what is near it, not on how much of the person a picture shows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...gaussians.polish.planes import PLANES, SEEN

WIDTHS = (8, 32, 64, 80)
"""Channels at each resolution, from the input's on."""

MAX_CHANGE = 0.15
"""Of a colour (0..1)."""


def _conv(inner: int, out: int, side: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inner, out, side, padding=side // 2)


RIM = 5
"""Pixels: side of the square around a pixel that has to be solid for any change."""


class _Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(width, width), _conv(width, width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(F.silu(self.conv1(F.silu(x))))
        return out


class PolishNetwork(nn.Module):
    """A change of colours, none where the photo shows the person squarely."""

    def __init__(self) -> None:
        super().__init__()
        full, *coarse = WIDTHS
        self.stem = _conv(len(PLANES), full)
        self.down = nn.ModuleList(_conv(a, b) for a, b in zip(WIDTHS, coarse, strict=False))
        self.inner = nn.ModuleList(_Block(width) for width in coarse)
        self.up = nn.ModuleList(_conv(b, a, 1) for a, b in zip(WIDTHS, coarse, strict=False))
        self.merge = nn.ModuleList(_conv(2 * width, width) for width in WIDTHS[:-1])
        self.outer = nn.ModuleList(_Block(width) for width in WIDTHS[:-1])
        self.head = _conv(full, 3)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Compute the change [B, 3, H, W] of the colours, which are multiplied by alpha.

        Args:
            planes: [B, len(PLANES), H, W]; sides are multiples of 8.
        """
        x = self.stem(planes)
        levels = [x]
        for down, block in zip(self.down, self.inner, strict=True):
            x = block(down(F.avg_pool2d(F.silu(x), 2)))
            levels.append(x)
        for k in reversed(range(len(self.up))):
            wide = F.interpolate(self.up[k](x), scale_factor=2.0, mode="bilinear")
            x = self.outer[k](self.merge[k](F.silu(torch.cat([wide, levels[k]], 1))))
        # What shines through a soft rim is the background's affair, and no truth teaches it.
        inside = -F.max_pool2d(-planes[:, 3:4], RIM, 1, RIM // 2)
        gate = torch.clamp(F.avg_pool2d(inside, 3, 1, 1, count_include_pad=False), 0.0, 1.0)
        gate = gate * torch.clamp(planes[:, 3:4] - planes[:, SEEN : SEEN + 1], 0.0, 1.0)
        return MAX_CHANGE * gate * torch.tanh(self.head(F.silu(x)))
