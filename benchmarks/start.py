"""Start-up times of commands: ``--help``, and a build before its first stages.

    python benchmarks/start.py [--quick] [--photo FILE] [--runs N]

A build is ended when it reports its stage ``detect``, by which it has loaded the photo and the
body. Times are medians, after a run that fills the caches, from the start of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from likeness.engine.files.weights import cache_assets_dir
from render import describe_machine, read_system_load

SAMPLE = cache_assets_dir().parent / "downloads" / "astronaut.png"
STAGES = ("load", "detect")
# Containers often set this variable; then every process compiles the sources again.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def help_seconds() -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "likeness", "--help"]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - begun


def stage_seconds(photo: Path) -> dict[str, float]:
    """Stage -> seconds until it begins."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="likeness-start-") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "likeness", "build", str(photo), "-o", out],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.strip() in STAGES:
                found[line.strip()] = time.perf_counter() - begun
            if STAGES[-1] in found:
                process.kill()
                break
        process.communicate()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three runs")
    parser.add_argument("--photo", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=9)
    chosen = parser.parse_args()
    runs = 3 if chosen.quick else chosen.runs
    stage_seconds(chosen.photo)
    times: dict[str, list[float]] = {"help": [], **{stage: [] for stage in STAGES}}
    for _ in range(runs):
        times["help"].append(help_seconds())
        for stage, seconds in stage_seconds(chosen.photo).items():
            times[stage].append(seconds)
    found = {name: round(statistics.median(of), 2) for name, of in times.items()}
    print(
        f"--help {found['help']} s; a build reads the photo after {found['load']} s, looks for "
        f"the person after {found['detect']} s"
    )
    print(
        json.dumps(
            {
                "machine": describe_machine(),
                "busy": read_system_load(),
                "runs": runs,
                "seconds": found,
            }
        )
    )


if __name__ == "__main__":
    main()
