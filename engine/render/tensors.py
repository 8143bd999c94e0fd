"""A differentiable rasteriser for torch tensors over all back ends. Needs torch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..core.types import Gaussians, LikenessError
from . import BACKENDS, rasterize, rasterize_vjp
from .raster_types import DEPTH_EPSILON


def rasterize_tensors(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    background: Tensor | None = None,
    backend: str = "cpu",
    samples: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw Gaussians for C cameras of one image size.

    Args:
        means: [N, 3] metres. All tensors of Gaussians have one floating type and device.
        quats: [N, 4] as w, x, y, z, of any length.
        scales: [N, 3] metres.
        opacities: [N] in 0..1.
        colors: [N, F].
        viewmats: [C, 4, 4] world to camera.
        Ks: [C, 3, 3] in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        background: [F] or [C, F]; black by default.
        backend: ``cpu`` (numba, float32) and ``cuda`` (gsplat, float32) for tensors on any
            device, or ``reference`` (brute force, with the tensors' own type and device).
        samples: Per pixel, along each side, as in :func:`.rasterize`.

    Returns:
        rgb: [C, H, W, F], as in ``RenderOutput``, of the type and on the device of ``means``.
        alpha: [C, H, W].
        depth: [C, H, W] metres.

    Raises:
        LikenessError: The back end is unknown or cannot be used here; with ``cpu``, numbers that
            cannot be drawn, or cameras that require a gradient, which it does not have.
    """
    if backend not in BACKENDS:
        raise LikenessError(
            f"There is no rasteriser '{backend}'.", f"Choose one of: {', '.join(BACKENDS)}."
        )
    if background is None:
        background = colors.new_zeros(colors.shape[1])
    backdrop = background.expand(len(viewmats), colors.shape[1])
    drawn = (means, quats, scales, opacities, colors)
    outputs: tuple[Tensor, ...]
    if backend == "cpu":
        if torch.is_grad_enabled() and (viewmats.requires_grad or Ks.requires_grad):
            raise LikenessError(
                "The rasteriser 'cpu' has no derivatives by the camera.",
                "Detach viewmats and Ks, or use the backend 'cuda' or 'reference'.",
            )
        rgb, alpha, depth = _OnCpu.apply(  # type: ignore[no-untyped-call]
            *drawn, backdrop, viewmats, Ks, width, height, samples
        )
        return rgb, alpha, depth
    fine = Ks * Ks.new_tensor([samples, samples, 1.0])[:, None]
    size = (width * samples, height * samples)
    if backend == "cuda":
        from .cuda import rasterize_gsplat

        outputs = rasterize_gsplat(*drawn, viewmats, fine, *size, backdrop, samples > 1)
    else:
        from .reference import rasterize_torch

        outputs = rasterize_torch(*drawn, viewmats, fine, *size, backdrop, samples > 1)
    if samples > 1:
        outputs = _averaged(*outputs, samples)
    rgb, alpha, depth = (output.to(means.device, means.dtype) for output in outputs)
    return rgb, alpha, depth


def _averaged(rgb: Tensor, alpha: Tensor, depth: Tensor, samples: int) -> tuple[Tensor, ...]:
    """Pictures of pixels from those of samples, as :func:`.samples.average_samples`."""
    mean = F.avg_pool2d(rgb.movedim(-1, 1), samples).movedim(1, -1)
    cover, far = (F.avg_pool2d(values[:, None], samples)[:, 0] for values in (alpha, alpha * depth))
    return mean, cover, far / cover.clamp(min=DEPTH_EPSILON)


class _OnCpu(torch.autograd.Function):
    """numba's forward and backward pass as one operation of torch."""

    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        background: Tensor,
        viewmats: Tensor,
        Ks: Tensor,
        width: int,
        height: int,
        samples: int,
    ) -> tuple[Tensor, ...]:
        drawn = (means, quats, scales, opacities, colors)
        cameras = viewmats.numpy(force=True), Ks.numpy(force=True)
        gaussians = Gaussians(*(values.numpy(force=True) for values in drawn))
        job = (gaussians, *cameras, width, height, background.numpy(force=True))
        if any(ctx.needs_input_grad):
            render, ctx.vjp = rasterize_vjp(*job, samples=samples)
        else:
            render = rasterize(*job, samples=samples)
        ctx.set_materialize_grads(False)
        return tuple(torch.from_numpy(a).to(means.device, means.dtype) for a in render)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        like = next((g for g in upstream if g is not None), None)
        if like is None:  # what was computed from the pictures has no derivative
            return (None,) * 11
        given = (None if g is None else g.numpy(force=True) for g in upstream)
        wanted = ctx.needs_input_grad[:6]
        gradients = ctx.vjp(*given)
        return (
            *(
                torch.from_numpy(g).to(like.device, like.dtype) if want else None
                for g, want in zip(gradients, wanted, strict=True)
            ),
            *(None,) * 5,
        )
