"""The avatars of a folder with their pictures, such as a batch's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from ..engine.workflows.build_files import AVATAR_FILE, AVATAR_SUFFIX, THUMBNAIL_SUFFIX

MAX_SHOWN = 500
"""Avatars of a folder that the gallery shows."""


class _Store:
    previews: Any = None
    folder: tuple[str, float] | None = None
    items: list[tuple[str, str, str, int, int]] = []  # noqa: RUF012


def list_avatar_files(folder: Path) -> list[Path]:
    """List the avatar files of a folder and its subfolders; hidden ones are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.rglob(f"*{AVATAR_SUFFIX}")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


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

    The folder is read again when something was added to it or removed from it.
    """
    if folder is None:
        return []
    try:
        state = (str(folder), folder.stat().st_mtime)
    except OSError:
        state = (str(folder), 0.0)
    if state != _Store.folder:
        clear_gallery()
        _Store.folder = state
        for row, path in enumerate(list_avatar_files(folder)[:MAX_SHOWN]):
            title = avatar_title(path, folder)
            _Store.items.append((str(path), title, str(path), _icon(path), row))
    return _Store.items


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
    _Store.items.clear()
