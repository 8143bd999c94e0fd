"""What commands show while they work, on terminals of a known and an unknown size."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

STAGES = """
import sys
from likeness.addon.cli.console import terminal_progress
with terminal_progress() as progress:
    for k in range(9):
        progress("files", k / 9, f"{k} of 9")
    progress("portraits", 0.5, "3 of 6, about 2 min left")
    if "fail" in sys.argv:
        sys.exit(1)
"""


def shown(rows: int, columns: int, *words: str) -> list[str]:
    """What a terminal of that size gets, without its empty lines."""
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-c", STAGES, *words], stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux tells the end
            break
        if not part:
            break
        said += part
    os.close(ours)
    process.wait()
    return [line.strip() for line in said.decode().replace("\r", "\n").split("\n") if line.strip()]


@pytest.mark.parametrize("size", [(24, 80), (0, 0), (0, 100), (24, 0)])
def test_stages_are_seen_on_any_terminal_and_end_whole(size: tuple[int, int]) -> None:
    lines = shown(*size)
    files = [line for line in lines if line.startswith("files ")]
    assert any("89%" in line and "8 of 9" in line for line in files)
    assert "100%" in files[-1]
    portraits = [line for line in lines if line.startswith("portraits ")]
    assert any("50%" in line and "3 of 6, about 2 min left" in line for line in portraits)
    assert "100%" in portraits[-1]


def test_what_fails_is_not_shown_as_ended() -> None:
    lines = shown(0, 0, "fail")
    assert "50%" in lines[-1]
