"""Drawing: Gaussians with one function over several back ends, meshes with a z-buffer.

``rasterize`` means what gsplat's function of that name means (pinhole cameras, expected depth).
Back ends: ``cpu`` (numba, everywhere), ``cuda`` (gsplat, where there is a GPU) and ``reference``
(torch, brute force, for tests).
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.types import Camera, FloatArray, Gaussians, LikenessError
from .checks import check_inputs, check_upstream
from .raster_types import Gradients, RenderOutput, Vjp

BACKENDS = ("cpu", "cuda", "reference")

__all__ = [
    "BACKENDS",
    "Gradients",
    "RenderOutput",
    "Vjp",
    "best_backend",
    "rasterize",
    "rasterize_vjp",
    "render_camera",
]


def rasterize(
    gaussians: Gaussians,
    viewmats: FloatArray,
    Ks: FloatArray,
    width: int,
    height: int,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> RenderOutput:
    """Draw Gaussians for C cameras of one image size.

    Args:
        gaussians: In world space; ``colors`` may have any number of channels.
        viewmats: [C, 4, 4] world to camera (OpenCV).
        Ks: [C, 3, 3] in pixels, without skew.
        width: Pixels; pixel centres at +0.5.
        height: Pixels; pixel centres at +0.5.
        background: [channels] or [C, channels]; black when left out.
        backend: One of ``BACKENDS``.

    Raises:
        LikenessError: An unknown back end, or one whose package is not installed; numbers or shapes
            that cannot be drawn (:mod:`.checks`). No Gaussians at all can: they show the
            background.
    """
    job = check_inputs(gaussians, viewmats, Ks, width, height, background)
    render: RenderOutput = _function(backend, f"rasterize_{backend}")(gaussians, job)
    return render


def rasterize_vjp(
    gaussians: Gaussians,
    viewmats: FloatArray,
    Ks: FloatArray,
    width: int,
    height: int,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> tuple[RenderOutput, Vjp]:
    """:func:`rasterize`, and the function that goes back from its pictures' derivatives.

    Arguments and errors as there. The second result takes the loss's derivatives by ``rgb``,
    ``alpha`` and ``depth``, and gives those by the Gaussians and the background. It reads the
    arrays that went in and came out, so that they must still be what they were.
    """
    job = check_inputs(gaussians, viewmats, Ks, width, height, background)
    render: RenderOutput
    render, vjp = _function(backend, f"rasterize_{backend}_vjp")(gaussians, job)

    def checked_vjp(
        rgb: FloatArray | None = None,
        alpha: FloatArray | None = None,
        depth: FloatArray | None = None,
    ) -> Gradients:
        upstream = [
            check_upstream(name, given, drawn.shape)
            for name, given, drawn in zip(
                RenderOutput._fields, (rgb, alpha, depth), render, strict=True
            )
        ]
        gradients: Gradients = vjp(*upstream)
        return gradients

    return render, checked_vjp


def _function(backend: str, name: str) -> Callable[..., Any]:
    """A function of the back end's own file, which is imported now: most need large packages."""
    if backend not in BACKENDS:
        raise LikenessError(
            f"There is no rasteriser '{backend}'.", f"Choose one of: {', '.join(BACKENDS)}."
        )
    try:
        module = importlib.import_module(f".{backend}", __package__)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise LikenessError(
            f"The rasteriser '{backend}' needs torch, which is not installed.",
            "Run pip install -e '.[torch]' in the project's folder, or use the backend 'cpu'.",
        ) from error
    function: Callable[..., Any] = getattr(module, name)
    return function


def best_backend() -> str:
    """``cuda`` where it can draw, else ``cpu``; the same pictures either way.

    A gsplat whose kernels cannot be built shows so only when it draws: then a warning says why
    the CPU is used.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "gsplat")):
        return "cpu"
    if _function("cuda", "why_unavailable")() is not None:
        return "cpu"
    one = Gaussians(np.zeros((1, 3)), np.eye(1, 4), np.ones((1, 3)), np.ones(1), np.ones((1, 3)))
    view, K = np.eye(4)[None], np.eye(3)[None]
    view[0, 2, 3] = 2.0
    try:
        rasterize(one, view, K, 1, 1, backend="cuda")
    except LikenessError as error:
        warnings.warn(f"{error.message} The CPU is used instead.", stacklevel=2)
        return "cpu"
    return "cuda"


def render_camera(
    gaussians: Gaussians, camera: Camera, background: FloatArray | None = None, backend: str = "cpu"
) -> RenderOutput:
    """:func:`rasterize` for one camera, without the leading dimension."""
    views = rasterize(
        gaussians,
        camera.viewmat[None],
        camera.K[None],
        camera.width,
        camera.height,
        background,
        backend,
    )
    return RenderOutput(views.rgb[0], views.alpha[0], views.depth[0])
