"""Workers that start in milliseconds: forks of one that has imported what most tasks need.

``python ready_workers.py serve SOCKET`` waits for requests until its stdin is closed.
``python ready_workers.py ask ADDRESS COMMAND …`` stands for a worker whose command that is: it
hands its files, folder and variables to a fork, passes on signals, and ends as that ends.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ENGINE = Path(__file__).resolve().parents[2] / "engine"
_NAME = "likeness_worker_engine"  # a worker's own name of it
_LATE = (
    "gaussians.relight.albedo",
    "motion.prepare_motion",
    "motion.recording",
    "scene.files",
    "scene.fit",
    "scene.frames",
    "workflows.edit_avatar",
    "workflows.export_files",
    "workflows.worker.export",
    "workflows.worker.export_motion",
    "workflows.worker.main",
    "workflows.worker.motion",
    "workflows.worker.wear",
)
"""What most tasks would import for themselves."""
_READ_ONCE = ("LIKENESS_KERNELS", "NUMBA", "OMP", "OPENBLAS")
"""How variables begin that are read when the engine is imported."""


def use_ready_workers(listening: socket.socket) -> subprocess.Popen[bytes]:
    """Let this tree's add-on start forks of a process; returns that one, to close its stdin."""
    from likeness.addon import worker_launch

    address = listening.getsockname()
    listening.set_inheritable(True)
    process = subprocess.Popen(
        [sys.executable, "-I", __file__, "serve", str(listening.fileno())],
        stdin=subprocess.PIPE,
        pass_fds=[listening.fileno()],
    )
    start_anew: Callable[..., list[str]] = worker_launch.worker_command

    def ask_for_one(*arguments: Any, python: str = "", **named: Any) -> list[str]:
        command = start_anew(*arguments, python=python, **named)
        if python:  # the user's choice
            return command
        return [sys.executable, "-I", "-S", __file__, "ask", address, *command]

    worker_launch.worker_command = ask_for_one
    return process


def ask(address: str, command: list[str]) -> NoReturn:
    """Be a worker; the command's, where none is ready for these variables."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        request = json.dumps([os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        signal.signal(signal.SIGTERM, lambda *_: connection.send(b"T"))
        answer = connection.recv(4)
    if not answer:
        os.execv(command[0], command)
    code = int.from_bytes(answer, "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def serve(listening: socket.socket) -> int:
    """Answer requests until stdin is closed; returns the exit code, in a worker its own."""
    watching: list[int] = []
    main: Callable[[list[str]], int] | None = None
    read_once: dict[str, str] = {}
    while True:
        ready, _, _ = select.select([0, listening], [], [])
        if 0 in ready:
            return 0
        connection, _ = listening.accept()
        head, files, _, _ = socket.recv_fds(connection, 4, 3)
        with connection.makefile("rb") as stream:
            folder, variables = json.loads(stream.read(int.from_bytes(head, "big")))
        wanted = {k: v for k, v in variables.items() if k.startswith(_READ_ONCE)}
        if main is None:
            os.environ.update(wanted)
            main, read_once = load_engine(), wanted
        if wanted == read_once:
            watching = [pid for pid in watching if not os.waitpid(pid, os.WNOHANG)[0]]
            watching.append(os.fork())
            if not watching[-1]:
                worker = os.fork()
                if worker:
                    watch(worker, connection, files)
                listening.close()
                connection.close()
                return work(main, files, folder, variables)
        connection.close()
        for file in files:
            os.close(file)


def load_engine() -> Callable[[list[str]], int]:
    """Import the engine as a worker does; returns the worker's ``main``."""
    spec = importlib.util.spec_from_file_location(
        _NAME, ENGINE / "__init__.py", submodule_search_locations=[str(ENGINE)]
    )
    assert spec
    assert spec.loader
    sys.modules[_NAME] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    for name in _LATE:
        importlib.import_module(f"{_NAME}.{name}")
    importlib.import_module(f"{_NAME}.core.kernels").load_kernels()
    main: Callable[[list[str]], int] = sys.modules[f"{_NAME}.workflows.worker.main"].main
    return main


def work(
    main: Callable[[list[str]], int], files: list[int], folder: str, variables: dict[str, str]
) -> int:
    """Be the worker; returns its exit code."""
    for own, file in enumerate(files):
        os.dup2(file, own)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    return main([])


def watch(worker: int, connection: socket.socket, files: list[int]) -> NoReturn:
    """Tell the asker how its worker ended; a worker ends with its asker."""
    for file in files:
        os.close(file)
    process = os.pidfd_open(worker)
    while True:
        ready, _, _ = select.select([process, connection], [], [])
        if process in ready:
            break
        os.kill(worker, signal.SIGTERM if connection.recv(1) else signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    with suppress(BrokenPipeError):  # the asker was killed after its answer
        connection.send(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(sys.argv[2], sys.argv[3:])
    sys.exit(serve(socket.socket(fileno=int(sys.argv[2]))))
