"""How long an avatar takes to show the next face of a performance, in a process of its own.

    python -m likeness.benchmarks.figures.live_update SPLATS [FACES]

puts a random person into Blender's module and shows it faces as the worker of Follow Face sends
them, from the line of text to the splats of the evaluated scene. Drawing is not counted: Blender's
module has no window.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from ...engine.body import load_body
from ...engine.body.names import ARKIT_EXPRESSIONS
from ...engine.files.weights import asset_path
from .own_process import run_module
from .random_scenes import cover_body

_FACES = 60

_WARM_UP = 3
"""Faces that are shown first and not counted: they allocate."""

FIGURES = ("face_update_ms", "face_fast_ms", "face_update_cpu_ms", "face_fast_cpu_ms")
"""Names of the fields of :class:`LiveUpdate` in benchmarks/studio.py."""


class LiveUpdate(NamedTuple):
    """Milliseconds from a face's line to what is drawn of it, medians.

    Attributes:
        nodes: until the geometry nodes have moved all splats, as Material Preview shows them.
        fast: until Fast Splats could draw them: the body is posed, and as many splats as are drawn
            while an avatar moves are sorted.
        nodes_cpu: as ``nodes``, but of all cores together, however busy they are.
        fast_cpu: likewise.
    """

    nodes: float
    fast: float
    nodes_cpu: float
    fast_cpu: float


def measure_live_update(splats: int, faces: int = _FACES) -> LiveUpdate:
    """Measure the default body under random splats.

    Args:
        splats: of the avatar.
        faces: how many it shows.

    Raises:
        RuntimeError: it failed.
    """
    return LiveUpdate(*map(float, run_module(__name__, splats, faces).split()))


def measure_live_faces(splats: int) -> dict[str, float | None]:
    """Measure and print a line; None for each figure where something it needs is missing.

    Args:
        splats: of the avatar.
    """
    nothing: dict[str, float | None] = dict.fromkeys(FIGURES)
    if importlib.util.find_spec("bpy") is None:
        print("face: Blender's Python module bpy is not installed.")
        return nothing
    try:
        taken = measure_live_update(splats)
    except RuntimeError as error:
        print(f"face: {error}")
        return nothing
    print(
        f"face: an avatar of {splats:,} splats shows a face in {taken.nodes:.0f} ms ("
        f"{taken.nodes_cpu:.0f} of one core), with Fast Splats in {taken.fast:.0f} ms "
        f"({taken.fast_cpu:.0f})"
    )
    return dict(zip(FIGURES, taken, strict=True))


def write_faces(count: int) -> list[str]:
    """A talking, blinking and nodding face, as lines of the worker's task ``live_face``."""
    rng, lines = np.random.default_rng(0), []
    keys = len(ARKIT_EXPRESSIONS)
    rate, phase = rng.uniform(0.5, 4, keys), rng.uniform(0, 6, keys)
    for k in range(count):
        seconds = k / 30
        face = {
            "type": "face",
            "seconds": round(seconds, 4),
            "weights": np.round(0.4 + 0.4 * np.sin(rate * seconds + phase), 4).tolist(),
            "head": np.round([0.1 * np.sin(seconds), 0.2 * np.sin(2 * seconds), 0.0], 4).tolist(),
            "left_eye": [0.0, round(0.2 * np.sin(seconds), 4), 0.0],
            "right_eye": [0.0, round(0.2 * np.sin(seconds), 4), 0.0],
            "calibrating": False,
        }
        lines.append(json.dumps(face))
    return lines


def time_faces(splats: int, faces: int) -> LiveUpdate:
    """Show faces in this process; the arguments are as for :func:`measure_live_update`."""
    import bpy

    from ...addon.motion.live_face import show_face
    from ...addon.scene.avatar_objects import build_scene
    from ...addon.viewport.fast_splats import MOVING_COUNT, posed_body, read_splats, set_fast
    from ...addon.viewport.splat_cloud import SplatCloud

    bpy.ops.wm.read_factory_settings(use_empty=True)
    body = load_body(asset_path("body"))
    own = body.personalised(np.random.default_rng(0).normal(0, 1, body.num_betas))
    objects = build_scene(cover_body(own, splats, 0), "Person")
    cloud = SplatCloud(read_splats(objects.splats))
    view = np.array([0.0, 1.0, 0.0], np.float32)

    def show(line: str) -> Any:
        show_face(objects.armature, json.loads(line))
        bpy.context.view_layer.update()
        return bpy.context.evaluated_depsgraph_get()

    def show_nodes(line: str) -> None:
        mesh = objects.splats.evaluated_get(show(line)).data
        assert len(mesh.vertices) >= splats

    def show_fast(line: str) -> None:
        cloud.order(*posed_body(objects.splats, show(line)), view, min(MOVING_COUNT, splats))

    taken: list[list[tuple[float, float]]] = []
    for fast, shown in ((False, show_nodes), (True, show_fast)):
        set_fast(objects.splats, fast)
        taken.append([])
        for line in write_faces(faces + _WARM_UP):
            begin, spent = time.perf_counter(), time.process_time()
            shown(line)
            taken[-1].append((time.perf_counter() - begin, time.process_time() - spent))
    nodes, quick = (np.median(1e3 * np.array(times[_WARM_UP:]), 0).tolist() for times in taken)
    return LiveUpdate(nodes[0], quick[0], nodes[1], quick[1])


if __name__ == "__main__":
    print(*time_faces(int(sys.argv[1]), int((sys.argv[2:] or [_FACES])[0])), flush=True)
    os._exit(0)  # bpy's own exit may crash after everything is done
