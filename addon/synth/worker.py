"""A process that makes subjects: numbers come on stdin, tar files go to the staging folder.

The first line on stdin is the request, one JSON object; every further line is the number of a
subject. Answers are JSON lines on stdout; everything else goes to stderr::

    {"type": "ready"}
    {"type": "skipped", "asset": "…/hat.mhclo", "reason": "…"}
    {"type": "staged", "subject": 12, "seconds": {"looks": 1.2, "render": 8.1, "writing": 0.2}}
    {"type": "failed", "subject": 13, "reason": "…"}
    {"type": "error", "message": "…", "remedy": "…"}       ends it: no subject can be made

When stdin closes, the process ends at once, even in the middle of a subject: whoever gave the
numbers is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from ...engine.training.subjects import Subject
from ...engine.types import LikenessError
from ...engine.worker import EXIT_CANCELLED, EXIT_MENDABLE, Channel
from .staging import stage

Maker = Callable[[int], tuple[Subject, Mapping[str, float]]]
"""A subject by its number, and the seconds of each stage."""

OpenMaker = Callable[[Mapping[str, Any], Callable[[Path, str], None]], Maker]
"""A maker for a request; is told how to report assets that are left out."""


def serve(open_maker: OpenMaker) -> int:
    """Make subjects until stdin closes; returns the exit code."""
    # Libraries (and Blender) print to file descriptor 1; the protocol gets a copy of it.
    channel = Channel(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who gives numbers
    stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    request = json.loads(stdin.readline())

    def listen() -> None:
        for line in stdin:
            lines.put(line)
        os._exit(EXIT_CANCELLED)  # compiled code and Cycles take no other word for it

    threading.Thread(target=listen, daemon=True).start()
    try:
        make = open_maker(
            request, lambda asset, why: channel.send("skipped", asset=str(asset), reason=why)
        )
        channel.send("ready")
        while True:
            _one(int(lines.get()), make, Path(request["data"]), channel)
    except LikenessError as error:
        channel.send("error", message=error.message, remedy=error.remedy)
    return EXIT_MENDABLE


def _one(number: int, make: Maker, data: Path, channel: Channel) -> None:
    """Make a subject and stage it.

    Raises:
        LikenessError: it cannot be written, as no other could.
    """
    try:
        subject, seconds = make(number)
    except Exception as error:
        traceback.print_exc()
        reason = str(error) if isinstance(error, LikenessError) else repr(error)
        channel.send("failed", subject=number, reason=reason)
        return
    start = perf_counter()
    stage(data, subject)
    writing = seconds.get("writing", 0.0) + perf_counter() - start
    channel.send("staged", subject=number, seconds={**seconds, "writing": writing})
