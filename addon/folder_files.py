"""Files of a folder that the user chose, such as a batch's output: avatars and motions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..engine.core.types import LikenessError
from ..engine.workflows.build_files import AVATAR_FILE, AVATAR_SUFFIX

DEPTH = 2
"""Levels of subfolders that count: a batch writes ``anna`` or ``cast/anna``."""


def list_folders(folder: Path) -> list[Path]:
    """List a folder and its subfolders, down to :data:`DEPTH`, by name.

    Hidden folders are left out, and folders in a result's own folder (which holds
    ``avatar.safetensors``) are not looked through. Folders that cannot be read count as empty.
    """
    found: list[Path] = []
    level = [folder]
    for depth in range(DEPTH + 1):
        found += level
        if depth < DEPTH:
            level = [inner for one in level for inner in _subfolders(one)]
    return sorted(found)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            inner = [entry for entry in entries if not entry.name.startswith(".")]
        if any(entry.name == AVATAR_FILE for entry in inner):
            return []
        return [Path(entry.path) for entry in inner if entry.is_dir()]
    except OSError:
        return []


def list_files(folders: Sequence[Path], suffixes: Sequence[str]) -> list[Path]:
    """List the files of folders that end in one of the suffixes, by name, without hidden ones."""
    found: list[Path] = []
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_file()]
        except OSError:  # removed meanwhile, or not ours to read
            continue
        found += [folder / name for name in names if _counts(name, suffixes)]
    return sorted(found)


def _counts(name: str, suffixes: Sequence[str]) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def find_files(folder: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    """List the files of a folder and its subfolders, by name.

    Args:
        folder: where to look, as :func:`list_folders` does.
        suffixes: of the files, in lower case.
        what: the files' name in messages, in the plural.

    Raises:
        LikenessError: The folder does not exist, or holds none.
    """
    if not folder.is_dir():
        raise LikenessError(f"The folder '{folder}' does not exist.", "Choose another one.")
    found = list_files(list_folders(folder), suffixes)
    if not found:
        raise LikenessError(f"There are no {what} in '{folder}'.", "Choose another folder.")
    return found


def find_avatar_files(folder: Path) -> list[Path]:
    """List the avatar files of a folder and its subfolders, by name.

    Raises:
        LikenessError: The folder does not exist, or holds none.
    """
    return find_files(folder, (AVATAR_SUFFIX,), "avatars")


def avatar_title(avatar: Path, folder: Path) -> str:
    """Return the name of an avatar in the gallery and in libraries."""
    named = avatar.parent if avatar.name == AVATAR_FILE else avatar.with_suffix("")
    return named.relative_to(folder).as_posix() if named != folder else avatar.stem


def name_assets(avatars: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Return the titles of avatars, which name their files in a library.

    Args:
        avatars: the avatar files.
        folder: that they were found in.

    Raises:
        LikenessError: Two would be the same file, on some system at least.
    """
    titles = {avatar: avatar_title(avatar, folder) for avatar in avatars}
    taken: dict[str, Path] = {}
    for avatar, title in titles.items():
        other = taken.setdefault(title.casefold(), avatar)
        if other != avatar:
            raise LikenessError(
                f"'{other}' and '{avatar}' would both be '{title}.blend' in a library.",
                "Rename or move one of them.",
            )
    return titles
