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
from likeness.engine.cameras import photo_camera
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.types import MAX_GAUSSIANS, NUM_JOINTS, Avatar, BoundGaussians, Pose
from likeness.engine.weights import asset_path


def covered_body(count: int, seed: int = 0) -> Avatar:
    """The default body with ``count`` random Gaussians on it."""
    rng = np.random.default_rng(seed)
    body = load_body(asset_path("body"))
    quats = rng.normal(size=(count, 4))
    gaussians = BoundGaussians(
        triangle=rng.integers(0, len(body.f), count).astype(np.int32),
        bary=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        offset=rng.normal(0, 0.01, (count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=np.full((count, 3), (0.003, 0.003, 0.0003), np.float32),
        opacities=np.full(count, 0.9, np.float32),
        colors=rng.uniform(0, 1, (count, 3)).astype(np.float32),
        layer=np.zeros(count, np.uint8),
    )
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.array([0, 0, -3.0]), np.zeros(body.num_expression))
    return Avatar(body, gaussians, pose, photo_camera(800, 512, 768), "full")


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
    avatar = load_avatar(options.avatar) if options.avatar else covered_body(MAX_GAUSSIANS)
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
