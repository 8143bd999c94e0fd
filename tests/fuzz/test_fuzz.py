"""A few broken files for every reader in each run; ``python -m tests.fuzz`` hands in thousands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked, with bounds")


def fuzz(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_few_broken_files_for_every_reader() -> None:
    # Longer than the long form's 30 s: a busy machine must not fail it.
    told = fuzz("--count", "24", "--seed", "10", "--good", "1", "--timeout", "120")
    assert told["inputs"] == 24
    assert told["read"]  # not everything is refused, or nothing would be tried
    assert told["refused"]


@pytest.mark.skipif("LIKENESS_FUZZ" not in os.environ, reason="minutes: set LIKENESS_FUZZ=1000")
def test_thousands_of_broken_files() -> None:
    count = os.environ["LIKENESS_FUZZ"]
    assert fuzz("--count", count, "--seed", "0")["inputs"] == int(count)


def test_what_is_wrong_is_found() -> None:
    """The runner's own eyes: a traceback, a hang, a kill, a pickle and a half-written file."""
    code = """
import os, sys, time
from pathlib import Path
from likeness.engine.core.types import LikenessError
from tests.fuzz import __main__ as runner, mutate
from tests.fuzz.targets import Target

def make(folder):
    (folder / "a.txt").write_bytes(b"good" * 100)

def read(path, out):
    if path.read_bytes() == b"good" * 100:
        return
    kind = os.environ["KIND"]
    if kind == "traceback":
        raise KeyError("x")
    if kind == "hang":
        time.sleep(60)
    if kind == "killed":
        os.abort()
    if kind == "memory":
        bytearray(16 << 30)
    if kind == "unpickled":
        Path(mutate.MARKER).touch()
    if kind == "partial":
        (out / "half").write_bytes(b"x")
        raise LikenessError("no", "so what")
    if kind == "silent":
        raise LikenessError("no")

runner.TARGETS = (Target("x", make, read, {".txt": lambda data, rng: data[:-1]}),)
sys.exit(runner.main(["--count", "1", "--timeout", "2"]))
"""
    for kind, told in {
        "traceback": "traceback",
        "hang": "hang",
        "killed": "killed",
        "memory": "traceback",
        "unpickled": "unpickled",
        "partial": "partial",
        "silent": "traceback",
    }.items():
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KIND": kind},
        )
        assert done.returncode == 1, (kind, done.stderr[-2000:])
        assert json.loads(done.stdout)[told] == 1, kind
