"""Hand broken files to every reader: ``python -m tests.fuzz --count 1000 --seed 0``.

Each input goes to a child process of its own with bounds on memory and time. Good is what is read,
and what is refused with a LikenessError that has a remedy. Prints one line of JSON with the counts;
every other outcome goes to stderr, its input is kept where ``--keep`` says, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from .children import GOOD, Outcome, run
from .mutate import MARKER
from .targets import TARGETS, Target

TIMEOUT = 30.0
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_THREADING_LAYER": "workqueue",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="inputs over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", help="only these readers")
    parser.add_argument("--keep", type=Path, help="folder for inputs that were handled badly")
    parser.add_argument("--good", type=int, help="of each reader's good files, try so many first")
    parser.add_argument("--timeout", type=float, default=TIMEOUT)
    arguments = parser.parse_args(argv)
    chosen = [t for t in TARGETS if not arguments.target or t.name in arguments.target]
    available = [target for target in chosen if target.available]
    os.environ.update(_ENVIRONMENT)  # before numba and numpy are imported
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    slowest = (0.0, "")
    largest = 0
    with tempfile.TemporaryDirectory(prefix="likeness-fuzz-") as folder:
        for at, target in enumerate(available):
            share = arguments.count * (at + 1) // len(available)
            share -= arguments.count * at // len(available)
            for k, outcome in _outcomes(target, share, Path(folder), arguments):
                counts["inputs"] += 1
                counts[outcome.kind] += 1
                slowest = max(slowest, (round(outcome.seconds, 2), f"{target.name} {k}"))
                largest = max(largest, outcome.megabytes)
                if outcome.kind not in GOOD:
                    print(f"{target.name} {k}: {outcome.kind}: {outcome.detail}", file=sys.stderr)
    bad = {name: counts[name] for name in ("traceback", "hang", "killed", "partial", "unpickled")}
    print(
        json.dumps(
            {
                "seed": arguments.seed,
                "inputs": counts["inputs"],
                "readers": len(available),
                "left_out": [t.name for t in chosen if not t.available],
                "read": counts["read"],
                "refused": counts["refused"],
                **bad,
                "slowest_s": slowest[0],
                "slowest": slowest[1],
                "most_mb": largest,
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
    )
    return int(any(bad.values()))


def _outcomes(target, share, folder, arguments):  # type: ignore[no-untyped-def]
    """The good files first, which must be read; then ``share`` broken ones."""
    good = folder / target.name / "good"
    good.mkdir(parents=True)
    for module in target.modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # neither the next target nor a child looks at all modules again
    # In a child as well: this process must never start threads, which forks would lack.
    made = run(lambda: target.make(good), folder, 120.0, 8 << 30)
    if made.kind != "read":
        raise RuntimeError(f"{target.name}: {made.detail}")
    files = sorted(path for path in good.rglob("*") if path.suffix in target.mutations)
    for victim in [files[0]] if target.whole else files[: arguments.good]:
        outcome = _one(target, good, victim, None, folder, arguments)
        if outcome.kind != "read":
            outcome = Outcome("traceback", f"a good file: {outcome.detail}", outcome.seconds, 0)
            yield victim.name, outcome
    for k in range(share):
        rng = Random(f"{arguments.seed}/{target.name}/{k}")
        yield k, _one(target, good, rng.choice(files), rng, folder, arguments)


def _one(
    target: Target,
    good: Path,
    victim: Path,
    rng: Random | None,
    folder: Path,
    arguments: argparse.Namespace,
) -> Outcome:
    work = folder / "work"
    copy, out = work / "in", work / "out"
    shutil.copytree(good, copy)
    out.mkdir()
    path = copy / victim.relative_to(good)
    if rng is not None:
        path.write_bytes(target.mutations[victim.suffix](path.read_bytes(), rng))
    entry = copy if target.whole else path
    outcome = run(
        lambda: (target.read(entry, out), None)[1],
        work,
        max(arguments.timeout, target.seconds),
        target.memory,
    )
    left = sorted(p.name for p in out.rglob("*"))
    hidden = [name for name in left if name.startswith(".") or ".part" in name or ".tmp" in name]
    if (work / MARKER).exists():
        outcome = Outcome("unpickled", f"{victim.name} ran a program", outcome.seconds, 0)
    elif outcome.kind in GOOD and (hidden or (outcome.kind == "refused" and left)):
        outcome = Outcome("partial", f"left {left} ({outcome.detail})", outcome.seconds, 0)
    if outcome.kind not in GOOD and arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        number = len(list(arguments.keep.iterdir()))
        shutil.copytree(copy, arguments.keep / f"{number:04d}-{target.name}-{victim.name}")
    shutil.rmtree(work)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
