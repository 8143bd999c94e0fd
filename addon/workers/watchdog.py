"""Programs that this one starts, and limits of their time and memory (with all their children)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

WATCH_SECONDS = 0.5


class ResourceLimitError(Exception):
    """A program was ended; the text says what it took too much of."""


def measure_memory_mb(pid: int) -> float:
    """Memory that a process and those that it has started hold now; 0 when it is gone."""
    import psutil

    try:
        own = psutil.Process(pid)
        family = [own, *own.children(recursive=True)]
    except psutil.Error:
        return 0.0
    held = 0.0
    for one in family:
        try:
            held += one.memory_info().rss
        except psutil.Error:
            continue  # it has ended in between
    return held / 2**20


def kill_process_tree(process: subprocess.Popen[Any]) -> None:
    """End a program and those that it has started, now."""
    import psutil

    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    process.kill()
    for child in children:
        try:
            child.kill()
        except psutil.Error:
            continue  # it has ended in between


def start_process(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start a program whose outputs are read as UTF-8 text.

    Args:
        command: the program and its arguments.
        environment: variables set besides the present ones.
        stdin: as for ``subprocess.Popen``.

    Raises:
        OSError: it cannot be started.
    """
    return subprocess.Popen(
        list(command),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        text=True,
        encoding="utf-8",
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def run_limited(
    command: Sequence[str], seconds: float, memory_mb: float
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and return what it wrote.

    Args:
        command: the program and its arguments.
        seconds: time limit.
        memory_mb: memory limit, with the programs that it starts.

    Raises:
        ResourceLimitError: it took more, and was ended.
    """
    end = monotonic() + seconds
    process = start_process(command)
    try:
        while True:
            try:
                out, err = process.communicate(timeout=WATCH_SECONDS)
                return subprocess.CompletedProcess(list(command), process.returncode, out, err)
            except subprocess.TimeoutExpired as error:
                if monotonic() > end:
                    raise ResourceLimitError(f"it took longer than {seconds:,.0f} s") from error
                if measure_memory_mb(process.pid) > memory_mb:
                    raise ResourceLimitError(
                        f"it took more than {memory_mb:,.0f} MB of memory"
                    ) from error
    finally:
        if process.poll() is None:
            kill_process_tree(process)
            process.communicate()
