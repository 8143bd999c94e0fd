"""Workers on the machines of a Ray cluster, from the side of who gives them work.

A :class:`RayCrew` is the :class:`~..engine.executor.Executor` of ``--cluster``. Each of its actors
is a :class:`~.crew.Crew` of one on the machine where Ray puts it: the same worker processes as on
this machine, with the same limits, replaced as often. Only short texts go to and fro; photos and
results stay in the folders or addresses that all machines see.

A machine, actor or connection that is lost gives its unit back, as ``failed`` with ``lost``: it is
tried again elsewhere.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from ..engine.batch.code import code_digest
from ..engine.executor import Said, Unit
from ..engine.types import LikenessError
from ..engine.version import VERSION
from .crew import GRACE_SECONDS, STARTS, Crew, Limits, Shape, cores, share_mb, worker_command

PATIENCE_SECONDS = 60.0
"""After so long without a worker it is told that the cluster has no room yet."""

ANSWER_SECONDS = 10.0
"""So long a cluster's head may take to answer."""

ENDS = ("done", "failed")
SECONDS_BETWEEN_WORDS = 1.0
"""That what a worker says by the way may wait, so that it costs next to nothing."""

_TOKEN = secrets.token_hex(32)
"""Of the clusters that this process starts; Ray lets nobody in without."""

_STORE_BYTES = 80 * 2**20  # of shared memory; Ray takes no less, and we need next to none
_LOST = "the worker was lost, with its machine, its actor or the connection"


# On each machine ----------------------------------------------------------------------------


class Post:
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
        self._crew: Crew | None = None

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
            memory = share_mb(min(1.0, threads / (os.cpu_count() or 1)))
        limits = Limits(said["seconds"], memory)
        shape = Shape(1, threads, said["recycle"], limits)
        command = said["command"] or worker_command(said["worker"])
        self._crew = Crew(said["request"], shape, command)
        return None

    def work(self, unit: str) -> str:
        """Have a unit made, or go on with the one before where ``unit`` is empty.

        Returns:
            As JSON what the worker has said in a second, or less if the unit has ended: kind, key
            and content of each ``Said``. The kind ``error`` means that no unit can be made.
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


def spread(
    machines: Sequence[tuple[int, float]], workers: int, threads: int = 0
) -> tuple[int, float]:
    """Threads and share of a GPU for each worker, so that all of them find room.

    A GPU is asked for only where every machine with cores has one: else the machines without
    would stand idle.

    Args:
        machines: cores and GPUs of each. threads: of each worker, if that is fixed.

    >>> spread([(16, 4.0)], 4), spread([(2, 0.0)], 2), spread([(8, 0.0), (8, 0.0)], 3)
    ((4, 1.0), (1, 0.0), (4, 0.0))
    >>> spread([(16, 2.0)], 3), spread([(8, 1.0), (8, 0.0)], 2), spread([(4, 1.0)], 9)
    ((5, 0.5), (8, 0.0), (1, 0.25))
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


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and what of it a worker takes.

    Attributes:
        address: of Ray's head, as ``host:6379``; ``auto`` is the one in ``RAY_ADDRESS``, or one
            that is started on this machine alone, and ended with the run.
        gpu_share: of a GPU for each worker, 0..1; None shares them out.
    """

    address: str
    gpu_share: float | None = None

    @property
    def here(self) -> bool:
        """Whether Ray is started on this machine."""
        return self.address == "auto" and not os.environ.get("RAY_ADDRESS")


class _Hand:
    """An actor. unit: what it makes, or None. ready: it has answered."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.unit: Unit | None = None
        self.ready = False
        self.machine = ""


class RayCrew:
    """The workers of a run on a cluster: an :class:`~..engine.executor.Executor`."""

    def __init__(
        self,
        cluster: Cluster,
        request: Mapping[str, Any],
        shape: Shape,
        worker: str,
        common: Sequence[Path] = (),
        command: Sequence[str] = (),
    ) -> None:
        """
        Args:
            request, shape: as of a :class:`~.crew.Crew`; the shape's ``memory_mb`` may be None.
            worker: name of the hidden command that each machine runs.
            common: files and folders that every machine must see.
            command: run instead of ``worker``.

        Raises:
            LikenessError: Ray is not installed, or this is no installed Python package.
        """
        check_ray()
        self._cluster, self._shape = cluster, shape
        self._setup = {
            "request": dict(request), "worker": worker, "command": list(command),
            "recycle": shape.recycle, "seconds": shape.limits.seconds,
            "memory_mb": shape.limits.memory_mb, "version": VERSION,
            "code": "" if cluster.here else code_digest(), "common": [str(path) for path in common],
        }  # fmt: skip
        self._todo: deque[Unit] = deque()
        self._hands: list[_Hand] = []
        self._awaited: dict[Any, _Hand] = {}
        self._heard: deque[Said] = deque()
        self._failed_starts = 0
        self._session: Session | None = None
        self._began = 0.0
        self._told_of_waiting = False

    def submit(self, unit: Unit, soon: bool = False) -> None:
        """See :class:`~..engine.executor.Executor`; nothing starts before :meth:`take`."""
        (self._todo.appendleft if soon else self._todo.append)(unit)

    def take(self, timeout: float) -> Said | None:
        """The next word of a worker; see :class:`~..engine.executor.Executor`."""
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

        self._session = Session(self._cluster, self._shape)
        self._began = monotonic()
        machines = [
            (int(node["Resources"].get("CPU", 0)), float(node["Resources"].get("GPU", 0)))
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"]
        ]
        threads, gpu = spread(machines, self._shape.workers, self._shape.threads)
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

        kind = ray.remote(Post).options(max_concurrency=2, max_restarts=0, **self._takes)
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
            self._heard.append(Said(kind, key, content))
            if kind in ENDS:
                hand.unit = None
        if hand.unit is not None:
            self._awaited[hand.actor.work.remote("")] = hand

    def _lost(self, hand: _Hand, error: Exception) -> Said | None:
        import ray

        self._hands.remove(hand)
        ray.kill(hand.actor)  # where only the connection was lost
        if hand.unit is not None:
            told = {"reason": _LOST, "remedy": "See whether the machine is well.", "lost": True}
            return Said("failed", str(hand.unit["key"]), told)
        self._failed_starts += 1
        if self._failed_starts == STARTS:
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


# Ray ----------------------------------------------------------------------------------------


def has_ray() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("ray") is not None


def check_ray() -> None:
    """Look whether Ray can be used, before anything is begun.

    Raises:
        LikenessError: it is not installed, or this runs where it cannot be.
    """
    if __name__.partition(".")[0] != "likeness":
        raise LikenessError(
            "--cluster needs Likeness as a Python package on all machines; Blender's extension is "
            "none.",
            "Install it (docs/farm.md), or leave out --cluster.",
        )
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise LikenessError(
            "--cluster needs the package 'ray', which is not installed.",
            "Install the extra 'cluster': pip install -e '.[cluster]' in the project's folder.",
        ) from error


class Session:
    """The connection to a cluster, which may be started for it.

    What the user's program has connected already is used, and left connected.
    """

    def __init__(self, cluster: Cluster, shape: Shape) -> None:
        import ray

        self._folder: Path | None = None
        self._before: dict[str, str | None] = {}
        self._own = not ray.is_initialized()
        if not self._own:
            return
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "critical"}
        if cluster.here:
            options |= self._local(shape)
        else:
            _check_answers(cluster.address)
            options["address"] = cluster.address
        try:
            with _handlers_kept():
                ray.init(**options)
        except Exception as error:  # of many kinds, and none says which
            self.close()
            words = " ".join(str(error).split())
            where = "on this machine" if cluster.here else f"at '{cluster.address}'"
            raise LikenessError(
                f"There is no cluster of Ray {where}: {words[:500] or type(error).__name__}",
                "Check the address, and that all machines have the same Ray and Python.",
            ) from error
        _quiet(True)

    def _local(self, shape: Shape) -> dict[str, Any]:
        """What starts Ray here: no dashboard, no statistics, a token that nobody else knows."""
        system = Path("/tmp")  # paths of sockets must be short
        home = system if os.name == "posix" and system.is_dir() else Path(tempfile.gettempdir())
        self._folder = Path(tempfile.mkdtemp(prefix="likeness-ray-", dir=home))
        self._set("RAY_USAGE_STATS_ENABLED", "0")
        self._set("RAY_worker_niceness", "0")  # as this process, like the pool's; Ray adds 15
        self._set("RAY_AUTH_MODE", os.environ.get("RAY_AUTH_MODE"))  # Ray sets it
        if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            self._set("RAY_AUTH_TOKEN", os.environ.get("RAY_AUTH_TOKEN") or _TOKEN)
        return {
            "address": "local", "include_dashboard": False, "_temp_dir": str(self._folder),
            "num_cpus": max(cores(), shape.workers * max(1, shape.threads)),
            "object_store_memory": _STORE_BYTES,
        }  # fmt: skip

    def _set(self, name: str, value: str | None) -> None:
        self._before[name] = os.environ.get(name)
        _put(name, value)

    def close(self) -> None:
        import ray

        if self._own:
            ray.shutdown()
            _quiet(False)
        for name, value in self._before.items():
            _put(name, value)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _check_answers(address: str) -> None:
    """Whether anything listens there; Ray itself tries for a quarter of an hour.

    Raises:
        LikenessError: nothing does.
    """
    told = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    host, colon, port = told.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # a name that Ray itself knows
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS):
            return
    except (OSError, ValueError, OverflowError) as error:
        raise LikenessError(
            f"There is no cluster of Ray at '{told}': {getattr(error, 'strerror', None) or error}.",
            "Check the address, and that its head runs and can be reached from here.",
        ) from error


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; ours says how the program ends."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and kept is not None:
            signal.signal(signal.SIGTERM, kept)


def _quiet(quiet: bool) -> None:
    """Ray prints words about dead workers to stdout, which is for those who read lines; what was
    lost is told by us."""
    import ray

    ray._private.worker._worker_logs_enabled = not quiet
