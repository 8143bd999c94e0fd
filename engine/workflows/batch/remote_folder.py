"""A batch whose results lie at an address (``-o s3://bucket/avatars``).

The layout is that of :mod:`.folder`. A worker makes a result on its own disk and copies it to the
work folder there; the run moves it to its place, ``batch.json`` last, without which it counts as
missing. An object store has no locks: two batches at one address make some results twice, and
complete ones stay complete. Results in the work folder of a killed run are made again, and stay
until they are removed there. Small files (reports, pictures for the page, the journal) are kept
in a folder of this machine and copied when the run ends.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...core.types import LikenessError, Progress
from ...files.atomic import atomic_write_text
from ...files.stores import Address, Place, RemoteStore, fetch_address, is_address
from ...imaging.load import MAX_BYTES
from ..build_files import REPORT_FILE
from ..executor import FatalWorkerError
from .batch_folder import (
    HIDDEN,
    ITEMS_FILE,
    JOURNAL,
    MAX_SMALL,
    PICTURES,
    REPORT_FOLDER,
    RESULT_FILE,
    SUMMARY_FILE,
    VIEWS,
    BatchFolder,
    BatchPart,
    foreign_file_error,
    open_batch_folder,
    write_result,
)
from .units import PortraitUnit

_MOST_AVATAR = 8 << 30


@contextmanager
def open_batch_output(out: Place, part: BatchPart | None = None) -> Iterator[BatchFolder]:
    """Open the output folder of a batch, wherever it is.

    Args:
        out: a folder or an address.
        part: of the batch.

    Yields:
        The folder.

    Raises:
        LikenessError: it cannot be written, or another batch is at work there.
    """
    if isinstance(out, Path):
        with open_batch_folder(out, part) as folder:
            yield folder
        return
    store = RemoteStore(out)
    with tempfile.TemporaryDirectory(prefix="likeness-batch-") as mirror:
        stored = RemoteBatchFolder(store, Path(mirror), part)
        try:
            yield stored
        except BaseException:
            with suppress(LikenessError):  # the first error says more
                stored.publish()
            raise
        stored.publish()


class RemoteBatchFolder(BatchFolder):
    """The output folder at an address; ``out`` is a folder here with its small files."""

    def __init__(self, store: RemoteStore, mirror: Path, part: BatchPart | None = None) -> None:
        super().__init__(mirror, part, store)
        self._remote = store
        self._sizes: dict[str, int] = {}

    def common(self) -> list[Path]:
        """Nothing: workers see the address itself."""
        return []

    def begin(self, units: Sequence[PortraitUnit], about: Mapping[str, Any]) -> None:
        """Check the address for files of others, fetch the small files, and begin a run.

        Args:
            units: all units of the run.
            about: the run's entry in the journal.

        Raises:
            LikenessError: a file or folder of others is in the way, or the address cannot be read.
        """
        self._sizes = self._remote.sizes()
        ours = any(name.startswith(f"{HIDDEN}/") for name in self._sizes)
        for name in () if ours else (SUMMARY_FILE, ITEMS_FILE, f"{REPORT_FOLDER}/index.html"):
            if name in self._sizes:
                raise foreign_file_error(self._remote.address / name)
        names = [unit.name for unit in units if f"{unit.name}/{RESULT_FILE}" in self._sizes]
        for unit in units:
            taken = any(name.startswith(f"{unit.name}/") for name in self._sizes)
            if taken and f"{unit.name}/{RESULT_FILE}" not in self._sizes:
                raise foreign_file_error(self._remote.address / unit.name)
        self._fetch_small(names)
        super().begin(units, about)

    def _fetch_small(self, names: Sequence[str]) -> None:
        """Fetch the files of results that the run and its report read."""
        small = (RESULT_FILE, REPORT_FILE, *(f"{VIEWS}/{picture}.jpg" for picture in PICTURES))
        wanted = [f"{name}/{file}" for name in names for file in small]
        there = {
            name: self.out / name for name in wanted if self._sizes.get(name, MAX_SMALL) < MAX_SMALL
        }
        self._remote.fetch(there)

    def _size(self, name: str) -> int | None:
        return self._sizes.get(name)

    def _placed(self, unit: PortraitUnit) -> None:
        self._sizes |= self._remote.sizes(unit.name)
        self._fetch_small([unit.name])

    def publish(self) -> None:
        """Copy the report, the summary and the journal to the address."""
        if not self.is_there():
            return  # nothing was begun
        for path in sorted(self.told.glob("*.json*")):
            if path.name != JOURNAL:
                self._remote.put(path, path.relative_to(self.out).as_posix())
        page = [path for path in (self.out / REPORT_FOLDER).rglob("*") if path.is_file()]
        names = {path.relative_to(self.out).as_posix(): path for path in sorted(page)}
        for name, path in names.items():
            self._remote.put(path, name)
        if names:  # pictures of people that it does not show
            old = {name for name in self._sizes if name.startswith(f"{REPORT_FOLDER}/")}
            self._remote.remove(sorted(old - set(names)))
        journal = self._hidden / JOURNAL
        self._remote.put(journal, f"{HIDDEN}/journal-{self.run}.jsonl")


# In a worker --------------------------------------------------------------------------------


def make_remote(
    unit: Mapping[str, Any], make: Any, progress: Progress | None = None
) -> dict[str, Any]:
    """Make a unit whose photos, avatar or work folder may be at addresses.

    Args:
        unit: as :func:`.units.unit_to_json` gives it.
        make: ``make(unit, progress)`` for a unit that is all on this machine.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: a photo cannot be used.
        FatalWorkerError: the results cannot be written.
    """
    views = [path for _, path in unit["views"]]
    if not any(map(is_address, (unit["work"], unit["photo"], unit["avatar"], *views))):
        return dict(make(unit, progress))
    with tempfile.TemporaryDirectory(prefix="likeness-unit-") as scratch:
        here, names = _brought(unit, Path(scratch))
        work = Path(here["work"])
        try:
            answer = dict(make(here, progress))
            _say_addresses(work, unit, names)
        except FatalWorkerError:
            raise
        except LikenessError as error:
            _copy(work, unit["work"])
            raise LikenessError(_renamed(error.message, names), error.remedy) from error
        _copy(work, unit["work"])
    return answer


def _brought(unit: Mapping[str, Any], scratch: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The unit with its files copied to this machine; and the addresses by their files here."""
    names: dict[str, str] = {}
    given = [unit["photo"], *(path for _, path in unit["views"])]

    def brought(text: str, number: int, most: int) -> str:
        if not is_address(text):
            return text
        path = scratch / f"in{number}" / Address(text).name
        fetch_address(Address(text), path, most)
        names[str(path)] = text
        return str(path)

    photos = [brought(text, k, MAX_BYTES) for k, text in enumerate(given)]
    work = unit["work"]
    if is_address(work):
        path = scratch / "out" / "batch" / "work" / "unit"
        path.parent.mkdir(parents=True)
        names[str(path)], work = work, str(path)
    return {
        **unit,
        "photo": photos[0],
        "work": work,
        "views": [[way, path] for (way, _), path in zip(unit["views"], photos[1:])],
        "avatar": brought(unit["avatar"], len(given), _MOST_AVATAR),
    }, names


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for path, address in names.items():
        text = text.replace(path, address)
    return text


def _say_addresses(work: Path, unit: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Put the photos' addresses into the report of a build."""
    report = work / REPORT_FILE
    if not report.is_file():
        return
    text = report.read_text(encoding="utf-8")
    in_json = {json.dumps(p)[1:-1]: json.dumps(a)[1:-1] for p, a in names.items()}
    if _renamed(text, in_json) != text:
        atomic_write_text(report, _renamed(text, in_json))
        write_result(work, unit["key"], unit["digest"])


def _copy(work: Path, target: str) -> None:
    """Copy the files of a result to its place, the file that marks it as complete last."""
    if not is_address(target) or not work.is_dir():
        return
    files = [path for path in work.rglob("*") if path.is_file()]
    try:
        store = RemoteStore(Address(target))
        for path in sorted(files, key=lambda path: (path.name == RESULT_FILE, path)):
            store.put(path, path.relative_to(work).as_posix())
    except LikenessError as error:
        raise FatalWorkerError(error.message, error.remedy) from error
