"""Networks of all forms with initial weights. Needs torch."""

from __future__ import annotations

import torch

from ..body import Body
from .config import GuavaConfig, NetworkConfig, PerseConfig
from .dual_uv_network import Network
from .guava.guava_network import GuavaNetwork
from .inputs import unit_lengths
from .perse.perse_network import PerseNetwork
from .starting_gaussians import starting_gaussians
from .uv_grids import uv_grids

AnyNetwork = Network | GuavaNetwork | PerseNetwork


def create_network(config: NetworkConfig, body: Body, seed: int = 0) -> AnyNetwork:
    """Create a network with initial weights, the same for the same seed.

    Args:
        config: Sizes and switches.
        body: The body with the atlas.
        seed: Of the weights.

    Raises:
        LikenessError: The encoder's weights are missing.
    """
    grids = uv_grids(body, config.decoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(config.decoder, PerseConfig):
            return PerseNetwork(config, grids, body, starting_gaussians(config, body, grids))
        if isinstance(config.decoder, GuavaConfig):
            base = starting_gaussians(config, body, grids)
            return GuavaNetwork(config, grids, torch.from_numpy(unit_lengths(body, base)))
        return Network(config, grids)
