"""What a worker process of ``likeness synth`` does: numbers come, tar files go to the staging
folder.

The protocol is that of :mod:`..serving`. A unit is ``{"key": "12", "subject": 12}``; besides
there is::

    {"type": "skipped", "asset": "…/hat.mhclo", "reason": "…"}
    {"type": "done", "key": "12", "seconds": {"looks": 1.2, "render": 8.1, "writing": 0.2}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.dataset.subjects import Subject
from ...engine.workflows.executor import NoMoreError, Unit
from ..workers import serving
from .staging import stage

Maker = Callable[[int], tuple[Subject, Mapping[str, float]]]
"""A subject by its number, and the seconds of each stage."""

OpenMaker = Callable[[Mapping[str, Any], Callable[[Path, str], None]], Maker]
"""A maker for a request; is told how to report assets that are left out."""


def serve(open_maker: OpenMaker) -> int:
    """Make subjects until stdin closes; returns the exit code."""
    return serving.serve(staging(open_maker))


def staging(open_maker: OpenMaker) -> serving.OpenMaker:
    """A maker of subjects as one that puts them into the request's staging folder."""

    def open_all(request: Mapping[str, Any], say: serving.Say) -> serving.Maker:
        make = open_maker(request, lambda asset, why: say("skipped", asset=str(asset), reason=why))
        data = Path(request["data"])

        def one(unit: Unit) -> Mapping[str, Any]:
            subject, seconds = make(int(unit["subject"]))
            start = perf_counter()
            try:
                stage(data, subject)
            except LikenessError as error:  # no other could be written
                raise NoMoreError(error.message, error.remedy) from error
            writing = seconds.get("writing", 0.0) + perf_counter() - start
            return {"seconds": {**seconds, "writing": writing}}

        return one

    return open_all
