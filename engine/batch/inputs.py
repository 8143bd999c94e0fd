"""INPUT...: folders, patterns and files, as portraits of a batch."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..imaging.media import PICTURE_SUFFIXES
from ..types import LikenessError
from .asked import Asked
from .tables import MOST_PORTRAITS, is_table


def portraits_in(
    inputs: Sequence[Path], out: Path, options: Mapping[str, Any] | None = None
) -> list[Asked]:
    """The portraits that ``inputs`` name, each file once, in order.

    A folder gives all picture files in it and in its folders, but for hidden ones and ``out``;
    links to folders are not followed. A pattern (``*``, ``?``, ``[]``, ``**``) gives the files and
    folders that fit. A file that is named itself is taken whatever its name ends in.

    Args:
        out: where the results go. options: of all of them.

    Raises:
        LikenessError: something is not there, is no plain file, or holds no pictures.
    """
    found: dict[Path, Asked] = {}
    for given in inputs:
        before = len(found)
        some = False
        for photo, name in _files(given, out.absolute()):
            some = True
            found.setdefault(_same(photo), Asked(photo, (), name, options or {}))
            if len(found) > MOST_PORTRAITS:
                raise LikenessError(
                    f"There are more than {MOST_PORTRAITS:,} portraits.", "Give them in parts."
                )
        if not some and len(found) == before:
            raise LikenessError(
                f"There are no pictures in '{given}'.",
                f"Pictures are files {', '.join(PICTURE_SUFFIXES)}.",
            )
    return list(found.values())


def _same(photo: Path) -> Path:
    """A path that is equal for the same file."""
    return Path(os.path.realpath(photo))


def _files(given: Path, out: Path) -> Iterator[tuple[Path, str]]:
    """Picture files and the names that they shall have."""
    text = str(given)
    if os.path.lexists(given):
        matches = [given]
    elif glob.has_magic(text):
        matches = sorted(Path(match) for match in glob.iglob(text, recursive=True))
        matches = [m for m in matches if m.is_dir() or m.suffix.lower() in PICTURE_SUFFIXES]
    else:
        raise LikenessError(f"'{given}' does not exist.", "Check the path.")
    for match in matches:
        if match.is_dir():
            yield from _walk(match, out)
        elif is_table(match) and match == given:
            raise LikenessError(f"'{given}' is a table.", f"Give it as --job {given}.")
        elif match.is_file():
            yield match, match.stem
        elif match == given:
            raise LikenessError(
                f"'{given}' is no plain file.", "Name picture files, folders or patterns."
            )


def _walk(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    unreadable: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unreadable.append):
        here = Path(place)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and (here / name).absolute() != out
        )
        for name in sorted(names):
            path = here / name
            if name[0] != "." and path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
                yield path, (here.relative_to(folder) / path.stem).as_posix()
    if unreadable:
        error = unreadable[0]
        raise LikenessError(
            f"'{error.filename}' cannot be read: {error.strerror}.", "Check its permissions."
        )
