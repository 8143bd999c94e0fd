"""The stages of a build: progress, times, and the share of each in the whole.

Light to import, because Blender's panel reads the shares.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .types import Progress

_log = logging.getLogger(__name__)

_SECONDS = {
    "start": 1.5,
    "load": 0.2,
    "detect": 0.6,
    "fit": 0.6,
    "look": 0.3,
    "matte": 1.5,
    "lift": 4.5,
    "network": 1.0,
    "order": 0.6,
    "refine": 12.0,
    "polish": 15.0,
    "check": 0.2,
    "preview": 2.0,
    "ready": 1.5,
}
"""Seconds of each stage for one photo of a megapixel on two cores."""

_REFINE_SECONDS = {"off": 0.0, "fast": 12.0, "full": 40.0}


def estimate_seconds(
    refine: str = "fast",
    *,
    network: bool = False,
    photos: int = 1,
    look: bool = False,
    preview: bool = False,
    scene: bool = False,
    polish: bool = False,
) -> dict[str, float]:
    """Estimate how long each stage of a build takes on two cores.

    Args:
        refine: One of ``gaussians.refine.refine_gaussians.REFINE_LEVELS``.
        network: Whether a network improves the lift.
        photos: Number of photos of the person.
        look: Whether the user is shown the fit.
        preview: Whether the preview is drawn.
        scene: Whether the result is prepared for Blender.
        polish: Whether the colours are polished.

    Returns:
        Seconds by stage, of those stages that the build will have.

    >>> [name for name in estimate_seconds("off") if name not in estimate_seconds("fast")]
    []
    >>> "refine" in estimate_seconds("off")
    False
    """
    seconds = {
        name: value * (photos if name not in ("start", "order", "polish", "check", "ready") else 1)
        for name, value in _SECONDS.items()
    }
    seconds["refine"] = _REFINE_SECONDS.get(refine, _REFINE_SECONDS["fast"]) * photos
    wanted = {
        "network": network,
        "look": look,
        "preview": preview,
        "ready": scene,
        "refine": refine != "off",
        "polish": polish,
    }
    return {name: value for name, value in seconds.items() if wanted.get(name, True)}


def overall_progress(stage: str, fraction: float, seconds: Mapping[str, float]) -> float | None:
    """Return the progress in 0..1 over all stages, weighted by their ``seconds``.

    Args:
        stage: The stage at work.
        fraction: Its own progress in 0..1.
        seconds: Seconds by stage, in order.

    Returns:
        None for a stage that is not in ``seconds``.

    >>> overall_progress("b", 0.5, {"a": 1.0, "b": 2.0, "c": 1.0})
    0.5
    """
    if stage not in seconds:
        return None
    stages = list(seconds)
    before = sum(seconds[name] for name in stages[: stages.index(stage)])
    return (before + fraction * seconds[stage]) / sum(seconds.values())


class StageTimer:
    """Times the stages and reports progress.

    Attributes:
        seconds: Seconds of each finished stage.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, message: str) -> Iterator[None]:
        """Time the stage that runs in a ``with`` block, and report its beginning and end.

        Args:
            stage: The stage.
            message: What it does.
        """
        self.tell(stage, 0.0, message)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        _log.info("%s took %.2f s", stage, self.seconds[stage])
        self.tell(stage, 1.0, "")

    def tell(self, stage: str, fraction: float, message: str) -> None:
        """Report progress within a stage.

        Args:
            stage: The stage at work.
            fraction: Its progress in 0..1.
            message: What is being done.
        """
        if self._progress is not None:
            self._progress(stage, fraction, message)

    def within(self, stage: str) -> Progress:
        """Return a callback for a stage that reports its own progress."""
        return lambda _, fraction, message: self.tell(stage, min(fraction, 0.999), message)


def peak_memory_mb() -> int | None:
    """Return this process's peak memory in MB; None where the system does not report it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))
