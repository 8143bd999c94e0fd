"""Workers on the machines of a Ray cluster, from the side of who gives them work.

A :class:`RayWorkerPool` is the :class:`~..engine.workflows.executor.Executor` of ``--cluster``.
Each of its actors is a :class:`.pool.WorkerPool` of one on the machine where Ray puts it: the same
worker processes as on this machine, with the same limits, replaced as often. Only short texts are
sent; photos and results stay in the folders or addresses that all machines see.

A machine, actor or connection that is lost gives its unit back, as ``failed`` with ``lost``: it is
tried again elsewhere.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.core.version import VERSION
from ...engine.workflows.batch.code_version import code_digest
from ...engine.workflows.executor import Unit, WorkerEvent
from .plan import ClusterConfig, PoolConfig, WorkerLimits, compute_memory_share
from .pool import MAX_FAILED_STARTS, WorkerPool, pool_worker_command
from .process import GRACE_SECONDS
from .ray_session import RaySession, check_ray

PATIENCE_SECONDS = 60.0
"""After this time without a worker, a warning reports that the cluster has no room yet."""

ENDS = ("done", "failed")
SECONDS_BETWEEN_WORDS = 1.0
"""How long other messages of a worker may wait, so that they cost next to nothing."""

_LOST = "the worker was lost, with its machine, its actor or the connection"


# On each machine ----------------------------------------------------------------------------


class WorkerActor:
    """What runs in an actor: one worker process at a time, and what it says."""

    def __init__(self, setup: str) -> None:
        """
        Args:
            setup: JSON of ``request``, ``worker`` (name of the hidden command) or ``command``,
                ``threads``, ``recycle``, ``seconds`` and ``memory_mb`` (None: this machine's,
                shared as its cores are), ``common``, ``version``, ``code`` (its
                digest, empty where it is the same files), ``no_gpu``.
        """
        self._setup: dict[str, Any] = json.loads(setup)
        self._stopping = threading.Event()
        self._crew: WorkerPool | None = None

    def open(self) -> str:
        """JSON: ``machine``, and ``trouble`` where it cannot work here: message and remedy."""
        return json.dumps({"machine": platform.node(), "trouble": self._trouble()})

    def _trouble(self) -> tuple[str, str] | None:
        said = self._setup
        if said["code"] not in ("", code_digest()):
            return (
                f"there is other code of Likeness ({VERSION}) than where the run was started "
                f"({said['version']})",
                "Install the same on all machines.",
            )
        for path in said["common"]:
            if not Path(path).exists():
                return (
                    f"'{path}' is not there",
                    "Choose a folder that all machines see under the same path, or an address.",
                )
        if said["no_gpu"]:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # those of this machine are for other jobs
        memory, threads = said["memory_mb"], int(said["threads"])
        if memory is None:
            memory = compute_memory_share(min(1.0, threads / (os.cpu_count() or 1)))
        limits = WorkerLimits(said["seconds"], memory)
        shape = PoolConfig(1, threads, said["recycle"], limits)
        command = said["command"] or pool_worker_command(said["worker"])
        self._crew = WorkerPool(said["request"], shape, command)
        return None

    def work(self, unit: str) -> str:
        """Have a unit made, or go on with the one before where ``unit`` is empty.

        Returns:
            As JSON what the worker has said in a second, or less if the unit has ended: kind, key
            and content of each ``WorkerEvent``. The kind ``error`` means that no unit can be made.
        """
        crew = self._crew
        assert crew is not None
        words: list[tuple[str, str, dict[str, Any]]] = []
        begun = monotonic()
        try:
            if unit:
                crew.submit(json.loads(unit))
            while not self._stopping.is_set():
                said = crew.take(0.25)
                if said is not None:
                    words.append((said.kind, said.key, dict(said.content)))
                ended = said is not None and said.kind in ENDS
                if ended or (words and monotonic() - begun > SECONDS_BETWEEN_WORDS):
                    break
        except LikenessError as error:
            words.append(("error", "", {"message": error.message, "remedy": error.remedy}))
        return json.dumps(words)

    def stop(self) -> None:
        """End the worker, whatever it does, and wait for it."""
        self._stopping.set()
        if self._crew is not None:
            self._crew.end()


# Where work is given out --------------------------------------------------------------------


def share_resources(
    machines: Sequence[tuple[int, float]], workers: int, threads: int = 0
) -> tuple[int, float]:
    """Threads and share of a GPU for each worker, so that all of them find room.

    A GPU is asked for only where every machine with cores has one: else the machines without
    would stand idle.

    Args:
        machines: cores and GPUs of each.
        workers: number of workers.
        threads: of each worker, if that is fixed.

    >>> share_resources([(16, 4.0)], 4), share_resources([(8, 0.0), (8, 0.0)], 3)
    ((4, 1.0), (4, 0.0))
    >>> share_resources([(16, 2.0)], 3), share_resources([(4, 1.0)], 9)
    ((5, 0.5), (1, 0.25))
    """
    places = [(core, gpu) for core, gpu in machines if core]
    if not threads:
        most = max((core for core, _ in places), default=1)
        fitting = (t for t in range(most, 0, -1) if sum(c // t for c, _ in places) >= workers)
        threads = next(fitting, 1)
    if not places or not all(gpu >= 1 for _, gpu in places):
        return threads, 0.0
    on_one = max(-(-min(core // threads, workers) // int(gpu)) for core, gpu in places)
    return threads, 1.0 / max(1, on_one)


class _Hand:
    """An actor on some machine.

    Attributes:
        unit: that it makes, or None.
        ready: whether it has answered.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.unit: Unit | None = None
        self.ready = False
        self.machine = ""


class RayWorkerPool:
    """The workers of a run on a cluster: an :class:`~..engine.workflows.executor.Executor`."""

    def __init__(
        self,
        cluster: ClusterConfig,
        request: Mapping[str, Any],
        shape: PoolConfig,
        worker: str,
        common: Sequence[Path] = (),
        command: Sequence[str] = (),
    ) -> None:
        """
        Args:
            cluster: where the workers run.
            request: as for :class:`.pool.WorkerPool`.
            shape: as for :class:`.pool.WorkerPool`; its ``memory_mb`` may be None.
            worker: name of the hidden command that each machine runs.
            common: files and folders that every machine must see.
            command: run instead of ``worker``.

        Raises:
            LikenessError: Ray is not installed, or this is not an installed Python package.
        """
        check_ray()
        self._cluster, self._shape = cluster, shape
        self._setup = {
            "request": dict(request),
            "worker": worker,
            "command": list(command),
            "recycle": shape.recycle,
            "seconds": shape.limits.seconds,
            "memory_mb": shape.limits.memory_mb,
            "version": VERSION,
            "code": "" if cluster.here else code_digest(),
            "common": [str(path) for path in common],
        }
        self._todo: deque[Unit] = deque()
        self._hands: list[_Hand] = []
        self._awaited: dict[Any, _Hand] = {}
        self._heard: deque[WorkerEvent] = deque()
        self._failed_starts = 0
        self._session: RaySession | None = None
        self._began = 0.0
        self._told_of_waiting = False

    def submit(self, unit: Unit, soon: bool = False) -> None:
        """See :class:`~..engine.workflows.executor.Executor`; nothing starts before
        :meth:`take`."""
        (self._todo.appendleft if soon else self._todo.append)(unit)

    def take(self, timeout: float) -> WorkerEvent | None:
        """The next word of a worker; see :class:`~..engine.workflows.executor.Executor`."""
        import ray

        if self._heard:
            return self._heard.popleft()
        if self._session is None:
            self._begin()
        busy = sum(hand.unit is not None for hand in self._hands)
        while len(self._hands) < min(self._shape.workers, busy + len(self._todo)):
            self._start()
        for hand in self._hands:
            if hand.ready and hand.unit is None and self._todo:
                self._give(hand, self._todo.popleft())
        self._tell_of_waiting()
        if not self._awaited:
            return None
        heard, _ = ray.wait(list(self._awaited), num_returns=1, timeout=timeout)
        if not heard:
            return None
        hand = self._awaited.pop(heard[0])
        try:
            said = json.loads(ray.get(heard[0]))
        except ray.exceptions.RayError as error:
            return self._lost(hand, error)
        if hand.ready:
            self._taken(hand, said)
        else:
            self._opened(hand, said)
        return self._heard.popleft() if self._heard else None

    def end(self) -> None:
        """Stop all workers, and Ray where it was started for them."""
        if self._session is None:
            return
        import ray

        stops = [hand.actor.stop.remote() for hand in self._hands if hand.ready]
        if stops:
            ray.wait(stops, num_returns=len(stops), timeout=GRACE_SECONDS + 2.0)
        for hand in self._hands:
            ray.kill(hand.actor)
        self._hands.clear()
        self._awaited.clear()
        self._session.close()
        self._session = None

    def _begin(self) -> None:
        import ray

        self._session = RaySession(self._cluster, self._shape)
        self._began = monotonic()
        machines = [
            (int(node["Resources"].get("CPU", 0)), float(node["Resources"].get("GPU", 0)))
            for node in ray.nodes()
            if node["Alive"]
        ]
        threads, gpu = share_resources(machines, self._shape.workers, self._shape.threads)
        if self._cluster.gpu_share is not None:
            gpu = self._cluster.gpu_share
        self._setup["threads"] = threads
        self._setup["no_gpu"] = not gpu and any(gpus for _, gpus in machines)
        most = max((core for core, _ in machines), default=0)
        if threads > most:
            raise LikenessError(
                f"No machine of the cluster has {threads} cores; the largest has {most}.",
                "Give fewer --threads.",
            )
        if gpu and not any(gpus >= gpu for _, gpus in machines):
            raise LikenessError("No machine of the cluster has a GPU.", "Leave out --gpu-share.")
        self._takes = {"num_cpus": threads, "num_gpus": int(gpu * 10_000) / 10_000}

    def _start(self) -> None:
        import ray

        kind = ray.remote(WorkerActor).options(max_concurrency=2, max_restarts=0, **self._takes)
        hand = _Hand(kind.remote(json.dumps(self._setup)))
        self._hands.append(hand)
        self._awaited[hand.actor.open.remote()] = hand

    def _give(self, hand: _Hand, unit: Unit) -> None:
        hand.unit = unit
        self._awaited[hand.actor.work.remote(json.dumps(dict(unit)))] = hand

    def _opened(self, hand: _Hand, said: Mapping[str, Any]) -> None:
        hand.ready, hand.machine = True, str(said["machine"])
        self._failed_starts = 0
        if said["trouble"] is not None:
            why, remedy = said["trouble"]
            raise LikenessError(f"On '{hand.machine}' {why}.", remedy)

    def _taken(self, hand: _Hand, words: Sequence[Any]) -> None:
        for kind, key, content in words:
            if kind == "error":
                where = "" if self._cluster.here else f"On '{hand.machine}': "
                raise LikenessError(where + str(content["message"]), str(content["remedy"]))
            self._heard.append(WorkerEvent(kind, key, content))
            if kind in ENDS:
                hand.unit = None
        if hand.unit is not None:
            self._awaited[hand.actor.work.remote("")] = hand

    def _lost(self, hand: _Hand, error: Exception) -> WorkerEvent | None:
        import ray

        self._hands.remove(hand)
        ray.kill(hand.actor)  # where only the connection was lost
        if hand.unit is not None:
            told = {"reason": _LOST, "remedy": "See whether the machine is well.", "lost": True}
            return WorkerEvent("failed", str(hand.unit["key"]), told)
        self._failed_starts += 1
        if self._failed_starts == MAX_FAILED_STARTS:
            words = " ".join(str(error).split())
            raise LikenessError(
                f"No worker could start on the cluster: {words[:500]}",
                f"Install Likeness {VERSION} with the extra 'cluster' on all machines.",
            ) from error
        return None

    def _tell_of_waiting(self) -> None:
        waiting = not any(hand.ready for hand in self._hands)
        if waiting and not self._told_of_waiting and monotonic() - self._began > PATIENCE_SECONDS:
            self._told_of_waiting = True
            warnings.warn(
                f"the cluster has no room yet for a worker of {self._takes['num_cpus']} cores"
                f" and {self._takes['num_gpus']} GPUs",
                stacklevel=2,
            )
