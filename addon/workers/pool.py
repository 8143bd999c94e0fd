"""Worker processes of this machine, for who gives them work (they run addon/workers/serving.py).

A :class:`WorkerPool` is the :class:`~..engine.workflows.executor.Executor` of every run here: it
starts workers, deals units, replaces workers that die or have made enough, and ends those that take
too long or too much memory.
"""

from __future__ import annotations

import queue
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.workflows.executor import Unit, WorkerEvent, format_duration, to_sentence
from . import watchdog
from .plan import PoolConfig, WorkerLimits, compute_memory_share, list_gpus
from .process import ENDED, WorkerProcess, boot_command
from .serving import MORE_MEMORY

MAX_FAILED_STARTS = 4
"""So many workers in a row that die before they are ready end the run."""

START_SECONDS = 300.0
"""How long a worker may take to start, however little a unit may take."""

_PACKAGE = Path(__file__).resolve().parents[2]
_Messages = queue.SimpleQueue[tuple["PoolWorker", dict[str, Any]]]


def pool_worker_command(name: str) -> list[str]:
    """How a worker is started: by this Python, or by Blender where that is what runs.

    Args:
        name: of the hidden command that calls :func:`.serving.serve_units`.
    """
    bpy = sys.modules.get("bpy")
    binary = str(bpy.app.binary_path) if bpy is not None else ""
    if binary:
        return [binary, "--background", "--command", "likeness", name]
    # An installed extension has no importable name for this very package.
    return boot_command(_PACKAGE, "likeness", ".addon.cli.main", [name])


class PoolWorker(WorkerProcess):
    """A worker of a pool.

    Attributes:
        slot: its place among the workers, from 0.
        unit: that it makes, or None.
        given: how many units it was given.
        ready: whether it has opened what it needs.
        since: when it was started or given its unit.
        verdict: why it was ended and the remedy, or None.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str],
        environment: Mapping[str, str],
        messages: _Messages,
        slot: int = 0,
    ) -> None:
        self.slot = slot
        self.unit: Unit | None = None
        self.given = 0
        self.ready = False
        self.verdict: tuple[str, str] | None = None
        self.since = monotonic()
        super().__init__(request, command, lambda said: messages.put((self, said)), environment)

    def give(self, unit: Unit) -> None:
        """Have it make a unit."""
        self.unit = unit
        self.given += 1
        self.since = monotonic()
        self.send(unit)

    def check(self, limits: WorkerLimits) -> None:
        """End it if it is beyond what it may take; the verdict is then its last word."""
        if self.verdict is not None or (self.ready and self.unit is None):
            return
        what = "it" if self.ready else "the worker's start"
        # The limit of a portrait does not hold for the start, which a busy machine draws out.
        most = limits.seconds if self.ready else max(limits.seconds, START_SECONDS)
        if limits.seconds and monotonic() - self.since > most:
            self.verdict = (
                f"{what} took longer than {format_duration(most)}",
                f"Allow more than {most:g} seconds with --time-limit.",
            )
        elif limits.memory_mb and self.memory_mb() > limits.memory_mb:
            self.verdict = (
                f"{what} took more than {limits.memory_mb:,.0f} MB of memory",
                "Allow more with --memory-limit, or take fewer --workers or a smaller picture.",
            )
        if self.verdict is not None:
            self.kill()

    def last_words(self) -> tuple[str, str]:
        """How it ended, as words within a sentence, and the remedy."""
        if self.verdict is not None:
            return self.verdict
        if self.was_killed:
            return "the worker was killed, perhaps because memory ran out", MORE_MEMORY
        log = f": {self.last_line}" if self.last_line else ""
        return f"the worker ended with exit code {self.exit_code}{log}", ""


class WorkerPool:
    """The workers of a run: an :class:`~..engine.workflows.executor.Executor`."""

    def __init__(
        self, request: Mapping[str, Any], shape: PoolConfig, command: Sequence[str]
    ) -> None:
        """
        Args:
            request: what each worker is told first; ``threads`` is added.
            command: how one is started, see :func:`pool_worker_command`.
        """
        self._request = {**request, "threads": shape.each}
        self._shape, self._command = shape, list(command)
        self._limits = shape.limits
        if self._limits.memory_mb is None:
            self._limits = replace(self._limits, memory_mb=compute_memory_share(1 / shape.workers))
        self._gpus = list_gpus() if shape.workers > 1 else []
        self._todo: deque[Unit] = deque()
        self._failed_starts = 0
        self._workers: list[PoolWorker] = []
        self._messages: _Messages = queue.SimpleQueue()
        self._watched = monotonic()

    def submit(self, unit: Unit, soon: bool = False) -> None:
        """See :class:`~..engine.workflows.executor.Executor`; nothing starts before
        :meth:`take`."""
        (self._todo.appendleft if soon else self._todo.append)(unit)

    def take(self, timeout: float) -> WorkerEvent | None:
        """The next word of a worker; see :class:`~..engine.workflows.executor.Executor`."""
        busy = sum(worker.unit is not None for worker in self._workers)
        while len(self._workers) < min(self._shape.workers, busy + len(self._todo)):
            self._start()
        self._deal()
        self._watch()
        try:
            worker, said = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        return self._take_message(worker, said)

    def end(self) -> None:
        """Send all workers away and wait for them."""
        for worker in self._workers:
            worker.close_input()
        for worker in self._workers:
            worker.finish()

    def _start(self) -> None:
        taken = {worker.slot for worker in self._workers}
        slot = next(k for k in range(self._shape.workers) if k not in taken)
        threads = str(self._shape.each)
        environment = {"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        if len(self._gpus) > 1:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        self._workers.append(
            PoolWorker(self._request, self._command, environment, self._messages, slot)
        )

    def _deal(self) -> None:
        """Give every idle worker a unit, also one that another has come to grief with."""
        for worker in [worker for worker in self._workers if worker.ready and worker.unit is None]:
            if not self._todo:
                return
            if worker.given >= self._shape.recycle:
                self._workers.remove(worker)
                worker.close_input()
                self._start()
            else:
                worker.give(self._todo.popleft())

    def _watch(self) -> None:
        if monotonic() - self._watched < watchdog.WATCH_SECONDS:
            return
        self._watched = monotonic()
        for worker in self._workers:
            worker.check(self._limits)

    def _take_message(self, worker: PoolWorker, said: dict[str, Any]) -> WorkerEvent | None:
        kind = str(said.pop("type"))
        if kind == "error":
            raise LikenessError(str(said["message"]), str(said.get("remedy", "")))
        if kind == ENDED:
            return self._end_worker(worker)
        if kind == "ready":
            worker.ready = True
            self._failed_starts = 0
            return None
        if kind in ("done", "failed"):
            worker.unit = None
        return WorkerEvent(kind, str(said.pop("key", "")), said)

    def _end_worker(self, worker: PoolWorker) -> WorkerEvent | None:
        if worker not in self._workers:
            return None  # it was sent away
        self._workers.remove(worker)
        why, remedy = worker.last_words()
        if worker.unit is not None:
            return WorkerEvent("failed", str(worker.unit["key"]), {"reason": why, "remedy": remedy})
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts == MAX_FAILED_STARTS:
                raise LikenessError(
                    to_sentence(f"No worker could start: {why}"), remedy or "Fix what it reports."
                )
        return None
