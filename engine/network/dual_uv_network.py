"""The whole network: encoder, Dual-UV projection, decoder. Needs torch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import DecoderConfig, NetworkConfig
from .decoder import Decoder
from .encoders import create_encoder
from .tensor_batch import GaussianAttributes, NetworkBatch
from .uv_grids import UVGrids

EPS = 1e-6  # of equation 3, as in dual_uv/sampling.py


class Network(nn.Module):
    """From photos and lift of B people to the attributes of their Gaussians.

    Args:
        config: Sizes and switches.
        grids: Of the body.

    Raises:
        LikenessError: The encoder's weights are missing.
    """

    refiner: ClassVar[None] = None  # of pictures, as GUAVA's
    core_token: Tensor
    shell_token: Tensor

    def __init__(self, config: NetworkConfig, grids: UVGrids) -> None:
        super().__init__()
        assert isinstance(config.decoder, DecoderConfig)
        self.config, self.grids = config, grids
        self.encoder = create_encoder(config.encoder)
        self.decoder = Decoder(config.decoder, grids)
        for name in ("core_token", "shell_token"):
            self.register_buffer(name, torch.from_numpy(getattr(grids, name)), persistent=False)

    def forward(self, batch: NetworkBatch, hide: Tensor | None = None) -> GaussianAttributes:
        """Compute attributes of B people.

        Args:
            batch: The inputs.
            hide: [B, Tc + Ts] bool: tokens whose scattered features, and texels' colours, are
                masked (training's masking, supplement A.1).

        Returns:
            [B, N, ...] attributes.
        """
        features = self.encoder(batch.images.flatten(0, 1))
        core, core_known = self._scatter(
            features, batch.core_xy, batch.core_seen, self.core_token, len(self.grids.core_cells)
        )
        shell, shell_known = self._scatter(
            features,
            batch.shell_xy,
            batch.shell_seen,
            self.shell_token,
            len(self.grids.shell_cells),
        )
        patches = batch.patches
        if hide is not None:
            shown = (~hide).to(core.dtype)
            of_core, of_shell = shown[:, : core.shape[1]], shown[:, core.shape[1] :]
            core, core_known = core * of_core[..., None], core_known * of_core
            shell, shell_known = shell * of_shell[..., None], shell_known * of_shell
            patches = patches * of_core[..., None]
        said: GaussianAttributes = self.decoder(
            core, core_known, shell, shell_known, patches, batch.uv, batch.lift, batch.base
        )
        return said

    def _scatter(
        self, features: Tensor, xy: Tensor, seen: Tensor, token: Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        """Average features [B P, C, h, w] at seen points [B, P, n, 2] by token, over all photos.

        Equations 2 and 3; several photos blend linearly (section 4.4). Returns [B, count, C] and
        [B, count] whether a token got any.
        """
        people, photos, points = seen.shape
        grid = 2.0 * xy.flatten(0, 1)[:, None] - 1.0
        read = F.grid_sample(
            features.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        read = read[:, :, 0].transpose(1, 2).reshape(people, photos * points, -1)
        weight = seen.reshape(people, photos * points).float()
        index = token.repeat(photos)
        sums = read.new_zeros(people, count, read.shape[2])
        sums = sums.index_add(1, index, read * weight[..., None])
        total = weight.new_zeros(people, count).index_add(1, index, weight)
        return sums / (total[..., None] + EPS), (total > 0).float()
