"""One worker process, from the side that gives it work: JSON lines to its stdin and from its
stdout. Jobs of Blender (jobs.py) and pools of workers (pool.py) are made of it.

Light to import, and without bpy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .watchdog import kill_process_tree, measure_memory_mb, start_process

GRACE_SECONDS = 3.0
"""How long a worker that was asked to stop may take before it is killed."""

ENDED = "ended"
"""Type of the last message of a process, which it doesn't send itself."""

_LOG_LINES = 200
_LOG_SECONDS = 5.0  # that reading the rest of stderr may take once the process is gone
_KILLED = (-9, 137)

_BOOT = """
import importlib, json, sys
folder, name, module, arguments, site_paths, kind, unfit, remedy = sys.argv[1:]
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
package = importlib.util.module_from_spec(spec)
sys.modules[name] = package
try:
    spec.loader.exec_module(package)
    worker = importlib.import_module(name + module)
except ImportError as error:
    give_up(str(error) + ".")
sys.exit(worker.main(json.loads(arguments)))
"""
"""Loads a package from its folder, whatever it is named there, and calls ``main`` of a module of
it. Runs in any Python that a user may choose, so one that is old or lacks packages reports it."""

_UNFIT = "The worker cannot run in '{}'."
UNFIT_REMEDY = (
    "Install there what it needs, or choose another Python in Preferences > Add-ons > Likeness."
)
_ROBBED = "Packages of the extension are gone."
ROBBED_REMEDY = (
    "Restart Blender, which installs them again. Another Blender with the same user profile has "
    "removed them; factory settings loaded by a script do that."
)
"""For Blender's own Python, in which the extension brings everything."""


def site_paths() -> list[str]:
    """Where this process finds installed packages (an extension's wheels among them)."""
    names = {"site-packages", "dist-packages"}
    return [path for path in sys.path if Path(path).name in names]


def boot_command(
    folder: Path,
    name: str,
    module: str,
    arguments: Sequence[str] = (),
    *,
    packages: Iterable[str] | None = None,
    python: Sequence[str] = (sys.executable,),
    in_blender: bool = False,
) -> list[str]:
    """The command that loads a package and calls the ``main`` of a module.

    Args:
        folder: the package's.
        name: that the package gets.
        module: within the package, with a dot before it.
        arguments: of ``main``.
        packages: folders of packages behind the Python's own; this process's when left out. A
            Python of another version doesn't get them: compiled packages would crash it.
        python: the program and its flags.
        in_blender: whether it is the Python of a Blender, which has the extension's packages.
    """
    paths = json.dumps(list(site_paths() if packages is None else packages))
    kind = str(sys.implementation.cache_tag)
    words = [str(folder), name, module, json.dumps(list(arguments)), paths, kind]
    excuse = (_ROBBED, ROBBED_REMEDY) if in_blender else (_UNFIT, UNFIT_REMEDY)
    return [*python, "-c", _BOOT, *words, *excuse]


def parse_message(line: str) -> dict[str, Any] | None:
    """A line of the protocol; None for any other.

    >>> parse_message('{"type": "ready"}'), parse_message("4"), parse_message("Blender 4.5.3 LTS")
    ({'type': 'ready'}, None, None)
    """
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "type" in message else None


class WorkerProcess:
    """A program that takes JSON lines on its stdin and answers in JSON lines on its stdout.

    Attributes:
        log: the last lines that it wrote to stderr, or to stdout outside the protocol.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str],
        receive: Callable[[dict[str, Any]], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it and send the request.

        Args:
            request: its first line.
            command: how to start it.
            receive: takes each of its messages, in a thread of its own; the last one, of type
                ``ENDED``, comes when it is gone.
            environment: variables set besides the present ones.

        Raises:
            OSError: the command cannot be started.
        """
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self._receive = receive
        self._process = start_process(command, environment, subprocess.PIPE)
        log = threading.Thread(target=self._read_log, daemon=True)
        log.start()
        threading.Thread(target=self._read_messages, args=(log,), daemon=True).start()
        self.send(request)

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL, as the system does for want of memory."""
        return self.exit_code in _KILLED

    @property
    def last_line(self) -> str:
        """The last line of the log that is not blank; empty without one."""
        return next((line for line in reversed(self.log) if line.strip()), "")

    def send(self, content: Mapping[str, Any]) -> None:
        """Write a line to its stdin; if it is gone already, its end says so."""
        try:
            self._input.write(json.dumps(dict(content)) + "\n")
            self._input.flush()
        except (OSError, ValueError):
            self._note("The worker closed its input.")

    def close_input(self) -> None:
        """Close its stdin, at which it ends."""
        try:
            self._input.close()
        except OSError:
            self._note("The worker's input was closed already.")

    def terminate(self) -> None:
        """Ask it to stop and to leave nothing behind."""
        self._process.terminate()

    def kill(self, with_children: bool = True) -> None:
        """End it now; ``with_children`` also the programs that it has started (needs psutil)."""
        if with_children:
            kill_process_tree(self._process)
        else:
            self._process.kill()

    def finish(self) -> None:
        """Close its input and wait until it is gone; kill it after ``GRACE_SECONDS``."""
        self.close_input()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def memory_mb(self) -> float:
        """Memory that it and the programs that it has started hold now; 0 when it is gone."""
        return measure_memory_mb(self._process.pid)

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _note(self, line: str) -> None:
        """A line of our own, before its words, which tell more."""
        if len(self.log) < _LOG_LINES:
            self.log.appendleft(line)

    def _read_messages(self, log: threading.Thread) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = parse_message(line)
            if message is None:  # of a library, or Blender's before the worker has its output
                self.log.append(line.rstrip())
            else:
                self._receive(message)
        self._process.wait()
        log.join(_LOG_SECONDS)  # its last words, which tell why it died
        self.close_input()
        self._process.stdout.close()
        self._receive({"type": ENDED})

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip())
