"""An avatar's .blend, made in this process if it is Blender, else in another."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from ..engine.core.types import LikenessError


def can_write_blend() -> bool:
    """Whether Blender, or its Python module, is here."""
    return "bpy" in sys.modules or importlib.util.find_spec("bpy") is not None


def write_blend(avatar: Path, target: Path, photo: Path) -> None:
    """Write the .blend of an avatar file, whole or not at all.

    Raises:
        LikenessError: Blender could not write it.
    """
    if "bpy" in sys.modules:
        from .scene.blend_writer import blend_from_avatar

        blend_from_avatar(avatar, target, photo)
        return
    # A process of its own: bpy keeps one scene, and its exit is not always clean.
    paths = [str(path.absolute()) for path in (avatar, target, photo)]
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.scene.blend_writer", *paths],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode or not target.exists():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise LikenessError(
            f"avatar.blend was not written: {lines[-1] if lines else 'Blender stopped'}.",
            f"The avatar itself is complete: '{avatar}'. Leave the .blend out.",
        )
