"""Time the waits of an animator in Blender, at several numbers of splats.

    python benchmarks/pose_update.py [AVATAR] [--quick]

For each number: a new pose set, evaluated and read back; the import, whose longest slice is the
time that Blender's window freezes; and the size of the compressed .blend. Without AVATAR the
default body carries as many random splats as an avatar may have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene_steps
from likeness.benchmarks.figures.random_scenes import cover_body
from likeness.engine.body import load_body
from likeness.engine.core.types import MAX_GAUSSIANS, NUM_JOINTS, Avatar, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.gaussians.lod import simplify_avatar
from likeness.engine.scene.files import load_scene_steps, make_scene_avatar, save_scene_avatar

COUNTS = (MAX_GAUSSIANS, 150_000, 50_000)


def pose_times(
    objects: AvatarObjects, avatar: Avatar, repeats: int, every_expression: bool
) -> list[float]:
    """Milliseconds of ``repeats`` random poses, from setting bones to evaluated splats.

    With the photo's expression, or with all expressions at once, different ones each time.
    """
    rng = np.random.default_rng(1)
    times = []
    for _ in range(repeats + 2):
        pose = Pose(
            rng.normal(0, 0.15, (NUM_JOINTS, 3)),
            np.asarray(avatar.pose.transl),
            rng.uniform(0, 0.5, avatar.body.num_expression)
            if every_expression
            else np.asarray(avatar.pose.expression),
        )
        start = time.perf_counter()
        objects.set_pose(pose, avatar.body.expression_names)
        bpy.context.view_layer.update()
        evaluated = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert len(evaluated.data.vertices)
        times.append(1000 * (time.perf_counter() - start))
    return times[2:]  # without the first ones, which allocate


def time_import_slices(avatar: Avatar, folder: Path) -> tuple[AvatarObjects, list[float]]:
    """Import as the window's timer does; the objects, and milliseconds of every slice."""
    save_scene_avatar(make_scene_avatar(avatar), folder / "scene.npz")
    slices: list[float] = []

    def run(steps: Any) -> Any:
        while True:
            start = time.perf_counter()
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            finally:
                slices.append(1000 * (time.perf_counter() - start))

    ready = run(load_scene_steps(folder / "scene.npz"))
    return run(build_scene_steps(ready, "Benchmark")), slices


def measure_avatar(avatar: Avatar, repeats: int, folder: Path) -> dict[str, float]:
    """All figures of one avatar."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    objects, slices = time_import_slices(avatar, folder)
    times = pose_times(objects, avatar, repeats, every_expression=False)
    more = pose_times(objects, avatar, repeats, every_expression=True)
    blend = folder / "avatar.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True)
    return {
        "gaussians": len(avatar.gaussians),
        "min_ms": round(min(times), 1),
        "median_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
        "every_expression_ms": round(statistics.median(more), 1),
        "import_ms": round(sum(slices)),
        "longest_slice_ms": round(max(slices)),
        "blend_mb": round(blend.stat().st_size / 1e6, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatar", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    if options.avatar:
        avatar = load_avatar(options.avatar)
    else:
        avatar = cover_body(load_body(asset_path("body")), MAX_GAUSSIANS)
    repeats = 10 if options.quick else 50
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure_avatar(
                simplify_avatar(avatar, min(n, len(avatar.gaussians))), repeats, Path(folder)
            )
            for n in COUNTS
        ]
    for row in rows:
        print(row)
    whole = {"benchmark": "pose_update", "blender": bpy.app.version_string, "at": rows}
    print(json.dumps(whole))
    return 0


if __name__ == "__main__":
    sys.exit(main())
