"""The content of a local shard, read without decoding pictures: for cards, sheets and packing."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..core.types import LikenessError
from ..files.untrusted import parse_json

_REMEDY = "Remove it, or make it again."


@dataclass(frozen=True)
class StoredSubject:
    """A subject in a local tar file.

    Attributes:
        key: Of the subject.
        about: Its JSON.
        read: Returns the bytes of the member of a name.
    """

    key: str
    about: dict[str, Any]
    read: Callable[[str], bytes]


def read_stored_subjects(path: Path) -> Iterator[StoredSubject]:
    """Iterate over the subjects of a local shard without reading their pictures.

    Raises:
        LikenessError: It cannot be read.
    """
    for key, read, names in _groups(path):
        if "json" in names:
            try:
                about = parse_json(read("json"))
            except ValueError as error:
                raise LikenessError(
                    f"'{path}' has a subject '{key}' that cannot be read ({error}).", _REMEDY
                ) from error
            yield StoredSubject(key, about, read)


def read_members(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Iterate over keys and members of all subjects in a local shard.

    They are as :func:`write_members` takes them.

    Raises:
        LikenessError: It cannot be read.
    """
    for key, read, names in _groups(path):
        yield key, {name: read(name) for name in names}


def _groups(path: Path) -> Iterator[tuple[str, Callable[[str], bytes], list[str]]]:
    """Each subject's key, how to read its members, and their names."""
    try:
        with tarfile.open(path, "r:") as tar:
            pairs = [(member.name.partition("."), member) for member in tar.getmembers()]
            for key, group in groupby(pairs, lambda pair: pair[0][0]):
                members = {name[2]: member for name, member in group}

                def read(name: str, members: dict[str, tarfile.TarInfo] = members) -> bytes:
                    return _content(path, tar, members[name])

                yield key, read, list(members)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read as a shard ({error}).", _REMEDY) from error


def _content(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of a member, which must be a file: links could lead anywhere."""
    try:
        file = tar.extractfile(member) if member.isreg() else None
        if file is not None:
            return file.read()
        error: Exception = ValueError("it is not a file")
    except (OSError, tarfile.TarError, ValueError) as problem:
        error = problem
    raise LikenessError(f"'{member.name}' in '{path}' cannot be read ({error}).", _REMEDY)
