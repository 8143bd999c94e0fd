"""Peak memory of a crowd's renders, each in a process of its own.

    python -m likeness.benchmarks.figures.crowd_memory FOLDER COUNT SPLATS ENGINE WIDTH

builds the crowd of a folder in Blender's module, renders it, and prints the peak in MB.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from ...engine.body import load_body
from ...engine.core.types import Avatar
from ...engine.files.weights import asset_path
from ...engine.formats.avatar import save_avatar
from ...engine.gaussians.lod import order_by_importance
from .own_process import run_module
from .random_scenes import cover_body

ENGINES = ("CYCLES", "EEVEE")


def measure_crowd(
    count: int,
    splats: int,
    width: int,
    folder: Path | None = None,
    engines: tuple[str, ...] = ENGINES,
) -> dict[str, float]:
    """Measure the peak memory of a crowd's renders.

    Args:
        count: of people.
        splats: of each.
        width: of the picture, pixels.
        folder: with avatars; None for two random people on the default body.
        engines: of :data:`ENGINES`.

    Returns:
        Engine -> MB.

    Raises:
        RuntimeError: a render failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            folder = Path(scratch)
            for seed in range(2):
                save_avatar(_random_person(seed, splats), folder / f"person{seed}.safetensors")
        return {engine: _measure(folder, count, splats, engine, width) for engine in engines}


def _random_person(seed: int, splats: int) -> Avatar:
    """The default body under random splats."""
    body = load_body(asset_path("body"))
    own = body.personalised(np.random.default_rng(seed).normal(0, 1, body.num_betas))
    return order_by_importance(cover_body(own, splats, seed))


def _measure(folder: Path, count: int, splats: int, engine: str, width: int) -> float:
    return float(run_module(__name__, folder, count, splats, engine, width))


def render_crowd(folder: Path, count: int, splats: int, engine: str, width: int) -> None:
    """Build a crowd through the operator and render it, in this process.

    Args:
        folder: with avatars.
        count: of people.
        splats: of each.
        engine: of :data:`ENGINES`.
        width: of the picture, pixels.
    """
    import bpy

    from ... import operators
    from ...addon import properties
    from ...addon.scene.render_setup import set_up_render

    properties.register()
    operators.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0.0, -12.0, 3.0), (1.4, 0.0, 0.0)
    bpy.ops.likeness.add_crowd(
        directory=str(folder), count=count, splats=splats, turn=math.radians(30.0)
    )
    set_up_render(scene, camera, engine)
    scene.render.resolution_x, scene.render.resolution_y = width, width * 9 // 16
    scene.render.filepath = str(folder / f"{engine}.png")
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    place, people, many, renderer, across = sys.argv[1:]
    render_crowd(Path(place), int(people), int(many), renderer, int(across))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1), flush=True)
    os._exit(0)  # bpy's own exit may crash after everything is done
