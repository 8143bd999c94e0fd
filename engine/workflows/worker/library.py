"""Avatars of a folder to an asset library, by a Blender in the background.

Request::

    {"task": "library", "command": ["blender", "--background", …], "profile": "scratch",
     "avatars": "cast", "output": "library", "count": 12, "author": "", "license": ""}

``command`` runs Likeness' command line in Blender, with an empty folder ``profile`` for its
settings; its lines tell how far it is. Result::

    {"written": 12, "current": 0, "warnings": []}

``current`` counts the files that were up to date. An avatar that cannot be read is left out with a
warning; so are those after a crash. Files that were written before a cancel stay: each is whole.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "command": ...,
    "profile": ...,
    "avatars": ...,
    "output": ...,
    "count": ...,
    "author": "",
    "license": "",
}
_ERROR = re.compile(r"likeness: |[\w.]*(Error|Exception)\b")
CURRENT = " is up to date"
LEFT_OUT = "left out: "


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Run the command and count what it has written; see the module.

    Raises:
        LikenessError: the command cannot be started, or wrote nothing.
    """
    words = [*request["command"], "library", request["avatars"], "-o", request["output"]]
    for name in ("author", "license"):
        if request[name]:
            words += [f"--{name}", request[name]]
    Path(request["profile"]).mkdir(parents=True, exist_ok=True)
    channel.progress("library", 0.0, "writing the avatars")
    written, current, warnings, log = 0, 0, [], []
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "BLENDER_USER_RESOURCES": request["profile"]},
        )
    except OSError as error:
        raise LikenessError(
            f"'{words[0]}' cannot be started: {error.strerror or error}.", "Reinstall Blender."
        ) from error
    with process:
        try:
            assert process.stdout is not None
            for line in map(str.strip, process.stdout):
                log.append(line)
                print(line, file=sys.stderr, flush=True)  # for Show Log
                if line.endswith(CURRENT):
                    current += 1
                elif line.endswith(".blend") and line.startswith(request["output"]):
                    written += 1
                elif line.startswith(LEFT_OUT):
                    warnings.append(f"Left out: {line.removeprefix(LEFT_OUT)}")
                else:
                    continue
                done = written + current + len(warnings)
                channel.progress("library", min(1.0, done / max(1, request["count"])), f"{done}")
        except BaseException:
            process.kill()
            raise
    errors = [line for line in log if _ERROR.match(line)]
    reason = errors[-1] if errors else "Blender stopped"
    if not written and not current:
        raise LikenessError(
            f"The library was not written: {(warnings or [reason])[-1].rstrip('.')}.",
            "Choose a folder of avatars that open, and one for the library that can be written to.",
        )
    missing = request["count"] - written - current - len(warnings)
    if missing > 0:
        warnings.append(f"Not written: {missing} of {request['count']}, because of: {reason}")
    return {"written": written, "current": current, "warnings": warnings}
