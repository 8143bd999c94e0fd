"""Many synthetic people: gives numbers to workers, packs what they make, tells how it goes.

One subject is one unit of work, known by its number; what is made of it depends on that and the
options alone. So any number of workers, in any order, killed at any moment and started again,
make the same shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from ...engine.core.types import LikenessError, Progress
from ...engine.workflows.executor import Executor, WorkerEvent, as_completed, format_time_left
from ..workers.executors import open_executor
from ..workers.plan import ClusterConfig, PoolConfig
from .staging import RUN_FILE, ShardAssembler, SynthFolder


@dataclass(frozen=True)
class SynthJob:
    """What is asked of a run.

    Attributes:
        data: the folder. subjects: how many it shall hold.
        options: what the set is made with, JSON-able; the workers' own business. With other
            options a folder is not gone on with.
        per_shard: subjects in each tar file.
        workers: processes. threads: of each; 0 shares the machine's cores among them.
        recycle: subjects after which a worker is replaced (Blender keeps some memory of each).
        cluster: whose machines have the workers; None is this one.
    """

    data: Path
    subjects: int
    options: Mapping[str, Any]
    per_shard: int = 64
    workers: int = 1
    threads: int = 0
    recycle: int = 50
    cluster: ClusterConfig | None = None

    @property
    def shape(self) -> PoolConfig:
        """Of the workers."""
        return PoolConfig(self.workers, self.threads, self.recycle)


@dataclass
class SynthOutcome:
    """How a run went.

    Attributes:
        made: subjects by this run. elapsed: seconds. seconds: of all workers, by stage.
        given_up: reasons by number. skipped: reasons by asset, of earlier runs, too.
    """

    made: int = 0
    elapsed: float = 0.0
    seconds: Counter[str] = field(default_factory=Counter)
    given_up: dict[int, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def run_synth(
    job: SynthJob, progress: Progress | None = None, command: Sequence[str] | None = None
) -> SynthOutcome:
    """Make what a folder lacks of its subjects.

    Args:
        command: how a worker is started; as this process was when left out.

    Raises:
        LikenessError: another run is at work in the folder or began it with other options, a
            disk is full, or no worker can work.
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
    """The subjects of a run: packs those that come, counts those that do not."""

    def __init__(self, job: SynthJob, shelf: ShardAssembler, progress: Progress | None) -> None:
        self.outcome = SynthOutcome()
        self._job, self._shelf, self._progress = job, shelf, progress
        self._begun = monotonic()

    def make(self, executor: Executor) -> None:
        """Until every subject is made or given up."""
        for number in sorted(self._shelf.staged):  # of whole shards that a kill left unpacked
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
