"""Long work in a process of its own, without bpy: start, poll, cancel, survive its crash.

The worker is ``engine/workflows/worker/main.py``: one JSON request on its stdin, JSON lines on its
stdout. It is
started with the engine's folder loaded under a private name, because Blender forbids extensions
to put their folders on ``sys.path`` or modules at the top level.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import IO, Any

from ...engine.core.types import LikenessError

ENGINE_DIR = Path(__file__).resolve().parents[2] / "engine"
ENGINE_NAME = "likeness_worker_engine"

_BOOT = """
import importlib, json, sys
folder, name, site_paths, kind, unfit, remedy = sys.argv[1:]
def give_up(reason):
    message = unfit.format(sys.executable) + " " + reason
    print(json.dumps({"type": "error", "message": message, "remedy": remedy}), flush=True)
    sys.exit(2)
if sys.version_info < (3, 11):
    give_up("It is Python %d.%d; 3.11 or later is needed." % sys.version_info[:2])
import importlib.util
if sys.implementation.cache_tag == kind:
    sys.path.extend(path for path in json.loads(site_paths) if path not in sys.path)
spec = importlib.util.spec_from_file_location(
    name, folder + "/__init__.py", submodule_search_locations=[folder])
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
try:
    spec.loader.exec_module(module)
    worker = importlib.import_module(name + ".workflows.worker.main")
except ImportError as error:
    give_up(str(error) + ".")
sys.exit(worker.main([]))
"""
"""Runs in any Python that a user may choose, so what is old or lacks packages says so itself."""

_UNFIT = "The worker cannot run in '{}'."
_UNFIT_REMEDY = (
    "Install there what it needs, or choose another Python in Preferences > Add-ons > Likeness."
)

GRACE_SECONDS = 3.0
"""How long a cancelled worker may take to clean up before it is killed."""

_LOG_LINES = 200


class JobState(Enum):
    """Where a job stands; the last three are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


def site_paths() -> list[str]:
    """Where this process finds installed packages (an extension's wheels among them)."""
    names = {"site-packages", "dist-packages"}
    return [path for path in sys.path if Path(path).name in names]


def worker_command(
    engine: Path = ENGINE_DIR, packages: Iterable[str] | None = None, python: str = sys.executable
) -> list[str]:
    """The command that starts the worker of ``engine`` in an isolated Python.

    Args:
        packages: folders of packages behind the Python's own; this process's when left out. A
            Python of another version is kept from them: compiled packages would crash it.
        python: inside Blender ``sys.executable`` is Blender's own Python.
    """
    paths = json.dumps(list(site_paths() if packages is None else packages))
    kind = str(sys.implementation.cache_tag)
    start = [python, "-I", "-c", _BOOT, str(engine), ENGINE_NAME]
    return [*start, paths, kind, _UNFIT, _UNFIT_REMEDY]


class WorkerJob:
    """One worker process. Call :meth:`poll` often; it never blocks.

    Attributes:
        state: see :class:`JobState`. stage, fraction, message: the latest progress.
        result: what the worker answered when DONE.
        error: what to tell the user when FAILED.
        picture: file of the fitted body over the photo, which may be gone again; empty before.
        question: what the worker waits to be told with :meth:`answer`, or None.
        log: the last lines that the worker wrote to stderr.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            request: sent to the worker as one line of JSON.
            command: how to start it; the engine's worker when left out.
            environment: variables set for the worker besides the present ones.

        Raises:
            LikenessError: the command is no program that can be started.
        """
        self.state = JobState.RUNNING
        self.stage, self.fraction, self.message = "start", 0.0, ""
        self.result: dict[str, Any] | None = None
        self.error: LikenessError | None = None
        self.picture = ""
        self.question: dict[str, Any] | None = None
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self._cancelled_at: float | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        words = list(command or worker_command())
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise LikenessError(
                f"'{words[0]}' cannot be started: {error.strerror or error}.", _UNFIT_REMEDY
            ) from error
        self._read(self._process.stdout, self._lines.put)
        self._read(self._process.stderr, self._keep_log)
        atexit.register(self.kill)
        try:
            self._input.write(json.dumps(dict(request)) + "\n")
            self._input.flush()
        except OSError:
            # It died before it listened; poll() finds its exit code and says so.
            self.log.append("The worker closed its input.")

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _read(self, stream: IO[str] | None, put: Callable[[str | None], None]) -> None:
        threading.Thread(target=_pump, args=(stream, put), daemon=True).start()

    @property
    def finished(self) -> bool:
        return self.state is not JobState.RUNNING

    def poll(self) -> JobState:
        """Take in what the worker said since the last call."""
        while self.state is JobState.RUNNING:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                break
            if line is None:
                self._finish()
            else:
                self._take(line)
        if (
            self.state is JobState.RUNNING
            and self._cancelled_at is not None
            and time.monotonic() - self._cancelled_at > GRACE_SECONDS
        ):
            self._process.kill()
        return self.state

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer the question; the worker goes on."""
        if self.question is None:
            raise RuntimeError("the worker has asked nothing")
        self.question = None
        try:
            self._input.write(json.dumps(dict(content)) + "\n")
            self._input.flush()
        except OSError:
            # It died while it waited; poll() finds its exit code and says so.
            self.log.append("The worker closed its input.")

    def wait(
        self,
        progress: Callable[[str, float, str], None] | None = None,
        answer: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
    ) -> JobState:
        """Block until the job is finished; for Blender without a window, and tests.

        Args:
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
        try:
            self._input.close()
        except OSError:
            self.log.append("The worker's input was closed already.")
        self._process.terminate()

    def kill(self) -> None:
        """End the worker now; for when Blender itself goes away."""
        if self._process.poll() is None:
            self._process.kill()
        if not self.finished:
            self.state = JobState.CANCELLED
            self.question = None
        atexit.unregister(self.kill)

    def _take(self, line: str) -> None:
        try:
            said = json.loads(line)
            kind = said["type"]
        except (ValueError, TypeError, KeyError):
            self._keep_log(line)
            return
        if kind == "progress":
            self.stage = str(said["stage"])
            self.fraction = float(said["fraction"])
            self.message = str(said["message"])
        elif kind == "seen":
            self.picture = str(said["picture"])
        elif kind == "question":
            self.question = said
        elif kind == "result":
            self.result = said
        elif kind == "error":
            self.error = LikenessError(str(said["message"]), str(said.get("remedy", "")))

    def _finish(self) -> None:
        """The worker has closed its output: say how it ended."""
        self.question = None
        code = self._process.wait()
        atexit.unregister(self.kill)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close(stream)
        if self._cancelled_at is not None:
            self.state = JobState.CANCELLED
        elif self.result is not None and self.error is None:
            self.state = JobState.DONE
        else:
            self.state = JobState.FAILED
            if self.error is None:
                self.error = _crash(code, list(self.log))

    def _keep_log(self, line: str | None) -> None:
        if line is not None:
            self.log.append(line)


def _pump(stream: IO[str], put: Callable[[str | None], None]) -> None:
    """Hand on every line of a stream, then None. Runs in a thread of its own."""
    try:
        for line in stream:
            put(line.rstrip("\n"))
    except ValueError:
        put("The stream was closed while it was read.")
    finally:
        put(None)


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        try:
            stream.close()
        except BrokenPipeError:
            return  # nobody reads the other end any more, and nothing is left to say


def _crash(code: int, log: list[str]) -> LikenessError:
    """What to say of a worker that ended without a word."""
    last = next((line for line in reversed(log) if line.strip()), "")
    if code in (-9, 137):
        return LikenessError(
            "The worker process was ended by the system, probably for want of memory.",
            "Close other programs, or ask for fewer Gaussians.",
        )
    return LikenessError(
        f"The worker process stopped with exit code {code}{': ' + last if last else ''}.",
        "Try again; if it happens again, please report it (Copy Report).",
    )
