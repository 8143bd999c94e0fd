"""The rasterisers: the fast ones compared with the reference, then timed.

    python benchmarks/render.py [--quick] [--threads N]

Errors: :mod:`likeness.benchmarks.figures.parity` on its twenty random scenes; the worst of all
arrays and scenes is reported. Times: medians after a first run, all of them in this process, of
Gaussians that fill the picture as a person does. Backward means rgb, alpha and depth at once.
``--quick`` takes fewer repeats and draws the slow reference on a strip of the picture, whose time
is multiplied: its work is the same for every pixel. A GPU is measured when gsplat finds one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
from likeness.benchmarks.figures.parity import measure_gap
from likeness.benchmarks.figures.random_scenes import make_scenes, person_sized_cloud
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import MAX_GAUSSIANS, Camera, FloatArray, Gaussians
from likeness.engine.render import rasterize, rasterize_vjp

SIDE = 512
COUNTS = (32_768, 65_536, 131_072, MAX_GAUSSIANS)
SIDES = (256, 512, 1024)
SPEEDUP_COUNT, SPEEDUP_SIDE = 20_000, 256
QUICK_ROWS = 2  # of the reference's picture


def describe_machine() -> dict[str, str | int]:
    """The machine of the measurements."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return {
        "system": platform.platform(terse=True),
        "processor": name,
        "cpus": os.cpu_count() or 1,
        "threads": numba.get_num_threads(),
    }


def format_machine(here: dict[str, str | int]) -> str:
    """:func:`describe_machine` in words."""
    return f"{here['processor']}, {here['cpus']} CPUs, {here['threads']} threads; {here['system']}"


def read_system_load() -> str:
    """The machine's other load, where the system reports it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def median_seconds(call: Callable[[], object], repeats: int, warm_up: int = 1) -> float:
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def create_square_camera(side: int) -> Camera:
    """The camera in front of the person-sized Gaussians."""
    return photo_camera(1.2 * side, side, side)


def arguments(gaussians: Gaussians, camera: Camera) -> tuple:
    background = np.full((1, gaussians.colors.shape[1]), 0.5, np.float32)
    views = camera.viewmat[None], camera.K[None], camera.width, camera.height
    return (gaussians, *views, background)


def sample_gradients(camera: Camera) -> dict[str, FloatArray]:
    rng = np.random.default_rng(1)
    size = (1, camera.height, camera.width)
    shapes = {"rgb": (*size, 3), "alpha": size, "depth": size}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def make_forward(
    gaussians: Gaussians, camera: Camera, backend: str = "cpu"
) -> Callable[[], object]:
    given = arguments(gaussians, camera)
    return lambda: rasterize(*given, backend=backend)


def make_forward_backward(
    gaussians: Gaussians, camera: Camera, backend: str = "cpu"
) -> Callable[[], object]:
    given, derivatives = arguments(gaussians, camera), sample_gradients(camera)

    def call() -> None:
        _, vjp = rasterize_vjp(*given, backend=backend)
        vjp(**derivatives)

    return call


def measure_errors(backend: str) -> tuple[float, float]:
    """The worst relative error of pictures, and of gradients; prints a line per scene."""
    print(f"\n{backend} against reference, relative errors (worst array), largest of one pixel")
    print(f"{'scene':<28}{'pictures':>10}{'gradients':>11}{'pixel':>10}")
    worst = [0.0, 0.0]
    for scene in make_scenes():
        truth, true_vjp = rasterize_vjp(*scene.arguments, backend="reference")
        drawn, vjp = rasterize_vjp(*scene.arguments, backend=backend)
        values = measure_gap(drawn, truth)
        gradients = measure_gap(vjp(**scene.upstream()), true_vjp(**scene.upstream()))
        worst = [max(worst[0], values.worst), max(worst[1], gradients.worst)]
        pixel = max(values.largest["rgb"], values.largest["alpha"])
        print(f"{scene.name:<28}{values.worst:>10.1e}{gradients.worst:>11.1e}{pixel:>10.1e}")
    print(f"{'worst':<28}{worst[0]:>10.1e}{worst[1]:>11.1e}", flush=True)
    return worst[0], worst[1]


def measure_speedups(rows: int, repeats: int) -> dict[str, float]:
    """Time of the reference over that of cpu: forward, and forward with backward."""
    gaussians, camera = person_sized_cloud(SPEEDUP_COUNT), create_square_camera(SPEEDUP_SIDE)
    K = camera.K.copy()
    K[1, 2] -= (camera.height - rows) / 2  # a strip across the middle
    strip = Camera(camera.viewmat, K, camera.width, rows)
    share = camera.height / rows
    print(f"\nreference against cpu, {SPEEDUP_COUNT:,} Gaussians, {SPEEDUP_SIDE} px")
    out = {}
    for name, make in (("forward", make_forward), ("forward_backward", make_forward_backward)):
        ours = median_seconds(make(gaussians, camera), repeats)
        # A strip is quick enough to be drawn as often as ours; the whole takes minutes.
        often = (repeats, 1) if rows < camera.height else (1, 0)
        truth = share * median_seconds(make(gaussians, strip, "reference"), *often)
        out[name] = truth / ours
        part = "" if rows == camera.height else f" (from {rows} of {camera.height} rows)"
        print(
            f"{name.replace('_', ' + '):<20}{truth:8.1f} s{part}, {1000 * ours:.1f} ms: "
            f"{out[name]:,.0f} times",
            flush=True,
        )
    return out


def measure_scaling(quick: bool, repeats: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds by count at one size, and by size at the full count; exponents of each."""
    seconds: dict[str, list[float]] = {}
    exponents = {}
    print(f"\n{'Gaussians':>10}{'side':>6}{'forward':>12}{'forward + backward':>22}")
    cases = {
        "gaussians": [(count, SIDE) for count in (COUNTS[::3] if quick else COUNTS)],
        "pixels": [(MAX_GAUSSIANS, side) for side in (SIDES[::2] if quick else SIDES)],
    }
    for name, sizes in cases.items():
        for count, side in sizes:
            if f"{count}/{side}" in seconds:
                continue
            gaussians, camera = person_sized_cloud(count), create_square_camera(side)
            times = [
                median_seconds(f(gaussians, camera), repeats)
                for f in (make_forward, make_forward_backward)
            ]
            seconds[f"{count}/{side}"] = [round(t, 4) for t in times]
            print(f"{count:>10,}{side:>6}{1000 * times[0]:>9.1f} ms{1000 * times[1]:>19.1f} ms")
        (count0, side0), (count1, side1) = sizes[0], sizes[-1]
        growth = np.log(count1 / count0 * (side1 / side0) ** 2)
        first, last = seconds[f"{count0}/{side0}"], seconds[f"{count1}/{side1}"]
        for way, a, b in zip(("forward", "forward_backward"), first, last):
            exponents[f"{way}_by_{name}"] = round(float(np.log(b / a) / growth), 3)
        print(
            f"time grows with {name} to the power {exponents[f'forward_by_{name}']:.2f} forward, "
            f"{exponents[f'forward_backward_by_{name}']:.2f} forward + backward",
            flush=True,
        )
    return seconds, exponents


def measure_on_gpu() -> dict[str, float | str] | None:
    """Parity and frames per second with gsplat; None, with the reason printed, without a GPU."""
    if importlib.util.find_spec("torch") is None:
        print("\nGPU: not measured, torch is not installed")
        return None
    from likeness.engine.render.cuda import why_unavailable

    if why := why_unavailable():
        print(f"\nGPU: not measured, {why}")
        return None
    import render_gpu

    value_err, grad_err = measure_errors("cuda")
    fps = render_gpu.measure_gpu()
    name = render_gpu.gpu_name()
    row = render_gpu.format_gpu_row(name, fps, f"{value_err:.1e} / {grad_err:.1e}")
    print(f"\nfor docs/PERFORMANCE.md:\n{row}", flush=True)
    return {"gpu": name, "value_err": value_err, "grad_err": grad_err, **fps}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--threads", type=int, help="of the cpu rasteriser; all when left out")
    options = parser.parse_args()
    if options.threads:
        numba.set_num_threads(options.threads)
    repeats = 3 if options.quick else 11
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()} before")
    seconds, exponents = measure_scaling(options.quick, repeats)
    value_err, grad_err = measure_errors("cpu")
    ratios = measure_speedups(QUICK_ROWS if options.quick else SPEEDUP_SIDE, repeats)
    on_gpu = measure_on_gpu()
    print(f"load {read_system_load()} after")
    forward_s, forward_backward_s = seconds[f"{MAX_GAUSSIANS}/{SIDE}"]
    figures = {
        "benchmark": "render",
        "value_err": value_err,
        "grad_err": grad_err,
        "speedup": round(min(ratios.values()), 1),
        "forward_s": forward_s,
        "forward_backward_s": forward_backward_s,
        "speedups": {name: round(ratio, 1) for name, ratio in ratios.items()},
        "seconds": seconds,
        "exponents": exponents,
        "machine": here,
        "gpu": on_gpu,
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
