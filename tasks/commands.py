"""Running commands, and the errors of the task runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BuildError(Exception):
    """An error that the caller can fix; printed as one line."""


def print_step(text: str) -> None:
    """Announce the next step."""
    print(f"==> {text}", flush=True)


def run_command(*command: str | Path, **options: object) -> None:
    """Run a command that has to succeed.

    Raises:
        BuildError: it fails.
    """
    words = [str(word) for word in command]
    code = subprocess.run(words, check=False, **options).returncode  # type: ignore[call-overload]
    if code:
        raise BuildError(f"'{' '.join(words)}' failed with exit code {code}.")


def run_quietly(what: str, *command: str | Path) -> None:
    """Run a command whose output matters only when it fails.

    Raises:
        BuildError: it fails; the end of its output is in the message.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        raise BuildError("\n".join([f"{what} failed:", *lines[-20:]]))
