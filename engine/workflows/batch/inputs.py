"""INPUT...: folders, patterns and files, as portraits of a batch."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...core.types import LikenessError
from ...files.stores import Address, Place, RemoteStore
from ...imaging.media import PICTURE_SUFFIXES
from .batch_folder import HIDDEN, REPORT_FOLDER, RESULT_FILE, is_result
from .portrait_spec import PortraitSpec
from .tables import MAX_PORTRAITS, is_table

OTHER_PICTURES = (
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".psd",
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".raf",
    ".orf",
    ".rw2",
)
"""Kinds of photos that are skipped in folders; some are read where they are named."""


def find_portraits(
    inputs: Sequence[Place], out: Place, options: Mapping[str, Any] | None = None
) -> list[PortraitSpec]:
    """The portraits that ``inputs`` name, each file once, in order.

    A folder gives all picture files in it and in its folders, except hidden ones, ``out``, and
    the output of any batch; links to folders are not followed. A pattern (``*``, ``?``, ``[]``,
    ``**``) gives the files and folders that match. A file that is named itself is used whatever its
    suffix. Addresses are folders, patterns or files, as paths are. A name holds the folders below
    the one that was given, or below a pattern's last folder without a wildcard, so that photos
    elsewhere do not change it.

    Args:
        inputs: files, folders, patterns, or addresses.
        out: where the results go.
        options: of all of them.

    Raises:
        LikenessError: an input does not exist, is not a plain file, or holds no pictures.
    """
    found: dict[Place, PortraitSpec] = {}
    for given in inputs:
        before = len(found)
        some = False
        for photo, name in _files(given, out):
            some = True
            found.setdefault(_same(photo), PortraitSpec(photo, (), name, options or {}))
            if len(found) > MAX_PORTRAITS:
                raise LikenessError(
                    f"There are more than {MAX_PORTRAITS:,} portraits.", "Give them in parts."
                )
        if not some and len(found) == before:
            raise LikenessError(
                f"'{given}' contains no pictures.",
                f"Pictures are files {', '.join(PICTURE_SUFFIXES)}.",
            )
    return list(found.values())


def _same(photo: Place) -> Place:
    """A key that is equal for the same file."""
    if isinstance(photo, Address):
        return photo
    return Path(os.path.realpath(photo))


def _files(given: Place, out: Place) -> Iterator[tuple[Place, str]]:
    """Picture files and the names that their results get."""
    if isinstance(given, Address):
        yield from _stored(given, out)
    else:
        yield from _local(given, None if isinstance(out, Address) else out)


def _stored(given: Address, out: Place) -> Iterator[tuple[Address, str]]:
    text = str(given).rstrip("/")
    if glob.has_magic(text):
        base = text[: re.search(r"[*?[]", text).start()].rpartition("/")[0]  # type: ignore[union-attr]
        for match in RemoteStore(Address(base)).matches(text[len(base) + 1 :]):
            if match.suffix.lower() in PICTURE_SUFFIXES:
                own = PurePosixPath(str(match).removeprefix(base).lstrip("/"))
                yield match, own.with_suffix("").as_posix()
        return
    store = RemoteStore(Address(text))
    if store.is_file():
        yield Address(text), Address(text).stem
        return
    found = store.sizes()
    if not found:
        raise LikenessError(f"'{given}' does not exist, or is empty.", "Check the address.")
    made = {PurePosixPath(name).parent for name in found if name.endswith(f"/{RESULT_FILE}")}
    made |= {
        PurePosixPath(name.partition(f"{HIDDEN}/")[0]) / REPORT_FOLDER
        for name in found
        if HIDDEN in PurePosixPath(name).parts
    }
    for name in sorted(found):
        parts, photo = PurePosixPath(name), Address(text) / name
        hidden = any(part[0] == "." for part in parts.parts)
        if hidden or parts.suffix.lower() not in PICTURE_SUFFIXES or made & set(parts.parents):
            continue
        if not f"{photo}".startswith(f"{str(out).rstrip('/')}/"):
            yield photo, parts.with_suffix("").as_posix()


def _local(given: Path, out: Path | None) -> Iterator[tuple[Path, str]]:
    text, base = str(given), given.parent
    if os.path.lexists(given):
        matches = [given]
    elif glob.has_magic(text):
        matches = sorted(Path(match) for match in glob.iglob(text, recursive=True))
        matches = [m for m in matches if m.is_dir() or m.suffix.lower() in PICTURE_SUFFIXES]
        while glob.has_magic(str(base)):
            base = base.parent
    else:
        raise LikenessError(f"'{given}' does not exist.", "Check the path.")
    for match in matches:
        between = [folder for folder in (match, *match.parents) if base in folder.parents]
        if match != given and any(_is_made(folder, out) for folder in between):
            continue
        if match.is_dir():
            above = PurePosixPath() if match == given else match.relative_to(base)
            for photo, name in _walk(match, out):
                yield photo, (above / name).as_posix()
        elif is_table(match) and match == given:
            raise LikenessError(f"'{given}' is a table.", f"Give it as --job {given}.")
        elif match.is_file() or match != given:  # a link to nothing is a portrait that fails
            yield match, match.relative_to(base).with_suffix("").as_posix()
        else:
            raise LikenessError(
                f"'{given}' is not a plain file.", "Name picture files, folders or patterns."
            )


def _walk(folder: Path, out: Path | None) -> Iterator[tuple[Path, str]]:
    unreadable: list[OSError] = []
    left_out: Counter[str] = Counter()
    for place, folders, names in os.walk(folder, onerror=unreadable.append):
        here = Path(place)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and not _is_made(here / name, out)
        )
        for name in sorted(names):
            path = here / name
            if name[0] != "." and path.suffix.lower() in PICTURE_SUFFIXES:
                yield path, (here.relative_to(folder) / path.stem).as_posix()
            elif path.suffix.lower() in OTHER_PICTURES:
                left_out[path.suffix.lower()] += 1
    if left_out:
        kinds = ", ".join(f"{number} {suffix}" for suffix, number in sorted(left_out.items()))
        warnings.warn(
            f"in '{folder}' pictures of other formats are left out: {kinds}."
            " Export them as JPEG or PNG.",
            stacklevel=2,
        )
    if unreadable:
        error = unreadable[0]
        raise LikenessError(
            f"'{error.filename}' cannot be read: {error.strerror}.", "Check its permissions."
        )


def _is_made(folder: Path, out: Path | None) -> bool:
    """Whether a folder is a batch's: a result, a report, or the output of this one."""
    if is_result(folder) or (folder.name == REPORT_FOLDER and (folder.parent / HIDDEN).is_dir()):
        return True
    return out is not None and _same(folder) == _same(out)
