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


def load_refiner(folder: Path, avatar: Avatar) -> Refiner:
    """Load the refiner of the network that made an avatar.

    Args:
        folder: The network's.
        avatar: To be drawn.

    Raises:
        LikenessError: The avatar has no features, another network made it, or the network has no
            refiner or cannot be read.
    """
    remedy = "Give the folder of the network that made the avatar."
    if not avatar.gaussians.features.size:
        raise LikenessError(
            "The avatar has no latent features, so no refiner can draw it.",
            "Draw it without a refiner, or build it with a network of GUAVA's form.",
        )
    config = load_config(NetworkConfig, folder).decoder
    if not isinstance(config, GuavaConfig) or not config.refiner:
        raise LikenessError(f"The network in '{folder}' has no refiner.", remedy)
    made_by = avatar.provenance.get("network", {}).get("sha256", {}).get(REFINER_FILE)
    path = folder / REFINER_FILE
    refiner = Refiner(config)
    load_weights(refiner, path)
    if made_by != file_sha256(path):
        raise LikenessError(f"The network in '{folder}' did not make this avatar.", remedy)
    return refiner.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def render_refined(
    refiner: Refiner,
    placed: Gaussians,
    bound: BoundGaussians,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> RefinedRender:
    """Draw Gaussians and refine the picture.

    Args:
        refiner: Of the network that made them.
        placed: N Gaussians in world space, with their colours.
        bound: The same before posing, with their features.
        camera: The camera.
        background: [3]; black by default.
        backend: A rasteriser.

    Returns:
        Both pictures, their colours over the background, in 0..1.

    Raises:
        LikenessError: See :func:`..render.rasterize`.
    """
    channels = np.concatenate([placed.colors, bound.features], 1)
    drawn = render_camera(replace(placed, colors=channels), camera, None, backend)
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
