"""Builds the portraits of ``likeness batch`` in a worker, with their .blend files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any

from ..engine.workflows.executor import Unit
from .workers import serving

_REPORT_SECONDS = 1.0


def open_batch_maker(request: Mapping[str, Any], say: serving.SendEvent) -> serving.UnitMaker:
    """Open a maker of portraits. Data that they share stays loaded (engine/files/cache.py)."""
    import psutil

    from ..engine.workflows.batch.make import make_unit
    from .blend_file import write_blend

    own = psutil.Process()

    def one(unit: Unit) -> Mapping[str, Any]:
        reported = 0.0

        def progress(stage: str, fraction: float, message: str) -> None:
            nonlocal reported
            if monotonic() - reported > _REPORT_SECONDS:
                reported = monotonic()
                say("progress", key=unit["key"], stage=stage, fraction=round(fraction, 4))

        made = make_unit(unit, write_blend, progress)
        return {**made, "worker": os.getpid(), "held_mb": round(own.memory_info().rss / 2**20)}

    return one
