"""The circle around the mouse that shows the radius of the splats' brush."""

from __future__ import annotations

import numpy as np

from ...engine.core.types import FloatArray

_STEPS = 48


def trace_circle(center: tuple[float, float], radius: float) -> FloatArray:
    """Return the points [_STEPS + 1, 3] of a closed circle, in pixels: float32, the only numbers
    that Blender's batches take as they are."""
    turn = np.linspace(0.0, 2.0 * np.pi, _STEPS + 1)
    circle = radius * np.stack([np.cos(turn), np.sin(turn)], 1) + center
    return np.pad(circle, ((0, 0), (0, 1))).astype(np.float32)


def draw_circle(center: tuple[float, float], radius: float) -> None:
    """Draw the circle where Blender draws cursors: light with a dark rim, to be seen on both.

    Args:
        center: pixels of the window.
        radius: pixels.
    """
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINE_STRIP", {"pos": trace_circle(center, radius)})
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    for width, color in ((3.0, (0.0, 0.0, 0.0, 0.5)), (1.5, (1.0, 1.0, 1.0, 0.9))):
        shader.uniform_float("lineWidth", width)
        shader.uniform_float("color", color)
        batch.draw(shader)
    gpu.state.blend_set("NONE")
