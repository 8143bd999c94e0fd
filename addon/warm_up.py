"""Compile the engine in the background, once per version, so that the first build need not.

A job of the user has priority: the worker is stopped, and starts again when the job is over. What
it has compiled by then stays cached.
"""

from __future__ import annotations

import logging

import bpy

from ..engine.core.types import LikenessError
from . import running
from .worker_launch import get_worker_command, is_compiled, mark_compiled
from .workers.jobs import JobState, WorkerJob

START_SECONDS = 2.0
"""Delay after enabling, so that Blender's own start-up comes first."""

POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class _Store:
    job: WorkerJob | None = None


def register() -> None:
    """Start soon, unless Blender has no window."""
    if not bpy.app.background:
        bpy.app.timers.register(_watch, first_interval=START_SECONDS, persistent=True)


def unregister() -> None:
    """Stop the timer and the worker."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    _stop_worker()


def _watch() -> float | None:
    """Blender's timer: start, stop and poll the worker; None when nothing is left to do."""
    if running.current_job() is not None:
        _stop_worker()
        return POLL_SECONDS
    if _Store.job is None:
        if is_compiled():
            return None
        try:
            _Store.job = WorkerJob({"task": "compile"}, *get_worker_command(bpy.context))
        except LikenessError as error:
            _log.warning("Compiling in the background failed: %s", error)
            return None
    state = _Store.job.poll()
    if state is JobState.RUNNING:
        return POLL_SECONDS
    if state is JobState.DONE:
        mark_compiled()
    else:
        _log.warning("Compiling in the background failed: %s", _Store.job.error)
    _Store.job = None
    return None


def _stop_worker() -> None:
    if _Store.job is not None:
        _Store.job.kill()
        _Store.job = None
