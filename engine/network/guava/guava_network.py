"""The whole of GUAVA: encoder, feature maps, both branches and the refiner. Needs torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import GuavaConfig, NetworkConfig
from ..encoders import create_encoder
from ..tensor_batch import GaussianAttributes, NetworkBatch
from ..uv_grids import UVGrids
from .branches import FeatureMaps, TemplateBranch, UVBranch, mean_over_photos, read_at
from .style_unet import StyleUNet


class Refiner(nn.Module):
    """From splatted features to the final picture; at the start, to the coarse one.

    It adds to colours and alpha, so that its pictures can stand before any backdrop (ours; the
    paper's stand before black).

    Args:
        config: Of the network.
    """

    def __init__(self, config: GuavaConfig) -> None:
        super().__init__()
        self.channels = config.channels
        self.unet = StyleUNet(
            config.channels + 1,
            4,
            config.refiner_width,
            config.refiner_levels,
            config.max_width,
            config.style,
        )

    def forward(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Refine pictures.

        Args:
            features: [K, H, W, C] splatted before black; the first three are the coarse colours,
                multiplied by alpha.
            alpha: [K, H, W] in 0..1.

        Returns:
            [K, H, W, 3] colours, multiplied by alpha, and [K, H, W] alpha; neither is limited to
                0..1.
        """
        told = torch.cat([features, alpha[..., None]], -1)
        added: Tensor = self.unet(told.permute(0, 3, 1, 2)).float().permute(0, 2, 3, 1)
        return features[..., :3] + added[..., :3], alpha + added[..., 3]


class GuavaNetwork(nn.Module):
    """From photos of B people to the attributes of their Gaussians, with features.

    Args:
        config: Sizes and switches, with a ``GuavaConfig``.
        grids: Of the body.
        units: [N] metres, of each Gaussian's offset (``inputs.unit_lengths``).

    Raises:
        LikenessError: The encoder's weights are missing.
    """

    def __init__(self, config: NetworkConfig, grids: UVGrids, units: Tensor) -> None:
        super().__init__()
        assert isinstance(config.decoder, GuavaConfig)
        guava, vertices = config.decoder, len(grids.vertices)
        self.config, self.grids = config, grids
        channels = config.encoder.channels
        self.encoder = create_encoder(config.encoder)
        self.projection = FeatureMaps(channels, guava)
        self.template = TemplateBranch(guava, channels, vertices)
        self.uv = UVBranch(guava, channels, grids, units[vertices:]) if guava.uv_gaussians else None
        self.refiner = Refiner(guava) if guava.refiner else None

    def forward(self, batch: NetworkBatch, hide: Tensor | None = None) -> GaussianAttributes:
        """Compute attributes of B people.

        Args:
            batch: The inputs.
            hide: Always None: nothing is masked in this form.

        Returns:
            [B, N, ...] attributes, those of the template branch first. Without the UV branch, its
                Gaussians are transparent.
        """
        people, photos = batch.images.shape[:2]
        images = batch.images.flatten(0, 1)
        features, codes = self.encoder.encode(images)
        for_uv, for_template = self.projection(features, images)
        code = codes.reshape(people, photos, -1).mean(1)
        vertices = len(self.grids.vertices)
        around = read_at(for_template, batch.vertex_xy.flatten(0, 1))
        around = around.reshape(people, photos, *around.shape[1:]).mean(1)
        base = batch.base
        first = GaussianAttributes(*(values[:, :vertices] for values in base))
        rest = GaussianAttributes(
            *(values[:, vertices : self.config.max_gaussians] for values in base)
        )
        guava = self.config.decoder
        assert isinstance(guava, GuavaConfig)
        if guava.photo_colors:
            colors = read_at(images, batch.vertex_xy.flatten(0, 1))
            first = first._replace(colors=colors.reshape(people, photos, -1, 3).mean(1))
        made = self.template(around, code, first)
        if self.uv is None:
            channels = made.colors.shape[-1] - 3
            blank = rest.colors.new_zeros(*rest.colors.shape[:2], channels)
            others = rest._replace(
                opacities=torch.zeros_like(rest.opacities),
                colors=torch.cat([rest.colors, blank], -1),
            )
        else:
            xy = batch.core_xy.flatten(0, 1)
            shown = torch.cat([read_at(images, xy), read_at(for_uv, xy)], -1)
            shown = torch.cat([shown, torch.ones_like(shown[..., :1])], -1)
            shown = shown.reshape(people, photos, *shown.shape[1:])
            texels = mean_over_photos(shown, batch.core_seen)
            places = batch.uv[:, vertices : self.config.max_gaussians]
            others = self.uv(texels, code, places, rest)
        return GaussianAttributes(*(torch.cat(both, 1) for both in zip(made, others)))
