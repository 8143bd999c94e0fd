"""The worker process of ``likeness synth``: takes numbers, writes tar files to the staging folder.

The protocol is that of :mod:`..workers.serving`. A unit is ``{"key": "12", "subject": 12}``.
Messages besides those of the protocol::

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
from ...engine.workflows.executor import FatalWorkerError, Unit
from ..workers import serving
from .staging import stage_subject

SubjectMaker = Callable[[int], tuple[Subject, Mapping[str, float]]]
"""From a number to the subject and the seconds of each stage."""

OpenSubjectMaker = Callable[[Mapping[str, Any], Callable[[Path, str], None]], SubjectMaker]
"""From a request and a callback for skipped assets to a maker."""


def serve_subjects(open_maker: OpenSubjectMaker) -> int:
    """Make subjects until stdin closes; returns the exit code."""
    return serving.serve_units(wrap_subject_maker(open_maker))


def wrap_subject_maker(open_maker: OpenSubjectMaker) -> serving.OpenUnitMaker:
    """Wrap a maker so that it writes subjects to the request's staging folder."""

    def open_all(request: Mapping[str, Any], say: serving.SendEvent) -> serving.UnitMaker:
        make = open_maker(request, lambda asset, why: say("skipped", asset=str(asset), reason=why))
        data = Path(request["data"])

        def one(unit: Unit) -> Mapping[str, Any]:
            subject, seconds = make(int(unit["subject"]))
            start = perf_counter()
            try:
                stage_subject(data, subject)
            except LikenessError as error:  # the next ones would fail, too
                raise FatalWorkerError(error.message, error.remedy) from error
            writing = seconds.get("writing", 0.0) + perf_counter() - start
            return {"seconds": {**seconds, "writing": writing}}

        return one

    return open_all
