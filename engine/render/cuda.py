"""The rasteriser for NVIDIA GPUs: gsplat (Apache-2.0), with all relevant parameters explicit.

The rules of :mod:`.raster_types` are those of gsplat's releases 1.5, of which 1.5.3 draws several
scenes at once. The next release limits alpha to 0.99 instead of 0.999, so that a hundredth of what
is behind an opaque splat shows through; it is refused until that can be configured. Needs torch;
gsplat is imported when something is drawn, and then builds its kernels if its wheel has none.
"""

from __future__ import annotations

import importlib
from subprocess import SubprocessError
from typing import Any

import torch
from torch import Tensor

from ..core.types import Gaussians, LikenessError
from .autograd import draw_arrays, draw_arrays_vjp
from .gpu_package import installed_version
from .raster_types import BLUR, JACOBIAN_MARGIN, NEAR, RasterJob, RenderOutput, Vjp
from .reference import compensate_area, semi_axes

MIN_VERSION, END_VERSION = (1, 5, 3), (1, 6)
"""The gsplat releases that draw by our rules, several scenes at once: from the first, before the
second."""

_CHANNELS_AT_ONCE = 32  # more do not fit into a block's registers; gsplat draws them in parts
_DEVICE = "cuda"


def why_unavailable() -> str | None:
    """Return why this back end cannot draw here, or None if it can.

    Whether gsplat's kernels can be built only shows at their first use.
    """
    version = installed_version("gsplat", torch.cuda.is_available())
    if isinstance(version, str):
        return version
    if not MIN_VERSION <= version < END_VERSION:
        return f"gsplat {'.'.join(map(str, version))} is not 1.5.3 or a later 1.5, as is needed"
    return None


def rasterize_gsplat(
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
    """Draw Gaussians for C cameras in float32; differentiable in all but ``Ks``.

    Other devices' tensors are copied to the GPU; the results stay there.

    Args:
        means: [N, 3] metres.
        quats: [N, 4] as w, x, y, z, of any length.
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

    Raises:
        LikenessError: No gsplat, none that draws by our rules, no GPU, or no kernels.
    """
    gsplat = _gsplat()
    device = means.device if means.is_cuda else _DEVICE

    def single(values: Tensor) -> Tensor:
        return values.to(device, torch.float32).contiguous()

    if len(means) == 0:  # 1.5 fails on empty arrays
        rgb = single(background)[:, None, None].expand(-1, height, width, -1).clone()
        return rgb, torch.zeros_like(rgb[..., 0]), torch.zeros_like(rgb[..., 0])

    means, quats, scales, opacities, colors = (
        single(values) for values in (means, quats, scales, opacities, colors)
    )
    viewmats, Ks, background = single(viewmats), single(Ks), single(background)
    if compensated:  # gsplat's own way takes the full ratio; see COMPENSATION
        # Every camera has opacities of its own, so each becomes a scene of its own: C copies.
        cameras = len(viewmats)
        factors = _blur_factors(means, quats, scales, viewmats, Ks, width, height)  # [C, N]
        opacities = opacities * factors
        means, quats, scales, colors = (
            values.expand(cameras, *values.shape).contiguous()
            for values in (means, quats, scales, colors)
        )
        viewmats, Ks, background = viewmats[:, None], Ks[:, None], background[:, None]

    try:
        drawn, alpha, _ = gsplat.rasterization(
            # Shapes without compensation; with it all lead with C scenes, of one camera each.
            means=means,  # [N, 3]
            quats=quats,  # [N, 4], normalised in the kernel
            scales=scales,  # [N, 3], linear
            opacities=opacities,  # [N]
            colors=colors,  # [N, F], as they are: no harmonics
            viewmats=viewmats,  # [C, 4, 4]
            Ks=Ks,  # [C, 3, 3]
            width=width,
            height=height,
            near_plane=NEAR,
            far_plane=1e10,
            radius_clip=0.0,  # small splats are drawn
            eps2d=BLUR,
            sh_degree=None,
            packed=False,  # an avatar is in the picture: there is little to pack
            tile_size=16,
            backgrounds=background,  # [C, F]
            render_mode="RGB+ED",  # the last channel: depth over alpha
            sparse_grad=False,
            absgrad=False,
            rasterize_mode="classic",  # the blur does not dim: opacities are compensated here
            channel_chunk=_CHANNELS_AT_ONCE,
            camera_model="pinhole",
        )
    except (ImportError, AttributeError, OSError, SubprocessError, RuntimeError) as error:
        # Without a compiler gsplat calls None's functions; with one that fails, torch says which
        # extension it could not build. Other errors do not concern kernels.
        if isinstance(error, RuntimeError) and "extension" not in str(error):
            raise
        raise LikenessError(
            f"gsplat has no kernels for this computer ({error}).",
            "Install a gsplat wheel that fits torch and CUDA, or the CUDA toolkit to build one "
            "with; or use the backend 'cpu'.",
        ) from error
    if compensated:
        drawn, alpha = drawn[:, 0], alpha[:, 0]
    return drawn[..., :-1], alpha[..., 0], drawn[..., -1]


def _blur_factors(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
) -> Tensor:
    """What compensates the blur: [C, N] in 0..1.

    As :func:`.reference.opacity_factors`, without matrices of 2 x 2: where u and v hold the x and y
    of the three projected semi-axes, an ellipse has the determinant |u x v|^2, and with the blur
    that plus BLUR (|u|^2 + |v|^2) + BLUR^2.
    """
    axes = semi_axes(quats, scales)
    R, t = viewmats[:, :3, :3], viewmats[:, :3, 3]
    x, y, z = (torch.einsum("cij,nj->cin", R, means) + t[..., None]).unbind(1)
    z = torch.where(z < NEAR, torch.ones_like(z), z)  # is not drawn
    right, down, ahead = torch.einsum("cij,njk->cikn", R, axes).unbind(1)  # each [C, 3, N]
    fx, fy, cx, cy = (Ks[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    margin_x, margin_y = JACOBIAN_MARGIN * width / (2 * fx), JACOBIAN_MARGIN * height / (2 * fy)
    slope_x = (x / z).clamp(-cx / fx - margin_x, (width - cx) / fx + margin_x)
    slope_y = (y / z).clamp(-cy / fy - margin_y, (height - cy) / fy + margin_y)
    u = (fx / z)[:, None] * (right - slope_x[:, None] * ahead)
    v = (fy / z)[:, None] * (down - slope_y[:, None] * ahead)
    sharp = torch.linalg.cross(u, v, dim=1).square().sum(1)
    blurred = sharp + BLUR * (u.square().sum(1) + v.square().sum(1)) + BLUR**2
    return compensate_area(sharp / blurred)


def rasterize_cuda(gaussians: Gaussians, job: RasterJob) -> RenderOutput:
    """Draw numpy arrays with :func:`rasterize_gsplat`."""
    _gsplat()
    return draw_arrays(rasterize_gsplat, gaussians, job, torch.float32, _DEVICE)


def rasterize_cuda_vjp(gaussians: Gaussians, job: RasterJob) -> tuple[RenderOutput, Vjp]:
    """Draw, and return the vector-Jacobian product by gsplat's own backward pass."""
    _gsplat()
    return draw_arrays_vjp(rasterize_gsplat, gaussians, job, torch.float32, _DEVICE)


def _gsplat() -> Any:
    """Import the module if it can be used here."""
    reason = why_unavailable()
    if reason is not None:
        raise LikenessError(
            f"The CUDA rasteriser cannot be used: {reason}.",
            "It needs an NVIDIA GPU, torch built for CUDA, and gsplat 1.5.3 or a later 1.5 "
            "(pip install -e '.[cuda]' in the project's folder); or use the backend 'cpu'.",
        )
    return importlib.import_module("gsplat")
