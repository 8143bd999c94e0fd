"""External files of a run: HDR images for lighting, motions for poses."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from ...engine.core.types import LikenessError

HDR_PICTURES = ("environments", (".exr", ".hdr"))
MOTIONS = ("motions", (".npz",))
"""Name and suffixes of a kind of file."""


def has_bpy() -> bool:
    """Whether this Python has Blender's module."""
    return "bpy" in sys.modules or importlib.util.find_spec("bpy") is not None


def bundled_environments() -> list[Path]:
    """Blender's bundled environments, which are CC0; none if bpy is not installed."""
    if not has_bpy():
        return []
    import bpy

    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    return sorted(folder.glob("*.exr"))


def find_files(places: Sequence[Path], kind: tuple[str, Sequence[str]]) -> list[Path]:
    """The files of a kind among the given files and folders.

    Args:
        places: files and folders.
        kind: ``HDR_PICTURES`` or ``MOTIONS``.

    Raises:
        LikenessError: A place contains no such file.
    """
    what, suffixes = kind
    out: list[Path] = []
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        found = [path for path in found if path.suffix.lower() in suffixes and path.is_file()]
        if not found:
            raise LikenessError(
                f"'{place}' holds no {what} ({' or '.join(suffixes)}).",
                f"Give such files or folders of them, or leave --{what} out.",
            )
        out += found
    return out
