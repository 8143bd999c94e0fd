"""The rasteriser that the others are held to: brute force in torch, differentiable, any device.

Every Gaussian meets every pixel: no tiles, no boxes, so nothing can be left out by mistake.
Needs torch; ``rasterize`` imports this file only when it is asked for.
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
    DEPTH_EPSILON,
    JACOBIAN_MARGIN,
    NEAR,
    TRANSMITTANCE_MIN,
    RasterJob,
    RenderOutput,
    Vjp,
)

_PAIRS_AT_ONCE = 1 << 19  # Gaussians times pixels; more leave the caches and take far longer


def covariances(quats: Tensor, scales: Tensor) -> Tensor:
    """R S S^T R^T: [N, 4] w, x, y, z (of any length) and [N, 3] -> [N, 3, 3]."""
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
    half = R * scales[:, None, :]
    return half @ half.transpose(1, 2)


def project_ewa(
    means: Tensor, covars: Tensor, viewmat: Tensor, K: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """EWA projection of one camera: centres [N, 2], 2D covariances [N, 2, 2], depths [N]."""
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


def _blend(
    pixels: Tensor, centres: Tensor, conics: Tensor, opacities: Tensor, features: Tensor
) -> tuple[Tensor, Tensor]:
    """Front to back over sorted splats.

    pixels [P, 2], centres [N, 2], conics [N, 2, 2], opacities [N], features [N, F] ->
    weighted sums [P, F] and transmittance [P].
    """
    dx, dy = (pixels[:, None] - centres).unbind(-1)
    xx, xy, yy = conics[:, 0, 0], conics[:, 0, 1], conics[:, 1, 1]
    power = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    alpha = (opacities * torch.exp(-power)).clamp(max=ALPHA_MAX)
    alpha = torch.where(alpha < ALPHA_MIN, torch.zeros_like(alpha), alpha)
    # Transmittance only falls, so that what comes after a pixel's end is ended by the same test.
    counts = torch.cumprod(1 - alpha, dim=1) > TRANSMITTANCE_MIN
    alpha = alpha * counts
    after = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    # A copy: a view would keep all of ``after`` in memory until the picture is done.
    return (alpha * before) @ features, after[:, -1].clone()


class _InParts(torch.autograd.Function):
    """:func:`_blend` for some pixels at a time, drawn once more on the way back.

    Kept until then, the pairs of 20,000 Gaussians and 256 x 256 pixels would take 100 GB.
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
    """By pixels, so that each part has about ``_PAIRS_AT_ONCE`` pairs."""
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
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw Gaussians for C cameras; differentiable in everything that is a float.

    Args:
        means [N, 3], quats [N, 4], scales [N, 3], opacities [N], colors [N, F]: as in
            ``Gaussians``. viewmats: [C, 4, 4]. Ks: [C, 3, 3]. background: [C, F].

    Returns:
        rgb [C, H, W, F], alpha [C, H, W], depth [C, H, W]; the meaning is ``RenderOutput``'s.
    """
    ys, xs = torch.meshgrid(
        torch.arange(height, dtype=means.dtype, device=means.device) + 0.5,
        torch.arange(width, dtype=means.dtype, device=means.device) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([xs, ys], -1).reshape(-1, 2)
    covars = covariances(quats, scales)
    images = []
    for viewmat, K, backdrop in zip(viewmats, Ks, background, strict=True):
        in_front = (means @ viewmat[2, :3] + viewmat[2, 3] >= NEAR) & (opacities >= ALPHA_MIN)
        centres, covars2d, z = project_ewa(
            means[in_front], covars[in_front], viewmat, K, width, height
        )
        order = torch.sort(z.detach().float(), stable=True).indices
        features = torch.cat([colors[in_front], z[:, None]], 1)[order]
        if len(order) == 0:
            sums, rest = features.new_zeros(len(pixels), features.shape[1]), torch.ones_like(xs)
        else:
            splats = (centres[order], torch.linalg.inv(covars2d[order]), opacities[in_front][order])
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
    """:func:`rasterize_torch` on numpy arrays, in float64 on the CPU."""
    return draw_arrays(rasterize_torch, gaussians, job, torch.float64)


def rasterize_reference_vjp(gaussians: Gaussians, job: RasterJob) -> tuple[RenderOutput, Vjp]:
    """:func:`rasterize_reference` and its derivatives, by torch's autograd in float64."""
    return draw_arrays_vjp(rasterize_torch, gaussians, job, torch.float64)
