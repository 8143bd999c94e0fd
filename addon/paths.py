"""Names and folders of the installed extension."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.files.user_folders import cache_root, data_root

ROOT_PACKAGE = str(__package__).rpartition(".")[0]
"""The extension's own module name, ``bl_ext.….likeness`` when installed."""


def user_folder(name: str) -> Path:
    """A writable folder that survives upgrades; created if missing."""
    if ROOT_PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ROOT_PACKAGE, path=name, create=True))
    folder = data_root() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_folder(name: str) -> Path:
    """A writable folder for what can be made again; created if missing."""
    if ROOT_PACKAGE.startswith("bl_ext."):
        return user_folder(name)
    folder = cache_root() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
