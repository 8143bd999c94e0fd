"""The circle around the mouse that shows the radius of the splats' brush."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


class _Circle:
    handler: Any = None
    radius = 0.0
    mouse = (0, 0)


def show(radius: float, mouse: tuple[int, int] | None = None) -> None:
    """Draw the circle in all 3D views.

    Args:
        radius: pixels.
        mouse: pixels of the window; where it was if left out.
    """
    _Circle.radius = radius
    if mouse is not None:
        _Circle.mouse = mouse
    if _Circle.handler is None:
        _Circle.handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")
    _redraw()


def hide() -> None:
    """Stop drawing the circle."""
    if _Circle.handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_Circle.handler, "WINDOW")
        _Circle.handler = None
        _redraw()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _draw() -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    region = bpy.context.region
    turn = np.linspace(0.0, 2.0 * np.pi, 49)
    circle = _Circle.radius * np.stack([np.cos(turn), np.sin(turn)], 1)
    circle += np.array(_Circle.mouse) - [region.x, region.y]
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINE_STRIP", {"pos": np.pad(circle, ((0, 0), (0, 1)))})
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("viewportSize", (region.width, region.height))
    for width, color in ((3.0, (0.0, 0.0, 0.0, 0.5)), (1.5, (1.0, 1.0, 1.0, 0.9))):
        shader.uniform_float("lineWidth", width)
        shader.uniform_float("color", color)
        batch.draw(shader)
    gpu.state.blend_set("NONE")
