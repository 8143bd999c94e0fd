"""Atomic writes of a file, several files or a whole folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..core.types import LikenessError
from .folders import (
    WRITE_ERRORS,
    check_output_folder,
    describe_error,
    folder_write_error,
    make_folder,
)


@contextmanager
def swap_file(path: Path, *, shared: bool = False, durable: bool = False) -> Iterator[Path]:
    """Yield a path beside ``path``, with its suffix, that replaces it when the block succeeds.

    The form of :func:`atomic_write` for callers with their own error messages: the system's errors
    pass through.

    Args:
        path: The file to write.
        shared: Several processes may be writing it at once; the last one wins.
        durable: Flush the file to the disk before it replaces ``path``.

    Yields:
        The path to write to.

    Raises:
        OSError: The folder is missing, full or read-only.
    """
    own = f"-{uuid4().hex[:12]}" if shared else ""
    scratch = path.with_name(f".{path.stem}{own}.part{path.suffix}")
    try:
        yield scratch
        if durable:
            flush_to_disk(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path, *, shared: bool = False, make_parent: bool = False) -> Iterator[Path]:
    """Yield a path beside ``path``, with its suffix, that replaces it when the block succeeds.

    Args:
        path: The file to write.
        shared: Several processes may be writing it at once; the last one wins.
        make_parent: Create the file's folder first.

    Yields:
        The path to write to.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    if make_parent:
        make_folder(path.parent)
    try:
        with swap_file(path, shared=shared) as scratch:
            yield scratch
    except WRITE_ERRORS as error:
        raise LikenessError(
            f"Cannot write '{path}': {describe_error(error)}.",
            "Choose a folder that exists and has room.",
        ) from error


def atomic_write_text(path: Path, text: str, *, shared: bool = False) -> None:
    """Write a UTF-8 text file; what UTF-8 cannot encode is written as backslash escapes.

    Args:
        path: The file to write.
        text: Its content.
        shared: See :func:`atomic_write`.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    with atomic_write(path, shared=shared) as scratch:
        scratch.write_text(text, encoding="utf-8", errors="backslashreplace")


def atomic_write_json(
    path: Path, content: Any, *, shared: bool = False, ensure_ascii: bool = True
) -> None:
    """Write a JSON file, indented by one space and ending in a newline.

    Args:
        path: The file to write.
        content: What :func:`json.dumps` accepts.
        shared: See :func:`atomic_write`.
        ensure_ascii: See :func:`json.dumps`.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    text = json.dumps(content, indent=1, ensure_ascii=ensure_ascii) + "\n"
    atomic_write_text(path, text, shared=shared)


@contextmanager
def atomic_write_files(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder whose files move into ``folder`` together when the block succeeds.

    Other files in ``folder`` stay.

    Args:
        folder: Where the files go; created if missing.

    Yields:
        The scratch folder.

    Raises:
        LikenessError: ``folder`` is a file, full or read-only. An error of the block that names the
            scratch folder is raised with ``folder`` in its place.
    """
    check_output_folder(folder)
    folder = folder.absolute()
    # In the folder itself if it exists: it may be on another disk than its parent.
    home = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".likeness-", dir=home) as scratch:
            yield Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path(scratch).iterdir()):
                path.replace(folder / path.name)
    except LikenessError as error:
        raise LikenessError(error.message.replace(scratch, str(folder)), error.remedy) from error
    except WRITE_ERRORS as error:
        raise folder_write_error(folder, error) from error


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty hidden folder that replaces ``folder`` when the block succeeds.

    What a killed process left beside ``folder`` is removed first.

    Args:
        folder: The folder to write; its parents are created.

    Yields:
        The folder to write to.

    Raises:
        LikenessError: It cannot be written.
    """
    scratch = folder.with_name(f".{folder.name}.part")
    old = folder.with_name(f".{folder.name}.old.part")
    try:
        for leftover in (scratch, old):
            if leftover.exists():
                shutil.rmtree(leftover)
        scratch.mkdir(parents=True)
        yield scratch
        if folder.exists():
            folder.rename(old)
        scratch.rename(folder)
    except WRITE_ERRORS as error:
        raise folder_write_error(folder, error) from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for leftover in (scratch, old):
            shutil.rmtree(leftover, ignore_errors=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file is on the disk, not only in the system's memory.

    Raises:
        OSError: The disk is full.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
