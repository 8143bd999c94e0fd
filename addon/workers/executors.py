"""Opens the workers of a run: on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine.workflows.executor import Executor
from .plan import ClusterConfig, PoolConfig
from .pool import WorkerPool, pool_worker_command


def open_executor(
    request: Mapping[str, Any],
    shape: PoolConfig,
    worker: str,
    cluster: ClusterConfig | None = None,
    common: Sequence[Path] = (),
    command: Sequence[str] = (),
) -> Executor:
    """The workers of a run: of this machine, or of a cluster.

    Args:
        request: what each worker is told first.
        worker: name of the hidden command that calls :func:`.serving.serve`.
        cluster: None for this machine.
        common: files and folders that all machines of a cluster must see.
        command: run instead of ``worker``.
    """
    if cluster is None:
        return WorkerPool(request, shape, list(command) or pool_worker_command(worker))
    from .ray_pool import RayWorkerPool

    return RayWorkerPool(cluster, request, shape, worker, common, command)
