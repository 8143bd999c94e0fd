"""The benchmark of the window, as far as it goes without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "windowed.py"


def test_starts_from_any_folder(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, SCRIPT, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert "--quick" in said.stdout
