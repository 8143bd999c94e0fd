"""INPUT...: folders, patterns and files, as portraits of a batch."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..imaging.media import PICTURE_SUFFIXES
from ..stores import Address, Place, Store
from ..types import LikenessError
from .asked import Asked
from .tables import MOST_PORTRAITS, is_table


def portraits_in(
    inputs: Sequence[Place], out: Place, options: Mapping[str, Any] | None = None
) -> list[Asked]:
    """The portraits that ``inputs`` name, each file once, in order.

    A folder gives all picture files in it and in its folders, but for hidden ones and ``out``;
    links to folders are not followed. A pattern (``*``, ``?``, ``[]``, ``**``) gives the files and
    folders that fit. A file that is named itself is taken whatever its name ends in. Addresses
    are folders, patterns or files as paths are.

    Args:
        out: where the results go. options: of all of them.

    Raises:
        LikenessError: something is not there, is no plain file, or holds no pictures.
    """
    found: dict[Place, Asked] = {}
    for given in inputs:
        before = len(found)
        some = False
        for photo, name in _files(given, out):
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


def _same(photo: Place) -> Place:
    """What is equal for the same file."""
    if isinstance(photo, Address):
        return photo
    return Path(os.path.realpath(photo))


def _files(given: Place, out: Place) -> Iterator[tuple[Place, str]]:
    """Picture files and the names that they shall have."""
    if isinstance(given, Address):
        yield from _stored(given, out)
    else:
        yield from _local(given, None if isinstance(out, Address) else out.absolute())


def _stored(given: Address, out: Place) -> Iterator[tuple[Address, str]]:
    text = str(given).rstrip("/")
    if glob.has_magic(text):
        base = text[: re.search(r"[*?[]", text).start()].rpartition("/")[0]  # type: ignore[union-attr]
        for match in Store(Address(base)).matches(text[len(base) + 1 :]):
            if match.suffix.lower() in PICTURE_SUFFIXES:
                yield match, match.stem
        return
    store = Store(Address(text))
    if store.is_file():
        yield Address(text), Address(text).stem
        return
    found = store.sizes()
    if not found:
        raise LikenessError(f"'{given}' does not exist, or is empty.", "Check the address.")
    for name in sorted(found):
        parts, photo = PurePosixPath(name), Address(text) / name
        hidden = any(part[0] == "." for part in parts.parts)
        if hidden or parts.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        if not f"{photo}".startswith(f"{str(out).rstrip('/')}/"):
            yield photo, parts.with_suffix("").as_posix()


def _local(given: Path, out: Path | None) -> Iterator[tuple[Path, str]]:
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


def _walk(folder: Path, out: Path | None) -> Iterator[tuple[Path, str]]:
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
