"""Pictures of Gaussians with features, drawn and refined. Needs torch."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ...core.types import BoundGaussians, Camera, FloatArray, Gaussians
from ...render import render_camera
from ...render.raster_types import RenderOutput
from .guava_network import Refiner


class RefinedRender(NamedTuple):
    """A picture before and after the refiner.

    Attributes:
        coarse: Drawn from the colours alone.
        refined: By the refiner; the depth is that of ``coarse``.
    """

    coarse: RenderOutput
    refined: RenderOutput


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
