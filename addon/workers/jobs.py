"""Long work in a process of its own, without bpy: start, poll, cancel, survive its crash.

The worker is ``engine/workflows/worker/main.py``: one JSON request on its stdin, JSON lines on its
stdout. It is started with the engine's folder loaded under a private name, because Blender forbids
extensions to put their folders on ``sys.path`` or modules at the top level.
"""

from __future__ import annotations

import atexit
import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from ...engine.core.types import LikenessError
from .process import ENDED, GRACE_SECONDS, UNFIT_REMEDY, WorkerProcess, boot_command
from .standby import StandbyWorker

ENGINE_DIR = Path(__file__).resolve().parents[2] / "engine"
ENGINE_NAME = "likeness_worker_engine"
_MOST_FACES = 6000  # some minutes, which nobody has taken


class JobState(Enum):
    """Where a job stands; the last three are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


def worker_command(
    engine: Path = ENGINE_DIR, packages: Iterable[str] | None = None, python: str = ""
) -> list[str]:
    """The command that starts the worker of ``engine`` in an isolated Python.

    Args:
        engine: the engine's folder.
        packages: as for :func:`.process.boot_command`.
        python: of the user's choice; Blender's own, which is ``sys.executable``, if empty.
    """
    return boot_command(
        engine,
        ENGINE_NAME,
        ".workflows.worker.main",
        packages=packages,
        python=(python or sys.executable, "-I"),
        in_blender=not python,
    )


class WorkerJob:
    """One job in a worker process. Call :meth:`poll` often; it never blocks.

    Attributes:
        state: see :class:`JobState`.
        stage: name of the latest progress.
        fraction: of the stage, 0..1.
        message: of the latest progress.
        result: the worker's answer when DONE.
        error: the error to show when FAILED.
        picture: file of the fitted body over the photo, which may be gone again; empty before.
        question: what the worker waits to be answered with :meth:`answer`, or None.
        faces: those that the worker follows in real time, the oldest first; taken by the caller.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        standby: StandbyWorker | None = None,
    ) -> None:
        """
        Args:
            request: sent to the worker as one line of JSON.
            command: how to start it; the engine's worker when left out.
            environment: variables set for the worker besides the present ones.
            standby: a worker that fits (:meth:`.standby.StandbyWorker.fits`); none is started
                then, unless it ends before it has answered anything.

        Raises:
            LikenessError: the command cannot be started.
        """
        self.state = JobState.RUNNING
        self.stage, self.fraction, self.message = "start", 0.0, ""
        self.result: dict[str, Any] | None = None
        self.error: LikenessError | None = None
        self.picture = ""
        self.question: dict[str, Any] | None = None
        self.faces: deque[dict[str, Any]] = deque(maxlen=_MOST_FACES)
        self._cancelled_at: float | None = None
        self._start = request, list(command or worker_command()), environment
        self._may_start_anew = standby is not None
        if standby is not None:
            self._process, self._messages = standby.process, standby.messages
            standby.hand_over()
            self._process.send(request)
        else:
            self._messages = queue.SimpleQueue()
            self._process = self._start_process()
        atexit.register(self.kill)

    def _start_process(self) -> WorkerProcess:
        request, words, environment = self._start
        try:
            return WorkerProcess(request, words, self._messages.put, environment)
        except OSError as error:
            raise LikenessError(
                f"'{words[0]}' cannot be started: {error.strerror or error}.", UNFIT_REMEDY
            ) from error

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self.state is not JobState.RUNNING

    @property
    def log(self) -> Sequence[str]:
        """The last lines that the worker wrote to stderr, or to stdout outside the protocol."""
        return self._process.log

    def poll(self) -> JobState:
        """Take in the worker's messages since the last call."""
        while self.state is JobState.RUNNING:
            try:
                self._take(self._messages.get_nowait())
            except queue.Empty:
                break
        if (
            self.state is JobState.RUNNING
            and self._cancelled_at is not None
            and time.monotonic() - self._cancelled_at > GRACE_SECONDS
        ):
            self._process.kill(with_children=False)
        return self.state

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer the question; the worker goes on.

        Raises:
            RuntimeError: the worker has not asked anything.
        """
        if self.question is None:
            raise RuntimeError("the worker has asked nothing")
        self.question = None
        self._process.send(content)

    def send(self, content: Mapping[str, Any]) -> None:
        """Send the running worker a line for which it has not asked."""
        if not self.finished:
            self._process.send(content)

    def wait(
        self,
        progress: Callable[[str, float, str], None] | None = None,
        answer: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
    ) -> JobState:
        """Block until the job is finished; for Blender without a window, and tests.

        Args:
            progress: called with stage, fraction and message when they change.
            answer: gives the answer to a question; without it every question is answered with
                ``{"answer": "continue"}``.
        """
        last = None
        while self.poll() is JobState.RUNNING:
            if self.question is not None:
                self.answer(answer(self.question) if answer else {"answer": "continue"})
            now = (self.stage, self.fraction, self.message)
            if progress is not None and now != last:
                progress(*now)
                last = now
            time.sleep(0.02)
        return self.state

    def cancel(self) -> None:
        """Ask the worker to stop and to leave nothing behind; poll() sees it end."""
        if self.finished or self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        self._process.close_input()
        self._process.terminate()

    def kill(self) -> None:
        """End the worker now; for when Blender itself goes away."""
        if self._process.exit_code is None:
            self._process.kill(with_children=False)
        if not self.finished:
            self.state = JobState.CANCELLED
            self.question = None
        atexit.unregister(self.kill)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        anew, self._may_start_anew = self._may_start_anew, False
        if kind == ENDED and anew and self._cancelled_at is None:
            try:
                self._process = self._start_process()
            except LikenessError as error:
                self.error = error
                self._finish()
            return
        if kind == "progress":
            self.stage = str(message["stage"])
            self.fraction = float(message["fraction"])
            self.message = str(message["message"])
        elif kind == "seen":
            self.picture = str(message["picture"])
        elif kind == "face":
            self.faces.append(message)
        elif kind == "question":
            self.question = message
        elif kind == "result":
            self.result = message
            self._finish()  # without waiting for its exit, which takes half a second
        elif kind == "error":
            self.error = LikenessError(str(message["message"]), str(message.get("remedy", "")))
        elif kind == ENDED:
            self._finish()

    def _finish(self) -> None:
        """The worker has answered or is gone: set the final state."""
        self.question = None
        atexit.unregister(self.kill)
        if self._cancelled_at is not None:
            self.state = JobState.CANCELLED
        elif self.result is not None and self.error is None:
            self.state = JobState.DONE
        else:
            self.state = JobState.FAILED
            self.error = self.error or _describe_crash(self._process)


def _describe_crash(process: WorkerProcess) -> LikenessError:
    """The error of a worker that ended without reporting one."""
    if process.was_killed:
        return LikenessError(
            "The system ended the worker process, probably because memory ran out.",
            "Close other programs, or ask for fewer Gaussians.",
        )
    last = f": {process.last_line}" if process.last_line else ""
    return LikenessError(
        f"The worker process stopped with exit code {process.exit_code}{last}.",
        "Try again; if it happens again, please report it (Copy Report).",
    )
