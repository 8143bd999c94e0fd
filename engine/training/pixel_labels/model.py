"""The parser: a picture and the body's layers in, logits of each label out. Needs torch.

A UNet at half the input's resolution. The rules and the colours of the person at hand refine its
borders later, so that it may stay small.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...gaussians.lift.pixels.labels_parser import CHANNELS, PARSED

WIDTHS = (24, 48, 96, 144, 160)
"""Channels at each resolution, from half the input's on."""


class _Block(nn.Module):
    """A residual block."""

    def __init__(self, inner: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, inner), nn.Conv2d(inner, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(inner, out, 1) if inner != out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        out: Tensor = self.skip(x) + y
        return out


class ParserNetwork(nn.Module):
    """Labels for all pixels."""

    def __init__(self) -> None:
        super().__init__()
        widths = WIDTHS
        self.stem = nn.Conv2d(4 * CHANNELS, widths[0], 3, padding=1)
        down = [_Block(a, b) for a, b in pairwise(widths)]
        self.down = nn.ModuleList([_Block(widths[0], widths[0]), *down])
        self.up = nn.ModuleList([_Block(a + b, a) for a, b in pairwise(widths)])
        self.norm = nn.GroupNorm(8, widths[0])
        self.head = nn.Conv2d(widths[0], 4 * len(PARSED), 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Compute logits [B, len(PARSED), H, W].

        Args:
            picture: [B, CHANNELS, H, W] of :func:`.labels_parser.stack_inputs`; sides are
                multiples of 32.
        """
        x = self.stem(F.pixel_unshuffle(picture, 2))
        levels: list[Tensor] = []
        for k, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if k else x)
            levels.append(x)
        for k in reversed(range(len(self.up))):
            wide = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[k](torch.cat([wide, levels[k]], 1))
        return F.pixel_shuffle(self.head(F.silu(self.norm(x))), 2)
