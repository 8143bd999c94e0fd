"""Output folders: names that stay inside them, checks before the work, errors of writing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError

from ..core.types import LikenessError

WRITE_ERRORS = (OSError, SafetensorError)
"""What a full or read-only disk raises: safetensors has its own error for it."""


def describe_error(error: Exception) -> str:
    """Return the system's description of an error if it has one, else the error's own text."""
    return getattr(error, "strerror", None) or str(error)


def folder_write_error(folder: Path, error: Exception) -> LikenessError:
    """Return the error to raise for a folder that is missing, full or read-only."""
    return LikenessError(
        f"Cannot write to '{folder}': {describe_error(error)}.",
        "Choose another folder, or make room.",
    )


def safe_join(folder: Path, name: str) -> Path:
    """Join ``folder`` and a name that comes from a table, an archive or another file.

    Args:
        folder: Where the path must stay.
        name: A relative path; a backslash separates folders, too.

    Raises:
        LikenessError: The path would lie elsewhere: ``name`` is absolute, contains ``..`` or leads
            out through a link.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    plain = parts and not any(part == ".." or "\0" in part or ":" in part for part in parts)
    path = folder.joinpath(*parts)
    if not plain or parts[0] == "/" or not path.resolve().is_relative_to(folder.resolve()):
        raise LikenessError(
            f"{name!r} does not lie inside '{folder}'.",
            "Give a name without '..', ':' or a leading '/'.",
        )
    return path


def check_output_folder(folder: Path) -> None:
    """Check, before the work starts, that files can be written into a folder.

    Args:
        folder: It need not exist; then its nearest existing parent is checked.

    Raises:
        LikenessError: It or a parent is a file, or is read-only.
    """
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
            if not os.access(path, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{path}'.", "Choose another folder.")
            return


@contextmanager
def make_parents(*files: Path) -> Iterator[None]:
    """Create the folders of ``files``; afterwards remove those of them that stayed empty.

    Raises:
        LikenessError: A folder cannot be created or is read-only.
    """
    made: list[Path] = []
    try:
        for file in files:
            folder = file.absolute().parent
            make_folder(folder, made)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{folder}'.", "Choose another folder.")
        yield
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # not empty
                folder.rmdir()


def make_folder(folder: Path, made: list[Path] | None = None) -> None:
    """Create a folder and its parents where they are missing.

    Args:
        folder: The folder to create.
        made: The folders that it creates are appended, parents first.

    Raises:
        LikenessError: It or a parent is a file, or cannot be created.
    """
    for path in reversed((folder, *folder.parents)):
        if path.exists() and not path.is_dir():
            raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
        if not path.exists():
            try:
                path.mkdir(exist_ok=True)
            except OSError as error:
                raise folder_write_error(folder, error) from error
            if made is not None:
                made.append(path)
