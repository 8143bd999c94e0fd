"""Writes an avatar's .blend, in this process if it is Blender, else in another one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from ..engine.core.types import LikenessError
from .asset_catalogs import AssetInfo


def can_write_blend() -> bool:
    """Whether this is Blender or its Python module is installed."""
    return "bpy" in sys.modules or importlib.util.find_spec("bpy") is not None


def write_blend(
    avatar: Path, target: Path, photo: Path | None = None, info: AssetInfo | None = None
) -> None:
    """Write the .blend of an avatar file atomically, with the avatar as an asset.

    Args:
        avatar: the avatar file.
        target: the .blend to write.
        photo: the portrait, which is packed into it; None for a file without it.
        info: what the asset browser shows.

    Raises:
        LikenessError: Blender could not write it.
    """
    if "bpy" in sys.modules:
        from .scene.blend_writer import blend_from_avatar

        blend_from_avatar(avatar, target, photo, info)
        return
    # In another process: bpy has one scene, and may crash on exit.
    paths = [str(path.absolute()) if path else "" for path in (avatar, target, photo)]
    words = json.dumps(asdict(info or AssetInfo()))
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.scene.blend_writer", *paths, words],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode or not target.exists():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise LikenessError(
            f"'{target.name}' was not written: {lines[-1] if lines else 'Blender stopped'}.",
            f"The avatar '{avatar}' is complete. Leave the .blend out.",
        )
