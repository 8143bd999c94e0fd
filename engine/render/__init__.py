"""Drawing: Gaussians with one function over several back ends, meshes with a z-buffer.

``rasterize`` draws by the rules of gsplat's function (pinhole cameras, expected depth). Back ends
are ``cpu`` (numba, everywhere), ``cuda`` (gsplat, with a GPU) and ``reference`` (torch, for tests).
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
from .raster_types import LARGE_SIDE, SAMPLES, Gradients, RasterJob, RenderOutput, Vjp
from .samples import average_samples, spread_derivatives

BACKENDS = ("cpu", "cuda", "reference")

__all__ = [
    "BACKENDS",
    "SAMPLES",
    "Gradients",
    "RenderOutput",
    "Vjp",
    "best_backend",
    "paint_camera",
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
    samples: int = 1,
) -> RenderOutput:
    """Draw Gaussians for C cameras of one image size.

    Args:
        gaussians: In world space; ``colors`` may have any number of channels.
        viewmats: [C, 4, 4] world to camera (OpenCV).
        Ks: [C, 3, 3] in pixels, without skew.
        width: Image width in pixels, whose centres lie at +0.5.
        height: Image height in pixels.
        background: [channels] or [C, channels]; black by default.
        backend: One of ``BACKENDS``.
        samples: Per pixel, along each side. With 1, Gaussians are drawn at the pixels' centres and
            widened by ``BLUR``, as in gsplat's classic mode; splats smaller than a pixel alias
            then. With more, the blur is compensated as well.

    Raises:
        LikenessError: The back end is unknown, or its package is not installed; numbers or shapes
            cannot be drawn (:mod:`.checks`). An empty set of Gaussians shows the background.
    """
    job = check_inputs(gaussians, viewmats, Ks, width, height, background)
    render: RenderOutput = _function(backend, f"rasterize_{backend}")(
        gaussians, _with_samples(job, samples)
    )
    return average_samples(render, samples)


def _with_samples(job: RasterJob, samples: int) -> RasterJob:
    """Return the job of a picture whose pixels are the samples."""
    Ks = job.Ks * np.array([samples, samples, 1.0])[:, None]
    return RasterJob(
        job.viewmats, Ks, job.width * samples, job.height * samples, job.background, samples > 1
    )


def rasterize_vjp(
    gaussians: Gaussians,
    viewmats: FloatArray,
    Ks: FloatArray,
    width: int,
    height: int,
    background: FloatArray | None = None,
    backend: str = "cpu",
    samples: int = 1,
) -> tuple[RenderOutput, Vjp]:
    """Draw like :func:`rasterize`, and return its vector-Jacobian product as well.

    Args:
        gaussians: See :func:`rasterize`.
        viewmats: [C, 4, 4] world to camera (OpenCV).
        Ks: [C, 3, 3] in pixels, without skew.
        width: Image width in pixels.
        height: Image height in pixels.
        background: [channels] or [C, channels]; black by default.
        backend: One of ``BACKENDS``.
        samples: See :func:`rasterize`.

    Returns:
        render: The pictures.
        vjp: Maps the loss's derivatives with respect to ``rgb``, ``alpha`` and ``depth`` to those
            with respect to the Gaussians and the background. It reads the input and output
            arrays, which must not change before.

    Raises:
        LikenessError: See :func:`rasterize`.
    """
    job = check_inputs(gaussians, viewmats, Ks, width, height, background)
    fine: RenderOutput
    fine, vjp = _function(backend, f"rasterize_{backend}_vjp")(
        gaussians, _with_samples(job, samples)
    )
    render = average_samples(fine, samples)

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
        gradients: Gradients = vjp(*spread_derivatives(upstream, fine, render, samples))
        return gradients

    return render, checked_vjp


def _function(backend: str, name: str) -> Callable[..., Any]:
    """Return a function of a back end's module, imported only now: most need large packages."""
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
    """Return ``cuda`` if it can draw here, else ``cpu``; both draw the same pictures.

    Whether gsplat's kernels can be built only shows when it draws; if not, a warning says so.
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
    gaussians: Gaussians,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "cpu",
    samples: int | None = None,
) -> RenderOutput:
    """Draw a picture for people, and for what is compared with one: without aliasing.

    As :func:`rasterize` does for one camera, without the leading dimension.

    Args:
        gaussians: In world space; ``colors`` may have any number of channels.
        camera: The camera.
        background: [channels]; black by default.
        backend: One of ``BACKENDS``.
        samples: See :func:`rasterize`; by default ``SAMPLES``, and 1 from ``LARGE_SIDE`` on.

    Raises:
        LikenessError: See :func:`rasterize`.
    """
    if samples is None:
        samples = _default_samples(camera)
    views = rasterize(
        gaussians,
        camera.viewmat[None],
        camera.K[None],
        camera.width,
        camera.height,
        background,
        backend,
        samples,
    )
    return RenderOutput(views.rgb[0], views.alpha[0], views.depth[0])


def paint_camera(gaussians: Gaussians, camera: Camera) -> Callable[[FloatArray], FloatArray]:
    """Return a function that draws as :func:`render_camera` does, on black, with other colours.

    Whatever does not depend on colours is computed once.

    Args:
        gaussians: In world space; their colours are ignored.
        camera: The camera.

    Returns:
        A function from colours [N, channels] to a picture [H, W, channels].

    Raises:
        LikenessError: See :func:`rasterize`.
    """
    samples = _default_samples(camera)
    job = check_inputs(
        gaussians, camera.viewmat[None], camera.K[None], camera.width, camera.height, None
    )
    paint: Callable[[FloatArray], FloatArray] = _function("cpu", "paint_cpu")(
        gaussians, _with_samples(job, samples), samples
    )
    return paint


def _default_samples(camera: Camera) -> int:
    return SAMPLES if max(camera.width, camera.height) < LARGE_SIDE else 1
