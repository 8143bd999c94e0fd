"""Worker processes from the side of who gives them work (addon/synth/worker.py)."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..jobs import site_paths

GRACE_SECONDS = 3.0
_LOG_LINES = 40
_ENDED = {"type": "ended"}

Said = tuple["Hand", dict[str, Any]]


_PACKAGE = Path(__file__).resolve().parents[2]
_BOOT = """
import importlib, importlib.util, json, sys
folder, site_paths = sys.argv[1], json.loads(sys.argv[2])
sys.path.extend(path for path in site_paths if path not in sys.path)
spec = importlib.util.spec_from_file_location(
    "likeness", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["likeness"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.exit(importlib.import_module("likeness.addon.cli").main(["synth-worker"]))
"""
"""Runs this very package, which an installed extension has no importable name for."""


def worker_command() -> list[str]:
    """How a worker is started: by this Python, or by Blender where that is what runs."""
    bpy = sys.modules.get("bpy")
    binary = str(bpy.app.binary_path) if bpy is not None else ""
    if binary:
        return [binary, "--background", "--command", "likeness", "synth-worker"]
    return [sys.executable, "-c", _BOOT, str(_PACKAGE), json.dumps(site_paths())]


def _answer(line: str) -> dict[str, Any] | None:
    """A line of the protocol; None for any other.

    >>> _answer('{"type": "ready"}'), _answer("4"), _answer("Blender 4.5.3 LTS")
    ({'type': 'ready'}, None, None)
    """
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "type" in said else None


class Hand:
    """One worker process.

    Attributes:
        number: of the subject that it makes, or None. made: how many it has made.
        ready: it has opened what it needs.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        command: Sequence[str],
        threads: int,
        said: queue.SimpleQueue[Said],
    ) -> None:
        """
        Args:
            threads: that its compiled loops may use.
            said: gets what it answers; ``{"type": "ended"}`` when it is gone.
        """
        self.number: int | None = None
        self.made = 0
        self.ready = False
        self._said = said
        self._log: deque[str] = deque()
        counts = {name: str(threads) for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **counts}, text=True, encoding="utf-8", errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        log = threading.Thread(target=self._keep_log, daemon=True)
        log.start()
        threading.Thread(target=self._hear, args=(log,), daemon=True).start()
        self._write(json.dumps(dict(request)))

    def give(self, number: int) -> None:
        """Have it make a subject."""
        self.number = number
        self._write(str(number))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            self._log.appendleft("it closed its input")  # and is gone: its output ends, too

    def _hear(self, log: threading.Thread) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = _answer(line)
            if said is None:  # Blender's, before the worker has its output to itself
                self._log.append(line.rstrip())
            else:
                self._said.put((self, said))
        self._process.wait()
        log.join()  # its last words, which tell why it died
        self._said.put((self, dict(_ENDED)))

    def _keep_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._log.append(line.rstrip())
            while len(self._log) > _LOG_LINES:
                self._log.popleft()

    def last_words(self) -> str:
        """How it ended, in a few words."""
        code = self._process.poll()
        if code in (-9, 137):
            return "the worker was killed, perhaps for want of memory"
        return f"the worker ended with exit code {code}" + (
            f": {self._log[-1]}" if self._log else ""
        )

    def stop(self) -> None:
        """Close its stdin, at which it ends."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            self._log.appendleft("it had closed its input")

    def finish(self) -> None:
        """Wait until it is gone; kill it if it takes too long."""
        self.stop()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
