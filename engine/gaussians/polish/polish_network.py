"""The polishing network at work: ``polish.onnx``. Training: ``engine/training/polish``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ...core.types import Avatar, Camera, FloatArray, Gaussians, LikenessError
from ...files.cache import get_or_load
from ...files.onnx_session import NotedNetwork
from ...files.weights import find_weights
from ...render.raster_types import RenderOutput
from .planes import PLANES, SEEN, draw_planes

POLISH_ONNX = "polish.onnx"
VERSION = 1
"""Of the file: the meaning of its inputs."""
STRIDE = 8
"""Sides of its pictures are multiples of it."""
MARGIN = 16
"""Pixels that are repeated beyond a picture's border."""
LIGHT = 14.0
"""Pixels: standard deviation beyond which colours are light, which is not to change."""
ECHO = 1.5
"""Pixels: standard deviation up to which a change is left out. The network repeats single strands
of hair as ripples of a few pixels."""
_REMEDY = "Get a complete copy of Likeness, or draw and build without polishing."


class PolishRuntime(NotedNetwork):
    """A polishing network, ready to use.

    Args:
        path: The file.
        threads: Of ONNX Runtime.

    Raises:
        LikenessError: It is missing, damaged, another network or of another version, or ONNX
            Runtime is missing.
    """

    def __init__(self, path: Path, threads: int = 2) -> None:
        super().__init__(path, threads, VERSION, _REMEDY)
        if self.note.get("planes") != list(PLANES):
            raise LikenessError(f"'{path}' is not a polishing network.", _REMEDY)

    def change(self, planes: FloatArray) -> FloatArray:
        """Return the change [H, W, 3] of colours, which are multiplied by alpha.

        It is zero outside the person and where the photo shows the person squarely, and light and
        hue stay: on average over some pixels it is zero everywhere. It has no finest structure.

        Args:
            planes: [H, W, len(PLANES)] of :func:`.planes.draw_planes`.

        Raises:
            LikenessError: The network's output is not finite.
        """
        height, width = planes.shape[:2]
        # A person who is cut by the frame has no outline there.
        beyond = [(MARGIN, MARGIN + -side % STRIDE) for side in (height, width)]
        given = np.pad(np.moveaxis(planes, -1, 0), [(0, 0), *beyond], "edge")[None]
        (out,) = self.session.run(["change"], {"planes": np.ascontiguousarray(given, np.float32)})
        change = np.moveaxis(np.asarray(out[0], np.float32), 0, -1)
        change = change[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        if not np.isfinite(change).all():
            raise LikenessError(f"'{self.path}' does not give numbers.", _REMEDY)
        free = np.clip(planes[..., 3] - planes[..., SEEN], 0.0, 1.0) * (change != 0.0).any(-1)
        fine = gaussian_filter(change, (ECHO, ECHO, 0)) - _slow_part(change, free)
        change = free[..., None] * fine
        rgb, alpha = planes[..., :3], planes[..., 3:4]
        polished = np.clip(rgb + change, 0.0, np.maximum(alpha, rgb))
        return np.asarray(np.where(change == 0.0, 0.0, polished - rgb), np.float32)


def _slow_part(change: FloatArray, free: FloatArray) -> FloatArray:
    """Mean of a change [H, W, 3] about each pixel, over those [H, W] that may change."""
    blurred = gaussian_filter(change, (LIGHT, LIGHT, 0))
    cover = gaussian_filter(free.astype(np.float32), LIGHT)
    return np.asarray(blurred / np.maximum(cover, 1e-3)[..., None])


def load_polish() -> PolishRuntime:
    """Open the polishing network that comes with Likeness.

    Raises:
        LikenessError: This copy has none, or it cannot be used.
    """
    path = find_weights("polish")
    return get_or_load("polish", path, lambda: PolishRuntime(path))


def draw_polished(
    network: PolishRuntime,
    placed: Gaussians,
    marks: FloatArray,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "cpu",
) -> RenderOutput:
    """Draw a picture and polish it; its alpha and depth are the unpolished one's.

    Args:
        network: To polish with.
        placed: N Gaussians in world space.
        marks: [N, 5] of :func:`.planes.splat_marks`.
        camera: The camera.
        background: [3]; black by default.
        backend: A rasteriser.

    Raises:
        LikenessError: The network's output is not finite, or see :func:`..render.rasterize`.
    """
    plain, change = draw_change(network, placed, marks, camera, backend)
    rgb = plain.rgb + change
    if background is not None:
        rgb = rgb + (1.0 - plain.alpha[..., None]) * np.asarray(background, np.float32)
    return RenderOutput(rgb.astype(np.float32), plain.alpha, plain.depth)


def draw_change(
    network: PolishRuntime,
    placed: Gaussians,
    marks: FloatArray,
    camera: Camera,
    backend: str = "cpu",
) -> tuple[RenderOutput, FloatArray]:
    """Draw a picture on black; return it and what polishing adds to its colours.

    Args:
        network: To polish with.
        placed: N Gaussians in world space.
        marks: [N, 5] of :func:`.planes.splat_marks`.
        camera: The camera.
        backend: A rasteriser.

    Returns:
        The unpolished picture, and the change [H, W, 3] of its colours.

    Raises:
        LikenessError: See :func:`draw_polished`.
    """
    planes, depth = draw_planes(placed, marks, camera, backend)
    return RenderOutput(planes[..., :3], planes[..., 3], depth), network.change(planes)


def is_baked(avatar: Avatar) -> bool:
    """Whether an avatar's colours were polished when it was built."""
    return bool(avatar.provenance.get("options", {}).get("polish") == "bake")
