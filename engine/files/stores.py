"""Files at addresses (``s3://bucket/photos``) that the package fsspec reads and writes.

An object appears whole or not at all: it is written under a name of its own and moved. On a disk
the move is one step; object stores copy inside, and have no folders, locks or times to rely on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

from ..core.types import LikenessError

SCHEMES = ("file", "memory", "s3", "gs", "gcs", "az", "abfs", "hf", "sftp")
"""Of addresses that are read and written."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Address:
    """Where a file or a folder lies, as a whole: it stands for a :class:`~pathlib.Path` where
    either may be given.

    >>> anna = Address("s3://cast/in") / "anna.jpg"
    >>> str(anna), anna.name, anna.stem, anna.suffix
    ('s3://cast/in/anna.jpg', 'anna.jpg', 'anna', '.jpg')
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> Address:
        return Address(f"{self.text.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return PurePosixPath(self.text).name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.text).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.text).suffix

    def absolute(self) -> Address:
        return self


Place = Path | Address


def is_address(text: str) -> bool:
    """Whether a text is an address, not a path.

    >>> is_address("s3://a/b"), is_address("a/b"), is_address("C://a")
    (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def parse_place(text: str) -> Place:
    """A path or an address."""
    return Address(text) if is_address(text) else Path(text)


class RemoteStore:
    """The files below an address, by names with ``/`` between folders.

    Every method raises a LikenessError where the store cannot be reached or refuses.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        scheme = str(address).partition("://")[0].lower()
        if scheme not in SCHEMES:
            raise LikenessError(
                f"'{address}' is no address that is read and written.",
                f"Give a path, or an address that begins with {', '.join(SCHEMES)}://.",
            )
        try:
            import fsspec
        except ImportError as error:
            raise LikenessError(
                f"'{address}' needs the package 'fsspec', which is not installed.",
                "Install the extra 'cluster': pip install -e '.[cluster]' in the project's folder.",
            ) from error
        with self._told():
            self._system, root = fsspec.core.url_to_fs(str(address))
        self._root = str(root).rstrip("/")

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Bytes of every file below a folder; empty where there is none."""
        with self._told():
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                self._own(str(path)): int(about.get("size") or 0) for path, about in found.items()
            }

    def matches(self, pattern: str = "") -> list[Address]:
        """The files that a pattern fits, of this address with ``pattern`` after it."""
        with self._told():
            found = self._system.glob(self._path(pattern))
            files = [path for path in found if self._system.isfile(path)]
            return [self.address / self._own(path) for path in sorted(map(str, files))]

    def is_file(self) -> bool:
        """Whether the address is that of a file."""
        with self._told():
            return bool(self._system.isfile(self._root))

    def read(self, name: str, most: int) -> bytes:
        """What a file holds.

        Raises:
            LikenessError: it has more than ``most`` bytes.
        """
        with self._told(), self._system.open(self._path(name), "rb") as file:
            content: bytes = file.read(most + 1)
        if len(content) > most:
            raise LikenessError(f"'{self.address}' has more than {most:,} bytes.", "Check it.")
        return content

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Copy files here, several at a time; the folders are made."""
        if not files:
            return
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._system.get(
                [self._path(name) for name in files], [str(path) for path in files.values()]
            )

    def put(self, path: Path, name: str) -> None:
        """Copy a file there."""
        own = self._path(f"{name}.part-{uuid4().hex[:12]}")
        with self._told():
            self._make_folder(name)
            self._system.put_file(str(path), own)
            self._system.mv(own, self._path(name))

    def write(self, name: str, content: bytes) -> None:
        """Make a file of bytes."""
        own = self._path(f"{name}.part-{uuid4().hex[:12]}")
        with self._told():
            self._make_folder(name)
            self._system.pipe_file(own, content)
            self._system.mv(own, self._path(name))

    def move(self, old: str, new: str) -> None:
        """Give a file another name."""
        with self._told():
            self._make_folder(new)
            self._system.mv(self._path(old), self._path(new))

    def remove(self, names: Sequence[str]) -> None:
        """Remove files; those that are not there are no error."""
        with self._told():
            for name in names:
                if self._system.isfile(self._path(name)):
                    self._system.rm_file(self._path(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder and all in it, if it is there."""
        with self._told():
            if self._system.exists(self._path(name)):
                self._system.rm(self._path(name), recursive=True)

    def _make_folder(self, name: str) -> None:
        """Where there are folders; object stores have none."""
        self._system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _own(self, path: str) -> str:
        """The name of what the store calls ``path``."""
        return path[len(self._root) :].lstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every store has errors of its own kind."""
        try:
            yield
        except LikenessError:
            raise
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise LikenessError(
                f"'{self.address}' cannot be reached, read or written: {words[:300]}",
                "Check the address, your rights there, and the package for such addresses.",
            ) from error


def open_store(address: Address) -> tuple[RemoteStore, str]:
    """A file's store and its name in it."""
    folder, _, name = str(address).rpartition("/")
    return RemoteStore(Address(folder)), name


def fetch_address(address: Address, path: Path, most: int) -> None:
    """Copy one file here.

    Raises:
        LikenessError: it is not there, or has more than ``most`` bytes.
    """
    store, name = open_store(address)
    size = store.sizes(name).get(name)
    if size is None:
        raise LikenessError(f"'{address}' is not there.", "Check the address.")
    if size > most:
        raise LikenessError(f"'{address}' has {size:,} bytes.", f"At most {most:,} are taken.")
    store.fetch({name: path})
