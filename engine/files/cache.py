"""What a process opens once, however many portraits it builds: bodies, detectors, networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_kept: dict[str, tuple[Any, object, Any]] = {}


def get_or_load(kind: str, path: Path, load: Callable[[], T], of: object = None) -> T:
    """What ``load`` gives for a file or a folder; as before, where that has not changed.

    One of a kind is kept. Whoever gets it must not change it.

    Args:
        of: another thing that it is made from; only for the very same one is it kept.
    """
    key = (str(path.absolute()), _state(path))
    if kind not in _kept or _kept[kind][0] != key or _kept[kind][1] is not of:
        _kept.pop(kind, None)  # before the next is loaded: both might not fit
        _kept[kind] = (key, of, load())
    found: T = _kept[kind][2]
    return found


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a file, or of the files in a folder; empty where it is none."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
