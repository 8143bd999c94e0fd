"""How long strokes of the retouch brush take to begin, in a process of its own.

    python -m likeness.benchmarks.figures.brush_start SPLATS

puts a random person into Blender's module, begins strokes in the camera's view, and prints the
milliseconds of the first one and the median of those after it, each with its first touch. The
scene is evaluated before each, as Blender does to draw: that is not counted.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np

from ...engine.body import load_body
from ...engine.files.weights import asset_path
from .own_process import run_module
from .random_scenes import cover_body

_STROKES = 9
_SIDE = 800  # pixels of the view
_RADIUS = 40.0  # pixels of the brush


class StrokeStart(NamedTuple):
    """Milliseconds until the first touch of a stroke is done.

    Attributes:
        first: of the first stroke on an avatar.
        next: of those after it, the median.
    """

    first: float
    next: float


def measure_stroke_start(splats: int) -> StrokeStart:
    """Measure how long strokes take to begin on the default body under random splats.

    Args:
        splats: of the avatar.

    Raises:
        RuntimeError: it failed.
    """
    first, after = map(float, run_module(__name__, splats).split())
    return StrokeStart(first, after)


def time_strokes(splats: int) -> StrokeStart:
    """Begin strokes in this process; the arguments are as for :func:`measure_stroke_start`."""
    import bpy

    from ...addon.scene.avatar_objects import build_scene
    from ...addon.viewport.splat_brush import BrushView, SplatBrush

    bpy.ops.wm.read_factory_settings(use_empty=True)
    body = load_body(asset_path("body"))
    own = body.personalised(np.random.default_rng(0).normal(0, 1, body.num_betas))
    objects = build_scene(cover_body(own, splats, 0), "Person")
    camera = bpy.context.scene.camera
    window = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=_SIDE, y=_SIDE)
    seen = np.array(camera.matrix_world.inverted()), np.array(window)
    view, middle = BrushView(*seen, _SIDE, _SIDE), (_SIDE / 2, _SIDE / 2)
    taken = []
    for _ in range(_STROKES + 1):
        bpy.context.view_layer.update()
        bpy.context.evaluated_depsgraph_get()
        begin = time.perf_counter()
        SplatBrush(objects, bpy.context, view).dab("ERASE", middle, _RADIUS, 0.1)
        taken.append(1e3 * (time.perf_counter() - begin))
    return StrokeStart(taken[0], statistics.median(taken[1:]))


if __name__ == "__main__":
    print(*time_strokes(int(sys.argv[1])), flush=True)
    os._exit(0)  # bpy's own exit may crash after everything is done
