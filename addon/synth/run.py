"""Many synthetic people: gives numbers to workers, packs what they make, tells how it goes.

One subject is one unit of work, known by its number; what is made of it depends on that and the
options alone. So any number of workers, in any order, killed at any moment and started again,
make the same shards.
"""

from __future__ import annotations

import os
import queue
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from ...engine.types import LikenessError, Progress
from .crew import Hand, Said, worker_command
from .staging import Shelf, begin, leave_out, left_out, locked, unbegin

TRIES = 2
"""A subject at which a worker died or failed so often is left out."""

STARTS = 4
"""So many workers in a row that die before they are ready end the run."""


@dataclass(frozen=True)
class Job:
    """What is asked of a run.

    Attributes:
        data: the folder. subjects: how many it shall hold.
        options: what the set is made with, JSON-able; the workers' own business. With other
            options a folder is not gone on with.
        per_shard: subjects in each tar file.
        workers: processes. threads: of each; 0 shares the machine's cores among them.
        recycle: subjects after which a worker is replaced (Blender keeps some memory of each).
    """

    data: Path
    subjects: int
    options: Mapping[str, Any]
    per_shard: int = 64
    workers: int = 1
    threads: int = 0
    recycle: int = 50

    @property
    def each(self) -> int:
        """Threads of each worker."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.workers)


@dataclass
class Outcome:
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


def run(
    job: Job, progress: Progress | None = None, command: Sequence[str] | None = None
) -> Outcome:
    """Make what a folder lacks of its subjects.

    Args:
        command: how a worker is started; as this process was when left out.

    Raises:
        LikenessError: another run is at work in the folder or began it with other options, a
            disk is full, or no worker can work.
    """
    with locked(job.data):
        new = begin(job.data, {"per_shard": job.per_shard, **job.options}, job.subjects)
        shelf = Shelf(job.data, job.subjects, job.per_shard)
        crew = _Crew(job, shelf, list(command or worker_command()), progress)
        crew.outcome.skipped.update(left_out(job.data))
        try:
            crew.work()
        except LikenessError:
            if new and not shelf.done:
                unbegin(job.data)
            raise
        finally:
            crew.end()
        shelf.close()
    return crew.outcome


class _Crew:
    """The workers of a run and what they have to do."""

    def __init__(
        self, job: Job, shelf: Shelf, command: Sequence[str], progress: Progress | None
    ) -> None:
        self.outcome = Outcome()
        self._job, self._shelf, self._command, self._progress = job, shelf, command, progress
        self._todo = deque(shelf.missing())
        self._tries: Counter[int] = Counter()
        self._failed_starts = 0
        self._hands: list[Hand] = []
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._begun = monotonic()

    def work(self) -> None:
        """Until every subject is made or given up."""
        for number in sorted(self._shelf.staged):  # of whole shards that a kill left unpacked
            self._shelf.pack(number, {})
        while self._todo or any(hand.number is not None for hand in self._hands):
            busy = sum(hand.number is not None for hand in self._hands)
            wanted = min(self._job.workers, busy + len(self._todo))
            while len(self._hands) < wanted:
                self._start()
            self._deal()
            try:
                hand, said = self._said.get(timeout=0.5)  # so that Ctrl-C comes through
            except queue.Empty:
                continue
            self._take(hand, said)
            self.outcome.elapsed = monotonic() - self._begun

    def _start(self) -> None:
        request = {
            "data": str(self._job.data.absolute()), "options": dict(self._job.options),
            "threads": self._job.each,
        }  # fmt: skip
        self._hands.append(Hand(request, self._command, self._job.each, self._said))

    def _take(self, hand: Hand, said: Mapping[str, Any]) -> None:
        kind = said.get("type")
        if kind == "skipped":
            if said["asset"] not in self.outcome.skipped:
                self.outcome.skipped[str(said["asset"])] = str(said["reason"])
                leave_out(self._job.data, self.outcome.skipped)
        elif kind == "error":
            raise LikenessError(str(said["message"]), str(said.get("remedy", "")))
        elif kind == "ended":
            self._ended(hand)
        elif kind == "failed":
            hand.number = None
            self._missed(int(said["subject"]), str(said["reason"]))
        elif kind == "staged":
            hand.number = None
            hand.made += 1
            self._made(int(said["subject"]), said["seconds"])
        elif kind == "ready":
            hand.ready = True
            self._failed_starts = 0

    def _deal(self) -> None:
        """Give every idle worker a subject, also one that another has come to grief with."""
        for hand in [hand for hand in self._hands if hand.ready and hand.number is None]:
            if hand.made >= self._job.recycle:
                self._hands.remove(hand)
                hand.stop()
            elif self._todo:
                hand.give(self._todo.popleft())

    def _made(self, number: int, seconds: Mapping[str, float]) -> None:
        self.outcome.made += 1
        self.outcome.seconds.update(seconds)
        self._shelf.add(number)
        self._shelf.pack(number, self.outcome.given_up)
        self._tell()

    def _ended(self, hand: Hand) -> None:
        if hand not in self._hands:
            return  # it was sent away
        self._hands.remove(hand)
        if hand.number is not None:
            self._missed(hand.number, hand.last_words())
        elif not hand.ready:
            self._failed_starts += 1
            if self._failed_starts == STARTS:
                raise LikenessError(
                    f"No worker could start: {hand.last_words()}.", "See what it says, mend it."
                )

    def _missed(self, number: int, reason: str) -> None:
        """A subject has failed: it is tried again, or given up."""
        self._tries[number] += 1
        if self._tries[number] < TRIES:
            self._todo.appendleft(number)
            return
        self.outcome.given_up[number] = reason
        for one in self._shelf.wanted(number // self._job.per_shard):
            if one in self._shelf.staged:
                self._shelf.pack(one, self.outcome.given_up)
                break
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        done, total = len(self._shelf.done), self._job.subjects
        left = len(self._todo) + sum(hand.number is not None for hand in self._hands)
        each = (monotonic() - self._begun) / max(1, self.outcome.made)
        words = f"{done} of {total}, about {_span(left * each)} left"
        if self.outcome.given_up:
            words += f", {len(self.outcome.given_up)} given up"
        self._progress("people", done / total, words)

    def end(self) -> None:
        """Send all workers away and wait for them."""
        for hand in self._hands:
            hand.stop()
        for hand in self._hands:
            hand.finish()


def _span(seconds: float) -> str:
    """
    >>> _span(40), _span(200), _span(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
