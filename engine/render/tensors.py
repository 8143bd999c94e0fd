"""A differentiable rasteriser for torch tensors over all back ends. Needs torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..core.types import Gaussians, LikenessError
from . import BACKENDS, rasterize, rasterize_vjp


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
    outputs: tuple[Tensor, Tensor, Tensor]
    if backend == "cpu":
        if torch.is_grad_enabled() and (viewmats.requires_grad or Ks.requires_grad):
            raise LikenessError(
                "The rasteriser 'cpu' has no derivatives by the camera.",
                "Detach viewmats and Ks, or use the backend 'cuda' or 'reference'.",
            )
        outputs = _OnCpu.apply(  # type: ignore[no-untyped-call]
            *drawn, backdrop, viewmats, Ks, width, height
        )
        return outputs
    if backend == "cuda":
        from .cuda import rasterize_gsplat

        outputs = rasterize_gsplat(*drawn, viewmats, Ks, width, height, backdrop)
    else:
        from .reference import rasterize_torch

        outputs = rasterize_torch(*drawn, viewmats, Ks, width, height, backdrop)
    rgb, alpha, depth = (output.to(means.device, means.dtype) for output in outputs)
    return rgb, alpha, depth


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
    ) -> tuple[Tensor, ...]:
        drawn = (means, quats, scales, opacities, colors)
        cameras = viewmats.numpy(force=True), Ks.numpy(force=True)
        gaussians = Gaussians(*(values.numpy(force=True) for values in drawn))
        job = (gaussians, *cameras, width, height, background.numpy(force=True))
        if any(ctx.needs_input_grad):
            render, ctx.vjp = rasterize_vjp(*job)
        else:
            render = rasterize(*job)
        ctx.set_materialize_grads(False)
        return tuple(torch.from_numpy(a).to(means.device, means.dtype) for a in render)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        like = next((g for g in upstream if g is not None), None)
        if like is None:  # what was computed from the pictures has no derivative
            return (None,) * 10
        given = (None if g is None else g.numpy(force=True) for g in upstream)
        wanted = ctx.needs_input_grad[:6]
        gradients = ctx.vjp(*given)
        return (
            *(
                torch.from_numpy(g).to(like.device, like.dtype) if want else None
                for g, want in zip(gradients, wanted, strict=True)
            ),
            None,
            None,
            None,
            None,
        )
