"""How the worker is started: in Blender's own Python, or in an environment of the user's.

The extension bundles all packages that avatars need. PyTorch and GPU rasterisers are too large to
bundle: users install them in their own Python environment and choose it in the preferences.
Nothing is installed from here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from ..engine.core.types import LikenessError
from ..engine.core.version import VERSION
from .paths import user_folder
from .preferences import get_preferences
from .scene.kept_groups import FOLDER as GROUPS_FOLDER
from .workers.jobs import ENGINE_DIR, worker_command

_INSIDE = ("bin/python3", "bin/python", "Scripts/python.exe", "python.exe")
"""Paths of the interpreter in an environment's folder."""


def resolve_python(chosen: Path) -> Path:
    """The interpreter of the user's choice: the executable itself, or an environment's folder.

    Raises:
        LikenessError: There is no Python at that path.
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
    """The interpreter for the worker that the user chose; None for Blender's own.

    Raises:
        LikenessError: There is no Python at the chosen path.
    """
    chosen = get_preferences(context).engine_python
    return resolve_python(Path(bpy.path.abspath(chosen))) if chosen else None


def get_worker_command(context: Any) -> tuple[list[str], dict[str, str]]:
    """The command that starts the worker, and its environment variables.

    Raises:
        LikenessError: There is no Python at the chosen path.
    """
    python = engine_python(context)
    command = worker_command(python=str(python or ""))
    return command, worker_variables(context)


def worker_variables(context: Any) -> dict[str, str]:
    """Environment variables: cache and model folders, and offline mode if Blender is offline."""
    weights = [*map(str, weights_folders(context)), os.environ.get("LIKENESS_WEIGHTS", "")]
    kernels = user_folder("numba")
    out = {
        "LIKENESS_KERNELS": str(kernels),
        "NUMBA_CACHE_DIR": str(kernels / "libraries"),
        "LIKENESS_WEIGHTS": os.pathsep.join(filter(None, weights)),
    }
    if not bpy.app.online_access:
        out |= {"LIKENESS_ALLOW_DOWNLOAD": "0", "HF_HUB_OFFLINE": "1"}
    return out


def weights_folders(context: Any) -> list[Path]:
    """The folders of models: the user's choice, and the extension's own."""
    chosen = get_preferences(context).models_folder
    own = user_folder("weights")
    return [Path(bpy.path.abspath(chosen)), own] if chosen else [own]


def is_compiled() -> bool:
    """Whether the worker has compiled everything that a build needs."""
    mark = _compiled_mark()
    return mark.is_file() and mark.read_bytes() == _installed_version()


def mark_compiled() -> None:
    """Record that the worker has compiled everything."""
    _compiled_mark().write_bytes(_installed_version())


def _compiled_mark() -> Path:
    """A file in the cache, so that clearing the cache removes it too."""
    return user_folder("numba") / "compiled.txt"


def _installed_version() -> bytes:
    """The version and its time of installation: quicker to read than the sources' digest."""
    return f"{VERSION} {(ENGINE_DIR / '__init__.py').stat().st_mtime_ns}".encode()


def cache_folders() -> dict[str, Path]:
    """Name -> folder of everything that may be deleted at any time."""
    return {name: user_folder(name) for name in CACHES}


CACHES = {"numba": "Compiled loops", GROUPS_FOLDER: "Node group"}
"""Folder of a cache -> its content, for people."""
