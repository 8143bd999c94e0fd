"""Connections to clusters of Ray: which one, whether it can be used, one that is started here."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...engine.core.types import LikenessError
from .plan import ClusterConfig, PoolConfig, count_cores

ANSWER_SECONDS = 10.0
"""So long a cluster's head may take to answer."""

_TOKEN = secrets.token_hex(32)
"""Of the clusters that this process starts; Ray lets nobody in without."""

_STORE_BYTES = 80 * 2**20  # of shared memory; Ray takes no less, and we need next to none


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


class RaySession:
    """The connection to a cluster, which may be started for it.

    What the user's program has connected already is used, and left connected.
    """

    def __init__(self, cluster: ClusterConfig, shape: PoolConfig) -> None:
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
            check_answers(cluster.address)
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

    def _local(self, shape: PoolConfig) -> dict[str, Any]:
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
            "address": "local",
            "include_dashboard": False,
            "_temp_dir": str(self._folder),
            "num_cpus": max(count_cores(), shape.workers * max(1, shape.threads)),
            "object_store_memory": _STORE_BYTES,
        }

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


def check_answers(address: str) -> None:
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
