"""The label network: cells in, the probability of each label for every cell out. Needs torch.

Its trunk is a UNet on the grid of 64² (2 x 2 cells each), with two attention blocks over 16²
tokens: a shoe tells of the other shoe, wherever the atlas has it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.types import FloatArray
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS, CHANNELS, GRID, NUMBERS

WIDTHS = (32, 64, 128)
_PLACES = 6  # channels that say where on the body a cell lies
_LEARNED = 8  # channels that are learned for every 2 x 2 cells
_NUMBERS_WIDTH = 64


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)


class _Block(nn.Module):
    """A residual block; the person's numbers shift its middle."""

    def __init__(self, inner: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(inner), nn.Conv2d(inner, out, 3, padding=1)
        self.shift = nn.Linear(_NUMBERS_WIDTH, out)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(inner, out, 1) if inner != out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, numbers: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x))) + self.shift(numbers)[:, :, None, None]
        out: Tensor = self.skip(x) + self.conv2(F.silu(self.norm2(y)))
        return out


class _Attention(nn.Module):
    """Attention of all tokens to all, and a small perceptron."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.project = _norm(channels), nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.inner = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.SiLU(),
            nn.Linear(2 * channels, channels),
        )
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = (
            t.reshape(batch, height * width, self.heads, -1).transpose(1, 2)
            for t in self.project(tokens).chunk(3, -1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        tokens = x.flatten(2).transpose(1, 2) + self.out(mixed.flatten(2))
        tokens = tokens + self.inner(tokens)
        out: Tensor = tokens.transpose(1, 2).reshape(batch, channels, height, width)
        return out


class LabelNetwork(nn.Module):
    """Labels for all cells.

    Args:
        places: [6, GRID, GRID] of the default body: place (metres) and normal of each cell.
    """

    places: Tensor

    def __init__(self, places: FloatArray) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.register_buffer("places", torch.as_tensor(places, dtype=torch.float32)[None])
        self.learned = nn.Parameter(0.1 * torch.randn(1, _LEARNED, GRID // 2, GRID // 2))
        self.numbers = nn.Sequential(
            nn.Linear(NUMBERS, _NUMBERS_WIDTH),
            nn.SiLU(),
            nn.Linear(_NUMBERS_WIDTH, _NUMBERS_WIDTH),
            nn.SiLU(),
        )
        self.stem = nn.Conv2d(4 * CHANNELS, a, 1)
        self.where = nn.Conv2d(4 * _PLACES + _LEARNED, a, 1)
        self.down1, self.down2, self.down3 = _Block(a, a), _Block(a, b), _Block(b, c)
        self.attention = nn.ModuleList([_Attention(c), _Attention(c)])
        self.middle = _Block(c, c)
        self.up2, self.up1 = _Block(c + b, b), _Block(b + a, a)
        self.fine = nn.Conv2d(4 * CHANNELS, 2 * a, 1)
        self.head = nn.Sequential(
            _norm(3 * a), nn.SiLU(), nn.Conv2d(3 * a, 4 * len(CELL_LABELS), 1)
        )

    def forward(self, grids: Tensor, numbers: Tensor) -> Tensor:
        """Compute logits.

        Args:
            grids: [B, CHANNELS, GRID, GRID] of :func:`label_inputs`.
            numbers: [B, NUMBERS] of the same.

        Returns:
            [B, len(CELL_LABELS), GRID, GRID].
        """
        person = self.numbers(numbers)
        cells = F.pixel_unshuffle(grids, 2)
        where = torch.cat([F.pixel_unshuffle(self.places, 2), self.learned], 1)
        x = self.stem(cells) + self.where(where)
        x1 = self.down1(x, person)
        x2 = self.down2(F.avg_pool2d(x1, 2), person)
        x3 = self.down3(F.avg_pool2d(x2, 2), person)
        for block in self.attention:
            x3 = block(x3)
        x3 = self.middle(x3, person)
        y = self.up2(torch.cat([_double(x3), x2], 1), person)
        y = self.up1(torch.cat([_double(y), x1], 1), person)
        return F.pixel_shuffle(self.head(torch.cat([y, self.fine(cells)], 1)), 2)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
