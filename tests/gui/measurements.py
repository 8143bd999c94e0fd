"""What is measured in the window. Run by inside.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import bpy
import psutil
from scenarios import Steps, avatars, fresh, open_avatar, ours, running

DIALOG_SECONDS = 3.0
"""How long a user looks at the dialog at least, before Enter."""


class Calls:
    """How long each call of ours keeps Blender's UI: the steps of a job and the panels."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self.longest_cpu: dict[str, float] = {}
        self._undo: list[Callable[[], None]] = []

    def watch(self, owner: Any, name: str, label: Callable[[], str]) -> None:
        """Time a method of a class."""
        function = owner.__dict__.get(name) or getattr(owner, name)

        def call(*args: Any) -> Any:
            key, start, cpu = label(), time.perf_counter(), time.thread_time()
            try:
                return function(*args)
            finally:
                took = time.perf_counter() - start
                self.longest[key] = max(self.longest.get(key, 0.0), took)
                took = time.thread_time() - cpu
                self.longest_cpu[key] = max(self.longest_cpu.get(key, 0.0), took)

        # Blender passes as many arguments as the function names.
        timed: Callable[..., Any]
        if name == "modal":
            timed = lambda self, context, event: call(self, context, event)  # noqa: E731
        else:
            timed = lambda self, context: call(self, context)  # noqa: E731
        setattr(owner, name, timed)
        self._undo.append(lambda: setattr(owner, name, function))

    def stop(self) -> None:
        """No more timing."""
        for undo_one in self._undo:
            undo_one()

    def as_report(self) -> dict[str, dict[str, float]]:
        """Milliseconds of the longest of each kind: on the clock, and of the processor."""
        names = {"our_calls_ms": self.longest, "our_calls_cpu_ms": self.longest_cpu}
        return {
            name: {k: round(1000 * v, 1) for k, v in sorted(seconds.items())}
            for name, seconds in names.items()
        }


def watch_calls() -> Calls:
    """Time the steps of jobs and the drawing of panels, until it is stopped."""
    calls = Calls()
    base = ours("operators.job_operator").JobOperator

    def part() -> str:
        under_way = running()
        return f"step/{under_way.part}" if under_way is not None else "step/end"

    calls.watch(base, "modal", part)
    calls.watch(base, "begin", lambda: "step/begin")
    for cls in ours("panels").CLASSES:
        calls.watch(cls, "draw", lambda cls=cls: f"draw/{cls.bl_idname}")
    return calls


def redraw_cost(ui: Any, seconds: float = 2.0) -> Steps:
    """The longest time between two ticks while the sidebar is drawn ten times a second by us,
    without any job: what software GL costs here."""
    ui.gaps.reset()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for region in ui.areas("VIEW_3D")[0].regions:
            if region.type == "UI":
                region.tag_redraw()
        yield 0.1
    return ui.gaps.longest()


def idle_cost(ui: Any, seconds: float = 2.0) -> Steps:
    """The longest time between two ticks while nothing happens."""
    ui.gaps.reset()
    yield seconds
    return ui.gaps.longest()


def wait_until_compiled(ui: Any) -> Steps:
    """Wait until the extension has compiled the engine in the background."""
    yield ours("addon.worker_launch").is_compiled


def draw_view(ui: Any) -> None:
    """Draw the 3D view, and wait until the picture is shown."""
    with ui.override():
        bpy.ops.wm.redraw_timer(type="DRAW_SWAP", iterations=1)


def cpu_seconds(process: psutil.Process) -> float:
    """Processor seconds of a process; 0 if it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def measure_play(ui: Any, avatar: str, frames: int = 24) -> Steps:
    """Frames per second of an animated bone: with fast splats, and in Material Preview."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    space = ui.areas("VIEW_3D")[0].spaces.active
    with ui.override():
        bpy.ops.view3d.view_selected()
    bone = found.armature.pose.bones["left_elbow"]
    for frame, angle in ((1, 0.0), (frames, 0.6)):
        bone.rotation_quaternion = (1.0, angle, 0.0, 0.0)
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    rates = {}
    for name, fast, shading in (("fast", True, "SOLID"), ("material", False, "MATERIAL")):
        ours("addon.viewport.fast_splats").set_fast(found.splats, fast)
        space.shading.type = shading
        yield 2.0
        took = []
        for frame in range(1, frames + 1):
            start = time.perf_counter()
            bpy.context.scene.frame_set(frame)
            draw_view(ui)
            took.append(time.perf_counter() - start)
            yield 0.0
        rates[name] = 1.0 / statistics.median(took)
    return {**rates, "ratio": round(rates["fast"] / rates["material"], 2)}


def measure_drop(ui: Any, photo: str, quality: str, shading: str) -> Steps:
    """Figures of one photo dropped, from Enter to an avatar that can be posed."""
    yield from fresh(ui)
    preferences = ours("addon.preferences").get_preferences(bpy.context)
    preferences.show_splats = shading == "MATERIAL"
    idle = yield from idle_cost(ui)
    redraw = yield from redraw_cost(ui)
    calls = watch_calls()
    ours("addon.running").prepare_worker(bpy.context, "build")  # as the dialog of a drop does
    yield DIALOG_SECONDS
    ui.gaps.reset()
    start = time.perf_counter()
    with ui.override():
        bpy.ops.likeness.import_portrait(
            "INVOKE_DEFAULT", filepath=photo, run_now=True, check_fit="NEVER", quality=quality
        )
    ends: dict[str, float] = {}
    blender, worker = psutil.Process(), None
    blender_cpu, worker_cpu = cpu_seconds(blender), 0.0
    while running() is not None:
        ends[running().part] = time.perf_counter()
        if running().part == "work":
            worker = worker or max(blender.children(), key=psutil.Process.create_time)
            worker_cpu = max(worker_cpu, cpu_seconds(worker))
        yield 0.0
    blender_cpu = cpu_seconds(blender) - blender_cpu
    done = time.perf_counter()
    imported = avatars()[0] if avatars() else None
    if imported is not None:
        imported.armature.pose.bones["left_elbow"].rotation_quaternion = (0.9, 0.436, 0, 0)
        bpy.context.view_layer.update()
    posable = time.perf_counter()
    yield 3.0
    calls.stop()
    work = ends.get("work", done)
    gaps = ui.gaps
    problem = ours("addon.running").last_problem()
    return {
        "problem": problem.message if problem else None,
        "splats": len(imported.splats.data.polygons) if imported else 0,
        "seconds_until_worker_done": work - start,
        "seconds_until_imported": done - start,
        "seconds_until_posable": posable - start,
        "worker_cpu_s": worker_cpu,
        "blender_cpu_s": blender_cpu,
        "load": psutil.getloadavg()[0],
        "idle_gap_ms": 1000 * idle,
        "redraw_gap_ms": 1000 * redraw,
        "worker_gap_ms": 1000 * gaps.longest(start + 0.3, work),
        "import_gap_ms": 1000 * gaps.longest(work, done),
        "first_picture_ms": 1000 * gaps.longest(done),
        "gaps_over_100_ms": sum(g > 0.1 for end, g in gaps.all if start < end <= done),
        **calls.as_report(),
    }


def measure_open(ui: Any, avatar: str) -> Steps:
    """How long each call of ours keeps Blender while an avatar's file is opened."""
    yield from fresh(ui)
    calls = watch_calls()
    start = time.perf_counter()
    found = yield from open_avatar(ui, avatar)
    done = time.perf_counter()
    yield 1.0
    calls.stop()
    return {
        "splats": len(found.splats.data.polygons),
        "seconds_until_imported": done - start,
        **calls.as_report(),
    }


def measure_pose(ui: Any, avatar: str, shading: str, repeats: int = 20) -> Steps:
    """Milliseconds of a new pose, and of its picture in the 3D view; and without the avatar."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar)
    space = ui.areas("VIEW_3D")[0].spaces.active
    space.shading.type = shading
    with ui.override():
        bpy.ops.view3d.view_selected()
    yield 3.0

    def once(bone: Any, k: int) -> tuple[float, float]:
        start = time.perf_counter()
        bone.rotation_quaternion = (0.95, 0.3 * (k % 2), 0.1, 0)
        bpy.context.view_layer.update()
        posed = time.perf_counter()
        draw_view(ui)
        return posed - start, time.perf_counter() - posed

    times = []
    bone = found.armature.pose.bones["left_elbow"]
    for k in range(repeats):
        times.append(once(bone, k))
        yield 0.0
    found.splats.hide_viewport = True
    yield 0.5
    without = []
    for k in range(repeats):
        without.append(once(bone, k))
        yield 0.0
    names = ("pose_ms", "draw_ms", "pose_without_splats_ms", "draw_without_splats_ms")
    columns = (*zip(*times), *zip(*without))
    return {n: round(1000 * statistics.median(seen), 1) for n, seen in zip(names, columns)}
