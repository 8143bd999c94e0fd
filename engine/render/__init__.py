"""Drawing: Gaussians with one function over several back ends, meshes with a z-buffer.

``rasterize`` means what gsplat's function of that name means (pinhole cameras, expected depth).
Back ends: ``cpu`` (numba, everywhere) and ``reference`` (torch, brute force, for tests).
"""

from __future__ import annotations

from ..types import Camera, FloatArray, Gaussians, LikenessError
from .checks import check_all
from .common import Render
from .cpu import rasterize_cpu

BACKENDS = ("cpu", "reference")

__all__ = ["BACKENDS", "Render", "rasterize", "render_camera"]


def rasterize(
    gaussians: Gaussians,
    viewmats: FloatArray,
    Ks: FloatArray,
    width: int,
    height: int,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> Render:
    """Draw Gaussians for C cameras of one image size.

    Args:
        gaussians: in world space; ``colors`` may have any number of channels.
        viewmats: [C, 4, 4] world to camera (OpenCV). Ks: [C, 3, 3] in pixels, without skew.
        width, height: pixels; pixel centres at +0.5.
        background: [channels] or [C, channels]; black when left out.
        backend: one of ``BACKENDS``.

    Raises:
        LikenessError: an unknown back end, or one whose package is not installed; numbers or
            shapes that cannot be drawn (:mod:`.checks`). No Gaussians at all can: they show the
            background.
    """
    job = check_all(gaussians, viewmats, Ks, width, height, background)
    if backend == "cpu":
        return rasterize_cpu(gaussians, *job)
    if backend == "reference":
        try:
            from .reference import rasterize_reference
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise LikenessError(
                "The reference rasteriser needs torch, which is not installed.",
                "Run 'pip install likeness[torch]', or use the backend 'cpu'.",
            ) from error
        return rasterize_reference(gaussians, *job)
    raise LikenessError(
        f"There is no rasteriser '{backend}'.", f"Choose one of: {', '.join(BACKENDS)}."
    )


def render_camera(
    gaussians: Gaussians,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> Render:
    """:func:`rasterize` for one camera, without the leading dimension."""
    views = rasterize(
        gaussians, camera.viewmat[None], camera.K[None], camera.width, camera.height,
        background, backend,
    )  # fmt: skip
    return Render(views.rgb[0], views.alpha[0], views.depth[0])
