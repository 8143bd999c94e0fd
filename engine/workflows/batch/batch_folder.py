"""The output folder of a batch: which results are complete, and how they get there.

::

    OUT/<name>/                        a result: avatar.safetensors, report.json, ...
    OUT/<name>/batch.json              what it was made from, and which files belong to it
    OUT/report/, summary.json, items.jsonl
    OUT/.likeness-batch/journal.jsonl  a line for each end of a unit, and for each run
    OUT/.likeness-batch/work/          half-made results, one folder each
    OUT/.likeness-batch/failed/        pictures of photos that failed
    OUT/.likeness-batch/lock           held while a run goes on
    OUT/.likeness-batch/part-3-of-10/  the same, and the summary, for a run of one part

``batch.json`` decides: a result is complete when its digest is the unit's and all files that it
lists exist in their sizes. A worker makes a result in the work folder, ``batch.json`` last; only
the run that holds the lock moves it to its place, a new one by a single rename. So a run that is
killed at any moment leaves each result either complete or absent, and complete results in the
work folder are used by the next run. Parts of a batch may run in one folder at once, each with
its own lock; a run of all is refused meanwhile. The journal records the events, and the reasons
of failures; it may lose its last line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...core.types import LikenessError
from ...files.atomic import flush_to_disk
from ...files.digests import file_sha256
from ...files.folders import check_output_folder, describe_error, safe_join
from ...files.run_folder import Journal, exclusive_lock
from ...files.stores import LocalStore, Place, RemoteStore, remove_path
from ...files.untrusted import parse_json, read_bytes, read_json
from ..build_files import AVATAR_FILE
from .units import PortraitUnit

HIDDEN = ".likeness-batch"
RESULT_FILE = "batch.json"
VIEWS = "views"
"""Folder in a result for the report's small pictures."""

PICTURES = ("input", "front", "side", "back", "pose")
JOURNAL = "journal.jsonl"
MAX_SMALL = 100_000_000
"""Bytes of a file of a result that is read on this machine."""

_MAX_RESULT = 16 << 20
SUMMARY_FILE, ITEMS_FILE, REPORT_FOLDER = "summary.json", "items.jsonl", "report"


@dataclass(frozen=True)
class BatchPart:
    """A part of a batch: ``number`` from 1, of ``of`` parts."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def result_files(folder: Path) -> tuple[str, dict[str, dict[str, Any]]] | None:
    """The digest and the files of a result; None where there is none, or it is incomplete.

    Returns:
        The digest, and each file's ``size`` and ``sha256`` by its name, with ``/`` between folders.
    """
    said = _result(folder)
    if said is None or not said[0]:
        return None
    return said if all(_there(folder / name, about) for name, about in said[1].items()) else None


def _there(path: Path, about: Mapping[str, Any]) -> bool:
    try:
        return path.stat().st_size == int(about["size"])
    except OSError:
        return False


def is_result(folder: Path) -> bool:
    """Whether a batch has made the folder."""
    return (folder / RESULT_FILE).is_file() and (folder / AVATAR_FILE).is_file()


def is_summary(path: Path) -> bool:
    """Whether a batch has written the file."""
    try:
        return {"likeness", "portraits"} <= set(read_json(path))
    except (OSError, ValueError, TypeError):
        return False


def foreign_file_error(place: Place) -> LikenessError:
    """The error for a file or folder in the way of a batch's output."""
    return LikenessError(
        f"'{place}' is there already, and no batch has made it.",
        "Move it away, or choose another place.",
    )


def _result(folder: Path) -> tuple[str, dict[str, dict[str, Any]]] | None:
    """The content of a result's file, complete or not; None where there is none."""
    try:
        digest, files = parse_result(read_bytes(folder / RESULT_FILE))
        for name in files:
            safe_join(folder, name)
        return digest, files
    except OSError:
        return None
    except (ValueError, LikenessError):
        return "", {}  # altered since a batch wrote it


def parse_result(content: bytes) -> tuple[str, dict[str, dict[str, Any]]]:
    """The digest and the files of a ``batch.json``; empty if it was altered."""
    try:
        about = parse_json(content)
        files = {str(name): dict(facts) for name, facts in about["files"].items()}
        valid = all(
            int(facts["size"]) >= 0 and not set(name.split("/")) & {"", ".", ".."}
            for name, facts in files.items()
        )
        return (str(about["digest"]), files) if valid else ("", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", {}


def format_result(name: str, digest: str, files: Mapping[str, Any]) -> str:
    """The text of a ``batch.json``."""
    content = {"version": 1, "name": name, "digest": digest, "files": files}
    return json.dumps(content, indent=1) + "\n"


def _name_of(folder: Path) -> str:
    said = read_json(folder / RESULT_FILE)
    return str(said.get("name", ""))


def write_result(folder: Path, name: str, digest: str) -> None:
    """Record a folder's files, all of them, as the result of a unit.

    They are on the disk when this returns.

    Args:
        folder: the result's folder.
        name: the unit's name.
        digest: the unit's digest.

    Raises:
        OSError: the disk is full, or the folder is gone.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        own = path.relative_to(folder).as_posix()
        if own != RESULT_FILE:
            flush_to_disk(path)
            files[own] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    LocalStore(folder).write(RESULT_FILE, format_result(name, digest, files).encode())


class BatchFolder:
    """The output folder of the run that holds its lock.

    Attributes:
        out: the folder; of results at an address, a folder here with their small files.
        store: where the results lie.
        run: a name of this run alone.
        told: where its summary lies.
    """

    def __init__(
        self, out: Path, part: BatchPart | None = None, store: RemoteStore | None = None
    ) -> None:
        self.out = out
        self.store: LocalStore | RemoteStore = store or LocalStore(out)
        self.run = uuid4().hex[:12]
        self._hidden = out / HIDDEN if part is None else _part_folder(out, part)
        self.told = out if part is None else self._hidden
        self._journal = Journal(self._hidden / JOURNAL)
        self._work = self._hidden / "work"
        self.failed = self._hidden / "failed"

    def common(self) -> list[Path]:
        """The folders that every machine with workers must see."""
        return [self._journal.path.absolute()]

    def result(self, name: str) -> Path:
        """Where a result lies."""
        return safe_join(self.out, name)

    def begin(self, units: Sequence[PortraitUnit], about: Mapping[str, Any]) -> None:
        """Tidy up what an earlier run has left, and begin a new one in the journal.

        Args:
            units: all units of the run.
            about: the run's entry in the journal.

        Raises:
            LikenessError: the folder cannot be written, or a result's place is taken.
        """
        with self._writing():
            self._check_own()
            self._check_places(units)
            for folder in (self._work, self.failed):
                folder.mkdir(parents=True, exist_ok=True)
            self._journal.path.touch()
            for work in (self._work, *sorted(self._hidden.glob("part-*/work"))):
                self._take_up(work, {unit.name: unit for unit in units})
        self.note("run", run=self.run, **about)

    def _check_own(self) -> None:
        """Refuse to overwrite a report or summary that no batch has written."""
        if any(self.out.glob(f"{HIDDEN}/**/{JOURNAL}")) or is_summary(self.out / SUMMARY_FILE):
            return
        for name in (SUMMARY_FILE, ITEMS_FILE, REPORT_FOLDER):
            if os.path.lexists(self.out / name):
                raise foreign_file_error(self.out / name)

    def _check_places(self, units: Sequence[PortraitUnit]) -> None:
        for unit in units:
            place = self.result(unit.name)
            for parent in [parent for parent in place.parents if self.out in parent.parents]:
                if os.path.lexists(parent) and not parent.is_dir():
                    raise LikenessError(
                        f"'{parent}' is not a folder, and '{unit.name}' must be in one.",
                        "Move it away, or choose another folder.",
                    )
            if not os.path.lexists(place):
                continue
            ours = place.is_dir() and (_result(place) is not None or not any(place.iterdir()))
            # Folders between: cast/ of cast/anna belongs to no result.
            if not ours:
                raise foreign_file_error(place)

    def _take_up(self, work: Path, units: Mapping[str, PortraitUnit]) -> None:
        """Move complete results of an earlier run to their places; remove the others."""
        for folder in sorted(work.iterdir()):
            said = result_files(folder)
            unit = units.get(_name_of(folder)) if said is not None else None
            if unit is not None and said is not None and said[0] == unit.digest:
                have = self.complete(unit)
                if have is None or not set(said[1]) <= set(have):
                    self._take(unit, folder.relative_to(self.out).as_posix())
                    self.note("done", name=unit.name, digest=unit.digest, taken_up=True)
            remove_path(folder)

    def complete(self, unit: PortraitUnit) -> dict[str, dict[str, Any]] | None:
        """The files of a unit's result; None where it is still to be made."""
        said = _result(self.result(unit.name))
        if said is None or not unit.digest or said[0] != unit.digest:
            return None
        return said[1] if len(self._whole_files(unit, said[1])) == len(said[1]) else None

    def _whole_files(
        self, unit: PortraitUnit, files: Mapping[str, dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Those of a result's files that are there in their sizes."""
        return {
            name: about
            for name, about in files.items()
            if self._size(f"{unit.name}/{name}") == int(about["size"])
        }

    def _size(self, name: str) -> int | None:
        """Bytes of a file of a result; None without it."""
        try:
            return (self.out / name).stat().st_size
        except OSError:
            return None

    def work_folder(self) -> Place:
        """A place for a worker to make a result in; it makes the folder itself."""
        work = self._work.relative_to(self.out).as_posix()
        return self.store.address / f"{work}/{self.run}-{uuid4().hex[:12]}"

    def avatar_of(self, unit: PortraitUnit) -> Place:
        """Where a worker finds the avatar of a unit that is complete."""
        return self.store.address / f"{unit.name}/{AVATAR_FILE}"

    def place(self, unit: PortraitUnit, folder: Place) -> dict[str, dict[str, Any]]:
        """Move a worker's result to its place.

        Args:
            unit: the unit.
            folder: where the worker has made it.

        Returns:
            The result's files.

        Raises:
            LikenessError: it is not complete, or the output folder cannot be written.
        """
        with self._writing():
            files = self._take(unit, self._own(folder))
        if files is None:
            self._check_there()
            raise LikenessError(f"The result of '{unit.name}' is not complete.", "Run it again.")
        return files

    def _own(self, folder: Place) -> str:
        """A work folder's name in the store."""
        name, root = (
            place.as_posix() if isinstance(place, Path) else str(place).rstrip("/")
            for place in (folder, self.store.address)
        )
        return name.removeprefix(root + "/")

    def _take(self, unit: PortraitUnit, work: str) -> dict[str, dict[str, Any]] | None:
        """Move a result that is complete to its place; None where it is not."""
        store = self.store
        sizes = store.sizes(work)
        if f"{work}/{RESULT_FILE}" not in sizes:
            return None
        digest, new = parse_result(store.read(f"{work}/{RESULT_FILE}", _MAX_RESULT))
        whole = all(sizes.get(f"{work}/{name}") == about["size"] for name, about in new.items())
        if not new or digest != unit.digest or not whole:
            return None
        files = new
        if not store.move_folder(work, unit.name):
            # There is an earlier result, perhaps with files of the user's own among it: these
            # stay, and until all is there it counts as incomplete.
            before = _result(self.result(unit.name)) or ("", {})
            # A file for another program that was removed or changed no longer counts as a result.
            kept = self._whole_files(unit, before[1]) if before[0] == unit.digest else {}
            files = {**kept, **new}
            place = f"{unit.name}/{RESULT_FILE}"
            store.write(place, format_result(unit.name, "", {**before[1], **new}).encode())
            store.remove([f"{unit.name}/{name}" for name in set(before[1]) - set(files)])
            for name in new:
                store.move(f"{work}/{name}", f"{unit.name}/{name}")
            store.write(place, format_result(unit.name, unit.digest, files).encode())
            store.remove_folder(work)
        self._placed(unit)
        return files

    def _placed(self, unit: PortraitUnit) -> None:
        """Called when a result is in its place."""

    def keep_failed(self, unit: PortraitUnit, folder: Place) -> None:
        """Keep what the report shows of a photo that has failed, and remove the rest.

        That is its picture, and its avatar if only a file for other programs failed.
        """
        work = self._own(folder)
        picture = f"{work}/{VIEWS}/{PICTURES[0]}.jpg"
        with self._writing():
            self._take(unit, work)
            if self.store.sizes(work).get(picture, MAX_SMALL) < MAX_SMALL:
                self.store.fetch({picture: self.failed_picture(unit.name)})
            self.store.remove_folder(work)

    def failed_picture(self, name: str) -> Path:
        """Where the picture of a photo that failed is kept."""
        return safe_join(self.failed, f"{name}.jpg")

    def note(self, event: str, **content: Any) -> None:
        """Add a line to the journal; it is on the disk when this returns.

        Raises:
            LikenessError: the disk is full, or the folder was removed.
        """
        with self._writing():
            self._journal.append(event, **content)

    def history(self) -> list[dict[str, Any]]:
        """All readable lines of the journal, the oldest first."""
        return self._journal.read()

    def close(self) -> None:
        """Remove the work folder, which is empty by now."""
        remove_path(self._work)

    def is_there(self) -> bool:
        """Whether the output folder still exists."""
        return self._journal.is_begun()

    def _check_there(self) -> None:
        if not self.is_there():
            raise _gone(self.out)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _gone(self.out) from error
        except OSError as error:
            raise batch_write_error(self.out, error) from error


def _gone(out: Path) -> LikenessError:
    return LikenessError(
        f"'{out}' was removed or emptied while the batch was at work.",
        "Run the same command again: what is still there is kept.",
    )


def batch_write_error(out: Path, error: Exception) -> LikenessError:
    """The error for a folder that is full or read-only."""
    return LikenessError(
        f"Cannot write to '{out}': {describe_error(error)}.",
        "Make room, or fix the problem, and run the same command again: completed portraits stay.",
    )


PARTS_WAIT_SECONDS = 30.0
"""Time for which a part waits for others that begin at the same moment."""


@contextmanager
def open_batch_folder(out: Path, part: BatchPart | None = None) -> Iterator[BatchFolder]:
    """Open the output folder, made if it is missing, and lock it against other batches.

    The system releases the lock when the process dies. A folder in which nothing was begun is left
    as it was.

    Args:
        out: the output folder.
        part: of the batch: parts of the same count may be at work at once.

    Yields:
        The folder.

    Raises:
        LikenessError: another batch is at work there, or it cannot be written.
    """
    check_output_folder(out)
    lock = out / HIDDEN / "lock"
    taken = f"Another batch is writing to '{out}'."
    with ExitStack() as held:
        if part is None:
            held.enter_context(exclusive_lock(lock, out / HIDDEN / JOURNAL, taken))
            for other in sorted((out / HIDDEN).glob("part-*/lock")):
                held.enter_context(exclusive_lock(other, other, _at_work(other)))
        else:
            with exclusive_lock(lock, lock, taken, PARTS_WAIT_SECONDS):
                own = _part_folder(out, part)
                for other in sorted((out / HIDDEN).glob("part-*/lock")):
                    if not other.parent.name.endswith(f"-of-{part.of}"):
                        with exclusive_lock(other, other, _at_work(other)):
                            pass
                said = f"This part of a batch is being made in '{out}' already."
                held.enter_context(exclusive_lock(own / "lock", own / JOURNAL, said))
        yield BatchFolder(out, part)


def _part_folder(out: Path, part: BatchPart) -> Path:
    return out / HIDDEN / f"part-{part.number}-of-{part.of}"


def _at_work(lock: Path) -> str:
    return f"'{lock.parent.name}' of a batch is being made in '{lock.parents[2]}'."
