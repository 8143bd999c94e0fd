"""The worker process: does one task apart from Blender, and talks in JSON lines.

Started with the engine loaded under any package name; call :func:`main`. One request comes as
the first line on stdin (or as the only argument)::

    {"task": "build", "portrait": "me.jpg", "output": "folder"}

The modules of :mod:`.jobs` say what each task takes and answers; without ``task`` it is ``build``.
Answers, one JSON object a line on stdout (everything else goes to stderr)::

    {"type": "progress", "stage": "fit", "fraction": 0.4, "message": "face"}
    {"type": "result", "avatar": "…/avatar.safetensors", "warnings": []}
    {"type": "error", "message": "…", "remedy": "…"}

Exactly one result or error ends the stream. The exit code is 0, 2 for what the user can mend, 1
for a fault of the program, and 143 after cancelling: SIGTERM, or stdin closing, stops the work
and leaves no half-written files.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any, TextIO

from .jobs import TASKS
from .stopping import stops_kept
from .types import LikenessError

EXIT_MENDABLE, EXIT_FAULT, EXIT_CANCELLED = 2, 1, 143


class Channel:
    """Writes JSON lines; safe to call from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, kind: str, **content: Any) -> None:
        """Write one line; a reader that has gone away is no error, its stdin closes too."""
        line = json.dumps({"type": kind, **content})
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def progress(self, stage: str, fraction: float, message: str) -> None:
        """The ``Progress`` callback of the engine."""
        self.send("progress", stage=stage, fraction=round(float(fraction), 4), message=message)


def parse_request(line: str) -> tuple[str, dict[str, Any]]:
    """The task and the request of a JSON line, checked for what it must and may contain.

    Raises:
        LikenessError: it is not a request, or of a task that is not known.
    """
    try:
        request = json.loads(line)
    except json.JSONDecodeError as error:
        raise LikenessError(f"The request is not JSON: {error}.") from error
    if not isinstance(request, dict):
        raise LikenessError("The request is not a JSON object.")
    task = request.pop("task", "build")
    if task not in TASKS:
        raise LikenessError(f"There is no task '{task}'.", f"Choose one of: {', '.join(TASKS)}.")
    known: dict[str, Any] = _job(task).DEFAULTS
    unknown = sorted(set(request) - set(known))
    if unknown:
        raise LikenessError(f"The request has unknown keys: {', '.join(unknown)}.")
    missing = [key for key, default in known.items() if default is ... and not request.get(key)]
    if missing:
        raise LikenessError(f"The request lacks: {', '.join(missing)}.")
    return task, {**known, **request}


def _job(task: str) -> Any:
    return importlib.import_module(f".jobs.{task}", __package__)


def _cancel(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(EXIT_CANCELLED)


def _cancel_when_closed(stdin: TextIO) -> None:
    """Wait until the parent closes our stdin, then stop as SIGTERM would."""
    while stdin.readline():
        pass
    signal.raise_signal(signal.SIGTERM)


def main(argv: list[str] | None = None) -> int:
    """Handle one request; returns the exit code."""
    # Libraries print to file descriptor 1; the protocol gets a copy of it, they get stderr.
    channel = Channel(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _cancel)
    stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        arguments = sys.argv[1:] if argv is None else argv
        task, request = parse_request(arguments[0] if arguments else stdin.readline())
        if not arguments:
            watch = threading.Thread(target=_cancel_when_closed, args=(stdin,), daemon=True)
            watch.start()
        with stops_kept():
            channel.send("result", **_job(task).run(request, channel))
    except LikenessError as error:
        channel.send("error", message=error.message, remedy=error.remedy)
        return EXIT_MENDABLE
    except MemoryError:
        channel.send(
            "error",
            message="There was not enough memory.",
            remedy="Close other programs, or ask for fewer Gaussians.",
        )
        return EXIT_MENDABLE
    except Exception as error:
        traceback.print_exc()
        channel.send(
            "error",
            message=f"Something unexpected went wrong: {type(error).__name__}: {error}.",
            remedy="Please report it with the log.",
        )
        return EXIT_FAULT
    return 0


if __name__ == "__main__":
    sys.exit(main())
