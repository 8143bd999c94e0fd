"""Checks of operators that run jobs, by real worker processes, inside Blender by ``inside.py``.

Blender without a window never makes an operator modal, so the steps are taken by hand: by the
operators' own methods, on an object that only lacks what Blender adds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy
import likeness
from likeness.addon import running
from likeness.engine.core.types import LikenessError
from likeness.operators import import_avatar, import_portrait
from likeness.operators.job_operator import JobOperator, _values
from shared import Recorder

SPEAK = """
import json, os, sys, time
request = json.loads(sys.stdin.readline())
def say(**content):
    print(json.dumps(content), flush=True)
"""


class Event:
    def __init__(self, kind: str, value: str = "NOTHING") -> None:
        self.type, self.value = kind, value


class Manager:
    """A window manager that knows its timers."""

    windows: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.timers: set[object] = set()
        self.asked: list[str] = []

    def event_timer_add(self, seconds: float, window: Any) -> object:
        timer = object()
        self.timers.add(timer)
        return timer

    def event_timer_remove(self, timer: object) -> None:
        self.timers.remove(timer)

    def modal_handler_add(self, operator: Any) -> None:
        self.asked.append("modal")

    def fileselect_add(self, operator: Any) -> None:
        self.asked.append("browser")

    def invoke_props_dialog(self, operator: Any, **options: Any) -> set[str]:
        self.asked.append("dialog")
        return {"RUNNING_MODAL"}


class Context:
    """Blender's context with a window manager of our own."""

    def __init__(self) -> None:
        self.window_manager = Manager()
        self.workspace = self.window = self.screen = None

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def modal(base: type, **properties: Any) -> Any:
    """An operator of that class with what Blender would add; without what makes it Blender's."""
    parts = [c for c in reversed(base.__mro__) if c is base or ".operators." in c.__module__]
    every = [item for cls in parts for item in vars(cls).items()]
    own = {k: v for k, v in every if callable(v) or isinstance(v, classmethod)}
    alone = type("Alone", (JobOperator,), own)

    class Made(alone):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.reports: list[list[str]] = []
            self.run_now = False
            for name, value in properties.items():
                setattr(self, name, value)

        def report(self, kind: set[str], text: str) -> None:
            self.reports.append([next(iter(kind)), text])

    Made.bl_label = "Make Thing"
    Made.bl_idname = "likeness.make_thing"
    return Made()


def drive(
    operator: Any, context: Context, on_tick: Callable[[], Any] = lambda: None, seconds: float = 60
) -> str:
    """Timer events until the operator ends; its last answer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        (answer,) = operator.modal(context, Event("TIMER"))
        if answer != "PASS_THROUGH":
            return str(answer)
        on_tick()
        time.sleep(0.01)
    raise AssertionError("the job does not end")


class Thing(JobOperator):
    """A job that adds an empty in three steps."""

    def request(self, context: Any) -> dict[str, Any]:
        return {"task": "prepare", "avatar": "/home/me and you/thing.safetensors", "output": "x"}

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        made = []
        try:
            for k in range(3):
                made.append(bpy.data.objects.new(f"{result['name']} {k}", None))
                time.sleep(running.STEP_SECONDS)
                yield
        except BaseException:
            for obj in made:
                bpy.data.objects.remove(obj)
            raise


def worker(folder: str, body: str) -> None:
    """The workers of this Blender are this script from now on."""
    script = Path(folder) / "worker.py"
    script.write_text(SPEAK + body, encoding="utf-8")
    running.get_worker_command = lambda _: ([sys.executable, "-I", str(script)], {})


def start(context: Context, base: type = Thing, **properties: Any) -> Any:
    operator = modal(base, **properties)
    operator.said = operator.invoke(context, Event("LEFTMOUSE", "PRESS"))
    return operator


def panel(context: Context) -> list[str]:
    from likeness.panels.create import MainPanel

    calls: list[str] = []
    stand_in = type("Panel", (), {"layout": Recorder(calls)})
    MainPanel.draw(stand_in(), type("C", (), {"region": None})())
    return calls


def names() -> list[str]:
    return sorted(o.name for o in bpy.data.objects)


def life(folder: str) -> dict[str, Any]:
    """Progress, cancel, failure, success, undo, loading a file: each one after the other."""
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    likeness.register()
    out: dict[str, Any] = {}
    context = Context()
    hold = 'say(type="progress", stage="prepare", fraction=0.5, message="reading"); time.sleep(60)'

    worker(folder, hold)
    one = start(context)
    seen = time.monotonic() + 900
    while running.current_job().job.stage != "prepare" and time.monotonic() < seen:
        one.modal(context, Event("TIMER"))
        time.sleep(0.01)
    out["running"] = [sorted(one.said), list(context.window_manager.asked), panel(context)]
    out["fraction"] = running.current_job().fraction
    out["mouse"] = sorted(one.modal(context, Event("MOUSEMOVE")))
    second = start(context)
    out["second"] = [sorted(second.said), second.reports]
    out["poll"] = bpy.ops.likeness.import_portrait.poll()
    out["escape"] = sorted(one.modal(context, Event("ESC", "PRESS")))
    out["cancelled"] = [drive(one, context), one.reports, running.current_job() is None]
    out["timers"] = len(context.window_manager.timers)

    one = start(context)
    bpy.ops.likeness.cancel_job()
    out["button"] = [drive(one, context), names()]

    worker(
        folder,
        'print("/home/me and you/thing.safetensors: odd", file=sys.stderr, flush=True)\n'
        'say(type="error", message="Cannot read \'" + request["avatar"] + "\'.", '
        'remedy="Another."); sys.exit(2)',
    )
    one = start(context)
    out["failed"] = [drive(one, context), one.reports, panel(context)]
    out["report"] = running.last_problem().report
    bpy.ops.likeness.dismiss_problem()
    out["dismissed"] = running.last_problem() is None

    worker(folder, hold)
    one = start(context)
    os.kill(running.current_job().job._process._process.pid, signal.SIGKILL)
    out["killed"] = [drive(one, context), one.reports, names()]

    worker(folder, 'say(type="result", name="made", warnings=["Small face."])')
    one = start(context)
    out["done"] = [drive(one, context), one.reports, names()]
    out["left"] = [len(context.window_manager.timers), running.current_job() is None]

    one = start(context)

    def undo() -> None:
        if running.current_job().steps is not None:
            out["swallowed"] = sorted(one.modal(context, Event("MOUSEMOVE")))
            running._before_data_changes()

    out["undone"] = [drive(one, context, undo), one.reports, names()]

    worker(folder, hold)
    one = start(context)
    process = running.current_job().job._process._process
    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    out["loaded"] = [process.wait(900) is not None, drive(one, context), one.reports]

    one = start(context)
    process = running.current_job().job._process._process
    one.cancel(context)
    out["window closed"] = [process.wait(900) is not None, running.current_job() is None]
    one = start(context)
    process = running.current_job().job._process._process
    likeness.unregister()
    out["disabled"] = [process.wait(900) is not None, running.current_job() is None]
    out["handlers"] = [
        handler.__module__
        for handlers in (bpy.app.handlers.undo_pre, bpy.app.handlers.load_pre)
        for handler in handlers
        if handler.__module__.startswith("likeness.addon.running")
    ]
    return out


def odd_ends() -> dict[str, Any]:
    """Faults of the program itself: told, reported, and the next job runs."""

    class Bad(Thing):
        def request(self, context: Any) -> dict[str, Any]:
            raise ZeroDivisionError("by nobody")

    class Wrong(Thing):
        def request(self, context: Any) -> dict[str, Any]:
            raise LikenessError("Not this one.", "Another.")

    context = Context()
    out: dict[str, Any] = {}
    for name, base in (("bad", Bad), ("wrong", Wrong)):
        one = start(context, base)
        out[name] = [sorted(one.said), one.reports, running.last_problem().report]
    out["free"] = [running.current_job() is None, len(context.window_manager.timers)]
    return out


def standing_by(folder: str) -> dict[str, Any]:
    """A worker stands by while photos are chosen: it is used, dropped, or left out."""
    likeness.register()
    context, out = Context(), {}

    def loads(name: str) -> None:
        worker(
            folder,
            f"""
assert request == {{"stand_by": "build"}}, request
request = json.loads(sys.stdin.readline())
say(type="result", value="{name}")
""",
        )

    loads("first")
    running.prepare_worker(context, "build")
    ready = running._Store.standby
    running.prepare_worker(context, "build")
    out["one"] = running._Store.standby is ready
    job = running.begin_job("Standing by")
    running.start_worker(job, {"task": "build"})
    job.job.wait()
    out["used"] = [job.job.result["value"], running._Store.standby]
    running.end_job(job)
    running.prepare_worker(context, "build")
    ready = running._Store.standby
    closed = modal(import_portrait.ImportPortrait)
    closed.cancel(context)
    until = time.monotonic() + 30.0
    while ready.process.exit_code is None and time.monotonic() < until:
        time.sleep(0.01)
    out["dropped"] = [running._Store.standby, ready.process.exit_code is not None]
    running.prepare_worker(context, "build")
    failed = running.begin_job("Failing")
    running.fail_job(failed, LikenessError("No photo is selected.", "Select one."))
    out["after a failure"] = running._Store.standby
    running.get_worker_command = lambda _: (["/nowhere/python"], {})
    running.prepare_worker(context, "build")
    out["impossible"] = running._Store.standby
    return out


def asking() -> dict[str, Any]:
    """What the import operators ask for, from the menu, after a drop, and for nothing."""
    likeness.register()
    out: dict[str, Any] = {}
    running.prepare_worker = lambda context, task: out.setdefault("stands by for", task)

    def call(cls: type, **given: Any) -> list[Any]:
        class Properties:
            def is_property_set(self, name: str) -> bool:
                return name in given

        class Photo:
            path = direction = ""

        class Photos(list[Any]):
            def add(self) -> Any:
                self.append(Photo())
                return self[-1]

        context = Context()
        files = [type("File", (), {"name": name})() for name in given.pop("names", ())]
        one = modal(
            cls,
            properties=Properties(),
            files=Photos(files),
            others=Photos(),
            filepath=given.get("filepath", ""),
            directory="/photos",
        )
        one.begin = lambda context: {"FINISHED"}
        result = one.invoke(context, Event("LEFTMOUSE", "PRESS"))
        chosen = [[Path(o.path).name, o.direction] for o in one.others]
        return [sorted(result), context.window_manager.asked, Path(one.filepath).name, chosen]

    out["menu"] = call(import_portrait.ImportPortrait)
    out["drop"] = call(import_portrait.ImportPortrait, filepath="/photos/me.jpg")
    out["drop of three"] = call(
        import_portrait.ImportPortrait,
        filepath="/photos/me_back.jpg",
        names=["me_back.jpg", "me.jpg", "me_left.jpg"],
    )
    out["avatar menu"] = call(import_avatar.ImportAvatar)
    out["avatar drop"] = call(import_avatar.ImportAvatar, filepath="/me.safetensors")
    kept = bpy.ops.likeness.import_portrait.get_rna_type().properties
    out["kept"] = [n for n in ("filepath", "files", "others") if not kept[n].is_skip_save]
    out["undescribed"] = [
        f"{op} {p.identifier}"
        for op in ("import_portrait", "import_avatar")
        for p in getattr(bpy.ops.likeness, op).get_rna_type().properties
        if p.identifier != "rna_type" and not p.description
    ]
    return out


def qualities() -> dict[str, Any]:
    """What a quality sets, and how chosen properties are handed on."""
    likeness.register()
    out: dict[str, Any] = {}
    keep: list[Any] = []
    original = import_portrait.ImportPortrait.execute

    def execute(self: Any, context: Any) -> set[str]:
        keep.append({**_values(self.properties), "options": self.request(context)["options"]})
        return {"FINISHED"}

    import_portrait.ImportPortrait.execute = execute
    bpy.ops.likeness.import_portrait(
        filepath="/a.png", quality="DRAFT", max_gaussians=20_000, below="cut", held="remove"
    )
    bpy.ops.likeness.import_portrait(
        filepath="/a.png", others=[{"name": "", "path": "/b.png", "direction": "back"}]
    )
    import_portrait.ImportPortrait.execute = original
    out["values"] = keep
    return out


def redraws() -> list[int]:
    """How often preferences are drawn: at the start, unchanged, changed at once and later, over."""

    class Area:
        type, count = "PREFERENCES", 0

        def tag_redraw(self) -> None:
            self.count += 1

    context, area = Context(), Area()
    screen = type("Screen", (), {"areas": [area]})()
    context.window_manager.windows = (type("Window", (), {"screen": screen})(),)
    job, counts = running.begin_job("Making"), []
    for part, seconds in (("", 0.0), ("", 0.3), ("import", 0.3), ("prepare", 0.0)):
        time.sleep(seconds)
        job.part = part or job.part
        running.redraw_views(context)
        counts.append(area.count)
    running.end_job(job)
    running.redraw_views(context)
    return [*counts, area.count]
