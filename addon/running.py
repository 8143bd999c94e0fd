"""The one job of this Blender: started, followed, ended, and what is left to say about it.

It lives here, not in an operator nor in Blender's data: operators end with their window, data
changes with every undo. Nothing of Blender's is kept, so undo and loading files cannot hurt it.
"""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..engine.core.types import LikenessError
from .problem_report import problem_report, strip_folders
from .time_estimate import TimeEstimate, format_time_left
from .worker_launch import get_worker_command
from .workers.jobs import JobState, WorkerJob

Steps = Generator[Any, None, Any]

STEP_SECONDS = 0.03
"""Steps of work in Blender itself are taken so long, then its windows get their turn."""

_STATUS_SECONDS = 0.5
"""How often the status bar is drawn anew."""


@dataclass
class RunningJob:
    """The job under way.

    Attributes:
        title: what it makes, for people. request: as sent to the worker, None before.
        job: the worker's, None while Blender prepares. steps: what Blender itself does now.
        part: ``prepare``, ``work`` or ``import``.
        first: loops are compiled on the way, once per computer, which takes about a minute.
    """

    title: str
    request: dict[str, Any] = field(default_factory=dict)
    job: WorkerJob | None = None
    steps: Steps | None = None
    part: str = "prepare"
    estimate: TimeEstimate = field(default_factory=lambda: TimeEstimate({}, time.monotonic()))
    interrupted: bool = False
    first: bool = False

    @property
    def question(self) -> dict[str, Any] | None:
        """What the worker asks the user, if it does."""
        return self.job.question if self.job is not None else None

    @property
    def picture(self) -> str:
        """File of the fitted body over the photo; empty before, and it may be gone again."""
        return self.job.picture if self.job is not None else ""

    @property
    def fraction(self) -> float:
        return self.estimate.fraction

    @property
    def doing(self) -> str:
        """What is done now, for people."""
        if self.part != "work" or self.job is None:
            return "Preparing" if self.part == "prepare" else "Bringing it into the scene"
        if self.question is not None:
            return "Waiting for your answer"
        said = self.job.message or self.job.stage
        return said[:1].upper() + said[1:]

    @property
    def left(self) -> str:
        """How long it will take, for people; empty when nobody knows."""
        asked = self.part != "work" or self.question is not None or self.first
        return "" if asked else format_time_left(self.estimate.remaining)


@dataclass(frozen=True)
class JobProblem:
    """Why the last job came to nothing."""

    title: str
    message: str
    remedy: str
    report: str


class _Store:
    current: RunningJob | None = None
    problem: JobProblem | None = None
    log: tuple[str, ...] = ()
    status_drawn = 0.0


def current_job() -> RunningJob | None:
    """The job under way, or None."""
    return _Store.current


def last_problem() -> JobProblem | None:
    """What went wrong last, until it is dismissed or something new begins."""
    return _Store.problem


def dismiss_problem() -> None:
    """The user has read what went wrong."""
    _Store.problem = None


def worker_log() -> tuple[str, ...]:
    """The last lines that the worker wrote, without private folders."""
    running = _Store.current
    if running is not None and running.job is not None:
        return tuple(strip_folders(line) for line in running.job.log)
    return _Store.log


def begin_job(title: str) -> RunningJob:
    """Take the place of the one job.

    Raises:
        LikenessError: another one is under way.
    """
    if _Store.current is not None:
        raise LikenessError(
            f"{_Store.current.title} is still under way.", "Wait for it, or cancel it first."
        )
    _Store.problem, _Store.log = None, ()
    _Store.current = RunningJob(title)
    return _Store.current


def start_worker(running: RunningJob, request: Mapping[str, Any]) -> None:
    """Start the worker on ``request``."""
    running.request = dict(request)
    running.estimate = TimeEstimate(stage_seconds(running.request), time.monotonic())
    command, variables = get_worker_command(bpy.context)
    compiled = variables.get("NUMBA_CACHE_DIR")
    running.first = compiled is not None and not any(Path(compiled).rglob("*.nbi"))
    running.job = WorkerJob(running.request, command, variables)
    running.part = "work"


def stage_seconds(request: Mapping[str, Any]) -> dict[str, float]:
    """Stage -> seconds for a task that knows its stages (``stage_seconds`` of its module)."""
    task = request.get("task", "build")
    module = importlib.import_module(f"...engine.workflows.worker.{task}", __name__)
    tell = getattr(module, "stage_seconds", None)
    return dict(tell({**module.DEFAULTS, **request})) if tell is not None else {}


def poll_job(running: RunningJob) -> JobState:
    """Take in what the worker said."""
    job = running.job
    assert job is not None
    state, now = job.poll(), time.monotonic()
    if job.question is not None:
        running.estimate.pause(now)
    else:
        running.estimate.take(job.stage, job.fraction, now)
    return state


def advance_steps(running: RunningJob) -> tuple[bool, Any]:
    """Go on with ``running.steps`` for a moment: whether they are finished, and their result."""
    assert running.steps is not None
    until = time.perf_counter() + STEP_SECONDS
    while True:
        try:
            told = next(running.steps)
        except StopIteration as finished:
            running.steps = None
            return True, finished.value
        if running.part == "prepare" and isinstance(told, float):
            running.estimate.take("prepare", told, time.monotonic())
        if time.perf_counter() > until:
            return False, None


def end_job(running: RunningJob) -> None:
    """The job is over: its worker is gone, its place is free, its log is kept."""
    _close_steps(running)
    if running.job is not None:
        running.job.kill()
        _Store.log = tuple(strip_folders(line) for line in running.job.log)
    if _Store.current is running:
        _Store.current = None


def fail_job(running: RunningJob, error: Exception) -> LikenessError:
    """End the job with an error, and keep what to tell; returns it as one for the user."""
    lines = list(running.job.log) if running.job is not None else []
    if not isinstance(error, LikenessError):
        lines += "".join(traceback.format_exception(error)).splitlines()
        error = LikenessError(
            f"Something unexpected went wrong: {type(error).__name__}: {error}.",
            "Please report it (Copy Report).",
        )
    stage = running.part
    if running.part == "work" and running.job is not None:
        stage = f"{running.job.stage} {running.job.fraction:.0%}"
    versions = {"Likeness": read_version(), "Blender": bpy.app.version_string}
    report = problem_report(error.message, error.remedy, running.request, stage, lines, versions)
    end_job(running)
    _Store.log = tuple(strip_folders(line) for line in lines)
    _Store.problem = JobProblem(running.title, error.message, error.remedy, report)
    return error


def stop_current_job() -> None:
    """End whatever runs, without a word; for when the extension is disabled."""
    if _Store.current is not None:
        end_job(_Store.current)
    _Store.problem = None


def read_version() -> str:
    """The extension's version, from its manifest."""
    import tomllib

    manifest = Path(__file__).resolve().parent.parent / "blender_manifest.toml"
    return str(tomllib.loads(manifest.read_text(encoding="utf-8"))["version"])


def redraw_views(context: Any) -> None:
    """Let 3D views and the status bar show where the job stands."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()
    now = time.monotonic()
    if now - _Store.status_drawn < _STATUS_SECONDS and _Store.current is not None:
        return
    _Store.status_drawn = now
    # The only way to have the status bar drawn; it takes other tools' hints away, so not
    # while one of them is at work.
    window = context.window
    if context.workspace is not None and window is not None and len(window.modal_operators) <= 1:
        context.workspace.status_text_set_internal(None)


def _close_steps(running: RunningJob) -> None:
    if running.steps is not None:
        running.steps.close()
        running.steps = None


@bpy.app.handlers.persistent
def _before_data_changes(*_: Any) -> None:
    """Undo and loading take away the data that steps in Blender hold on to: they end first."""
    running = _Store.current
    if running is not None and running.steps is not None:
        running.interrupted = True
        _close_steps(running)


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    """The scene that the job was for goes away."""
    running = _Store.current
    if running is None:
        return
    _before_data_changes()
    fail_job(
        running,
        LikenessError(f"Another file was opened: {running.title} was stopped.", "Start it again."),
    )


_HANDLERS = (
    ("undo_pre", _before_data_changes),
    ("redo_pre", _before_data_changes),
    ("load_pre", _before_load),
)


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    stop_current_job()
    for name, handler in _HANDLERS:
        with suppress(ValueError):  # another script has emptied the list
            getattr(bpy.app.handlers, name).remove(handler)
