"""Pictures of Gaussians with features, drawn and refined. Needs torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ...core.types import Avatar, BoundGaussians, Camera, FloatArray, Gaussians, LikenessError
from ...files.digests import file_sha256
from ...render import render_camera
from ...render.raster_types import RenderOutput
from ..config import GuavaConfig, NetworkConfig, load_config
from ..network_files import load_weights
from .guava_network import Refiner

REFINER_FILE = "refiner.safetensors"


class RefinedRender(NamedTuple):
    """A picture before and after the refiner.

    Attributes:
        coarse: Drawn from the colours alone.
        refined: By the refiner; the depth is that of ``coarse``.
    """

    coarse: RenderOutput
    refined: RenderOutput


def load_refiner(folder: Path) -> Refiner:
    """Load a network's refiner, on the GPU if there is one.

    Args:
        folder: The network's.

    Raises:
        LikenessError: The network has no refiner, or cannot be read.
    """
    config = load_config(NetworkConfig, folder).decoder
    if not isinstance(config, GuavaConfig) or not config.refiner:
        raise LikenessError(
            f"The network in '{folder}' has no refiner.", "Use a network of GUAVA's form."
        )
    refiner = Refiner(config)
    load_weights(refiner, folder / REFINER_FILE)
    return refiner.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def check_made_by(avatar: Avatar, folder: Path) -> None:
    """Raise where another network made an avatar.

    Args:
        avatar: To be drawn.
        folder: Of the network, with a refiner.

    Raises:
        LikenessError: The avatar has no features, or another network's.
    """
    if not avatar.gaussians.features.size:
        raise LikenessError(
            "The avatar has no latent features, so no refiner can draw it.",
            "Draw it without a refiner, or build it with a network of GUAVA's form.",
        )
    made_by = avatar.provenance.get("network", {}).get("sha256", {}).get(REFINER_FILE)
    if made_by != file_sha256(folder / REFINER_FILE):
        raise LikenessError(
            f"The network in '{folder}' did not make this avatar.",
            "Give the folder of the network that made it.",
        )


def with_features(placed: Gaussians, bound: BoundGaussians) -> Gaussians:
    """Append latent features to colours.

    Args:
        placed: N Gaussians in world space.
        bound: The same before posing.
    """
    return replace(placed, colors=np.concatenate([placed.colors, bound.features], 1))


def render_refined(
    refiner: Refiner,
    gaussians: Gaussians,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> RefinedRender:
    """Draw Gaussians and refine the picture.

    Args:
        refiner: Of the network that made them.
        gaussians: N in world space, :func:`with_features`.
        camera: The camera.
        background: [3]; black by default.
        backend: A rasteriser.

    Returns:
        Both pictures, their colours over the background, in 0..1.

    Raises:
        LikenessError: See :func:`..render.rasterize`.
    """
    drawn = render_camera(gaussians, camera, None, backend)
    device = next(refiner.parameters()).device
    told = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in drawn[:2])
    with torch.no_grad():
        front, alpha = (out[0].cpu().numpy() for out in refiner(*(part[None] for part in told)))
    alpha = np.clip(alpha, 0.0, 1.0)
    front = np.clip(front, 0.0, alpha[..., None])
    behind = np.zeros(3, np.float32) if background is None else np.asarray(background, np.float32)

    def over(rgb: FloatArray, cover: FloatArray) -> RenderOutput:
        rgb = rgb + (1.0 - cover[..., None]) * behind
        return RenderOutput(rgb.astype(np.float32), cover, drawn.depth)

    return RefinedRender(over(drawn.rgb[..., :3], drawn.alpha), over(front, alpha))
