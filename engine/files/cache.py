"""A cache of what a process opens once for many portraits: bodies, detectors, networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")

_cached: dict[str, tuple[Any, object, Any]] = {}


def get_or_load(kind: str, path: Path, load: Callable[[], T], of: object = None) -> T:
    """Return ``load()``, or its cached result while the file or folder is unchanged.

    One result of each kind is cached. Callers must not modify it.

    Args:
        kind: What it is, for instance ``body``.
        path: The file or folder that it is loaded from.
        load: Loads it.
        of: Another object that it depends on; a different one invalidates the cached result.
    """
    key = (str(path.absolute()), _state(path))
    if kind not in _cached or _cached[kind][0] != key or _cached[kind][1] is not of:
        _log.debug("loading %s from %s", kind, path)
        _cached.pop(kind, None)  # first: both might not fit in memory
        _cached[kind] = (key, of, load())
    found: T = _cached[kind][2]
    return found


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of a file or of a folder's files; empty if it is missing."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
