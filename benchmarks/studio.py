"""Measure what a studio does with avatars.

    python benchmarks/studio.py [--quick] [--only NAME ...]

Each part prints a line and gives one or more figures; the last line of the output is all of them as
JSON. A part that lacks something says so, and its figures are null.

    crowd_mb    MB of memory that a hundred people at 10,000 splats take at most, rendered in Cycles
                and EEVEE (benchmarks/figures/crowd_memory.py); quick: in a small picture
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from typing import Any

from likeness.benchmarks.figures.crowd_memory import measure_crowd

Figures = dict[str, float | None]


def measure_crowd_memory(quick: bool) -> Figures:
    """Crowds; quick in a small picture, where the splats take as much memory."""
    if importlib.util.find_spec("bpy") is None:
        print("crowd: Blender's Python module bpy is not installed.")
        return {"crowd_mb": None}
    peaks = measure_crowd(100, 10_000, 240 if quick else 960)
    said = ", ".join(f"{peak:.0f} MB in {engine}" for engine, peak in peaks.items())
    print(f"crowd: 100 people at 10,000 splats take {said}")
    return {"crowd_mb": max(peaks.values())}


PARTS: dict[str, Callable[[bool], Figures]] = {"crowd": measure_crowd_memory}
"""Name -> what measures it, given whether it has to be quick."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small pictures")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), help="these parts alone")
    chosen = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, measure in PARTS.items():
        if chosen.only is None or name in chosen.only:
            start = time.perf_counter()
            figures |= measure(chosen.quick)
            figures[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
