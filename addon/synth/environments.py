"""The HDR pictures that light synthetic people."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from ...engine.types import LikenessError

SUFFIXES = (".exr", ".hdr")


def has_bpy() -> bool:
    """Whether this Python has Blender's module."""
    return "bpy" in sys.modules or importlib.util.find_spec("bpy") is not None


def bundled_environments() -> list[Path]:
    """Blender's own, in the public domain; none where bpy is not installed."""
    if not has_bpy():
        return []
    import bpy

    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    return sorted(folder.glob("*.exr"))


def environments_in(places: Sequence[Path]) -> list[Path]:
    """The HDR pictures among files and in folders.

    Raises:
        LikenessError: a place is missing or holds none.
    """
    out: list[Path] = []
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        found = [path for path in found if path.suffix.lower() in SUFFIXES]
        if not found:
            raise LikenessError(
                f"'{place}' holds no environments ({' or '.join(SUFFIXES)}).",
                "Give HDR pictures or folders of them, or leave --environments out.",
            )
        out += found
    return out
