"""The avatars of a folder with their pictures, such as a batch's results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from ..engine.workflows.build_files import AVATAR_FILE, AVATAR_SUFFIX, THUMBNAIL_SUFFIX
from .folder_files import find_files, list_files, list_folders

MAX_SHOWN = 500
"""Avatars of a folder that the gallery shows."""


class _Store:
    previews: Any = None
    folder: Path | None = None
    stamps: tuple[float, ...] = ()
    subfolders: list[Path] = []  # noqa: RUF012
    items: list[tuple[str, str, str, int, int]] = []  # noqa: RUF012


def find_avatar_files(folder: Path) -> list[Path]:
    """List the avatar files of a folder and its subfolders, by name.

    Raises:
        LikenessError: The folder does not exist, or holds none.
    """
    return find_files(folder, (AVATAR_SUFFIX,), "avatars")


def find_picture(avatar: Path) -> Path | None:
    """Return the picture beside an avatar file: its thumbnail, or a batch's view from the front."""
    beside = [avatar.with_suffix(THUMBNAIL_SUFFIX)]
    if avatar.name == AVATAR_FILE:
        beside.append(avatar.parent / "views" / "front.jpg")
    return next((path for path in beside if path.is_file()), None)


def avatar_title(avatar: Path, folder: Path) -> str:
    """Return the name of an avatar in the gallery."""
    named = avatar.parent if avatar.name == AVATAR_FILE else avatar.with_suffix("")
    return named.relative_to(folder).as_posix() if named != folder else avatar.stem


def gallery_items(folder: Path | None) -> list[tuple[str, str, str, int, int]]:
    """Return the enum items of a folder's avatars, with pictures where a window shows them.

    The folder is read again when something was added to it or a subfolder, or removed.
    """
    if folder is None:
        return []
    if folder != _Store.folder or _stamp(_Store.subfolders) != _Store.stamps:
        clear_gallery()
        _Store.folder, _Store.subfolders = folder, list_folders(folder)
        _Store.stamps = _stamp(_Store.subfolders)
        files = list_files(_Store.subfolders, (AVATAR_SUFFIX,))
        for row, path in enumerate(files[:MAX_SHOWN]):
            title = avatar_title(path, folder)
            _Store.items.append((str(path), title, str(path), _icon(path), row))
    return _Store.items


def _stamp(folders: Sequence[Path]) -> tuple[float, ...]:
    """When each folder was changed; 0 where it is missing."""
    return tuple(_changed_at(folder) for folder in folders)


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _icon(avatar: Path) -> int:
    picture = find_picture(avatar)
    if picture is None or bpy.app.background:
        return 0
    if _Store.previews is None:
        _Store.previews = bpy.utils.previews.new()
    return int(_Store.previews.load(str(avatar), str(picture), "IMAGE").icon_id)


def clear_gallery() -> None:
    """Forget the folder and free its pictures."""
    if _Store.previews is not None:
        bpy.utils.previews.remove(_Store.previews)
    _Store.previews, _Store.folder = None, None
    _Store.stamps, _Store.subfolders = (), []
    _Store.items.clear()
