"""A batch of real portraits: how many an hour with one worker and with more, and whether memory
grows.

    python benchmarks/batch.py [--quick] [--photo FILE] [--portraits N] [--workers N ...]
                               [--refine off|fast|full] [--recycle N]

Builds the same photo ``--portraits`` times, as so many portraits of different fields of view, once
for each number of ``--workers`` (1 2), all cores shared among them. Rates are of the whole command,
its start included. ``growth`` is how many MB more a worker holds after its last portrait than after
its third, for each 100 portraits: the first ones fill what is kept on purpose. ``--quick`` builds
four small ones with each. On a busy machine the rates say little.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from likeness.engine.batch.folder import BatchFolder
from likeness.engine.weights import cache_assets_dir
from render import busy, machine

SAMPLE = cache_assets_dir().parent / "downloads" / "astronaut.png"
SETTLED = 3
"""Portraits after which a worker has opened and compiled what it needs."""


def timed(photo: Path, portraits: int, workers: int, options: list[str]) -> dict[str, Any]:
    """Run a batch in a folder of its own; its rate and the growth of its workers."""
    with tempfile.TemporaryDirectory(prefix="likeness-batch-") as scratch:
        table, out = Path(scratch) / "jobs.jsonl", Path(scratch) / "out"
        rows = [
            {"photo": str(photo.absolute()), "name": f"p{k:04d}", "fov": 20 + 20 * k / portraits}
            for k in range(portraits)
        ]
        table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        command = ["batch", "--job", str(table), "-o", str(out), "--workers", str(workers)]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "likeness", *command, *options], check=True)
        seconds = time.perf_counter() - start
        held: dict[int, list[float]] = defaultdict(list)
        for line in BatchFolder(out).history():
            if line["event"] == "done":
                held[line["worker"]].append(line["held_mb"])
    growths = [
        100 * (of[-1] - of[SETTLED - 1]) / (len(of) - SETTLED)
        for of in held.values()
        if len(of) > SETTLED
    ]
    return {
        "workers": workers, "portraits": portraits, "seconds": round(seconds, 1),
        "per_hour": round(3600 * portraits / seconds, 1),
        "growth_mb_per_100": round(max(growths)) if growths else None,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--photo", type=Path, default=SAMPLE)
    parser.add_argument("--portraits", type=int)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--refine", choices=("off", "fast", "full"), default="fast")
    parser.add_argument("--recycle", type=int, default=10_000)
    chosen = parser.parse_args()
    options = ["--refine", chosen.refine, "--recycle", str(chosen.recycle), "--no-report"]
    if chosen.quick:
        options = ["--refine", "off", "--max-gaussians", "20000", "--no-preview", "--no-report"]
    portraits = chosen.portraits or (4 if chosen.quick else 12)
    found = [timed(chosen.photo, portraits, n, options) for n in chosen.workers]
    for one in found:
        times = one["per_hour"] / found[0]["per_hour"]
        print(f"{one['workers']} workers: {one['per_hour']:7.1f} an hour, {times:.2f} times the "
              f"first; growth {one['growth_mb_per_100']} MB per 100 portraits")  # fmt: skip
    print(json.dumps({"machine": machine(), "busy": busy(), "runs": found}))


if __name__ == "__main__":
    main()
