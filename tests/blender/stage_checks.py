"""The real worker ended at each of its stages, inside Blender by ``inside.py``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import likeness
from likeness.addon import running
from likeness.addon.workers.jobs import worker_command
from likeness.engine.core.progress import estimate_seconds
from likeness.operators import import_portrait
from running_checks import Context, Event, modal
from shared import block_names

NO_MEMORY = """
import sys
from likeness.engine.core.progress import StageTimer
from likeness.engine.workflows.worker.main import main
told = StageTimer.tell
def tell(self, stage, fraction, message):
    told(self, stage, fraction, message)
    if stage == {stage!r}:
        raise MemoryError
StageTimer.tell = tell
sys.exit(main([]))
"""


def each(photo: str, folder: str, stages: list[str]) -> dict[str, Any]:
    """Kill a build at each stage, starve it of memory, cancel it; then let one through."""
    bpy.ops.wm.read_homefile(app_template="")
    likeness.register()
    order = [*estimate_seconds(), "done"]
    before = block_names()
    out: dict[str, Any] = {}

    def build(end: str, stage: str) -> list[Any]:
        command = worker_command()
        if end == "memory":
            command = [sys.executable, "-c", NO_MEMORY.format(stage=stage)]
        running.get_worker_command = lambda _: (
            command,
            {},
        )  # with the usual cache of compiled loops
        context = Context()
        one = modal(
            import_portrait.ImportPortrait,
            filepath=photo,
            directory="",
            files=[],
            others=[],
            max_gaussians=5000,
            person=0,
            fov=0.0,
            known_pitch=None,
            estimates=(),
            bone_ends=False,
            properties=SimpleNamespace(is_property_set=lambda _: True),
            refine="off",
            below="full",
            held="keep",
            use_network=True,
            network="",
            body="",
            check_fit="NEVER",
        )
        import_portrait.portrait.output_folder = lambda *_: Path(folder) / "out"
        one.begin(context)
        state, done = "PASS_THROUGH", False
        until = time.monotonic() + 200
        while state in ("PASS_THROUGH", "RUNNING_MODAL") and time.monotonic() < until:
            (state,) = one.modal(context, Event("TIMER"))
            under_way = running.current_job()
            job = under_way.job if under_way is not None else None
            there = job is not None and job.stage in order[order.index(stage) :]
            if there and not done and end in ("kill", "cancel"):
                done = True
                if end == "kill":
                    os.kill(under_way.job._process._process.pid, signal.SIGKILL)
                else:
                    one.modal(context, Event("ESC", "PRESS"))
            time.sleep(0.002)
        said = one.reports[0][1] if one.reports else ""
        return [
            state,
            said,
            block_names() == before,
            running.current_job() is None,
            (Path(folder) / "out").exists(),
        ]

    for stage in stages:
        out[f"kill {stage}"] = build("kill", stage)
    out["memory fit"] = build("memory", "fit")  # one place catches it, whatever the stage
    out["cancel lift"] = build("cancel", "lift")
    out["through"] = build("", "done")
    return out
