"""Programs that take too much are ended with all that they have started."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest
from likeness.addon.workers.watchdog import ResourceLimitError, measure_memory_mb, run_limited

EATER = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(400 << 20); input()"],
                         stdin=subprocess.PIPE)
Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(100)
"""


def test_a_program_that_ends_by_itself() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run_limited([sys.executable, "-c", code], 60, 1000)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_one_that_says_more_than_a_pipe_holds() -> None:
    done = run_limited([sys.executable, "-c", "print('x' * 3_000_000)"], 60, 1000)
    assert len(done.stdout) == 3_000_001


def test_too_long() -> None:
    with pytest.raises(ResourceLimitError, match="longer than 1 s"):
        run_limited([sys.executable, "-c", "import time; time.sleep(100)"], 1, 1000)


def test_too_much_memory_of_what_it_has_started(tmp_path: Path) -> None:
    with pytest.raises(ResourceLimitError, match="more than 300 MB"):
        run_limited([sys.executable, "-c", EATER, str(tmp_path / "pid")], 60, 300)
    child = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 300
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert measure_memory_mb(child) == 0
