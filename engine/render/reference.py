"""The reference rasteriser for tests: brute force in torch, differentiable, on any device.

Every Gaussian is evaluated at every pixel: without tiles and boxes nothing is skipped by mistake.
Needs torch; ``rasterize`` imports this file on demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..core.types import Gaussians
from .autograd import draw_arrays, draw_arrays_vjp
from .raster_types import (
    ALPHA_MAX,
    ALPHA_MIN,
    BLUR,
    COMPENSATION,
    DEPTH_EPSILON,
    JACOBIAN_MARGIN,
    NEAR,
    TRANSMITTANCE_MIN,
    RasterJob,
    RenderOutput,
    Vjp,
)

_PAIRS_AT_ONCE = 1 << 19  # Gaussians times pixels; more exceed the caches and are far slower


def semi_axes(quats: Tensor, scales: Tensor) -> Tensor:
    """Return the semi-axes R S of ellipsoids.

    Args:
        quats: [N, 4] as w, x, y, z, of any length.
        scales: [N, 3] metres.

    Returns:
        [N, 3, 3] metres; columns are axes.
    """
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    R = torch.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - w * z),
            2 * (x * z + w * y),
            2 * (x * y + w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z - w * x),
            2 * (x * z - w * y),
            2 * (y * z + w * x),
            1 - 2 * (x * x + y * y),
        ],
        -1,
    ).reshape(-1, 3, 3)
    return R * scales[:, None, :]


def project_ewa(
    means: Tensor, covars: Tensor, viewmat: Tensor, K: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Project Gaussians by EWA splatting's local affine approximation.

    Args:
        means: [N, 3] metres, world space.
        covars: [N, 3, 3] square metres, world space.
        viewmat: [4, 4] world to camera.
        K: [3, 3] intrinsics in pixels.
        width: Image width in pixels.
        height: Image height in pixels.

    Returns:
        centres: [N, 2] pixels.
        covariances: [N, 2, 2] pixels squared, with ``BLUR``.
        depths: [N] metres along the view axis.
    """
    R = viewmat[:3, :3]
    x, y, z = (means @ R.T + viewmat[:3, 3]).unbind(-1)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    margin_x, margin_y = JACOBIAN_MARGIN * width / (2 * fx), JACOBIAN_MARGIN * height / (2 * fy)
    slope_x = (x / z).clamp(-cx / fx - margin_x, (width - cx) / fx + margin_x)
    slope_y = (y / z).clamp(-cy / fy - margin_y, (height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    rows = [fx / z, zero, -fx * slope_x / z, zero, fy / z, -fy * slope_y / z]
    M = torch.stack(rows, -1).reshape(-1, 2, 3) @ R
    blur = BLUR * torch.eye(2, dtype=means.dtype, device=means.device)
    return (
        torch.stack([fx * x / z + cx, fy * y / z + cy], -1),
        M @ covars @ M.transpose(1, 2) + blur,
        z,
    )


def opacity_factors(covariances: Tensor) -> Tensor:
    """Return what compensates the blur: 0..1 for each Gaussian.

    Args:
        covariances: [N, 2, 2] pixels squared, of :func:`project_ewa`.
    """
    blur = BLUR * torch.eye(2, dtype=covariances.dtype, device=covariances.device)
    return compensate_area(torch.linalg.det(covariances - blur) / torch.linalg.det(covariances))


def compensate_area(share: Tensor) -> Tensor:
    """Return the opacity factors for the share of a blurred ellipse's determinant before the blur.

    Args:
        share: [...] of any sign; what has no area before the blur is not drawn.
    """
    flat = share <= 0
    return torch.where(flat, torch.zeros_like(share), share.clamp(min=1e-30).pow(COMPENSATION))


def _blend(
    pixels: Tensor, centres: Tensor, conics: Tensor, opacities: Tensor, features: Tensor
) -> tuple[Tensor, Tensor]:
    """Blend sorted splats front to back: weighted sums [P, F] and transmittance [P].

    Args:
        pixels: [P, 2].
        centres: [N, 2].
        conics: [N, 2, 2].
        opacities: [N].
        features: [N, F].
    """
    dx, dy = (pixels[:, None] - centres).unbind(-1)
    xx, xy, yy = conics[:, 0, 0], conics[:, 0, 1], conics[:, 1, 1]
    power = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    alpha = (opacities * torch.exp(-power)).clamp(max=ALPHA_MAX)
    alpha = torch.where(alpha < ALPHA_MIN, torch.zeros_like(alpha), alpha)
    # Transmittance only falls, so the same test excludes all that follows a pixel's end.
    counts = torch.cumprod(1 - alpha, dim=1) > TRANSMITTANCE_MIN
    alpha = alpha * counts
    after = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    # A copy: a view would hold all of ``after`` in memory until the picture is done.
    return (alpha * before) @ features, after[:, -1].clone()


class _InParts(torch.autograd.Function):
    """:func:`_blend` in parts, which the backward pass draws again.

    Stored, the pairs of 20,000 Gaussians and 256 x 256 pixels would take 100 GB.
    """

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, *splats: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(pixels, *splats)
        parts = [_blend(part, *splats) for part in _split(pixels, splats)]
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_sums: Tensor, by_rest: Tensor) -> tuple[Tensor | None, ...]:
        pixels, *splats = ctx.saved_tensors
        leaves = [splat.detach().requires_grad_() for splat in splats]
        found = [torch.zeros_like(leaf) for leaf in leaves]
        upstream = (_split(by_sums, splats), _split(by_rest, splats))
        for part, *given in zip(_split(pixels, splats), *upstream, strict=True):
            with torch.enable_grad():
                drawn = _blend(part, *leaves)
            for total, more in zip(found, torch.autograd.grad(drawn, leaves, given), strict=True):
                total += more
        return None, *found


def _split(rows: Tensor, splats: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Split by pixels into parts of about ``_PAIRS_AT_ONCE`` pairs."""
    return torch.split(rows, max(1, _PAIRS_AT_ONCE // len(splats[0])))


def rasterize_torch(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    background: Tensor,
    compensated: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw Gaussians for C cameras; differentiable in everything that is a float.

    Args:
        means: [N, 3] metres.
        quats: [N, 4] as w, x, y, z.
        scales: [N, 3] metres.
        opacities: [N] in 0..1.
        colors: [N, F].
        viewmats: [C, 4, 4] world to camera.
        Ks: [C, 3, 3] in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        background: [C, F].
        compensated: See :class:`.raster_types.RasterJob`.

    Returns:
        rgb: [C, H, W, F], as in ``RenderOutput``.
        alpha: [C, H, W].
        depth: [C, H, W] metres.
    """
    ys, xs = torch.meshgrid(
        torch.arange(height, dtype=means.dtype, device=means.device) + 0.5,
        torch.arange(width, dtype=means.dtype, device=means.device) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([xs, ys], -1).reshape(-1, 2)
    axes = semi_axes(quats, scales)
    covars = axes @ axes.transpose(1, 2)
    images = []
    for viewmat, K, backdrop in zip(viewmats, Ks, background, strict=True):
        in_front = (means @ viewmat[2, :3] + viewmat[2, 3] >= NEAR) & (opacities >= ALPHA_MIN)
        centres, covars2d, z = project_ewa(
            means[in_front], covars[in_front], viewmat, K, width, height
        )
        strength = opacities[in_front]
        if compensated:
            strength = strength * opacity_factors(covars2d)
        order = torch.sort(z.detach().float(), stable=True).indices
        features = torch.cat([colors[in_front], z[:, None]], 1)[order]
        if len(order) == 0:
            sums, rest = features.new_zeros(len(pixels), features.shape[1]), torch.ones_like(xs)
        else:
            splats = (centres[order], torch.linalg.inv(covars2d[order]), strength[order])
            sums, rest = _InParts.apply(  # type: ignore[no-untyped-call]
                pixels, *splats, features
            )
            rest = rest.reshape(height, width)
        sums = sums.reshape(height, width, -1)
        alpha = 1 - rest
        images.append(
            (
                sums[..., :-1] + rest[..., None] * backdrop,
                alpha,
                sums[..., -1] / alpha.clamp(min=DEPTH_EPSILON),
            )
        )
    rgb, alphas, depths = zip(*images, strict=True)
    return torch.stack(rgb), torch.stack(alphas), torch.stack(depths)


def rasterize_reference(gaussians: Gaussians, job: RasterJob) -> RenderOutput:
    """Draw numpy arrays with :func:`rasterize_torch` in float64 on the CPU."""
    return draw_arrays(rasterize_torch, gaussians, job, torch.float64)


def rasterize_reference_vjp(gaussians: Gaussians, job: RasterJob) -> tuple[RenderOutput, Vjp]:
    """Draw, and return the vector-Jacobian product by autograd in float64."""
    return draw_arrays_vjp(rasterize_torch, gaussians, job, torch.float64)
