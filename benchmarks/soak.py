"""Many portraits by workers that are never replaced: does memory grow?

    python benchmarks/soak.py [--quick] [--portraits 200] [--workers 1] [--refine off|fast|full]
                              [--photos FOLDER] [--max-gaussians N] [--out DIR]

Builds the photos of a folder (the sample portrait if none is given) over and over with other
fields of view and numbers of splats, as one batch; one in 25 is not a photo, so that failures
are soaked, too. Every two seconds it samples the memory, open files and threads of the command and
of its workers.

The growth is the median slope between all pairs of portraits (Theil and Sen), in MB for each 100
portraits, once a worker has made ten: the first ones fill the caches. Prints one line of JSON; exit
code 1 where a worker or the command grows by more than ``--floor`` (50), holds more and more files
or threads, or a portrait fails that should not. ``--out`` keeps the results; with the same folder
the run continues where it was stopped, and counts only new portraits.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from likeness.engine.files.weights import cache_assets_dir
from likeness.engine.workflows.batch.batch_folder import BatchFolder
from render import describe_machine, read_system_load

SAMPLE = cache_assets_dir().parent / "downloads" / "astronaut.png"
SETTLED = 10
"""Portraits after which a worker has opened and compiled everything that it needs."""

BROKEN_EVERY = 25
SAMPLE_SECONDS = 2.0
MORE_HANDLES = 8
"""Open files or threads gained after settling, above which something is not closed."""


def slope_per_100(held: Sequence[float], settled: int = SETTLED) -> float | None:
    """Growth for each 100 steps; None where there are too few.

    >>> slope_per_100([0.0, 50.0, *(100 + 0.5 * k for k in range(20))], settled=2)
    50.0
    >>> slope_per_100([1.0, 2.0])
    """
    values = np.asarray(held[settled:], np.float64)
    if len(values) < 3:
        return None
    i, j = np.triu_indices(len(values), 1)
    return round(100 * float(np.median((values[j] - values[i]) / (j - i))), 1)


def write_table(table: Path, photos: Sequence[Path], count: int, most: int) -> int:
    """Write the table of portraits to build; returns how many of them are not photos."""
    broken = table.with_name("broken.jpg")
    broken.write_bytes(b"no photo")
    rows: list[dict[str, Any]] = []
    for k in range(count):
        photo = broken if k % BROKEN_EVERY == BROKEN_EVERY - 1 else photos[k % len(photos)]
        rows.append(
            {
                "photo": str(photo.absolute()),
                "name": f"p{k:05d}",
                "fov": 20 + 20 * k / count,
                "max_gaussians": most - most // 4 * (k % 3),
            }
        )
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return sum(row["photo"] == str(broken.absolute()) for row in rows)


def watch_process(process: subprocess.Popen[bytes]) -> dict[int, list[tuple[float, int, int]]]:
    """MB, open files and threads of the command and its child processes, until it ends."""
    own = psutil.Process(process.pid)
    seen: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    while process.poll() is None:
        try:
            for one in (own, *own.children(recursive=True)):
                with one.oneshot():
                    files = one.num_fds() if hasattr(one, "num_fds") else one.num_handles()
                    seen[one.pid].append((one.memory_info().rss / 2**20, files, one.num_threads()))
        except psutil.Error:
            continue  # one of them has just ended
        finally:
            time.sleep(SAMPLE_SECONDS)
    return seen


def count_extra_handles(seen: Sequence[tuple[float, int, int]]) -> int:
    """Open files and threads more in the last tenth of the time than in the second."""
    tenth = max(1, len(seen) // 10)
    early, late = seen[tenth : 2 * tenth], seen[-tenth:]
    if not early:
        return 0
    return max(
        int(np.median([s[k] for s in late]) - np.median([s[k] for s in early])) for k in (1, 2)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="four small ones, whose growth is not judged"
    )
    parser.add_argument("--portraits", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--refine", choices=("off", "fast", "full"), default="fast")
    parser.add_argument("--photos", type=Path, help="a folder of portraits that can be built")
    parser.add_argument("--max-gaussians", type=int, default=262_144)
    parser.add_argument("--network", default="default")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--floor", type=float, default=50.0)
    parser.add_argument("--settled", type=int, default=SETTLED)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.portraits, chosen.max_gaussians, chosen.refine, chosen.settled = 4, 20_000, "off", 1
        chosen.floor = math.inf  # what so few grow by is chance
    photos = (
        [SAMPLE]
        if chosen.photos is None
        else sorted(
            path
            for path in chosen.photos.iterdir()
            if path.suffix.lower() in (".jpg", ".jpeg", ".png")
        )
    )
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="likeness-soak-")))
        out = chosen.out or scratch / "out"
        table = scratch / "jobs.jsonl"
        broken = write_table(table, photos, chosen.portraits, chosen.max_gaussians)
        had = len(BatchFolder(out).history()) if (out / ".likeness-batch").is_dir() else 0
        begun = time.perf_counter()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "likeness",
                "batch",
                "--job",
                str(table),
                "-o",
                str(out),
                "--workers",
                str(chosen.workers),
                "--refine",
                chosen.refine,
                "--recycle",
                "1000000",
                "--network",
                chosen.network,
                "--no-report",
            ],
            stdout=subprocess.DEVNULL,
        )
        stack.callback(process.terminate)  # if this is stopped before the command ends
        seen = watch_process(process)
        seconds = time.perf_counter() - begun
        held: dict[int, list[float]] = defaultdict(list)
        again = failed = 0
        for line in BatchFolder(out).history()[had:]:
            if line["event"] == "done":
                held[line["worker"]].append(line["held_mb"])
            failed += line["event"] == "failed"
            again += line["event"] == "again"
    made = sum(len(of) for of in held.values())
    command = [mb for mb, _, _ in seen.get(process.pid, [])]
    per_portrait = max(1, round(len(command) / max(made, 1)))  # samples for each portrait
    growths = {pid: slope_per_100(of, chosen.settled) for pid, of in held.items()}
    own = slope_per_100(command[::per_portrait], chosen.settled)
    handles = {
        pid: count_extra_handles(of) for pid, of in seen.items() if pid in (*held, process.pid)
    }
    known = [g for g in (*growths.values(), own) if g is not None]
    good = (
        process.returncode == (3 if broken else 0)
        and failed == broken
        and not again
        and bool(known)
        and max(known) <= chosen.floor
        and max(handles.values(), default=0) <= MORE_HANDLES
    )
    print(
        json.dumps(
            {
                "good": good,
                "portraits": made,
                "failed": failed,
                "meant_to_fail": broken,
                "tried_again": again,
                "workers_started": len(held),
                "seconds": round(seconds, 1),
                "worker_growth_mb_per_100": list(growths.values()),
                "command_growth_mb_per_100": own,
                "worker_held_mb": [[round(of[0]), round(of[-1])] for of in held.values()],
                "more_files_or_threads": list(handles.values()),
                "exit_code": process.returncode,
                "refine": chosen.refine,
                "machine": describe_machine(),
                "busy": read_system_load(),
            }
        )
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
