"""What a user does while a build runs, as scenarios.py has it. Run by inside.py."""

from __future__ import annotations

import importlib
import os
import signal
import time
from typing import Any

import bpy
from scenarios import MODULE, Steps, avatars, fresh, ours, running, scene_names, start_build


def cancel(ui: Any, photo: str) -> Steps:
    """Cancel with Esc, then by the button: nothing changes."""
    yield from fresh(ui)
    before = scene_names()
    answer: dict[str, Any] = {}
    for how in ("esc", "button"):
        yield from start_build(ui, photo, quality="DRAFT")
        if how == "esc":
            ui.press("ESC")
        else:
            with ui.override():
                bpy.ops.likeness.cancel_job()
        asked = time.monotonic()
        yield lambda: running() is None
        answer[how] = {
            "seconds": time.monotonic() - asked,
            "unchanged": scene_names() == before,
            "problem": ours("addon.running").last_problem() is not None,
        }
        yield 0.3
    yield from ui.shot("cancelled")
    return answer


def kill_worker(ui: Any, photo: str) -> Steps:
    """The worker is killed from outside: a message, an unchanged scene; the next job runs."""
    yield from fresh(ui)
    before = scene_names()
    yield from start_build(ui, photo, quality="DRAFT")
    os.kill(running().job._process._process.pid, signal.SIGKILL)
    yield lambda: running() is None
    problem = ours("addon.running").last_problem()
    yield from ui.shot("worker_killed")
    said = {"message": problem.message, "remedy": problem.remedy, "report": problem.report}
    unchanged = scene_names() == before
    yield from start_build(ui, photo, quality="DRAFT")
    yield lambda: running() is None
    yield 0.5
    return {**said, "unchanged": unchanged, "next": len(avatars())}


def bad_photo(ui: Any, photo: str) -> Steps:
    """A photo without a person: a message in the panel, an unchanged scene."""
    yield from fresh(ui)
    before = scene_names()
    yield from start_build(ui, photo, quality="DRAFT")
    yield lambda: running() is None
    problem = ours("addon.running").last_problem()
    yield from ui.shot("bad_photo")
    return {"message": problem.message, "unchanged": scene_names() == before}


def disable_while_running(ui: Any, photo: str) -> Steps:
    """The extension is disabled while its worker runs: the worker ends, nothing is left."""
    addon_utils = importlib.import_module("addon_utils")
    yield from fresh(ui)
    before = scene_names()
    yield from start_build(ui, photo, quality="DRAFT")
    process = running().job._process._process
    addon_utils.disable(MODULE, default_set=True)
    yield 1.0
    ended = process.poll() is not None
    left = [name for name in dir(bpy.types) if "likeness" in name.lower()]
    unchanged = scene_names() == before
    yield from ui.shot("disabled")
    addon_utils.enable(MODULE, default_set=True)
    yield 0.5
    return {"ended": ended, "left": left, "unchanged": unchanged, "again": running() is None}


def open_file_while_running(ui: Any, photo: str) -> Steps:
    """Another file is opened while the worker runs: it ends, and the panel says so."""
    yield from fresh(ui)
    yield from start_build(ui, photo, quality="DRAFT")
    process = running().job._process._process
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.wm.read_homefile(app_template="")
    yield 1.0
    problem = ours("addon.running").last_problem()
    return {
        "ended": process.poll() is not None,
        "running": running() is not None,
        "message": problem.message if problem else None,
        "avatars": len(avatars()),
    }


def undo_while_running(ui: Any, photo: str) -> Steps:
    """The user goes on working, and undoes, while the worker runs; the avatar comes anyway."""
    yield from fresh(ui, keep=("Cube",))
    yield from start_build(ui, photo, quality="DRAFT")
    with ui.override():
        bpy.ops.transform.translate("EXEC_DEFAULT", True, value=(1, 0, 0))
    moved = bpy.data.objects["Cube"].location.x
    yield 0.3
    yield from ui.undo()
    back = bpy.data.objects["Cube"].location.x
    yield lambda: running() is None
    yield 0.5
    came = len(avatars())
    yield from ui.undo()
    return {
        "moved": moved,
        "back": back,
        "came": came,
        "undone": len(avatars()),
        "cube": "Cube" in bpy.data.objects,
    }
