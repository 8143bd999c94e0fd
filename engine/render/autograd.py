"""A numpy interface to rasterisers in torch, with derivatives by autograd. Needs torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..core.types import FloatArray, Gaussians
from .raster_types import Gradients, RasterJob, RenderOutput, Vjp

Draw = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""``draw(means, quats, scales, opacities, colors, viewmats, Ks, width, height, background,
compensated)``: tensors as in :func:`.reference.rasterize_torch`, which is one."""


def draw_arrays(
    draw: Draw, gaussians: Gaussians, job: RasterJob, dtype: torch.dtype, device: str = "cpu"
) -> RenderOutput:
    """Draw Gaussians with ``draw``, without derivatives, in the precision ``dtype``."""
    with torch.no_grad():
        drawn, cameras, backdrop = _inputs(gaussians, job, dtype, device)
        return _render(draw(*drawn, *cameras, job.width, job.height, backdrop, job.compensated))


def draw_arrays_vjp(
    draw: Draw, gaussians: Gaussians, job: RasterJob, dtype: torch.dtype, device: str = "cpu"
) -> tuple[RenderOutput, Vjp]:
    """Draw like :func:`draw_arrays`, and return the vector-Jacobian product, for repeated use."""
    drawn, cameras, backdrop = _inputs(gaussians, job, dtype, device)
    leaves = [leaf.requires_grad_() for leaf in (*drawn, backdrop)]
    outputs = draw(*drawn, *cameras, job.width, job.height, backdrop, job.compensated)

    def vjp(
        rgb: FloatArray | None = None,
        alpha: FloatArray | None = None,
        depth: FloatArray | None = None,
    ) -> Gradients:
        pairs = [
            (output, torch.tensor(given, dtype=dtype, device=device))
            for output, given in zip(outputs, (rgb, alpha, depth), strict=True)
            if given is not None and output.requires_grad
        ]
        found: tuple[Tensor | None, ...] = (None,) * len(leaves)
        if pairs:
            found = torch.autograd.grad(
                [output for output, _ in pairs],
                leaves,
                [given for _, given in pairs],
                retain_graph=True,
                allow_unused=True,
            )
        return Gradients(
            *(
                (torch.zeros_like(leaf) if grad is None else grad).float().cpu().numpy()
                for grad, leaf in zip(found, leaves, strict=True)
            )
        )

    return _render(tuple(output.detach() for output in outputs)), vjp


def _inputs(
    gaussians: Gaussians, job: RasterJob, dtype: torch.dtype, device: str
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Copy means, quats, scales, opacities, colors; viewmats, Ks; background."""

    def tensor(values: FloatArray) -> Tensor:
        return torch.tensor(np.asarray(values), dtype=dtype, device=device)

    drawn = [
        tensor(values)
        for values in (
            gaussians.means,
            gaussians.quats,
            gaussians.scales,
            gaussians.opacities,
            gaussians.colors,
        )
    ]
    return drawn, [tensor(job.viewmats), tensor(job.Ks)], tensor(job.background)


def _render(outputs: tuple[Tensor, ...]) -> RenderOutput:
    return RenderOutput(*(output.cpu().numpy() for output in outputs))
