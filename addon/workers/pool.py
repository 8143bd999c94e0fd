"""Worker processes of this machine, from the side of who gives them work
(addon/workers/serving.py).

A :class:`WorkerPool` is the :class:`~..engine.workflows.executor.Executor` that every run here
uses: it starts
workers, deals units, replaces workers that die or have made enough, and ends those that take too
long or too much memory.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...engine.core.types import LikenessError
from ...engine.workflows.executor import Unit, WorkerEvent, format_duration, to_sentence
from . import watchdog
from .jobs import site_paths
from .plan import PoolConfig, WorkerLimits, compute_memory_share, list_gpus
from .serving import MORE_MEMORY

if TYPE_CHECKING:
    pass

MAX_FAILED_STARTS = 4
"""So many workers in a row that die before they are ready end the run."""

START_SECONDS = 300.0
"""So long a worker may take to start, however little a unit may take."""

GRACE_SECONDS = 3.0
_LOG_LINES = 40
_ENDED = {"type": "ended"}

_Heard = tuple["WorkerProcess", dict[str, Any]]

_PACKAGE = Path(__file__).resolve().parents[2]
_BOOT = """
import importlib, importlib.util, json, sys
folder, site_paths, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
sys.path.extend(path for path in site_paths if path not in sys.path)
spec = importlib.util.spec_from_file_location(
    "likeness", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["likeness"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.exit(importlib.import_module("likeness.addon.cli.main").main([command]))
"""
"""Runs this very package, which an installed extension has no importable name for."""


def pool_worker_command(name: str) -> list[str]:
    """How a worker is started: by this Python, or by Blender where that is what runs.

    Args:
        name: of the hidden command that calls :func:`.serving.serve`.
    """
    bpy = sys.modules.get("bpy")
    binary = str(bpy.app.binary_path) if bpy is not None else ""
    if binary:
        return [binary, "--background", "--command", "likeness", name]
    return [sys.executable, "-c", _BOOT, str(_PACKAGE), json.dumps(site_paths()), name]


def _answer(line: str) -> dict[str, Any] | None:
    """A line of the protocol; None for any other.

    >>> _answer('{"type": "ready"}'), _answer("4"), _answer("Blender 4.5.3 LTS")
    ({'type': 'ready'}, None, None)
    """
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "type" in said else None


class WorkerProcess:
    """One worker process.

    Attributes:
        slot: its place among the workers, from 0. unit: that it makes, or None.
        given: how many it was given. ready: it has opened what it needs.
        since: when it was started or given its unit. verdict: why it was ended, or empty.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str],
        environment: Mapping[str, str],
        heard: queue.SimpleQueue[_Heard],
        slot: int = 0,
    ) -> None:
        """
        Args:
            environment: variables set besides the present ones.
            heard: gets what it answers; ``{"type": "ended"}`` when it is gone.
        """
        self.slot = slot
        self.unit: Unit | None = None
        self.given = 0
        self.ready = False
        self.verdict: tuple[str, str] | None = None
        self.since = monotonic()
        self._heard = heard
        self._log: deque[str] = deque()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            encoding="utf-8",
            errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        log = threading.Thread(target=self._keep_log, daemon=True)
        log.start()
        threading.Thread(target=self._hear, args=(log,), daemon=True).start()
        self._write(json.dumps(dict(request)))

    def give(self, unit: Unit) -> None:
        """Have it make a unit."""
        self.unit = unit
        self.given += 1
        self.since = monotonic()
        self._write(json.dumps(dict(unit)))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            self._log.appendleft("it closed its input")  # and is gone: its output ends, too

    def _hear(self, log: threading.Thread) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = _answer(line)
            if said is None:  # Blender's, before the worker has its output to itself
                self._log.append(line.rstrip())
            else:
                self._heard.put((self, said))
        self._process.wait()
        log.join()  # its last words, which tell why it died
        self._heard.put((self, dict(_ENDED)))

    def _keep_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._log.append(line.rstrip())
            while len(self._log) > _LOG_LINES:
                self._log.popleft()

    def memory_mb(self) -> float:
        """Memory that it and the programs that it has started hold now; 0 when it is gone."""
        return watchdog.measure_memory_mb(self._process.pid)

    def check(self, limits: WorkerLimits) -> None:
        """End it if it is beyond what it may take; the verdict is then its last word."""
        if self.verdict is not None or (self.ready and self.unit is None):
            return
        what = "it" if self.ready else "the worker's start"
        # A portrait's limit is none of the start's, which a busy machine draws out.
        most = limits.seconds if self.ready else max(limits.seconds, START_SECONDS)
        if limits.seconds and monotonic() - self.since > most:
            self._end(
                f"{what} took longer than {format_duration(most)}",
                f"Allow more than {most:g} seconds with --time-limit.",
            )
        elif limits.memory_mb and self.memory_mb() > limits.memory_mb:
            self._end(
                f"{what} took more than {limits.memory_mb:,.0f} MB of memory",
                "Allow more with --memory-limit, or take fewer --workers or a smaller picture.",
            )

    def _end(self, why: str, remedy: str) -> None:
        self.verdict = (why, remedy)
        self.kill()

    def kill(self) -> None:
        """End it and the programs that it has started, now."""
        watchdog.kill_process_tree(self._process)

    def last_words(self) -> tuple[str, str]:
        """How it ended, as words within a sentence, and what can be done about it."""
        if self.verdict is not None:
            return self.verdict
        code = self._process.poll()
        if code in (-9, 137):
            return "the worker was killed, perhaps for want of memory", MORE_MEMORY
        log = f": {self._log[-1]}" if self._log else ""
        return f"the worker ended with exit code {code}{log}", ""

    def stop(self) -> None:
        """Close its stdin, at which it ends."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            self._log.appendleft("it had closed its input")

    def finish(self) -> None:
        """Wait until it is gone; kill it if it takes too long."""
        self.stop()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()


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
        self._hands: list[WorkerProcess] = []
        self._heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
        self._watched = monotonic()

    def submit(self, unit: Unit, soon: bool = False) -> None:
        """See :class:`~..engine.workflows.executor.Executor`; nothing starts before
        :meth:`take`."""
        (self._todo.appendleft if soon else self._todo.append)(unit)

    def take(self, timeout: float) -> WorkerEvent | None:
        """The next word of a worker; see :class:`~..engine.workflows.executor.Executor`."""
        busy = sum(hand.unit is not None for hand in self._hands)
        while len(self._hands) < min(self._shape.workers, busy + len(self._todo)):
            self._start()
        self._deal()
        self._watch()
        try:
            hand, said = self._heard.get(timeout=timeout)
        except queue.Empty:
            return None
        return self._taken(hand, said)

    def end(self) -> None:
        """Send all workers away and wait for them."""
        for hand in self._hands:
            hand.stop()
        for hand in self._hands:
            hand.finish()

    def _start(self) -> None:
        taken = {hand.slot for hand in self._hands}
        slot = next(k for k in range(self._shape.workers) if k not in taken)
        threads = str(self._shape.each)
        environment = {"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        if len(self._gpus) > 1:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        self._hands.append(
            WorkerProcess(self._request, self._command, environment, self._heard, slot)
        )

    def _deal(self) -> None:
        """Give every idle worker a unit, also one that another has come to grief with."""
        for hand in [hand for hand in self._hands if hand.ready and hand.unit is None]:
            if not self._todo:
                return
            if hand.given >= self._shape.recycle:
                self._hands.remove(hand)
                hand.stop()
                self._start()
            else:
                hand.give(self._todo.popleft())

    def _watch(self) -> None:
        if monotonic() - self._watched < watchdog.WATCH_SECONDS:
            return
        self._watched = monotonic()
        for hand in self._hands:
            hand.check(self._limits)

    def _taken(self, hand: WorkerProcess, said: dict[str, Any]) -> WorkerEvent | None:
        kind = str(said.pop("type"))
        if kind == "error":
            raise LikenessError(str(said["message"]), str(said.get("remedy", "")))
        if kind == "ended":
            return self._ended(hand)
        if kind == "ready":
            hand.ready = True
            self._failed_starts = 0
            return None
        if kind in ("done", "failed"):
            hand.unit = None
        return WorkerEvent(kind, str(said.pop("key", "")), said)

    def _ended(self, hand: WorkerProcess) -> WorkerEvent | None:
        if hand not in self._hands:
            return None  # it was sent away
        self._hands.remove(hand)
        why, remedy = hand.last_words()
        if hand.unit is not None:
            return WorkerEvent("failed", str(hand.unit["key"]), {"reason": why, "remedy": remedy})
        if not hand.ready:
            self._failed_starts += 1
            if self._failed_starts == MAX_FAILED_STARTS:
                raise LikenessError(
                    to_sentence(f"No worker could start: {why}"), remedy or "Mend what it says."
                )
        return None
