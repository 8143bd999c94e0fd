"""Time the CPU rasteriser on random Gaussians that fill the picture as a person does.

python benchmarks/render.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

import numba
import numpy as np
from likeness.engine.cameras import photo_camera
from likeness.engine.render import render_camera
from likeness.engine.types import MAX_GAUSSIANS, Gaussians


def person_sized(count: int, seed: int = 0) -> Gaussians:
    """Flat Gaussians on an ellipsoid of a person's size, 2.5 m before the photo's camera."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    quats = rng.normal(size=(count, 4))
    spacing = np.sqrt(3.0 / count)  # about 3 square metres of surface
    scales = rng.uniform(0.5, 1.0, (count, 3)) * [spacing, spacing, spacing / 10]
    return Gaussians(
        means=normals * [0.3, 0.85, 0.2] + [0.0, 0.0, -2.5],
        quats=quats / np.linalg.norm(quats, axis=1, keepdims=True),
        scales=scales,
        opacities=rng.uniform(0.6, 1.0, count),
        colors=rng.uniform(0, 1, (count, 3)),
    )


def seconds(gaussians: Gaussians, side: int, repeats: int) -> float:
    """Median seconds of drawing a square picture, compiled code warm."""
    camera = photo_camera(1.2 * side, side, side)
    render_camera(gaussians, camera)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        render_camera(gaussians, camera)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    repeats = 3 if options.quick else 9
    cases = {}
    all_threads = numba.config.NUMBA_NUM_THREADS
    for count in (65_536, MAX_GAUSSIANS):
        gaussians = person_sized(count)
        for side in (512, 1024):
            for threads in sorted({1, all_threads}):
                numba.set_num_threads(threads)
                ms = 1000 * seconds(gaussians, side, repeats)
                cases[f"{count} gaussians, {side} px, {threads} threads"] = round(ms, 1)
                print(f"{count:>7} Gaussians, {side:>4} px, {threads} threads: {ms:7.1f} ms")
    print(json.dumps({"benchmark": "render", "milliseconds": cases}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
