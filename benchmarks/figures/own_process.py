"""Measurements in a process of their own: Blender's module and peak memory need one."""

from __future__ import annotations

import subprocess
import sys

_TIMEOUT = 3600.0
"""Seconds after which a measurement counts as hung."""


def run_module(name: str, *words: object) -> str:
    """Run a module's command line, and return the last line of its output; empty without output.

    Args:
        name: of the module, in full.
        words: of its command line.

    Raises:
        RuntimeError: it failed, or hung.
    """
    command = [sys.executable, "-m", name, *map(str, words)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{name} took more than {_TIMEOUT:.0f} seconds.") from error
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout)[-800:])
    return (done.stdout.splitlines() or [""])[-1]
