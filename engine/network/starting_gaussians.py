"""The Gaussians from which networks without a lift start."""

from __future__ import annotations

from ..body import Body
from ..core.types import BoundGaussians
from .config import NetworkConfig, PerseConfig
from .inputs import blank_gaussians
from .perse.points import make_points
from .uv_grids import UVGrids


def starting_gaussians(config: NetworkConfig, body: Body, grids: UVGrids) -> BoundGaussians:
    """Create the blank Gaussians of a network without a lift, the same for all people.

    Args:
        config: Of the network.
        body: With the atlas; its shape does not matter.
        grids: Of the network.

    Raises:
        LikenessError: The body or ``max_gaussians`` does not suit the network.
    """
    if isinstance(config.decoder, PerseConfig):
        return make_points(body, grids, config.decoder, config.max_gaussians)
    return blank_gaussians(body, grids, config.max_gaussians)
