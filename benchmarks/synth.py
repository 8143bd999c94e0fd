"""One synthetic person drawn from all sides: seconds, and the share of each stage.

    python benchmarks/synth.py [--quick] [--engine cycles|raster] [--assets DIR] [--sizes N ...]
                               [--views N] [--subjects N] [--samples N]

Everything that ``likeness synth`` does for a subject, in this process: body and pose, looks, the
scene, a picture from each camera, depth and labels, encoding and writing. The seconds are of one
subject, means over ``--subjects``, after a first one that compiles the loops. Without
``--assets`` looks are procedural. ``--quick`` draws four small views of one subject (at most 50
seconds); without Blender's module bpy only the rasteriser is timed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
from likeness.addon.synth.staging import stage_subject
from likeness.addon.synth.subject_maker import open_subject_maker
from likeness.engine.synth.figure import SynthOptions
from render import describe_machine, format_machine, read_system_load

QUICK = {"sizes": [128], "views": 4, "subjects": 1, "samples": 8}


def time_subjects(options: SynthOptions, subjects: int) -> dict[str, Any]:
    """Mean seconds of a subject and of its stages, and its size on disk."""
    request = {"options": asdict(options), "threads": 0}
    make = open_subject_maker(request, lambda asset, why: print(f"  skipped {asset}: {why}"))
    make(subjects)
    stages: dict[str, float] = {}
    size = 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="likeness-synth-") as scratch:
        for number in range(subjects):
            subject, seconds = make(number)
            for name, spent in seconds.items():
                stages[name] = stages.get(name, 0.0) + spent
            before = time.perf_counter()
            stage_subject(Path(scratch), subject)
            stages["writing"] += time.perf_counter() - before
        whole = (time.perf_counter() - start) / subjects
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*.tar")) // subjects
    shares = {name: spent / sum(stages.values()) for name, spent in stages.items()}
    told_shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    what = f"{options.engine:<7}{options.size:5}²{options.views:3} views"
    print(f"{what}{whole:8.2f} s  {told_shares}", flush=True)
    return {
        "engine": options.engine,
        "size": options.size,
        "views": options.views,
        "seconds": round(whole, 2),
        "megabytes": round(size / 1e6, 2),
        "shares": {name: round(share, 3) for name, share in shares.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=["cycles", "raster"], action="append")
    parser.add_argument("--assets", type=Path, help="an asset library in MakeHuman's layout")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--subjects", type=int, default=2)
    parser.add_argument("--samples", type=int, default=SynthOptions.samples)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    engines = options.engine or ["raster", "cycles"]
    if "cycles" in engines and importlib.util.find_spec("bpy") is None:
        print("no bpy: Cycles is not timed")
        engines.remove("cycles")
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints a line for every picture
    here = describe_machine()
    print(f"{format_machine(here)}; load {read_system_load()} before")
    results = [
        time_subjects(
            SynthOptions(
                seed=options.seed,
                size=size,
                views=options.views,
                engine=engine,
                samples=options.samples,
                assets=options.assets and str(options.assets.absolute()),
            ),
            options.subjects,
        )
        for engine in engines
        for size in options.sizes
    ]
    print(f"load {read_system_load()} after")
    print(
        json.dumps(
            {
                "benchmark": "synth",
                "quick": options.quick,
                "assets": options.assets is not None,
                "results": results,
                "machine": here,
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)  # bpy's own exit may crash after everything is done


if __name__ == "__main__":
    main()
