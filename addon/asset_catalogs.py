"""Catalogs of Blender's asset browser, and what an asset's entry says. No bpy here.

A folder's catalogs stand in one text file. Assets name theirs by a UUID, which is
therefore the same in every file that we write.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..engine.core.types import LikenessError
from ..engine.files.atomic import atomic_write_text

CATALOGS_FILE = "blender_assets.cats.txt"
AVATARS = "Likeness"
"""The catalog of avatars."""
AVATAR_LIBRARY = "Likeness Avatars"
"""The name of a library of avatars in Blender's preferences."""

_HEAD = "VERSION 1"
_NAMESPACE = uuid.UUID("6a3c5be4-6f0e-4b2e-9a74-0a5d5cf5f7d1")


@dataclass(frozen=True)
class AssetInfo:
    """What the asset browser shows of an avatar besides its picture.

    Attributes:
        name: of the avatar; empty to leave it as it is.
        author: empty for that of the photo.
        copyright: empty for that of the photo.
        license: of the asset.
        description: empty for one made from what the avatar is.
    """

    name: str = ""
    author: str = ""
    copyright: str = ""
    license: str = ""
    description: str = ""


def catalog_id(place: str) -> str:
    """UUID of a catalog, such as ``Poses/Body``."""
    return str(uuid.uuid5(_NAMESPACE, place))


def catalogs_text(places: Iterable[str]) -> str:
    """Content of a file with these catalogs, each after its parents."""
    return "\n".join([_HEAD, "", *_lines(places), ""])


def add_catalogs(folder: Path, places: Iterable[str]) -> None:
    """Add catalogs to a folder's file, which keeps those of the user.

    Raises:
        LikenessError: The file cannot be read or written.
    """
    path = folder / CATALOGS_FILE
    if not path.exists():
        atomic_write_text(path, catalogs_text(places))
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error}).", "Repair it, or choose another folder."
        ) from error
    known = {line.partition(":")[0].strip() for line in text.splitlines()}
    new = [line for line in _lines(places) if line.partition(":")[0] not in known]
    if new:
        atomic_write_text(path, "\n".join([text.rstrip("\n"), *new, ""]))


def _lines(places: Iterable[str]) -> list[str]:
    """One line for each catalog: UUID, path and simple name."""
    places = list(places)
    # Without its parents Blender considers a catalog unsaved.
    parents = dict.fromkeys(place.partition("/")[0] for place in places)
    every = dict.fromkeys((*parents, *places))
    return [f"{catalog_id(place)}:{place}:{place.replace('/', '-')}" for place in every]
