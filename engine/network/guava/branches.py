"""GUAVA's two branches: Gaussians at the body's vertices, and in its atlas. Needs torch.

Like the other decoder's, the heads' numbers x change blank Gaussians (``inputs.blank_gaussians``),
and all last layers begin as zero:

=========  =====  ==================================================
head       n      meaning
=========  =====  ==================================================
color      C      the logit of the base's colour + x in the first
                  three; the others are latent
opacity    1      the logit of the base's + x
rotation   3      base x (1, x) / norm
scale      2      base x exp x; the third (the splat's normal) grows
                  as the lesser of the two
offset     3      base + unit x, in the triangle's frame; the UV
                  branch's only
=========  =====  ==================================================
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import GuavaConfig
from ..decoder import AttributeHead, rotate_quats
from ..inputs import BLANK_COLOR
from ..tensor_batch import GaussianAttributes
from ..uv_grids import UVGrids
from .style_unet import SLOPE, StyleUNet

CODE_STD = 0.02  # of the noise that learned codes begin as
MAX_LOG_SCALE = 4.0  # limit of scale's x, so that exp stays finite
COLOR_MARGIN = 0.02  # from black and white, where a logit is infinite
EPS = 1e-6  # of means over photos


class FeatureMaps(nn.Module):
    """Doubles the encoder's grid by convolutions, beside the picture, and projects it.

    Args:
        channels: Of the encoder's features.
        config: Of the network.
    """

    def __init__(self, channels: int, config: GuavaConfig) -> None:
        super().__init__()
        hidden = config.template_features
        self.first = nn.Conv2d(channels, hidden, 1)
        self.finer = nn.ModuleList(
            nn.Conv2d(hidden + 3, hidden, 3, padding=1) for _ in range(config.upsamplings)
        )
        self.uv = nn.Conv2d(hidden, config.uv_features, 1)
        self.template = nn.Conv2d(hidden, config.template_features, 1)

    def forward(self, features: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the maps of both branches.

        Args:
            features: [B, C, h, w] of the encoder.
            images: [B, 3, S, S] in 0..1.

        Returns:
            [B, ``uv_features``, h', w'] and [B, ``template_features``, h', w'].
        """
        x = F.leaky_relu(self.first(features), SLOPE)
        for conv in self.finer:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            small = F.interpolate(images, x.shape[2:], mode="area")
            x = F.leaky_relu(conv(torch.cat([x, small], 1)), SLOPE)
        return self.uv(x), self.template(x)


class TemplateBranch(nn.Module):
    """A Gaussian for each vertex, from its feature, its own code and the person's.

    Args:
        config: Of the network.
        code: Channels of the encoder's code.
        vertices: Their number.
    """

    def __init__(self, config: GuavaConfig, code: int, vertices: int) -> None:
        super().__init__()
        hidden = config.template_hidden
        self.codes = nn.Parameter(torch.randn(vertices, config.vertex_code) * CODE_STD)
        self.identity = _mlp(code, config.identity, config.identity)
        told = config.template_features + config.vertex_code + config.identity
        self.trunk = _mlp(told, hidden, hidden)
        self.heads = _heads(hidden, config, offset=False)

    def forward(
        self, features: Tensor, code: Tensor, base: GaussianAttributes
    ) -> GaussianAttributes:
        """Compute attributes of the vertices' Gaussians.

        Args:
            features: [B, Vt, ``template_features``] projected to the vertices.
            code: [B, C] of the person.
            base: [B, Vt, ...].

        Returns:
            [B, Vt, ...].
        """
        count = features.shape[:2]
        codes = self.codes.expand(*count, -1)
        identity = self.identity(code)[:, None].expand(*count, -1)
        told = self.trunk(torch.cat([features, codes, identity], -1))
        return apply_heads(_said(self.heads, told), base)


class UVBranch(nn.Module):
    """Gaussians all over the atlas, from the inverse texture map by a StyleUNet.

    Args:
        config: Of the network.
        code: Channels of the encoder's code.
        grids: Of the body.
        units: [n] metres, of each Gaussian's offset.
    """

    texels: Tensor
    units: Tensor

    def __init__(self, config: GuavaConfig, code: int, grids: UVGrids, units: Tensor) -> None:
        super().__init__()
        self.config = config
        cells = torch.from_numpy(grids.core_cells[grids.core_token])
        self.register_buffer("texels", cells, persistent=False)
        self.register_buffer("units", units[:, None], persistent=False)
        self.identity = _mlp(code, config.style, config.style)
        self.unet = StyleUNet(
            config.uv_features + 4,
            config.uv_channels,
            config.uv_width,
            config.uv_levels,
            config.max_width,
            config.style,
            config.style,
        )
        side = config.uv_size
        self.bias = nn.Parameter(torch.randn(config.uv_bias, side, side) * CODE_STD)
        hidden = config.head_hidden
        self.trunk = nn.Sequential(
            nn.Conv2d(config.uv_channels + config.uv_bias, hidden, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(SLOPE),
        )
        self.heads = _heads(hidden, config, offset=True)

    def forward(
        self, texels: Tensor, code: Tensor, uv: Tensor, base: GaussianAttributes
    ) -> GaussianAttributes:
        """Compute attributes of the atlas's Gaussians.

        Args:
            texels: [B, Nc, 3 + ``uv_features`` + 1] what the photo shows of each covered texel:
                colour, features, and whether it is visible; zero where it is not.
            code: [B, C] of the person.
            uv: [B, n, 2] the Gaussians' places in 0..1 of the atlas.
            base: [B, n, ...].

        Returns:
            [B, n, ...].
        """
        side = self.config.uv_size
        if not self.config.inverse_mapping:
            texels = torch.zeros_like(texels)
        elif self.config.photo_colors:
            base = base._replace(colors=self._photo_colors(texels, uv))
        flat = texels.new_zeros(texels.shape[0], side * side, texels.shape[2])
        flat = flat.index_copy(1, self.texels, texels)
        maps = flat.transpose(1, 2).reshape(-1, texels.shape[2], side, side)
        maps = self.unet(maps, self.identity(code))
        bias = self.bias.expand(len(maps), -1, -1, -1)
        told = read_at(self.trunk(torch.cat([maps, bias], 1)), uv)
        return apply_heads(_said(self.heads, told), base, self.units)

    def _photo_colors(self, texels: Tensor, uv: Tensor) -> Tensor:
        """[B, n, 3] what the photo shows at places, or on average where it shows nothing."""
        colors, seen = texels[..., :3].float(), texels[..., -1:].float()
        mean = (colors * seen).sum(1) / (seen.sum(1) + EPS)
        mean = torch.where(seen.sum(1) > 0.0, mean, torch.full_like(mean, BLANK_COLOR))
        side = self.config.uv_size
        flat = mean[:, None].expand(-1, side * side, -1).contiguous()
        filled = torch.where(seen > 0.0, colors, mean[:, None])
        flat = flat.index_copy(1, self.texels, filled)
        return read_at(flat.transpose(1, 2).reshape(-1, 3, side, side), uv)


def apply_heads(
    said: dict[str, Tensor], base: GaussianAttributes, units: Tensor | None = None
) -> GaussianAttributes:
    """Apply the heads' outputs to the base; see the module's table.

    Args:
        said: [B, N, n] the numbers x of each head.
        base: [B, N, ...].
        units: [N, 1] metres of the offset's unit; None without a head of offsets.

    Returns:
        [B, N, ...].
    """
    color = said["color"]
    start = torch.logit(base.colors, COLOR_MARGIN)
    growth = said["scale"].clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE)
    factors = torch.cat([growth, growth.amin(-1, keepdim=True)], -1).exp()
    return GaussianAttributes(
        base.offset if units is None else base.offset + units * said["offset"],
        rotate_quats(base.quats, said["rotation"]),
        base.scales * factors,
        torch.sigmoid(torch.logit(base.opacities) + said["opacity"][..., 0]),
        torch.cat([torch.sigmoid(start + color[..., :3]), color[..., 3:]], -1),
    )


def read_at(maps: Tensor, places: Tensor) -> Tensor:
    """Read maps at places, bilinearly, at least in single precision.

    Args:
        maps: [B, C, h, w].
        places: [B, n, 2] in 0..1 of the map.

    Returns:
        [B, n, C] float32.
    """
    grid = 2.0 * places[:, None] - 1.0
    read = F.grid_sample(
        maps.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return read[:, :, 0].transpose(1, 2)


def mean_over_photos(values: Tensor, weights: Tensor) -> Tensor:
    """Average what several photos show.

    Args:
        values: [B, P, n, C].
        weights: [B, P, n] 0 or 1.

    Returns:
        [B, n, C], zero where no photo counts.
    """
    kept = (values * weights[..., None]).sum(1)
    return kept / (weights.sum(1)[..., None] + EPS)


def _mlp(channels: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, outputs),
        nn.LeakyReLU(SLOPE),
    )


def _heads(channels: int, config: GuavaConfig, offset: bool) -> nn.ModuleDict:
    sizes = {"color": config.channels, "opacity": 1, "rotation": 3, "scale": 2}
    if offset:
        sizes["offset"] = 3
    return nn.ModuleDict(
        {name: AttributeHead(channels, config.head_hidden, n) for name, n in sizes.items()}
    )


def _said(heads: nn.ModuleDict, told: Tensor) -> dict[str, Tensor]:
    return {name: head(told).float() for name, head in heads.items()}
