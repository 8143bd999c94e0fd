"""The linters agree: ruff everywhere, strict types in the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MYPY = "import gc; gc.enable = gc.disable; from mypy.main import main; main(args=['engine'])"
"""mypy without garbage collection, which takes a fifth of its time and finds hardly anything."""


@pytest.mark.parametrize(
    "arguments", [["-m", "ruff", "check", "."], ["-c", MYPY]], ids=["ruff", "mypy"]
)
def test_clean(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
