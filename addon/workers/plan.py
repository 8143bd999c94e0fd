"""How many workers run, where, and what each of them may take."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from ...engine.core.options import option


def count_cores() -> int:
    """Cores that this process may use: a farm's scheduler may leave it only some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


MIN_SHARE_MB = 4096.0


def compute_memory_share(part: float) -> float:
    """A worker's part of this machine's memory, in MB, so that all together leave it some."""
    import psutil

    return max(MIN_SHARE_MB, 0.9 * part * float(psutil.virtual_memory().total) / 2**20)


def list_gpus() -> list[str]:
    """The GPUs that workers may use, as ``CUDA_VISIBLE_DEVICES`` names them; none where the
    driver does not tell, and all workers then use what there is."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip()]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    import subprocess  # late: the command line reads this module for its help

    try:
        done = subprocess.run(
            [tool, "--query-gpu=uuid", "--format=csv,noheader"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []


@dataclass(frozen=True)
class WorkerLimits:
    """What a unit may take; 0 is no limit.

    Attributes:
        seconds: of a unit, and of a worker's start if it is more than START_SECONDS.
        memory_mb: of a worker and the programs that it starts; None is its share of the machine's.
    """

    seconds: float = 0.0
    memory_mb: float | None = 0.0


@dataclass(frozen=True)
class PoolConfig:
    """How many workers there are, and what each of them may take.

    Attributes:
        workers: number of processes.
        threads: of each; 0 shares the machine's cores among them.
        recycle: units after which a worker is replaced (every library retains some memory).
        limits: what a unit may take.
    """

    workers: int = option(
        1, help="Number of processes.", metavar="N", min=1, max=256, show_default=True
    )
    threads: int = option(
        0,
        help="Threads of each process; the cores are shared among them if not given.",
        metavar="N",
        min=0,
        max=1024,
    )
    recycle: int = option(
        50, help="Units after which a process is replaced.", metavar="N", min=1, show_default=True
    )
    limits: WorkerLimits = WorkerLimits()

    @property
    def each(self) -> int:
        """Threads of each worker."""
        return self.threads or max(1, count_cores() // self.workers)


@dataclass(frozen=True)
class ClusterConfig:
    """A cluster, and what of it a worker takes.

    Attributes:
        address: of Ray's head, as ``host:6379``; ``auto`` is the one in ``RAY_ADDRESS``, or one
            that is started on this machine alone, and ended with the run.
        gpu_share: of a GPU for each worker, 0..1; None shares them out.
    """

    address: str = option(
        help="Cluster of Ray to run the processes on (docs/farm.md): the one at ADDRESS, or one "
        "started on this machine.",
        metavar="auto|ADDRESS",
        flags=("--cluster",),
    )
    gpu_share: float | None = option(
        None,
        help="Share of a GPU for each process on a cluster; shared out if not given.",
        metavar="X",
        min=0,
        max=1,
    )

    @property
    def here(self) -> bool:
        """Whether Ray is started on this machine."""
        return self.address == "auto" and not os.environ.get("RAY_ADDRESS")
