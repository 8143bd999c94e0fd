"""One synthetic person drawn by the engine's own rasteriser: the time of each stage.

    python benchmarks/people.py [--quick] [--assets DIR] [--number N] [--threads N]

Creates subject ``--number`` of seed 0, prepares it under its light, and draws its 12 views with
depth and labels at 512 pixels and at 256 (``--quick``: at 256 only, and four views more at 512),
as ``likeness synth --engine raster`` does. Times of drawing are medians over the views, after a
first drawing that compiles. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numba
from likeness.engine.synth import raster
from likeness.engine.synth.environment_light import environment_picture
from likeness.engine.synth.figure import SynthOptions, SynthSubject, make_subject, open_context
from render import describe_machine, format_machine, read_system_load

QUICK_VIEWS = 4  # of the larger size


def print_skipped(path: Path, why: str) -> None:
    print(f"left out: {path} ({why})")


def make_timed_subject(number: int, size: int, assets: Path | None) -> tuple[SynthSubject, float]:
    """A subject, and the seconds that creating it took."""
    options = SynthOptions(size=size, engine="raster", assets=str(assets) if assets else None)
    world = open_context(options, print_skipped)
    start = time.perf_counter()
    return make_subject(number, options, world), time.perf_counter() - start


def measure_subject(subject: SynthSubject, views: int) -> dict[str, float]:
    """Seconds of preparing, and medians of drawing a view and of its depth and labels."""
    environment = environment_picture(subject.lighting)
    cameras = [planned.camera for planned in subject.views]
    warm = raster.prepare_figure(subject.figure, subject.lighting, environment)
    raster.draw_figure(warm, cameras[0])
    start = time.perf_counter()
    prepared = raster.prepare_figure(subject.figure, subject.lighting, environment)
    out = {"prepare_s": time.perf_counter() - start}
    drawing, truth = [], []
    for camera in cameras[:views]:
        start = time.perf_counter()
        raster.draw_figure(prepared, camera)
        middle = time.perf_counter()
        raster.render_truth(prepared, camera)
        drawing.append(middle - start)
        truth.append(time.perf_counter() - middle)
    return out | {"draw_s": statistics.median(drawing), "truth_s": statistics.median(truth)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--assets", type=Path, help="an asset library in MakeHuman's form")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        numba.set_num_threads(options.threads)
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()}\n")
    figures: dict[str, float | int] = {}
    for size in (256, 512):
        subject, seconds = make_timed_subject(options.number, size, options.assets)
        views = QUICK_VIEWS if options.quick and size == 512 else len(subject.views)
        times = measure_subject(subject, views)
        triangles = sum(len(part.f) for part in subject.figure.parts)
        whole = seconds + times["prepare_s"] + 12 * (times["draw_s"] + times["truth_s"])
        print(
            f"{size} pixels, {triangles} triangles, {subject.framing}: built in {seconds:.2f} s, "
            f"prepared {times['prepare_s']:.2f} s, a view {times['draw_s']:.3f} s, its depth and "
            f"labels {times['truth_s']:.3f} s; 12 views {whole:.1f} s"
        )
        figures |= {"triangles": triangles, f"made_{size}_s": round(seconds, 2)}
        figures |= {f"{name[:-2]}_{size}_s": round(value, 4) for name, value in times.items()}
    print(json.dumps(figures | here))
    return 0


if __name__ == "__main__":
    sys.exit(main())
