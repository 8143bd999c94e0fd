"""The worker in a Python that the user has chosen: what it gets from Blender's, and its excuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from likeness.addon.workers import process
from likeness.addon.workers.jobs import JobState, WorkerJob, worker_command
from likeness.engine.core.types import LikenessError

LOOK = {"task": "environment"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python of this version without any package."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    found = [folder / "bin" / "python", folder / "Scripts" / "python.exe"]
    return str(next(path for path in found if path.exists()))


def ended(command: list[str]) -> WorkerJob:
    job = WorkerJob(LOOK, command)
    job.wait()
    return job


def test_a_python_of_the_same_version_gets_blenders_packages(bare: str) -> None:
    job = ended(worker_command(python=bare))
    assert job.state is JobState.DONE
    assert job.result is not None
    assert job.result["executable"] == bare
    assert job.result["missing"] == []


def test_a_python_of_another_version_does_not(bare: str) -> None:
    command = worker_command(python=bare)
    (index,) = [i for i, word in enumerate(command) if word == sys.implementation.cache_tag]
    command[index] = "cpython-399"
    job = ended(command)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert bare in job.error.message
    assert "No module named" in job.error.message
    assert "Preferences" in job.error.remedy


def test_blenders_own_python_without_the_wheels_asks_for_a_restart(tmp_path: Path) -> None:
    """Another Blender of the same profile may delete them under a running one."""
    (tmp_path / "__init__.py").write_text("import gone_with_the_wheels")
    job = ended(worker_command(engine=tmp_path, packages=[]))
    assert job.error is not None
    assert "No module named 'gone_with_the_wheels'" in job.error.message
    assert sys.executable not in job.error.message
    assert "Restart Blender" in job.error.remedy
    assert "Preferences" not in job.error.remedy


def test_an_old_python_says_so(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = "import sys; sys.version_info = (3, 9, 2)\n"
    monkeypatch.setattr(process, "_BOOT", old + process._BOOT)
    job = ended(worker_command(python=bare))
    assert job.error is not None
    assert "It is Python 3.9; 3.11 or later is needed." in job.error.message


def test_the_boot_is_readable_by_old_pythons() -> None:
    """Python 2 and early 3 have to get as far as the sentence about their age."""
    assert "f'" not in process._BOOT
    assert 'f"' not in process._BOOT
    before = process._BOOT[: process._BOOT.index("import importlib.util")]
    assert "sys.version_info <" in before


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    text = tmp_path / "python.txt"
    text.write_text("no program")
    with pytest.raises(LikenessError, match=r"python\.txt' cannot be started"):
        WorkerJob(LOOK, worker_command(python=str(text)))


def test_packages_are_named_as_json() -> None:
    command = worker_command(packages=["/a b/site-packages"])
    assert json.dumps(["/a b/site-packages"]) in command
