"""One input in a process of its own, with bounds on its memory and its time."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GOOD = ("read", "refused")


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        kind: ``read``; ``refused`` (a LikenessError with a remedy); ``traceback`` (any other
            exception); ``killed`` (by a signal, for memory or by a fault); ``hang``.
        detail: the message, or the end of the traceback. seconds: that it took.
        megabytes: by which the process grew.
    """

    kind: str
    detail: str
    seconds: float
    megabytes: int


def run(work: Callable[[], None], folder: Path, timeout: float, memory: int) -> Outcome:
    """``work`` in a forked child whose working folder is ``folder``.

    Args:
        timeout: seconds. memory: bytes that it may take beyond what this process has.
    """
    reader, writer = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(work, folder, timeout, memory, writer)
    os.close(writer)
    said = _heard(reader, begun + timeout)
    os.close(reader)
    if said is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - begun
    if said is None:
        return Outcome("hang", f"no end after {timeout:.0f} s", seconds, 0)
    if os.WIFSIGNALED(status) or not said:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else str(status)
        return Outcome("killed", f"by {name}", seconds, 0)
    kind, detail, megabytes = json.loads(said)
    return Outcome(kind, detail, seconds, megabytes)


def _heard(reader: int, end: float) -> bytes | None:
    """All that the child says; None when it says nothing in time."""
    said = b""
    while True:
        ready, _, _ = select.select([reader], [], [], max(end - time.monotonic(), 0.0))
        if not ready:
            return None
        part = os.read(reader, 1 << 16)
        if not part:
            return said
        said += part


def _child(
    work: Callable[[], None], folder: Path, timeout: float, memory: int, writer: int
) -> None:
    """Does the work, tells what came of it, and ends the process."""
    kind, detail, before = "killed", "", 0
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_AS, (_mapped() + memory,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(timeout) + 10,) * 2)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kind, detail = _told(work)
    finally:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        os.write(writer, json.dumps([kind, detail, grown]).encode())
        os._exit(0)


def _told(work: Callable[[], None]) -> tuple[str, str]:
    from likeness.engine.core.types import LikenessError

    try:
        work()
    except LikenessError as error:
        if error.remedy and error.message:
            return "refused", str(error)[:300]
        return "traceback", f"a LikenessError without a remedy: {error}"[:300]
    except BaseException:  # whatever it is, it is what is looked for
        return "traceback", traceback.format_exc()[-2000:]
    return "read", ""


def _mapped() -> int:
    """Bytes of address space that this process has."""
    if sys.platform != "linux":
        return 8 << 30
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
