"""The folder of a long run: one run at a time fills it, and a killed run can be resumed.

::

    FOLDER/<marker>   JSON with what the run was begun with; the folder is begun once it exists
    FOLDER/<lock>     held by the process at work

A :class:`Journal` beside them records finished units, one JSON object a line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.types import LikenessError
from .atomic import atomic_write_json
from .folders import folder_write_error, make_parents
from .untrusted import CorruptFileError, parse_json, read_bytes, read_json

MAX_JOURNAL_BYTES = 1 << 30


@dataclass(frozen=True)
class RunFolder:
    """A folder that runs of one kind fill.

    Attributes:
        folder: The folder; it need not exist.
        marker: Name of the file that says that a run was begun, and with what.
        lock: Name of the lock file.
    """

    folder: Path
    marker: str
    lock: str

    @property
    def marker_path(self) -> Path:
        """Path of the marker file."""
        return self.folder / self.marker

    def is_begun(self) -> bool:
        """Whether a run was begun in the folder."""
        return self.marker_path.is_file()

    @contextmanager
    def hold(self, busy: str) -> Iterator[None]:
        """Keep other runs out of the folder; see :func:`exclusive_lock`.

        Args:
            busy: Message of the error while another run is at work.

        Raises:
            LikenessError: Another run is at work, or the folder cannot be written to.
        """
        try:
            with exclusive_lock(self.folder / self.lock, self.marker_path, busy):
                yield
        except OSError as error:
            raise folder_write_error(self.folder, error) from error

    def check_options(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Check that a resumed run has the options that the folder was begun with.

        Args:
            before: What :meth:`read` returned.
            now: This run's options, as JSON would return them.

        Raises:
            LikenessError: They differ.
        """
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if names:
            what = (f"{name} was {before.get(name)!r}, is {now.get(name)!r}" for name in names)
            raise LikenessError(
                f"'{self.folder}' was begun with other options: {'; '.join(what)}.",
                "Give the same options to go on with it, or choose another folder.",
            )

    def read(self) -> dict[str, Any]:
        """Return what the run was begun with.

        Raises:
            LikenessError: The marker is missing or damaged.
        """
        with self.parsing():
            return dict(read_json(self.marker_path))

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Turn the errors of code that reads the marker into a :class:`LikenessError`.

        Raises:
            LikenessError: The marker is missing or damaged.
        """
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LikenessError(
                f"'{self.marker_path}' cannot be read ({error}).",
                "Choose another folder, or remove this one.",
            ) from error

    def write(self, content: Mapping[str, Any]) -> None:
        """Mark the folder as begun, or replace what it says.

        Raises:
            LikenessError: The folder cannot be written to.
        """
        atomic_write_json(self.marker_path, content)


@contextmanager
def exclusive_lock(lock: Path, begun: Path, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Keep other runs out of the folder that ``lock`` lies in, which is created if missing.

    The system releases the lock when the process dies. A folder in which nothing was begun (the
    file ``begun`` is missing at the end of the block) is left as it was.

    Args:
        lock: The lock file.
        begun: The file that a run creates when it begins.
        busy: Message of the error while another run is at work.
        wait: Seconds to wait for the lock.

    Raises:
        LikenessError: Another run is at work, or the folder cannot be written to.
    """
    import filelock

    held = filelock.FileLock(lock)
    with make_parents(lock):
        try:
            held.acquire(timeout=wait)
        except filelock.Timeout as error:
            raise LikenessError(busy, "Wait for it, or choose another folder.") from error
        except OSError as error:
            raise folder_write_error(lock.parent, error) from error
        try:
            yield
        finally:
            held.release()
            if not begun.is_file():
                with suppress(OSError):  # some systems refuse while another process looks at it
                    lock.unlink(missing_ok=True)


class Journal:
    """A file with one JSON object a line; a kill or a full disk costs at most the last line.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_begun(self) -> bool:
        """Whether the file exists."""
        return self.path.is_file()

    def append(self, event: str, **content: Any) -> None:
        """Add a line with the time; it is on the disk when this returns.

        Args:
            event: What happened.
            content: More fields, JSON-able.

        Raises:
            OSError: The disk is full, or the file does not exist: it is not created here.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"at": at, "event": event, **content}).encode() + b"\n"
        with self.path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":  # the last line was cut off
                    line = b"\n" + line
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), end)
                raise

    def read(self) -> list[dict[str, Any]]:
        """Return all readable lines, the oldest first; none where the file is missing."""
        try:
            lines = read_bytes(self.path, MAX_JOURNAL_BYTES).split(b"\n")
        except (OSError, CorruptFileError):
            return []
        entries = []
        for line in lines:
            with suppress(CorruptFileError):  # cut off by a kill or a full disk
                entry = parse_json(line) if line.strip() else None
                if isinstance(entry, dict):
                    entries.append(entry)
        return entries
