"""Time Blender's update of a posed avatar: new pose set, splats moved, geometry read back.

    python benchmarks/pose_update.py [AVATAR] [--quick]

Without AVATAR the default body carries as many random splats as an avatar may have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from likeness.addon.scene.build import AvatarObjects, build_scene
from likeness.engine.body import load_body
from likeness.engine.evaluation.random_scenes import covered_body
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.types import MAX_GAUSSIANS, NUM_JOINTS, Avatar, Pose
from likeness.engine.weights import asset_path


def milliseconds(objects: AvatarObjects, avatar: Avatar, repeats: int) -> list[float]:
    """Time of ``repeats`` random poses, from setting bones to evaluated splats."""
    rng = np.random.default_rng(1)
    times = []
    for _ in range(repeats + 2):
        pose = Pose(
            rng.normal(0, 0.15, (NUM_JOINTS, 3)),
            np.asarray(avatar.pose.transl),
            rng.uniform(0, 0.5, avatar.body.num_expression),
        )
        start = time.perf_counter()
        objects.set_pose(pose, avatar.body.expression_names)
        bpy.context.view_layer.update()
        evaluated = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert len(evaluated.data.vertices)
        times.append(1000 * (time.perf_counter() - start))
    return times[2:]  # the first ones allocate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatar", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    if options.avatar:
        avatar = load_avatar(options.avatar)
    else:
        avatar = covered_body(load_body(asset_path("body")), MAX_GAUSSIANS)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    objects = build_scene(avatar, "Benchmark")
    times = milliseconds(objects, avatar, 10 if options.quick else 50)
    figures = {
        "benchmark": "pose_update",
        "blender": bpy.app.version_string,
        "gaussians": len(avatar.gaussians),
        "min_ms": round(min(times), 1),
        "median_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
