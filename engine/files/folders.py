"""Output folders: checked before the work, filled all at once, held by one run at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..core.types import LikenessError
from .atomic import WRITE_ERRORS, describe_error


def safe_join(folder: Path, name: str) -> Path:
    """The path of ``name`` below ``folder``, for names that come from tables, archives and files.

    Raises:
        LikenessError: it would lie elsewhere: an absolute path, one with ``..``, or one that a
            link leads out.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    plain = parts and not any(part == ".." or "\0" in part or ":" in part for part in parts)
    path = folder.joinpath(*parts)
    if not plain or parts[0] == "/" or not path.resolve().is_relative_to(folder.resolve()):
        raise LikenessError(
            f"{name!r} is no place inside of '{folder}'.",
            "Give a name without '..', ':' or a leading '/'.",
        )
    return path


def check_output_folder(folder: Path) -> None:
    """Raise the error of an unusable output folder before the work rather than after it."""
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
            if not os.access(path, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{path}'.", "Choose another folder.")
            return


@contextmanager
def atomic_write_files(folder: Path) -> Iterator[Path]:
    """A scratch folder whose files move into ``folder`` together when the block succeeds."""
    check_output_folder(folder)
    folder = folder.absolute()
    # In the folder itself if it is there: it may be another disk than what is around it.
    home = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".likeness-", dir=home) as scratch:
            yield Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path(scratch).iterdir()):
                path.replace(folder / path.name)
    except LikenessError as error:  # of a file in the scratch folder, which nobody knows
        raise LikenessError(error.message.replace(scratch, str(folder)), error.remedy) from error
    except WRITE_ERRORS as error:
        raise folder_write_error(folder, error) from error


@contextmanager
def make_parents(*files: Path) -> Iterator[None]:
    """Make the folders of ``files``; those that stay empty are taken away again.

    Raises:
        LikenessError: a folder cannot be made, or not be written to.
    """
    made: list[Path] = []
    try:
        for file in files:
            folder = file.absolute().parent
            _make_folder(folder, made)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise LikenessError(f"Cannot write to '{folder}'.", "Choose another folder.")
        yield
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # something is in it
                folder.rmdir()


@contextmanager
def exclusive_lock(lock: Path, begun: Path, taken: str, wait: float = 0.0) -> Iterator[None]:
    """Keep other runs out of the folder that ``lock`` lies in, which is made if it is not there.

    The system lets go of it when the process dies. A folder in which nothing was begun (there is
    no file ``begun`` at the end) is left as it was.

    Args:
        taken: what is said while another run is at work.
        wait: seconds for which the lock is waited for.

    Raises:
        LikenessError: one is, or the folder cannot be written to.
    """
    import filelock

    held = filelock.FileLock(lock)
    with make_parents(lock):
        try:
            held.acquire(timeout=wait)
        except filelock.Timeout as error:
            raise LikenessError(taken, "Wait for it, or choose another folder.") from error
        except OSError as error:
            raise folder_write_error(lock.parent, error) from error
        try:
            yield
        finally:
            held.release()
            if not begun.is_file():
                with suppress(OSError):  # some systems keep it while anybody looks at it
                    lock.unlink(missing_ok=True)


def folder_write_error(folder: Path, error: Exception) -> LikenessError:
    """The error of a folder that is missing, full or read-only."""
    return LikenessError(
        f"Cannot write to '{folder}': {describe_error(error)}.",
        "Choose another folder, or make room.",
    )


def _make_folder(folder: Path, made: list[Path]) -> None:
    for path in reversed((folder, *folder.parents)):
        if path.exists() and not path.is_dir():
            raise LikenessError(f"'{path}' is a file, not a folder.", "Choose another folder.")
        if not path.exists():
            try:
                path.mkdir()
            except OSError as error:
                raise folder_write_error(folder, error) from error
            made.append(path)
