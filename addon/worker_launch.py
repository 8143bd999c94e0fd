"""Where the worker runs: in Blender's own Python, or in an environment that the user has made.

The extension brings along what makes avatars on every computer. PyTorch and what draws on a GPU
are too large for that; who wants them installs them in a Python environment of their own and
names it in the preferences. Nothing is installed from here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import bpy

from ..engine.core.types import LikenessError
from .paths import user_folder
from .preferences import get_preferences
from .workers.jobs import worker_command

_INSIDE = ("bin/python3", "bin/python", "Scripts/python.exe", "python.exe")
"""Where an environment's folder has its Python."""


def resolve_python(chosen: Path) -> Path:
    """The interpreter of what the user chose: the program itself, or an environment's folder.

    Raises:
        LikenessError: there is no Python.
    """
    if chosen.is_file():
        return chosen
    for name in _INSIDE:
        if (chosen / name).is_file():
            return chosen / name
    raise LikenessError(
        f"There is no Python at '{chosen}'.",
        "Choose another one in Preferences > Add-ons > Likeness, or leave it empty.",
    )


def engine_python(context: Any) -> Path | None:
    """The interpreter that the user wants the worker to run in; None for Blender's own.

    Raises:
        LikenessError: see :func:`resolve_python`.
    """
    chosen = get_preferences(context).engine_python
    return resolve_python(Path(bpy.path.abspath(chosen))) if chosen else None


def get_worker_command(context: Any) -> tuple[list[str], dict[str, str]]:
    """The command that starts the worker, and the variables that it gets.

    Raises:
        LikenessError: the Python that the user chose is not there.
    """
    python = engine_python(context)
    command = worker_command(python=str(python) if python else sys.executable)
    return command, worker_variables(context)


def worker_variables(context: Any) -> dict[str, str]:
    """Where the worker may write and look for models, and that it stays offline with Blender."""
    weights = [*map(str, weights_folders(context)), os.environ.get("LIKENESS_WEIGHTS", "")]
    out = {
        # Compiled loops are kept where the extension may write.
        "NUMBA_CACHE_DIR": str(user_folder("numba")),
        "LIKENESS_WEIGHTS": os.pathsep.join(filter(None, weights)),
    }
    if not bpy.app.online_access:
        out |= {"LIKENESS_ALLOW_DOWNLOAD": "0", "HF_HUB_OFFLINE": "1"}
    return out


def weights_folders(context: Any) -> list[Path]:
    """Where models lie: in the folder that the user chose, and in the extension's own."""
    chosen = get_preferences(context).models_folder
    own = user_folder("weights")
    return [Path(bpy.path.abspath(chosen)), own] if chosen else [own]


def cache_folders() -> dict[str, Path]:
    """What may be deleted at any time, by name."""
    return {name: user_folder(name) for name in CACHES}


CACHES = {"numba": "Compiled loops"}
"""Folder of a cache -> what it holds."""
