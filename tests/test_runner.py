"""The task runner on a newcomer's machine; installs everything again, so it runs when asked for.

``pytest -m soak tests/test_runner.py`` takes some five minutes and the package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SENSITIVE = ("tests/test_version.py", "tests/test_build.py", "tests/blender/test_shipping.py")
"""Tests that folders' names have broken before."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone in a folder named after the project, below one with spaces and umlauts."""
    folder = tmp_path / "Größere Projekte 1" / "likeness"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@pytest.mark.soak
def test_demo_and_tests_pass_in_a_fresh_clone_with_an_empty_home(
    clone: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    dropped = ("LIKENESS", "XDG", "NUMBA", "PYTHON", "BLENDER", "VIRTUAL_ENV")
    env = {k: v for k, v in os.environ.items() if not k.startswith(dropped)} | {"HOME": str(home)}
    for task in (["demo"], ["test", "-x", *SENSITIVE]):
        command = [sys.executable, "build.py", *task]
        done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert (clone / "out" / "astronaut" / "avatar.safetensors").is_file()
    assert (clone / "out" / "astronaut" / "avatar.blend").is_file()
