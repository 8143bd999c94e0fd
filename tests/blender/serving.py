"""A Blender that runs check after check: ``python serving.py TREE``, and lines of JSON on stdin.

bpy is imported once, and with ``TREE`` being "tree" this tree's package as well, with what it
imports late: that takes longer than most checks. Compiled loops are loaded. Each check runs in a
fork of this process, so that none meets what another has left in the scene or in modules. Workers
that checks start are forks as well (``ready_workers.py``).
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import inside
from ready_workers import use_ready_workers

_LATE = (
    "likeness.addon.preferences_view",
    "likeness.addon.scene.blend_writer",
    "likeness.addon.warm_up",
    "likeness.engine.gaussians.lod",
    "likeness.engine.gaussians.relight.albedo",
    "likeness.engine.render.cpu",
    "likeness.engine.scene.fit",
)
"""What nearly every check would import for itself."""


def answer_requests(tree: bool) -> None:
    """Run the checks that are asked for; each is answered when its process has ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps what Blender prints out of the answers
    folder = tempfile.mkdtemp()
    workers = load_all(folder) if tree else None
    for line in sys.stdin:
        request = json.loads(line)
        if workers:
            from likeness.engine.core.kernels import load_kernels

            load_kernels()
        pid = os.fork()
        if not pid:
            answers.close()
            run_check(request)
        print(json.dumps(wait_for(pid, request["timeout"])), file=answers, flush=True)
    if workers:
        workers.communicate()
    for own in (bpy.app.tempdir, folder):
        shutil.rmtree(own, ignore_errors=True)
    os._exit(0)  # Blender's own exit may crash or hang


def load_all(folder: str) -> subprocess.Popen[bytes]:
    """Import what checks need, and start the process that workers are forks of."""
    inside.load_tree()
    import likeness.operators
    import likeness.panels  # noqa: F401

    for name in _LATE:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/workers")
        listening.listen()
        return use_ready_workers(listening)


def run_check(request: dict[str, Any]) -> None:
    """Run one check in this process, and end it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for own, old in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(own, old)
    # All forks have one name of it, and Blender removes it with some settings.
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    Path(bpy.app.tempdir).mkdir()
    inside.run_and_exit(*request["arguments"])


def wait_for(pid: int, seconds: float) -> bool:
    """Whether the process has ended in time; otherwise it is killed."""
    process = os.pidfd_open(pid)
    ended, _, _ = select.select([process], [], [], seconds)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(process)
    return bool(ended)


if __name__ == "__main__":
    answer_requests(sys.argv[1] == "tree")
