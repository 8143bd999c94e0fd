"""A batch of real portraits: rate with one worker and with more, and growth of memory.

    python benchmarks/batch.py [--quick] [--photo FILE] [--portraits N] [--workers N ...]
                               [--refine off|fast|full] [--recycle N]
                               [--cluster auto|ADDRESS] [--turns N] [--stand-ins N] [--counting X]

Builds the same photo ``--portraits`` times with different fields of view, once for each number of
``--workers`` (1 2), all cores shared among them. Rates are of the whole command, its start
included. ``growth`` is how many MB more a worker holds after its last portrait than after its
third, for each 100 portraits: the first ones fill the caches. ``--quick`` builds two small ones
with each, which shows no growth. On a busy machine the rates mean little.

``--cluster`` compares pool and Ray: both build the portraits with the last of ``--workers``, in
turn and ``--turns`` times (3), and the medians are compared: the same portraits take a shared
machine up to a third longer at one time than at another. ``--stand-ins`` builds no portraits: pool
and Ray each have two workers do N units of half a second, in turn as well; ``--counting`` (0.5) of
that is work and the rest waiting, so that 0 measures the hand-over even where other programs use
the cores. The units an hour are compared from the first that is done to the last; the start is
reported separately, with the rate of the whole run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likeness.addon.workers.executors import open_executor
from likeness.addon.workers.plan import ClusterConfig, PoolConfig
from likeness.addon.workers.serving import SendEvent, UnitMaker, serve_units
from likeness.engine.files.weights import cache_assets_dir
from likeness.engine.workflows.batch.batch_folder import BatchFolder
from likeness.engine.workflows.executor import Executor, Unit, as_completed
from render import describe_machine, read_system_load

SAMPLE = cache_assets_dir().parent / "downloads" / "astronaut.png"
SETTLED = 3
"""Portraits after which a worker has opened and compiled everything that it needs."""


STAND_IN, UNIT_SECONDS = "--stand-in-worker", 0.5


def open_stand_in(request: Mapping[str, Any], say: SendEvent) -> UnitMaker:
    """Open a maker of units that wait and count."""

    def make(unit: Unit) -> Mapping[str, Any]:
        for step in range(5):
            say("progress", key=unit["key"], fraction=step / 5)
            time.sleep(unit["wait"] / 5)
            sum(k * k for k in range(int(unit["count"])))
        return {}

    return make


def calibrate_count(seconds: float) -> int:
    """How far this machine counts, as units do, in a fifth of ``seconds``."""
    if not seconds:
        return 0
    start, numbers = time.process_time(), 300_000
    sum(k * k for k in range(numbers))
    return int(numbers * seconds / 5 / (time.process_time() - start))


def time_stand_ins(
    cluster: ClusterConfig | None, units: int, share: float, count: int
) -> dict[str, float]:
    """Seconds until the first unit is done, and units an hour, after it and of the whole run."""
    begun = time.perf_counter()
    command = [sys.executable, str(Path(__file__).resolve()), STAND_IN]
    executor: Executor = open_executor({}, PoolConfig(2, 1), "", cluster, (), command)
    wait = UNIT_SECONDS * (1 - share)
    todo = [{"key": str(k), "count": count, "wait": wait} for k in range(units)]
    ends = []
    try:
        for said in as_completed(executor, todo):
            if said.kind == "done":
                ends.append(time.perf_counter() - begun)
    finally:
        executor.end()
    assert len(ends) == units
    whole = time.perf_counter() - begun
    return {
        "first": round(ends[0], 2),
        "per_hour": round(3600 * (units - 1) / (ends[-1] - ends[0])),
        "whole_per_hour": round(3600 * units / whole),
        "stop": round(whole - ends[-1], 2),
    }


def compare_stand_ins(cluster: ClusterConfig, units: int, share: float, turns: int) -> None:
    """Time pool and Ray in turn."""
    count = calibrate_count(UNIT_SECONDS * share)
    runs: dict[str, list[dict[str, float]]] = {"pool": [], "ray": []}
    for _ in range(turns):
        runs["pool"].append(time_stand_ins(None, units, share, count))
        runs["ray"].append(time_stand_ins(cluster, units, share, count))
    found = {
        name: {key: statistics.median(one[key] for one in some) for key in some[0]}
        for name, some in runs.items()
    }
    for name, one in found.items():
        print(
            f"{name}: {one['per_hour']:,.0f} units an hour after the first, which took "
            f"{one['first']:.1f} s; {one['whole_per_hour']:,.0f} with start and end"
        )
    times = found["ray"]["per_hour"] / found["pool"]["per_hour"]
    print(f"Ray: {times:.2f} times the pool")
    print(
        json.dumps(
            {
                "machine": describe_machine(),
                "busy": read_system_load(),
                "runs": runs,
                "ray": round(times, 3),
            }
        )
    )


def time_batch(photo: Path, portraits: int, workers: int, options: list[str]) -> dict[str, Any]:
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
        "workers": workers,
        "portraits": portraits,
        "seconds": round(seconds, 1),
        "per_hour": round(3600 * portraits / seconds, 1),
        "growth_mb_per_100": round(max(growths)) if growths else None,
    }


def compare_batches(
    photo: Path, portraits: int, workers: int, options: list[str], on_ray: list[str], turns: int
) -> None:
    """Time pool and Ray in turn, with real portraits."""
    ways = {"pool": options, "ray": on_ray}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            runs[name].append(time_batch(photo, portraits, workers, way))
    rates = {name: [one["per_hour"] for one in some] for name, some in runs.items()}
    for name, some in rates.items():
        print(
            f"{name}, {workers} workers: {statistics.median(some):.1f} an hour "
            f"({min(some):.1f} to {max(some):.1f})"
        )
    times = statistics.median(rates["ray"]) / statistics.median(rates["pool"])
    print(f"Ray: {times:.2f} times the pool")
    print(
        json.dumps(
            {
                "machine": describe_machine(),
                "busy": read_system_load(),
                "runs": runs,
                "ray": round(times, 3),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--photo", type=Path, default=SAMPLE)
    parser.add_argument("--portraits", type=int)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--refine", choices=("off", "fast", "full"), default="fast")
    parser.add_argument("--recycle", type=int, default=10_000)
    parser.add_argument("--cluster")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--stand-ins", type=int, metavar="N")
    parser.add_argument("--counting", type=float, default=0.5, metavar="X")
    chosen = parser.parse_args()
    if chosen.stand_ins:
        cluster = ClusterConfig(chosen.cluster or "auto")
        compare_stand_ins(cluster, chosen.stand_ins, chosen.counting, chosen.turns)
        return
    options = ["--refine", chosen.refine, "--recycle", str(chosen.recycle), "--no-report"]
    if chosen.quick:
        options = ["--refine", "off", "--max-gaussians", "20000", "--no-preview", "--no-report"]
    portraits = chosen.portraits or (2 if chosen.quick else 12)
    if chosen.cluster:
        on_ray = [*options, "--cluster", chosen.cluster]
        compare_batches(chosen.photo, portraits, chosen.workers[-1], options, on_ray, chosen.turns)
        return
    found = [time_batch(chosen.photo, portraits, n, options) for n in chosen.workers]
    for one in found:
        times = one["per_hour"] / found[0]["per_hour"]
        print(
            f"{one['workers']} workers: {one['per_hour']:7.1f} an hour, {times:.2f} times the "
            f"first; growth {one['growth_mb_per_100']} MB per 100 portraits"
        )
    print(json.dumps({"machine": describe_machine(), "busy": read_system_load(), "runs": found}))


if __name__ == "__main__":
    if sys.argv[1:] == [STAND_IN]:
        sys.exit(serve_units(open_stand_in))
    main()
