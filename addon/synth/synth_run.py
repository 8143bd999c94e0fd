"""Runs that make many synthetic people: deal numbers to workers, pack subjects, report progress.

A unit of work is one subject. It depends only on its number and the options, so any number of
workers in any order, killed and restarted at any time, make the same shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from ...engine.core.options import option
from ...engine.core.types import LikenessError, Progress
from ...engine.workflows.executor import Executor, WorkerEvent, as_completed, format_time_left
from ..workers.executors import open_executor
from ..workers.plan import ClusterConfig, PoolConfig
from .staging import RUN_FILE, ShardAssembler, SynthFolder


@dataclass(frozen=True)
class SynthJob:
    """The parameters of a run.

    Attributes:
        data: the folder.
        subjects: number of subjects wanted.
        options: for the workers, JSON-able. A folder can only be continued with the same options.
        per_shard: subjects per tar file.
        workers: number of processes.
        threads: per worker; 0 shares the machine's cores among the workers.
        recycle: subjects after which a worker is replaced, because Blender leaks some memory.
        cluster: of the workers; None for this machine.
    """

    data: Path
    subjects: int = option(
        help="Number of people in DATA; a larger number later extends it.",
        metavar="N",
        min=1,
        max=1_000_000,
    )
    options: Mapping[str, Any]  # type: ignore[misc]  # mypy takes option() for a default
    per_shard: int = option(
        64, help="People in each tar file.", metavar="N", min=1, show_default=True
    )
    workers: int = 1
    threads: int = 0
    recycle: int = 50
    cluster: ClusterConfig | None = None

    @property
    def shape(self) -> PoolConfig:
        """Configuration of the workers."""
        return PoolConfig(self.workers, self.threads, self.recycle)


@dataclass
class SynthOutcome:
    """The outcome of a run.

    Attributes:
        made: number of subjects made by this run.
        elapsed: seconds.
        seconds: of all workers, by stage.
        given_up: reasons by number.
        skipped: reasons by asset, including earlier runs.
    """

    made: int = 0
    elapsed: float = 0.0
    seconds: Counter[str] = field(default_factory=Counter)
    given_up: dict[int, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def run_synth(
    job: SynthJob, progress: Progress | None = None, command: Sequence[str] | None = None
) -> SynthOutcome:
    """Make the subjects that a folder lacks.

    Args:
        job: parameters of the run.
        progress: called after each subject.
        command: that starts a worker; the one of this process if None.

    Raises:
        LikenessError: Another run is active in the folder or began it with other options, a disk
            is full, or no worker can work.
    """
    folder = SynthFolder(job.data)
    with folder.hold(f"Another run is writing to '{job.data}'."):
        new = folder.begin({"per_shard": job.per_shard, **job.options}, job.subjects)
        shelf = ShardAssembler(job.data, job.subjects, job.per_shard)
        request = {"data": str(job.data.absolute()), "options": dict(job.options)}
        common = [job.data.absolute() / RUN_FILE]
        crew = open_executor(request, job.shape, "synth-worker", job.cluster, common, command or ())
        people = _People(job, shelf, progress)
        people.outcome.skipped.update(folder.read_skipped())
        try:
            people.make(crew)
        except LikenessError:
            if new and not shelf.done:
                folder.rollback()
            raise
        finally:
            crew.end()
        shelf.close()
    return people.outcome


class _People:
    """Packs the subjects of a run and counts those given up."""

    def __init__(self, job: SynthJob, shelf: ShardAssembler, progress: Progress | None) -> None:
        self.outcome = SynthOutcome()
        self._job, self._shelf, self._progress = job, shelf, progress
        self._begun = monotonic()

    def make(self, executor: Executor) -> None:
        """Run until every subject is made or given up."""
        for number in sorted(
            self._shelf.staged
        ):  # of complete shards that a killed run left unpacked
            self._shelf.pack(number, {})
        units = [{"key": str(number), "subject": number} for number in self._shelf.missing()]
        for said in as_completed(executor, units):
            self._take(said)
            self.outcome.elapsed = monotonic() - self._begun

    def _take(self, said: WorkerEvent) -> None:
        if said.kind == "skipped":
            asset = str(said.content["asset"])
            if asset not in self.outcome.skipped:
                self.outcome.skipped[asset] = str(said.content["reason"])
                SynthFolder(self._job.data).record_skipped(self.outcome.skipped)
        elif said.kind == "done":
            self._made(int(said.key), said.content["seconds"])
        elif said.kind == "failed":
            reason = f"{said.content['reason']} {said.content.get('remedy', '')}".strip()
            self._given_up(int(said.key), reason)

    def _made(self, number: int, seconds: Mapping[str, float]) -> None:
        self.outcome.made += 1
        self.outcome.seconds.update(seconds)
        self._shelf.add(number)
        self._shelf.pack(number, self.outcome.given_up)
        self._tell()

    def _given_up(self, number: int, reason: str) -> None:
        self.outcome.given_up[number] = reason
        for one in self._shelf.wanted(number // self._job.per_shard):
            if one in self._shelf.staged:
                self._shelf.pack(one, self.outcome.given_up)
                break
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        done, total, given_up = len(self._shelf.done), self._job.subjects, self.outcome.given_up
        left = total - done - len(given_up)
        made = self.outcome.made
        words = f"{done} of {total}, {format_time_left(monotonic() - self._begun, made, left)}"
        if given_up:
            words += f", {len(given_up)} given up"
        self._progress("people", done / total, words)
