"""What several threads do, in a process that has them: ``build.py test`` gives each test one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "tests/engine/core/test_threads.py",
    "tests/engine/gaussians/test_refine.py",
    "tests/engine/render/test_gradients.py",
)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS > 1, reason="they run in this process")
def test_several_threads_do_the_same() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "threads", *FILES],
        cwd=ROOT,
        env=environment | {"NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
    assert " passed" in done.stdout


def test_every_file_with_such_tests_is_run() -> None:
    marked = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests/engine").rglob("test_*.py"))
        if "pytest.mark.threads" in path.read_text(encoding="utf-8")
    ]
    assert marked == list(FILES)
