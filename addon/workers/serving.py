"""A worker process: units of work come on stdin, answers go to stdout, both as JSON lines.

The first line is the request, which says what to open; every further one is a unit with its
``key``. Answers; everything else that a worker prints goes to stderr::

    {"type": "ready"}
    {"type": "done", "key": "12", ...}                      what the unit's maker answers
    {"type": "failed", "key": "13", "reason": "…", "remedy": "…", "mendable": true}
    {"type": "progress", "key": "14", ...}                  and other words that makers say
    {"type": "error", "message": "…", "remedy": "…"}        ends it: no unit can be made

When stdin closes, the process ends at once, even in the middle of a unit: whoever gave the units
is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.workflows.executor import FatalWorkerError, Unit
from ...engine.workflows.worker.main import EXIT_CANCELLED, EXIT_USER_ERROR, Channel

SendEvent = Callable[..., None]
"""``say("progress", key="12", fraction=0.5)``: a word by the way."""

UnitMaker = Callable[[Unit], Mapping[str, Any]]
"""Makes a unit and gives the answer."""

OpenUnitMaker = Callable[[Mapping[str, Any], SendEvent], UnitMaker]
"""Opens for a request what all units need, once."""


def serve_units(open_maker: OpenUnitMaker) -> int:
    """Make units until stdin closes; returns the exit code."""
    # Libraries (and Blender) print to file descriptor 1; the protocol gets a copy of it.
    channel = Channel(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who gives units
    stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    request = json.loads(stdin.readline())

    def listen() -> None:
        for line in stdin:
            lines.put(line)
        os._exit(EXIT_CANCELLED)  # compiled code and Cycles take no other word for it

    threading.Thread(target=listen, daemon=True).start()
    try:
        make = open_maker(request, channel.send)
        channel.send("ready")
        while True:
            _one(json.loads(lines.get()), make, channel)
    except LikenessError as error:
        channel.send("error", message=error.message, remedy=error.remedy)
    return EXIT_USER_ERROR


def _one(unit: Unit, make: UnitMaker, channel: Channel) -> None:
    """Make a unit and say what came of it.

    Raises:
        NoMoreError: it cannot be made, as no other could.
    """
    key = unit["key"]
    try:
        channel.send("done", key=key, **make(unit))
    except FatalWorkerError:
        raise
    except LikenessError as error:
        channel.send("failed", key=key, reason=error.message, remedy=error.remedy, mendable=True)
    except MemoryError:
        channel.send("failed", key=key, reason="There was not enough memory.", remedy=MORE_MEMORY)
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".strip().rstrip(":")
        channel.send("failed", key=key, reason=f"An unexpected error: {what}", remedy=FAULT)


FAULT = "This is a fault of Likeness: please report it with these words and, if you may, the file."
MORE_MEMORY = "Give it more memory, fewer workers, or a smaller picture."
