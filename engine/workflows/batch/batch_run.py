"""A run of a batch: passes units to an executor, moves results into place, keeps the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from ...core.types import Progress
from ...files.stores import Place
from ...files.untrusted import read_json
from ..build_files import REPORT_FILE
from ..executor import Executor, WorkerEvent, as_completed, format_time_left
from ..options import BatchOptions
from .batch_folder import BatchFolder
from .units import PortraitUnit, find_duplicates, unit_to_json

DONE, FAILED, LEFT = "done", "failed", "left"
"""States of a portrait; ``left``: the run was stopped before it."""

FACTS = ("seconds", "memory_mb", "worker", "held_mb")
"""What a worker reports of each unit for the journal: its time, the peak memory of the process,
the process, and what it holds afterwards."""


@dataclass
class BatchItem:
    """One portrait and what became of it.

    Attributes:
        unit: the portrait's work.
        status: one of DONE, FAILED, LEFT.
        now: whether this run has made it.
        tries: how often it was begun in this run.
        seconds: time that making it took.
        reason: of a failure.
        remedy: of a failure.
        warnings: for the user.
        report: the build's own report.
        files: of the result, by their names.
    """

    unit: PortraitUnit
    status: str = LEFT
    now: bool = False
    tries: int = 0
    seconds: float = 0.0
    reason: str = ""
    remedy: str = ""
    warnings: list[str] = field(default_factory=list)
    report: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()


Tell = Callable[[BatchItem], None]


class BatchRun:
    """A run over the portraits of a folder.

    Attributes:
        items: by name, in order.
        elapsed: seconds of the run.
    """

    def __init__(
        self, folder: BatchFolder, units: Sequence[PortraitUnit], wanted: BatchOptions
    ) -> None:
        self.folder, self.wanted = folder, wanted
        self.items = {unit.name: BatchItem(unit) for unit in units}
        self.elapsed = 0.0
        self._works: dict[str, Place] = {}
        self._under_way: dict[str, float] = {}
        for name, first in find_duplicates(units).items():
            self.items[name].warnings.append(f"the same pictures and options as '{first}'")

    def run(
        self,
        executor: Callable[[], Executor],
        tell: Tell | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Make what is missing.

        Args:
            executor: starts the workers; not called if there is nothing to make.
            tell: called with each portrait that is done or failed in this run.
            progress: called with the share that is done.

        Raises:
            LikenessError: the folder cannot be written, or no worker can work.
        """
        begun = monotonic()
        work = self._plan(tell)
        ended = made = 0
        if not work:
            return
        workers = executor()
        try:
            for said in as_completed(workers, work, self.wanted.tries, self._elsewhere):
                if said.kind == "progress":
                    self._under_way[said.key] = float(said.content.get("fraction", 0.0))
                elif said.kind == "again":
                    reason = str(said.content["reason"])
                    self._under_way.pop(said.key, None)
                    self.folder.note("again", name=said.key, reason=reason)
                elif said.kind in (DONE, FAILED):
                    item = self.items[said.key]
                    self._take(item, said)
                    ended += 1
                    made += item.status == DONE
                    if tell:
                        tell(item)
                self.elapsed = monotonic() - begun
                if progress:
                    self._report(progress, made, len(work) - ended)
        finally:
            workers.end()
            self.elapsed = monotonic() - begun

    def _plan(self, tell: Tell | None) -> list[Mapping[str, Any]]:
        """The missing results, as units for workers."""
        work = []
        for item in self.items.values():
            unit = item.unit
            if unit.trouble is not None:
                self._failed(item, unit.trouble.message, unit.trouble.remedy)
                if tell:
                    tell(item)
                continue
            have = None if self.wanted.force else self.folder.complete(unit)
            lacking = [name for name in self.wanted.formats if f"avatar.{name}" not in (have or ())]
            if have is not None and not lacking:
                self._done(item, have)
                continue
            folder = self.folder.work_folder()
            self._works[unit.name] = folder
            work.append(
                unit_to_json(
                    unit,
                    work=str(folder),
                    formats=lacking,
                    preview=self.wanted.preview,
                    avatar="" if have is None else str(self.folder.avatar_of(unit)),
                )
            )
        return work

    def _elsewhere(self, unit: Mapping[str, Any]) -> Mapping[str, Any]:
        """The unit with another work folder: a lost worker may still write to the first."""
        folder = self._works[str(unit["key"])] = self.folder.work_folder()
        return {**unit, "work": str(folder)}

    def _take(self, item: BatchItem, said: WorkerEvent) -> None:
        self._under_way.pop(item.unit.name, None)
        item.now = True
        item.tries = int(said.content["tries"])
        folder = self._works[item.unit.name]
        if said.kind == FAILED:
            self.folder.keep_failed(item.unit, folder)
            reason, remedy = str(said.content["reason"]), str(said.content.get("remedy", ""))
            self._failed(item, reason, remedy)
            return
        item.seconds = float(said.content["seconds"])
        files = self.folder.place(item.unit, folder)
        facts = {name: said.content.get(name) for name in FACTS}
        self.folder.note(
            "done", name=item.unit.name, digest=item.unit.digest, tries=item.tries, **facts
        )
        self._done(item, files)

    def _done(self, item: BatchItem, files: Mapping[str, Any]) -> None:
        item.status, item.files = DONE, sorted(files)
        if REPORT_FILE not in files:
            return
        try:
            item.report = dict(read_json(self.folder.result(item.unit.name) / REPORT_FILE))
        except (OSError, ValueError, TypeError) as error:
            item.warnings.append(f"{REPORT_FILE} cannot be read: {error}")
        warnings = item.report.get("warnings")
        item.warnings += [str(one) for one in warnings] if isinstance(warnings, list) else []

    def _failed(self, item: BatchItem, reason: str, remedy: str) -> None:
        item.status, item.reason, item.remedy = FAILED, reason, remedy
        self.folder.note(
            "failed",
            name=item.unit.name,
            digest=item.unit.digest,
            tries=item.tries,
            reason=reason,
            remedy=remedy,
        )

    def _report(self, progress: Progress, made: int, left: int) -> None:
        total, counts = len(self.items), self.counts()
        under_way = sum(self._under_way.values())
        there = counts[DONE] + counts[FAILED]
        words = f"{there} of {total}"
        if left:
            words += f", {format_time_left(self.elapsed, made + under_way, left - under_way)}"
        if counts[FAILED]:
            words += f", {counts[FAILED]} failed"
        progress("portraits", (there + under_way) / total, words)

    def counts(self) -> dict[str, int]:
        """How many portraits are done, failed, and left."""
        states = [item.status for item in self.items.values()]
        return {state: states.count(state) for state in (DONE, FAILED, LEFT)}
