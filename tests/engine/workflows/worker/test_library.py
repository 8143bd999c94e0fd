"""The worker's task that has a Blender in the background write an asset library."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.worker import library


def run(tmp_path: Path, program: str, count: int = 3) -> tuple[dict[str, Any], list[float]]:
    """The task's result with a program in Blender's place, and the fractions that it reported."""
    seen: list[float] = []
    request = {
        **library.DEFAULTS,
        "command": [sys.executable, "-c", program],
        "profile": str(tmp_path / "profile"),
        "avatars": "cast",
        "output": "out",
        "count": count,
        "author": "Me",
    }
    channel: Any = SimpleNamespace(progress=lambda stage, done, text: seen.append(done))
    return library.run(request, channel), seen


def test_lines_are_counted_and_the_profile_is_its_own(tmp_path: Path) -> None:
    program = """
import os, sys
assert sys.argv[1:] == ["library", "cast", "-o", "out", "--author", "Me"], sys.argv
assert os.path.isdir(os.environ["BLENDER_USER_RESOURCES"])
print("Blender 5.2.2 LTS")
print("out/ann.blend")
print("out/bob.blend is up to date")
print("left out: 'eve' is damaged", file=sys.stderr)
"""
    found, seen = run(tmp_path, program)
    assert found == {"written": 1, "current": 1, "warnings": ["Left out: 'eve' is damaged"]}
    assert seen[0] == 0.0
    assert seen[-1] == 1.0


def test_a_crash_names_its_cause(tmp_path: Path) -> None:
    crash = "raise MemoryError('no room')"
    with pytest.raises(LikenessError, match="not written: MemoryError: no room"):
        run(tmp_path, crash)
    found, _ = run(tmp_path, f"print('out/ann.blend', flush=True); {crash}")
    assert found["written"] == 1
    assert found["warnings"] == ["Not written: 2 of 3, because of: MemoryError: no room"]
    with pytest.raises(LikenessError, match="Blender stopped"):
        run(tmp_path, "import os; os._exit(3)")
    with pytest.raises(LikenessError, match="likeness: out of luck"):
        run(tmp_path, "print('likeness: out of luck. Try again.'); print('Blender quit')")


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    request = {"command": [str(tmp_path / "blender")], "profile": str(tmp_path / "p")}
    channel: Any = SimpleNamespace(progress=lambda *said: None)
    with pytest.raises(LikenessError, match="cannot be started"):
        library.run(
            {**library.DEFAULTS, **request, "avatars": "a", "output": "b", "count": 1}, channel
        )
