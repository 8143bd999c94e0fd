"""Checks that fork from one Blender are as apart as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.blender import conftest


def test_nothing_reaches_the_next_check(blender) -> None:
    assert blender("fork_checks", "leave") == ["mesh", "property", "file", "variable"]
    assert blender("fork_checks", "look") == []
    blender("fork_checks", "remove")
    assert blender("fork_checks", "leave") == ["mesh", "property", "file", "variable"]
    assert blender("fork_checks", "look") == []


@pytest.mark.parametrize(("name", "said"), [("crash", "about to crash"), ("fail", "wrong")])
def test_failures_say_what_was_printed(blender, name: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        blender("fork_checks", name)
    assert blender("fork_checks", "look") == []


needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks for checks")


@needs_fork
def test_a_check_that_hangs_ends_with_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bpy")
    server = conftest.CheckServer(Path(sys.executable), dict(os.environ), tmp_path / "log.txt")
    words = ["fork_checks", "look", "{}", str(tmp_path / "result.json")]
    assert server.run(words, dict(os.environ), tmp_path / "said.txt") == ""
    monkeypatch.setattr(conftest, "_LONGEST", 2)
    words[1] = "hang"
    started = _note_children(server, monkeypatch)
    with pytest.raises(subprocess.TimeoutExpired) as hung:
        server.run(words, dict(os.environ), tmp_path / "said.txt")
    assert b"about to hang" in hung.value.output
    assert len(started) == 1
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def _note_children(
    server: conftest.CheckServer, monkeypatch: pytest.MonkeyPatch
) -> list[psutil.Process]:
    """A list that gets the checks which run when the server is closed."""
    found: list[psutil.Process] = []
    close = server.close

    def note() -> None:
        found.extend(psutil.Process(server._process.pid).children(recursive=True))
        close()

    monkeypatch.setattr(server, "close", note)
    return found


@needs_fork
def test_a_check_that_hangs_does_not_outlive_pytest(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    asked = {
        "check": ["fork_checks", "hang", "{}", str(tmp_path / "result.json")],
        "environment": dict(os.environ),
        "output": str(tmp_path / "said.txt"),
        "seconds": 2,
    }
    # Its input ends after the one request, as when pytest was killed.
    done = subprocess.run(
        [sys.executable, conftest.HERE / "inside.py", "--serve"],
        input=json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "-14\n"), "ended by its alarm"
    assert "about to hang" in (tmp_path / "said.txt").read_text(encoding="utf-8")
