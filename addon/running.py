"""The one job of this Blender: start, progress, end, and its last problem.

The state is neither in an operator, which ends with its window, nor in Blender's data, which undo
changes. It holds no reference to Blender's data, so undo and loading files do not affect it.
"""

from __future__ import annotations

import importlib
import logging
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import bpy

from ..engine.core.types import LikenessError
from ..engine.core.version import VERSION
from . import translations
from .job_texts import JobTitle
from .problem_report import problem_report, strip_folders
from .time_estimate import TimeEstimate, format_time_left
from .worker_launch import get_worker_command, is_compiled
from .workers.jobs import JobState, WorkerJob
from .workers.standby import StandbyWorker

_log = logging.getLogger(__name__)

Steps = Generator[Any, None, Any]

STEP_SECONDS = 0.015
"""Longest slice of work in Blender itself before its windows are updated."""

_STANDBY_SECONDS = 600.0
"""How long a worker stands by at most."""

_REDRAW_SECONDS = 0.25
"""Least time between two redraws during a job: without a GPU, drawing takes the worker's time."""


@dataclass
class RunningJob:
    """The running job.

    Attributes:
        title: what it makes, in English.
        request: as sent to the worker; empty before.
        job: the worker's job; None while Blender prepares.
        steps: the work of Blender itself, or None.
        part: ``prepare``, ``work`` or ``import``.
        estimate: progress and time left.
        interrupted: whether undo or redo has stopped the steps.
        first: whether loops may be compiled on the way, once per version (about a minute).
        said: what the worker has said last of what it does, in English.
    """

    title: JobTitle
    request: dict[str, Any] = field(default_factory=dict)
    job: WorkerJob | None = None
    steps: Steps | None = None
    part: str = "prepare"
    estimate: TimeEstimate = field(default_factory=lambda: TimeEstimate({}, time.monotonic()))
    interrupted: bool = False
    first: bool = False
    said: str = ""

    @property
    def shown_title(self) -> str:
        """What it makes, in the user's language."""
        return self.title.translated(translations.translate)

    @property
    def question(self) -> dict[str, Any] | None:
        """The worker's question to the user, or None."""
        return self.job.question if self.job is not None else None

    @property
    def picture(self) -> str:
        """File of the fitted body over the photo; empty before the fit. It may be deleted
        already."""
        return self.job.picture if self.job is not None else ""

    @property
    def fraction(self) -> float:
        """Progress, 0..1."""
        return self.estimate.fraction

    @property
    def doing(self) -> str:
        """The current activity, in the user's language."""
        if self.part != "work" or self.job is None:
            text = "Preparing" if self.part == "prepare" else "Adding it to the scene"
        elif self.question is not None:
            text = "Waiting for your answer"
        else:
            text = self.said or "Starting"
        return translations.translate_stage(text)

    @property
    def left(self) -> str:
        """The time left, in the user's language; empty if unknown."""
        asked = self.part != "work" or self.question is not None or self.first
        return "" if asked else format_time_left(self.estimate.remaining, translations.translate)


@dataclass(frozen=True)
class JobProblem:
    """Why the last job failed, and the report to copy."""

    title: JobTitle
    message: str
    remedy: str
    report: str


class _Store:
    current: RunningJob | None = None
    problem: JobProblem | None = None
    standby: StandbyWorker | None = None
    log: tuple[str, ...] = ()
    drawn = 0.0
    shown: tuple[Any, ...] = ()


def current_job() -> RunningJob | None:
    """The running job, or None."""
    return _Store.current


def last_problem() -> JobProblem | None:
    """The last problem, until it is dismissed or another job starts."""
    return _Store.problem


def shows_problem(context: Any) -> bool:
    """Whether the user sees the last problem in the sidebar or the preferences, so that it needs
    no pop-up."""
    if bpy.app.background:
        return False
    sections = ("ADDONS", "EXTENSIONS")
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES" and context.preferences.active_section in sections:
                return True
            for region in area.regions if area.type == "VIEW_3D" else ():
                open_ = region.type == "UI" and region.width > 1
                if open_ and region.active_panel_category == "Likeness":
                    return True
    return False


def dismiss_problem() -> None:
    """Forget the last problem."""
    _Store.problem = None


def worker_log() -> tuple[str, ...]:
    """The last lines of the worker's log, without private folders."""
    running = _Store.current
    if running is not None and running.job is not None:
        return tuple(strip_folders(line) for line in running.job.log)
    return _Store.log


def begin_job(title: JobTitle | str) -> RunningJob:
    """Register the one job.

    Raises:
        LikenessError: Another job is running.
    """
    if _Store.current is not None:
        raise LikenessError(
            f"{_Store.current.title} is still running.", "Wait for it, or cancel it first."
        )
    _Store.problem, _Store.log = None, ()
    _Store.current = RunningJob(title if isinstance(title, JobTitle) else JobTitle(title))
    return _Store.current


def start_worker(running: RunningJob, request: Mapping[str, Any]) -> None:
    """Start the worker on ``request``.

    Raises:
        LikenessError: The chosen Python is missing or cannot be started.
    """
    running.request = dict(request)
    running.estimate = TimeEstimate(stage_seconds(running.request), time.monotonic())
    running.first = not is_compiled()
    command, variables = get_worker_command(bpy.context)
    standby, _Store.standby = _Store.standby, None
    if standby is not None and not standby.fits(request.get("task", "build"), command, variables):
        standby.drop()
        standby = None
    running.job = WorkerJob(running.request, command, variables, standby)
    running.part = "work"


def prepare_worker(context: Any, task: str) -> None:
    """Start a worker that loads what a task needs, while the user chooses what to ask of it.

    Nothing happens where it cannot be started: the job that follows reports that.
    """
    try:
        command, variables = get_worker_command(context)
        ready = _Store.standby
        if ready is not None and ready.fits(task, command, variables):
            return
        drop_standby()
        _Store.standby = ready = StandbyWorker(task, command, variables)
        bpy.app.timers.register(partial(_drop_idle, ready), first_interval=_STANDBY_SECONDS)
    except (LikenessError, OSError) as error:
        _log.debug("no worker stands by: %s", error)


def _drop_idle(standby: StandbyWorker) -> None:
    """A browser may stay open for hours, and the worker takes memory."""
    if _Store.standby is standby:
        drop_standby()


def drop_standby() -> None:
    """End the worker that stands by, if there is one: the user has changed their mind."""
    standby, _Store.standby = _Store.standby, None
    if standby is not None:
        standby.drop()


def stage_seconds(request: Mapping[str, Any]) -> dict[str, float]:
    """Stage -> estimated seconds, if the task's module has ``stage_seconds``; else empty."""
    task = request.get("task", "build")
    module = importlib.import_module(f"...engine.workflows.worker.{task}", __name__)
    estimate = getattr(module, "stage_seconds", None)
    return dict(estimate({**module.DEFAULTS, **request})) if estimate is not None else {}


def poll_job(running: RunningJob) -> JobState:
    """Read the worker's messages and update the progress."""
    job = running.job
    assert job is not None
    state, now = job.poll(), time.monotonic()
    running.said = job.message or running.said  # none at the end of a stage
    if job.question is not None:
        running.estimate.pause(now)
    else:
        running.estimate.take(job.stage, job.fraction, now)
    return state


def advance_steps(running: RunningJob) -> tuple[bool, Any]:
    """Run ``running.steps`` for ``STEP_SECONDS``: (whether they have finished, their result)."""
    assert running.steps is not None
    until = time.perf_counter() + STEP_SECONDS
    while True:
        try:
            fraction = next(running.steps)
        except StopIteration as finished:
            running.steps = None
            return True, finished.value
        if running.part == "prepare" and isinstance(fraction, float):
            running.estimate.take("prepare", fraction, time.monotonic())
        if time.perf_counter() > until:
            return False, None


def end_job(running: RunningJob) -> None:
    """End the job: stop the worker, keep its log, and free the place for the next job."""
    drop_standby()  # of a job that failed before it had a request
    _close_steps(running)
    if running.job is not None:
        running.job.kill()
        _Store.log = tuple(strip_folders(line) for line in running.job.log)
    if _Store.current is running:
        _Store.current = None


def fail_job(running: RunningJob, error: Exception) -> LikenessError:
    """End the job with an error and keep the problem; returns the error for the user."""
    lines = list(running.job.log) if running.job is not None else []
    if not isinstance(error, LikenessError):
        lines += "".join(traceback.format_exception(error)).splitlines()
        error = LikenessError(
            f"Unexpected error: {type(error).__name__}: {error}.", "Please report it (Copy Report)."
        )
    stage = running.part
    if running.part == "work" and running.job is not None:
        stage = f"{running.job.stage} {running.job.fraction:.0%}"
    versions = {"Likeness": VERSION, "Blender": bpy.app.version_string}
    report = problem_report(error.message, error.remedy, running.request, stage, lines, versions)
    end_job(running)
    _Store.log = tuple(strip_folders(line) for line in lines)
    _Store.problem = JobProblem(running.title, error.message, error.remedy, report)
    return error


def stop_current_job() -> None:
    """End the running job silently; for when the extension is disabled."""
    if _Store.current is not None:
        end_job(_Store.current)
    _Store.problem = None


def redraw_views(context: Any) -> None:
    """Redraw the sidebars, preferences and status bar if what they show of the job has changed."""
    now, job = time.monotonic(), _Store.current
    shown: tuple[Any, ...] = ()
    if job is not None:
        percent = round(100 * job.fraction)
        shown = (job.shown_title, job.doing, percent, job.left, job.picture, job.question is None)
        if shown == _Store.shown or now - _Store.drawn < _REDRAW_SECONDS:
            return
    _Store.shown, _Store.drawn = shown, now
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()
    # The only way to redraw the status bar. It clears the hints of other tools, so it is skipped
    # while one of them is running.
    window = context.window
    if context.workspace is not None and window is not None and len(window.modal_operators) <= 1:
        context.workspace.status_text_set_internal(None)


def _close_steps(running: RunningJob) -> None:
    if running.steps is not None:
        running.steps.close()
        running.steps = None


@bpy.app.handlers.persistent
def _before_data_changes(*_: Any) -> None:
    """Undo and loading invalidate the data that the steps use, so the steps are closed first."""
    running = _Store.current
    if running is not None and running.steps is not None:
        running.interrupted = True
        _close_steps(running)


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    """The job's scene is about to go."""
    drop_standby()
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
    drop_standby()
    for name, handler in _HANDLERS:
        with suppress(ValueError):  # another script has emptied the list
            getattr(bpy.app.handlers, name).remove(handler)
