"""The Blenders that the checks run in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

#: ``check(module, function, **arguments)`` runs a check inside a Blender and gives its answer.
Check = Callable[..., Any]


def blender_python(version: str) -> Path | None:
    """The interpreter with that Blender's bpy; None when it is not installed.

    4.5 is this environment's own; 5.0 lies in ``.venv-bpy50`` (``build.py test`` makes it) or
    where ``LIKENESS_BPY50`` says.
    """
    if version == "4.5":
        return Path(sys.executable) if importlib.util.find_spec("bpy") else None
    folder = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    python = Path(os.environ.get("LIKENESS_BPY50") or ROOT / ".venv-bpy50" / folder)
    return python if python.exists() else None


def checks_in(version: str, folder: Path) -> Check:
    """A :data:`Check` for that Blender, with a user profile of its own below ``folder``."""
    python = blender_python(version)
    if python is None:
        pytest.skip(f"No bpy {version}. Run 'python build.py test'.")

    def check(module: str, function: str, **arguments: Any) -> Any:
        result = folder / "result.json"
        result.unlink(missing_ok=True)
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")}
        done = subprocess.run(
            [python, HERE / "inside.py", module, function, json.dumps(arguments), result],
            capture_output=True, text=True, errors="replace", env=environment, check=False,
        )  # fmt: skip
        assert result.is_file(), f"{function} in Blender {version}:\n" + "\n".join(
            (done.stdout + done.stderr).splitlines()[-40:]
        )
        return json.loads(result.read_text(encoding="utf-8"))

    return check


@pytest.fixture(scope="session", params=["4.5", "5.0"])
def blender(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Check:
    return checks_in(request.param, tmp_path_factory.mktemp(f"blender-{request.param}"))


@pytest.fixture(scope="session")
def blender_lts(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Only Blender 4.5, for what takes long and does not depend on the version."""
    return checks_in("4.5", tmp_path_factory.mktemp("blender-lts"))
