"""The picture of a file of a MakeHuman library."""

from __future__ import annotations

from pathlib import Path

from ..engine.core.types import LikenessError


def find_library_picture(file: Path) -> tuple[Path | None, bool]:
    """Find the picture of a .mhclo file: the one beside it, else its texture.

    Args:
        file: of the library.

    Returns:
        picture: None without one.
        textured: whether it is the texture.
    """
    from ..engine.wardrobe.asset_files import find_thumbnail, list_materials, load_material

    if file.suffix.lower() != ".mhclo" or not file.is_file():
        return None, False
    beside = find_thumbnail(file)
    if beside is not None:
        return beside, False
    try:
        named = list_materials(file)
        return (load_material(named[0]).texture if named else None), True
    except LikenessError:  # a broken file is shown without a picture; putting it on says why
        return None, False
