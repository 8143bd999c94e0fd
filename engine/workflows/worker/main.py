"""The worker process: does one task outside Blender, and communicates in JSON lines.

Started with the engine loaded under any package name; call :func:`main`. One request comes as
the first line on stdin (or as the only argument)::

    {"task": "build", "portrait": "me.jpg", "output": "folder"}

A worker may be started before the request is known: after a first line ``{"stand_by": "build"}`` it
loads what that task needs (``load`` of its module), and then reads the request. If stdin closes
instead, it ends with 0.

The modules of :mod:`.registry` say what each task takes and answers; without ``task`` it is
``build``. Answers, one JSON object a line on stdout (everything else goes to stderr)::

    {"type": "progress", "stage": "fit", "fraction": 0.4, "message": "face"}
    {"type": "seen", "picture": "…/fit.png"}
    {"type": "face", "seconds": 1.25, "weights": [...]}
    {"type": "question", "kind": "fit", "picture": "…/fit.png", "people": 2}
    {"type": "result", "avatar": "…/avatar.safetensors", "warnings": []}
    {"type": "error", "message": "…", "remedy": "…"}

A question waits for its answer, one JSON object a line on stdin: ``{"answer": "continue"}``.
Only requests that ask for it (``"confirm"``) lead to questions (:mod:`.fit_check`).

Exactly one result or error ends the stream. The exit code is 0, 2 for errors that the user can fix,
1 for a fault of the program, and 143 after cancelling: SIGTERM, or stdin closing, stops the work
and leaves no half-written files.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any, TextIO

from ...core.signals import reraise_interrupts
from ...core.types import LikenessError
from .registry import TASKS

EXIT_USER_ERROR, EXIT_FAULT, EXIT_CANCELLED = 2, 1, 143


class Channel:
    """Writes JSON lines; safe to call from several threads.

    Args:
        stream: where the lines go.
        answered: whether questions are answered through :meth:`answer`.
    """

    def __init__(self, stream: TextIO, *, answered: bool = False) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[str | None] | None = None
        if answered:
            self._answers = queue.SimpleQueue()

    def send(self, kind: str, /, **content: Any) -> None:
        """Write one line; a reader that has gone away is not an error, its stdin closes too."""
        line = json.dumps({"type": kind, **content})
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def progress(self, stage: str, fraction: float, message: str) -> None:
        """The ``Progress`` callback of the engine."""
        self.send("progress", stage=stage, fraction=round(float(fraction), 4), message=message)

    def ask(self, kind: str, **content: Any) -> dict[str, Any]:
        """Send a question and wait for the answer.

        Raises:
            LikenessError: questions cannot be answered, or the answer is not a JSON object.
            SystemExit: the work was cancelled instead.
        """
        if self._answers is None:
            raise LikenessError(
                "The task asked a question that nothing can answer.",
                "Leave 'confirm' out of the request, or send the request over stdin.",
            )
        self.send("question", kind=kind, **content)
        line = self._answers.get()
        if line is None:
            raise SystemExit(EXIT_CANCELLED)
        try:
            answer = json.loads(line)
        except json.JSONDecodeError as error:
            raise LikenessError(f"The answer is not JSON: {error}.") from error
        if not isinstance(answer, dict):
            raise LikenessError("The answer is not a JSON object.")
        return answer

    def take_answer(self) -> dict[str, Any]:
        """What has arrived on stdin without a question, without waiting; empty if nothing has.

        Raises:
            SystemExit: the work was cancelled instead.
        """
        if self._answers is None:
            return {}
        try:
            line = self._answers.get_nowait()
        except queue.Empty:
            return {}
        if line is None:
            raise SystemExit(EXIT_CANCELLED)
        try:
            answer = json.loads(line)
        except json.JSONDecodeError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def answer(self, line: str | None) -> None:
        """Pass on the line that answers the question; None if no answer will come."""
        if self._answers is not None:
            self._answers.put(line)


_REMEDY = "Send one line with a JSON object, as Likeness' own programs do."


def parse_request(line: str) -> tuple[str, dict[str, Any]]:
    """The task and the request of a JSON line, checked for required and unknown keys.

    Raises:
        LikenessError: it is not a request, or the task is unknown.
    """
    from ...files.untrusted import parse_json  # late: it imports numpy

    try:
        request = parse_json(line)
    except ValueError as error:
        raise LikenessError(f"The request is not JSON: {error}.", _REMEDY) from error
    if not isinstance(request, dict):
        raise LikenessError("The request is not a JSON object.", _REMEDY)
    task = request.pop("task", "build")
    if not isinstance(task, str) or task not in TASKS:
        raise LikenessError(f"There is no task '{task}'.", f"Choose one of: {', '.join(TASKS)}.")
    known: dict[str, Any] = _job(task).DEFAULTS
    unknown = sorted(set(request) - set(known))
    if unknown:
        raise LikenessError(f"The request has unknown keys: {', '.join(unknown)}.", _REMEDY)
    missing = [key for key, default in known.items() if default is ... and not request.get(key)]
    if missing:
        raise LikenessError(f"The request lacks: {', '.join(missing)}.", _REMEDY)
    return task, {**known, **request}


def _expected_task(line: str) -> str:
    """The task that a line asks to stand by for; empty for any other line."""
    try:
        content = json.loads(line)
    except ValueError:
        return ""
    task = content.get("stand_by") if isinstance(content, dict) and len(content) == 1 else None
    return task if isinstance(task, str) and task in TASKS else ""


def _load(task: str) -> None:
    """Load what a task needs; what is wrong with it is the request's to report."""
    load = getattr(_job(task), "load", None)
    if load is None:
        return
    try:
        load()
    except Exception:  # the request may do without it
        logging.getLogger(__name__).warning("Not everything was loaded ahead.", exc_info=True)


def _job(task: str) -> Any:
    return importlib.import_module(f".{task}", __package__)


def _cancel(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(EXIT_CANCELLED)


def _listen(stdin: TextIO, channel: Channel) -> None:
    """Pass on answers until the parent closes our stdin, then stop as SIGTERM would."""
    while line := stdin.readline():
        channel.answer(line)
    channel.answer(None)  # a thread that waits for an answer does not notice the signal
    signal.raise_signal(signal.SIGTERM)


def main(argv: list[str] | None = None) -> int:
    """Handle one request; returns the exit code."""
    # Libraries print to file descriptor 1; the protocol gets a copy of it, they get stderr.
    arguments = sys.argv[1:] if argv is None else argv
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    channel = Channel(protocol, answered=not arguments)
    os.dup2(2, 1)
    # The parent keeps the end of stderr as the log of its problem report.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _cancel)
    stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        line = arguments[0] if arguments else stdin.readline()
        expected = "" if arguments else _expected_task(line)
        if expected:
            _load(expected)
            line = stdin.readline()
            if not line:
                return 0
        task, request = parse_request(line)
        if not arguments:
            threading.Thread(target=_listen, args=(stdin, channel), daemon=True).start()
        with reraise_interrupts():
            channel.send("result", **_job(task).run(request, channel))
    except LikenessError as error:
        channel.send("error", message=error.message, remedy=error.remedy)
        return EXIT_USER_ERROR
    except MemoryError:
        channel.send(
            "error",
            message="There was not enough memory.",
            remedy="Close other programs, or ask for fewer Gaussians.",
        )
        return EXIT_USER_ERROR
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
