"""Compiling in the background: once per computer and version, while the user looks for a photo.

A job of the user's goes first: the worker ends, what it has compiled stays, and it begins again
when the job is over.
"""

from __future__ import annotations

import logging
from pathlib import Path

import bpy

from ..engine.core.types import LikenessError
from ..engine.core.version import VERSION
from . import running
from .paths import user_folder
from .worker_launch import get_worker_command
from .workers.jobs import ENGINE_DIR, JobState, WorkerJob

START_SECONDS = 2.0
"""After enabling: Blender's own start comes first."""

POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class _Store:
    job: WorkerJob | None = None


def register() -> None:
    """Begin soon, if there is a window and anything is to be compiled."""
    if not bpy.app.background and not is_compiled():
        bpy.app.timers.register(_watch, first_interval=START_SECONDS, persistent=True)


def unregister() -> None:
    """End it."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    _pause()


def _watch() -> float | None:
    """Blender's timer: start, pause and end the worker; None when nothing is left to do."""
    if running.current_job() is not None:
        _pause()
        return POLL_SECONDS
    if _Store.job is None:
        try:
            _Store.job = WorkerJob({"task": "compile"}, *get_worker_command(bpy.context))
        except LikenessError as error:
            _log.warning("Compiling ahead failed: %s", error)
            return None
    state = _Store.job.poll()
    if state is JobState.RUNNING:
        return POLL_SECONDS
    if state is JobState.DONE:
        _mark().write_text(_state(), encoding="utf-8")
    else:
        _log.warning("Compiling ahead failed: %s", _Store.job.error)
    _pause()
    return None


def _pause() -> None:
    if _Store.job is not None:
        _Store.job.kill()
        _Store.job = None


def is_compiled() -> bool:
    """Whether all was compiled ahead."""
    mark = _mark()
    return mark.is_file() and mark.read_text(encoding="utf-8") == _state()


def _mark() -> Path:
    """Beside the compiled loops, so that it goes with them."""
    return user_folder("numba") / "compiled.txt"


def _state() -> str:
    """The installed files: an update, or a repair, has others."""
    return f"{VERSION} {(ENGINE_DIR / '__init__.py').stat().st_mtime_ns}"
