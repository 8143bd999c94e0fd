"""A Blender that runs check after check: ``python serving.py TREE``, and lines of JSON on stdin.

bpy is imported once, and with ``TREE`` being "tree" this tree's package as well, with what it
imports late: that takes longer than most checks. Compiled loops are loaded. Each check runs in a
fork of this process, so that none meets what another has left in the scene or in modules. Workers
that checks start are forks as well (``tests/forks.py``).
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import bpy
import inside

forks = inside.load("forks", inside.ROOT / "tests" / "forks.py")

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


_WORKER_CODE = """
import importlib, importlib.util, sys
spec = importlib.util.spec_from_file_location(
    {name!r}, {folder!r} + "/__init__.py", submodule_search_locations=[{folder!r}])
sys.modules[{name!r}] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
for module in {modules}:
    importlib.import_module({name!r} + "." + module)
importlib.import_module({name!r} + ".core.kernels").load_kernels()
"""
_WORKER_MODULES = (
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
"""What most workers would import for themselves."""


def answer_requests(tree: bool) -> None:
    """Run the checks that are asked for; each is answered when its process has ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps what Blender prints out of the answers
    with load_all() if tree else nullcontext():
        for line in sys.stdin:
            request = json.loads(line)
            if tree:
                from likeness.engine.core.kernels import load_kernels

                load_kernels()
            pid = os.fork()
            if not pid:
                answers.close()
                run_check(request)
            print(json.dumps(wait_for(pid, request["timeout"])), file=answers, flush=True)
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    os._exit(0)  # Blender's own exit may crash or hang


@contextmanager
def load_all() -> Iterator[None]:
    """Import what checks need, and let the add-on start workers that are forks."""
    inside.load_tree()
    import likeness.operators
    import likeness.panels  # noqa: F401
    from likeness.addon import worker_launch
    from likeness.addon.workers.jobs import ENGINE_DIR, ENGINE_NAME

    for name in _LATE:
        importlib.import_module(name)
    start_anew = worker_launch.worker_command
    code = _WORKER_CODE.format(name=ENGINE_NAME, folder=str(ENGINE_DIR), modules=_WORKER_MODULES)
    with forks.open_forks(code, "-I", reads=forks.ENGINE_READS) as fork:

        def start_fork(*arguments: Any, python: str = "", **named: Any) -> list[str]:
            command: list[str] = start_anew(*arguments, python=python, **named)
            return command if python else fork(command)  # else Python is the user's choice

        worker_launch.worker_command = start_fork
        yield


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
