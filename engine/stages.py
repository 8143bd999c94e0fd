"""The stages of a build: told as they come, timed, and how much of the whole each one is.

Light to import, because Blender's panel reads the shares.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .types import Progress

BUILD_SHARES = {
    "start": 0.02, "load": 0.01, "detect": 0.03, "fit": 0.12, "matte": 0.05, "lift": 0.10,
    "network": 0.04, "order": 0.05, "refine": 0.55, "check": 0.03,
}  # fmt: skip
"""Stage of the engine's pipeline -> about what part of the time it takes. A build without a
network has no such stage."""


def whole_progress(stage: str, fraction: float) -> float | None:
    """0..1 over all stages; None for a stage that is not known.

    >>> whole_progress("start", 0.0), round(whole_progress("matte", 0.5), 3)
    (0.0, 0.205)
    """
    if stage not in BUILD_SHARES:
        return None
    stages = list(BUILD_SHARES)
    before = sum(BUILD_SHARES[name] for name in stages[: stages.index(stage)])
    return before + fraction * BUILD_SHARES[stage]


class Stages:
    """Times the stages, and tells the progress callback where the work is."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, message: str) -> Iterator[None]:
        self.tell(stage, 0.0, message)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        self.tell(stage, 1.0, "")

    def tell(self, stage: str, fraction: float, message: str) -> None:
        if self._progress is not None:
            self._progress(stage, fraction, message)

    def within(self, stage: str) -> Progress:
        """A callback for a stage that tells its own progress."""
        return lambda _, fraction, message: self.tell(stage, min(fraction, 0.999), message)


def peak_memory_mb() -> int | None:
    """Most memory that this process ever held, in MB; None where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))
