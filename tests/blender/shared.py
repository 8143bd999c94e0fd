"""What checks share that run inside Blender; without imports of the package, for installed ones."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.likeness"
addon_utils = importlib.import_module("addon_utils")  # is there once bpy is

_KINDS = (
    *("objects", "meshes", "armatures", "cameras", "images", "materials", "node_groups"),
    *("collections", "actions", "scenes", "shape_keys"),
)


class Recorder:
    """A stand-in for ``UILayout`` that remembers what was drawn."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            said = [a for a in args if isinstance(a, str)] + [options.get("text") or ""]
            self._calls.append(" ".join([name, *said]).strip())
            return (Recorder(self._calls),) * 2 if name == "panel" else Recorder(self._calls)

        return call


def block_names() -> dict[str, list[str]]:
    """Kind -> names of the file's data blocks."""
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in _KINDS}


def attempt(operator: Any, **options: Any) -> str:
    """An operator's result, or what it reports when it fails."""
    try:
        return next(iter(operator(**options)))
    except RuntimeError as error:
        return str(error).strip()


def policy_warnings() -> dict[str, Any]:
    """Blender's complaints about extensions that break its rules."""
    addon_utils._extensions_warnings_get._is_first = True
    return {str(k): list(v) for k, v in addon_utils._extensions_warnings_get().items()}


def enable(zip_path: str) -> None:
    """Enable the extension; it is installed from its zip where no check before has done so."""
    if not (Path(bpy.utils.user_resource("EXTENSIONS")) / "user_default" / "likeness").is_dir():
        install(zip_path, enable=False)
    addon_utils.enable(MODULE, default_set=True)


def kernels_link() -> Path:
    """The extension's folder of compiled loops: a link to the one that all tests share."""
    link = Path(bpy.utils.extension_path_user(MODULE, create=True)) / "numba"
    if not link.exists() and os.name != "nt":  # links take privileges there
        link.symlink_to(os.environ["LIKENESS_KERNELS"], target_is_directory=True)
    return link


def install(zip_path: str, enable: bool = True) -> str:
    """Install the extension from its zip; the operator's result."""
    if MODULE in bpy.context.preferences.addons:
        addon_utils.disable(MODULE, default_set=True)  # by a check before this one
    kernels_link()
    return attempt(
        bpy.ops.extensions.package_install_files,
        filepath=zip_path,
        repo="user_default",
        enable_on_install=enable,
    )
