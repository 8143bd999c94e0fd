"""The HDR pictures that light synthetic people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...engine.types import LikenessError

SUFFIXES = (".exr", ".hdr")


def bundled_environments() -> list[Path]:
    """Blender's own, in the public domain; none where bpy is not installed."""
    try:
        import bpy
    except ImportError:
        return []
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
