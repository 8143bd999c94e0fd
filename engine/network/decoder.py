"""The decoder: UV features in, Gaussian attributes out (section 3.1, supplement A.1).

Core and shell cells are tokens. The core's get a sinusoidal code of their places on the canonical
body, and in the paper's form a learned embedding on top of it; the shell's are learned from
Gaussian noise; both are projected to the model's width and pass
self-attention layers together. Each core token then unfolds into a patch of the attribute map.
Every Gaussian reads the map at its own place in the atlas, and heads of two layers compute its
attributes from that.

The network has two forms. In the paper's own (``DecoderConfig.residual`` off), that is all, and the
base below is blank: grey Gaussians uniform over the atlas (``inputs.blank_gaussians``). In the
other (ours), the base is the lift; core tokens also get its colours, heads also each Gaussian's
attributes before the network and the rest of the person's looks (``context.py``), and without
``DecoderConfig.shape`` there is only the first head:

=========  ==  ======================================================  =======================
head       n   meaning of its numbers x                                 at the start (x = 0)
=========  ==  ======================================================  =======================
color      4   base x ``max_gain`` ^ tanh x0 x ``max_tint`` ^ tanh x     the base's
               of each channel; at most 1
           3   the paper's form: 1 / (1 + exp -x)                       grey
opacity    1   t = tanh x: o + t (1 - o) if t > 0, else o + t o         the base's
offset     3   base + ``max_offset`` tanh x, in the triangle's frame    the base's
rotation   3   base x (1, x) / norm                                     the base's
scale      2   base x ``max_growth`` ^ tanh x, below 0 x               the base's
               ``max_shrink`` ^ tanh x; the third (the splat's normal)
               grows as the lesser of the two
=========  ==  ======================================================  =======================

All last layers begin as zero, so a new network returns its base exactly.

The lift's colours are multiplied, so that its texture and borders stay however little the network
knows: what it learns of hidden sides is mostly their brightness (docs/training.md). What the photo
shows needs no correction: a network could only blur it, and would, as real photos are sharper than
its training data. So with ``DecoderConfig.keep_shown`` the numbers x are multiplied by
``change_allowance``. Needs torch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .config import DecoderConfig
from .context import HEAD_CHANNELS, change_allowance
from .tensor_batch import GaussianAttributes
from .uv_grids import UVGrids

TOKEN_STD = 0.02  # of the Gaussian noise that shell tokens and embeddings begin as
SHAPE_HEADS = {"opacity": 1, "offset": 3, "rotation": 3, "scale": 2}


class Decoder(nn.Module):
    """The decoder, see the module's text.

    Args:
        config: Sizes and switches.
        grids: Of the body; they are not saved with the weights.
    """

    position_code: Tensor
    core_cells: Tensor

    def __init__(self, config: DecoderConfig, grids: UVGrids) -> None:
        super().__init__()
        self.config = config
        width = config.width
        position = torch.from_numpy(grids.position)
        self.register_buffer(
            "position_code", sinusoids(position, config.frequencies), persistent=False
        )
        self.register_buffer("core_cells", torch.from_numpy(grids.core_cells), persistent=False)
        if config.uv_position:
            self.position = nn.Linear(6 * config.frequencies, config.features)
            if not config.residual:
                self.places = nn.Parameter(torch.zeros(len(grids.core_cells), config.features))
        if config.shell_tokens:
            tokens = torch.randn(len(grids.shell_cells), config.features) * TOKEN_STD
            self.shell = nn.Parameter(tokens)
        self.project = nn.Linear(config.features, width)
        if config.residual:
            self.patches = nn.Linear(4 * config.patch**2, width)
            # Which grid a token is of, and whether anything was seen in its cell.
            self.kind = nn.Parameter(torch.randn(2, width) * TOKEN_STD)
            self.known = nn.Parameter(torch.randn(width) * TOKEN_STD)
        self.layers = nn.ModuleList(
            DecoderLayer(width, config.heads, config.mlp_ratio) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.unpatchify = nn.Linear(width, config.patch**2 * config.map_channels)
        told = config.map_channels + (HEAD_CHANNELS if config.residual else 0)
        self.heads = nn.ModuleDict(
            {
                name: AttributeHead(told, config.head_hidden, count)
                for name, count in head_sizes(config).items()
            }
        )

    def forward(
        self,
        core: Tensor,
        core_known: Tensor,
        shell: Tensor,
        shell_known: Tensor,
        patches: Tensor,
        uv: Tensor,
        lift: Tensor,
        base: GaussianAttributes,
    ) -> GaussianAttributes:
        """Compute attributes from features.

        Args:
            core: [B, Tc, C] scattered features, zero where nothing was seen.
            core_known: [B, Tc] 0 or 1.
            shell: [B, Ts, C], as ``core``.
            shell_known: [B, Ts] 0 or 1.
            patches: [B, Tc, p * p * 4] the lift's colours in 0..1 of the tokens' texels, and
                whether there are any. Ignored in the paper's form.
            uv: [B, N, 2] in 0..1 of the atlas.
            lift: [B, N, 56] of :func:`.context.head_channels`. Ignored in the paper's form.
            base: [B, N, ...] what the heads' numbers change, float32.

        Returns:
            [B, N, ...] attributes, float32.
        """
        tokens = self.tokens(core, core_known, shell, shell_known, patches)
        maps = self.maps(tokens[:, : core.shape[1]])
        # Places stay single: eight bits of bf16 would be off by a texel and more.
        read = F.grid_sample(
            maps.float(),
            2.0 * uv[:, None] - 1.0,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        told = read[:, :, 0].transpose(1, 2)
        if self.config.residual:
            told = torch.cat([told, lift], -1)
        said = {name: head(told).float() for name, head in self.heads.items()}
        if self.config.residual and self.config.keep_shown:
            free = change_allowance(lift)
            said = {name: free * x for name, x in said.items()}
        return apply_heads(said, base, self.config)

    def tokens(
        self, core: Tensor, core_known: Tensor, shell: Tensor, shell_known: Tensor, patches: Tensor
    ) -> Tensor:
        """Compute the tokens after all layers.

        Args:
            core: [B, Tc, C] as for :meth:`forward`.
            core_known: [B, Tc] 0 or 1.
            shell: [B, Ts, C].
            shell_known: [B, Ts] 0 or 1.
            patches: [B, Tc, p * p * 4].

        Returns:
            [B, Tc, width], or [B, Tc + Ts, width] with shell tokens.
        """
        if self.config.uv_position:
            core = core + self.position(self.position_code)
            if not self.config.residual:
                core = core + self.places
        x: Tensor = self.project(core)
        if self.config.residual:
            x = x + self.patches(patches) + self.kind[0] + core_known[..., None] * self.known
        if self.config.shell_tokens:
            y = self.project(shell + self.shell)
            if self.config.residual:
                y = y + self.kind[1] + shell_known[..., None] * self.known
            x = torch.cat([x, y], 1)
        for layer in self.layers:
            if self.config.checkpointing and self.training:
                x = checkpoint(layer, x, use_reentrant=False)
            else:
                x = layer(x)
        out: Tensor = x
        return out

    def maps(self, core: Tensor) -> Tensor:
        """Unfold the core's tokens into attribute maps.

        Args:
            core: [B, Tc, width].

        Returns:
            [B, map_channels, M, M]; zero in empty cells.
        """
        side, patch, channels = self.config.core_grid, self.config.patch, self.config.map_channels
        texels: Tensor = self.unpatchify(self.norm(core))
        full = texels.new_zeros(texels.shape[0], side * side, texels.shape[2])
        full = full.index_copy(1, self.core_cells, texels)
        full = full.reshape(-1, side, side, patch, patch, channels)
        return full.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, side * patch, side * patch)


class DecoderLayer(nn.Module):
    """Self-attention and a perceptron, each with pre-normalisation and a residual connection."""

    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: [B, T, width] tokens.

        Returns:
            [B, T, width].
        """
        batch, count, width = x.shape
        qkv = self.qkv(self.before_attention(x))
        q, k, v = qkv.reshape(batch, count, 3, self.heads, width // self.heads).unbind(2)
        attended = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)))
        x = x + self.out(attended.transpose(1, 2).reshape(batch, count, width))
        out: Tensor = x + self.mlp(self.before_mlp(x))
        return out


class AttributeHead(nn.Module):
    """Two layers; the second begins as zero."""

    def __init__(self, channels: int, hidden: int, count: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, hidden)
        self.last = nn.Linear(hidden, count)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the head's numbers.

        Args:
            x: [..., channels].

        Returns:
            [..., count].
        """
        said: Tensor = self.last(F.silu(self.first(x)))
        return said


def sinusoids(position: Tensor, frequencies: int) -> Tensor:
    """Encode positions as sines and cosines at N frequencies: pi, 2 pi, 4 pi...

    The longest wave is 2 m, about a person; the tenth 4 mm.

    Args:
        position: [..., 3] metres.
        frequencies: N.

    Returns:
        [..., 6 N] float32.
    """
    turns = math.pi * 2.0 ** torch.arange(frequencies, dtype=torch.float64)
    angles = position.double()[..., None] * turns
    code = torch.cat([angles.sin(), angles.cos()], -1)
    return code.reshape(*position.shape[:-1], 6 * frequencies).float()


def head_sizes(config: DecoderConfig) -> dict[str, int]:
    """Get the number of outputs of each head."""
    color = {"color": 4 if config.residual else 3}
    return color | SHAPE_HEADS if config.shape else color


def apply_heads(
    said: dict[str, Tensor], base: GaussianAttributes, config: DecoderConfig
) -> GaussianAttributes:
    """Apply the heads' outputs to the base; see the module's table.

    Args:
        said: [B, N, n] the numbers x of each head.
        base: [B, N, ...].
        config: With the limits of each change.

    Returns:
        [B, N, ...].
    """
    if config.residual:
        gain = math.log(config.max_gain) * torch.tanh(said["color"][..., :1])
        gain = gain + math.log(config.max_tint) * torch.tanh(said["color"][..., 1:])
        relit = base._replace(colors=(base.colors * gain.exp()).clamp(max=1.0))
    else:
        relit = base._replace(colors=torch.sigmoid(said["color"]))
    if not config.shape:
        return relit
    growth = torch.tanh(said["scale"])
    growth = growth * torch.where(
        growth > 0.0, math.log(config.max_growth), math.log(config.max_shrink)
    )
    factors = torch.cat([growth, growth.amin(-1, keepdim=True)], -1).exp()
    return relit._replace(
        offset=base.offset + config.max_offset * torch.tanh(said["offset"]),
        quats=rotate_quats(base.quats, said["rotation"]),
        scales=base.scales * factors,
        opacities=blend_toward(base.opacities, torch.tanh(said["opacity"][..., 0])),
    )


def blend_toward(value: Tensor, share: Tensor) -> Tensor:
    """Blend values towards 1, or towards 0 where the share is negative.

    Args:
        value: [...] in 0..1.
        share: [...] in -1..1.

    Returns:
        [...] in 0..1.
    """
    return value + share * torch.where(share > 0.0, 1.0 - value, value)


def rotate_quats(quats: Tensor, x: Tensor) -> Tensor:
    """Multiply quaternions by the small rotation (1, x) / norm.

    Args:
        quats: [..., 4] (w, x, y, z).
        x: [..., 3].

    Returns:
        [..., 4].
    """
    norm = torch.rsqrt(1.0 + (x * x).sum(-1, keepdim=True))
    w, v = quats[..., :1], quats[..., 1:]
    u = x * norm
    real = w * norm - (v * u).sum(-1, keepdim=True)
    a, b, c = v.unbind(-1)
    d, e, f = u.unbind(-1)
    cross = torch.stack([b * f - c * e, c * d - a * f, a * e - b * d], -1)
    return torch.cat([real, w * u + norm * v + cross], -1)
