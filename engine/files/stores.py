"""Files at addresses (``s3://bucket/photos``) that the package fsspec reads and writes.

Objects appear atomically: each is written under a temporary name and moved. On a disk the move is
one step; object stores copy, and have no folders, locks or times to rely on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from ..core.types import LikenessError
from .atomic import swap_file
from .folders import safe_join
from .untrusted import read_bytes

SCHEMES = ("file", "memory", "s3", "gs", "gcs", "az", "abfs", "hf", "sftp")
"""Schemes of supported addresses."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Address:
    """The address of a file or folder; it stands in for a :class:`~pathlib.Path`.

    Attributes:
        text: The whole address.

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
        """Return the last part of the address."""
        return PurePosixPath(self.text).name

    @property
    def stem(self) -> str:
        """Return the name without its suffix."""
        return PurePosixPath(self.text).stem

    @property
    def suffix(self) -> str:
        """Return the suffix of the name, with its dot."""
        return PurePosixPath(self.text).suffix

    def absolute(self) -> Address:
        """Return the address itself, which is always absolute."""
        return self


Place = Path | Address


def is_address(text: str) -> bool:
    """Whether a text is an address, not a path.

    >>> is_address("s3://a/b"), is_address("a/b"), is_address("C://a")
    (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def load_fsspec(address: str, also: Sequence[str] = ()) -> Any:
    """Import the package fsspec for an address.

    Args:
        address: What is to be read or written.
        also: Schemes that the caller handles itself, for the error.

    Raises:
        LikenessError: Its scheme is not in :data:`SCHEMES`, or fsspec is not installed.
    """
    if address.partition("://")[0].lower() not in SCHEMES:
        raise LikenessError(
            f"'{address}' is not a supported address.",
            f"Give a path, or an address that begins with {', '.join((*also, *SCHEMES))}://.",
        )
    try:
        import fsspec
    except ImportError as error:
        raise LikenessError(
            f"'{address}' needs the package 'fsspec', which is not installed.",
            "Install the extra 'cluster' (pip install -e '.[cluster]' in the project's folder), "
            "or copy the file to this computer.",
        ) from error
    return fsspec


class LocalStore:
    """A folder of this computer, as :class:`RemoteStore`; the system's errors pass through.

    Attributes:
        address: The folder, absolute.

    Raises:
        LikenessError: Raised by every method if a name leads out of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.address = folder.absolute()

    def _path(self, name: str) -> Path:
        return safe_join(self.address, name)

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the bytes of every file below a folder, by name; empty without the folder."""
        root = self._path(folder) if folder else self.address
        files = [path for path in root.rglob("*") if path.is_file()]
        return {path.relative_to(self.address).as_posix(): path.stat().st_size for path in files}

    def read(self, name: str, most: int) -> bytes:
        """Read a file.

        Raises:
            LikenessError: It has more than ``most`` bytes.
        """
        return read_bytes(self._path(name), most)

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Copy files; their folders are created."""
        for name, path in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._path(name), path)

    def write(self, name: str, content: bytes) -> None:
        """Write ``content`` to ``name``; it is on the disk when this returns."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with swap_file(path, durable=True) as scratch:
            scratch.write_bytes(content)

    def move(self, old: str, new: str) -> None:
        """Rename a file."""
        path = self._path(new)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path(old).replace(path)

    def move_folder(self, old: str, new: str) -> bool:
        """Rename a folder in one step; false where ``new`` exists and is not empty."""
        path = self._path(new)
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            path.rmdir()  # if it is empty
        if path.exists():
            return False
        self._path(old).replace(path)
        return True

    def remove(self, names: Sequence[str]) -> None:
        """Remove files; missing ones are ignored."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        """Remove a folder and its content, if it exists."""
        remove_path(self._path(name))


def remove_path(path: Path) -> None:
    """Remove a file, a link or a folder with its content, as far as the system allows."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class RemoteStore:
    """The files below an address, by names with ``/`` between folders.

    Attributes:
        address: The address.

    Raises:
        LikenessError: Raised by every method if the store cannot be reached or refuses.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        fsspec = load_fsspec(str(address))
        with self._store_errors():
            self._system, root = fsspec.core.url_to_fs(str(address))
        self._root = str(root).rstrip("/")

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the bytes of every file below a folder, by name; empty without the folder."""
        with self._store_errors():
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                self._own(str(path)): int(about.get("size") or 0) for path, about in found.items()
            }

    def matches(self, pattern: str = "") -> list[Address]:
        """Return the files that match this address with ``pattern`` appended."""
        with self._store_errors():
            found = self._system.glob(self._path(pattern))
            files = [path for path in found if self._system.isfile(path)]
            return [self.address / self._own(path) for path in sorted(map(str, files))]

    def is_file(self) -> bool:
        """Whether the address is of a file."""
        with self._store_errors():
            return bool(self._system.isfile(self._root))

    def read(self, name: str, most: int) -> bytes:
        """Read a file.

        Raises:
            LikenessError: It has more than ``most`` bytes.
        """
        with self._store_errors(), self._system.open(self._path(name), "rb") as file:
            content: bytes = file.read(most + 1)
        if len(content) > most:
            raise LikenessError(f"'{self.address}' has more than {most:,} bytes.", "Check it.")
        return content

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Copy files to this computer in parallel; their folders are created."""
        if not files:
            return
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._store_errors():
            self._system.get(
                [self._path(name) for name in files], [str(path) for path in files.values()]
            )

    def put(self, path: Path, name: str) -> None:
        """Copy a local file to ``name``."""
        own = self._path(f"{name}.part-{uuid4().hex[:12]}")
        with self._store_errors():
            self._make_folder(name)
            self._system.put_file(str(path), own)
            self._system.mv(own, self._path(name))

    def write(self, name: str, content: bytes) -> None:
        """Write ``content`` to ``name``."""
        own = self._path(f"{name}.part-{uuid4().hex[:12]}")
        with self._store_errors():
            self._make_folder(name)
            self._system.pipe_file(own, content)
            self._system.mv(own, self._path(name))

    def move(self, old: str, new: str) -> None:
        """Rename a file."""
        with self._store_errors():
            self._make_folder(new)
            self._system.mv(self._path(old), self._path(new))

    def move_folder(self, old: str, new: str) -> bool:
        """Return false: object stores have no folders that could be renamed in one step."""
        return False

    def remove(self, names: Sequence[str]) -> None:
        """Remove files; missing ones are ignored."""
        with self._store_errors():
            for name in names:
                if self._system.isfile(self._path(name)):
                    self._system.rm_file(self._path(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder and its content, if it exists."""
        with self._store_errors():
            if self._system.exists(self._path(name)):
                self._system.rm(self._path(name), recursive=True)

    def _make_folder(self, name: str) -> None:
        """Create a file's folder where the store has folders."""
        self._system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _own(self, path: str) -> str:
        """Return the name of what the store calls ``path``."""
        return path[len(self._root) :].lstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Turn the errors of any store into a LikenessError."""
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
    """Return a file's store and its name there."""
    folder, _, name = str(address).rpartition("/")
    return RemoteStore(Address(folder)), name


def fetch_address(address: Address, path: Path, most: int) -> None:
    """Copy one file to this computer.

    Args:
        address: The file.
        path: The copy.
        most: Limit in bytes.

    Raises:
        LikenessError: The file does not exist, or has more than ``most`` bytes.
    """
    store, name = open_store(address)
    size = store.sizes(name).get(name)
    if size is None:
        raise LikenessError(f"'{address}' does not exist.", "Check the address.")
    if size > most:
        raise LikenessError(f"'{address}' has {size:,} bytes.", f"The limit is {most:,}.")
    store.fetch({name: path})
