"""The rasteriser for NVIDIA GPUs: gsplat (Apache-2.0), with all relevant parameters explicit.

The rules of :mod:`.raster_types` are those of gsplat's releases 1.5. The next release limits alpha
to 0.99 instead of 0.999, so that a hundredth of what is behind an opaque splat shows through; it is
refused until that can be configured. Needs torch; gsplat is imported when something is drawn, and
then builds its kernels if its wheel has none.
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
from .raster_types import BLUR, NEAR, RasterJob, RenderOutput, Vjp
from .reference import covariances, opacity_factors, project_ewa

MIN_VERSION, END_VERSION = (1, 5), (1, 6)
"""The gsplat releases that draw by our rules: from the first, before the second."""

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
        return f"gsplat {'.'.join(map(str, version))} draws by other rules than 1.5"
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

    if compensated:  # gsplat's own way takes the full ratio; see COMPENSATION
        pictures = []
        for viewmat, K, backdrop in zip(viewmats, Ks, background, strict=True):
            strength = _compensate(means, quats, scales, opacities, viewmat, K, width, height)
            camera = (viewmat[None], K[None], width, height, backdrop[None])
            pictures.append(rasterize_gsplat(means, quats, scales, strength, colors, *camera))
        first, second, third = (torch.cat([p[k] for p in pictures]) for k in range(3))
        return first, second, third

    try:
        drawn, alpha, _ = gsplat.rasterization(
            means=single(means),  # [N, 3]
            quats=single(quats),  # [N, 4], normalised in the kernel
            scales=single(scales),  # [N, 3], linear
            opacities=single(opacities),  # [N]
            colors=single(colors),  # [N, F], as they are: no harmonics
            viewmats=single(viewmats),  # [C, 4, 4]
            Ks=single(Ks),  # [C, 3, 3]
            width=width,
            height=height,
            near_plane=NEAR,
            far_plane=1e10,
            radius_clip=0.0,  # small splats are drawn
            eps2d=BLUR,
            sh_degree=None,
            packed=False,  # an avatar is in the picture: there is little to pack
            tile_size=16,
            backgrounds=single(background),  # [C, F]
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
    return drawn[..., :-1], alpha[..., 0], drawn[..., -1]


def _compensate(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
) -> Tensor:
    """[N] opacities that compensate the blur for one camera; those behind it stay."""
    seen = means @ viewmat[2, :3] + viewmat[2, 3] >= NEAR
    covars = covariances(quats[seen], scales[seen])
    _, spread, _ = project_ewa(means[seen], covars, viewmat, K, width, height)
    return opacities.masked_scatter(seen, opacities[seen] * opacity_factors(spread))


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
            "It needs an NVIDIA GPU, torch built for CUDA, and gsplat 1.5 "
            "(pip install -e '.[cuda]' in the project's folder); or use the backend 'cpu'.",
        )
    return importlib.import_module("gsplat")
