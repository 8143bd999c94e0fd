"""Render settings under which the splats look as the engine draws them, and a render call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import compat
from .camera import use_photo_size

TRANSPARENT_BOUNCES = 256
"""Splats that one ray may cross; the darkening of too few is plain at 32 (measured)."""


def setup_render(
    scene: Any, camera: Any | None = None, engine: str = "CYCLES", samples: int = 1
) -> None:
    """Prepare a scene for splats: exact in Cycles, sorted in EEVEE, colours as in the photo.

    Cycles composites the splats exactly and without noise when no transparent bounce is left to
    chance; samples only smooth edges. The splats emit, so no bounce of light is needed.

    Args:
        camera: becomes the scene's camera, at the photo's size; None keeps the present one.
        engine: ``CYCLES`` or ``EEVEE``.
    """
    compat.ensure_cycles()
    render = scene.render
    render.engine = "CYCLES" if engine == "CYCLES" else compat.eevee_id()
    render.film_transparent = True
    render.dither_intensity = 0.0
    compat.set_png(render.image_settings)
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.preview_samples = 1
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = False
    cycles.use_preview_denoising = False
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = TRANSPARENT_BOUNCES
    cycles.min_transparent_bounces = TRANSPARENT_BOUNCES
    cycles.pixel_filter_type = "BOX"
    # A single ray goes through the pixel's middle, as the engine's; several spread over it.
    cycles.filter_width = 0.01 if samples == 1 else 1.0
    scene.eevee.taa_render_samples = samples
    standard_colors(scene)
    if camera is not None:
        scene.camera = camera
        use_photo_size(scene, camera)


def standard_colors(scene: Any) -> None:
    """Show colours as they are stored: sRGB display, no film look."""
    scene.display_settings.display_device = "sRGB"
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False


def render_png(scene: Any, path: Path) -> None:
    """Render the scene's camera to a PNG file (blocks)."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
