"""Programs that start in milliseconds: forks of a Python that has imported what they need.

``python forks.py serve SOCKET CODE`` runs the code once and then waits for requests, until its
stdin is closed. ``python forks.py ask ADDRESS COMMAND …`` stands for a command of Python: it hands
its files, folder, variables and the command to a fork, passes SIGTERM on, and ends as that ends.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

ENGINE_READS = ("LIKENESS_KERNELS", "NUMBA", "OMP", "OPENBLAS")
"""Prefixes of the variables that are read when the engine is imported."""


@contextmanager
def open_forks(
    code: str, *flags: str, reads: Sequence[str] = ()
) -> Iterator[Callable[[Sequence[str]], list[str]]]:
    """Give what turns a command of Python, ``-c CODE`` or a script, into one that starts quickly.

    Args:
        code: Imports what the commands need; runs with the first of them.
        flags: Of Python.
        reads: Prefixes of the variables that the code reads. A command in which they differ from
            the first one's starts as a process of its own.
    """
    if sys.platform != "linux":
        yield list
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        address = f"{folder}/forks"
        listening.bind(address)
        listening.listen()
        server = subprocess.Popen(
            [sys.executable, *flags, __file__, "serve", str(listening.fileno()), code, *reads],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
        )
        listening.close()  # a server that has died refuses its askers
        yield lambda words: [sys.executable, "-I", "-S", __file__, "ask", address, *words]
        server.communicate()
    assert server.returncode == 0, "the server of forks has died; its error is above"


def ask(address: str, command: list[str]) -> NoReturn:
    """Be the command; a process of its own, where its variables are not those of the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except ConnectionError:  # the server has died
            os.execv(command[0], command)
        request = json.dumps([os.getcwd(), dict(os.environ), command]).encode()
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


def serve(listening: socket.socket, code: str, reads: tuple[str, ...]) -> None:
    """Answer requests until stdin is closed; in a fork, its command follows."""
    read: dict[str, str] | None = None
    watching: list[int] = []
    while True:
        ready, _, _ = select.select([0, listening], [], [])
        if 0 in ready:
            return
        connection, _ = listening.accept()
        head, files, _, _ = socket.recv_fds(connection, 4, 3)
        with connection.makefile("rb") as stream:
            request = stream.read(int.from_bytes(head, "big"))
        try:
            folder, variables, command = json.loads(request)
        except ValueError:  # the asker was killed while it asked
            drop(connection, files)
            continue
        wanted = {k: v for k, v in variables.items() if k.startswith(reads)}
        if read is None:
            os.environ.update(wanted)
            exec(code, {})
            read = wanted
        if wanted == read:
            watching = [pid for pid in watching if not os.waitpid(pid, os.WNOHANG)[0]]
            watching.append(os.fork())
            if not watching[-1]:
                worker = os.fork()
                if worker:
                    watch(worker, connection, files)
                listening.close()
                connection.close()
                return run_command(command, files, folder, variables)
        drop(connection, files)


def drop(connection: socket.socket, files: list[int]) -> None:
    """Be done with a request."""
    connection.close()
    for file in files:
        os.close(file)


def run_command(
    command: list[str], files: list[int], folder: str, variables: dict[str, str]
) -> None:
    """Do in this process what the command does."""
    for own, file in enumerate(files):
        os.dup2(file, own)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    words = command[2:] if command[1] == "-I" else command[1:]
    inline = words[0] == "-c"
    sys.argv = ["-c", *words[2:]] if inline else words
    if not sys.flags.isolated:
        sys.path[0] = "" if inline else str(Path(words[0]).parent)
    if inline:
        exec(words[1], {"__name__": "__main__"})
    else:
        runpy.run_path(words[0], run_name="__main__")


def watch(worker: int, connection: socket.socket, files: list[int]) -> NoReturn:
    """Tell the asker how its fork ended; a fork ends with its asker."""
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
    serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3], tuple(sys.argv[4:]))
