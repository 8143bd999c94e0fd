"""The cache of compiled kernels.

numba stores a compiled function with the time and size of its own file only. If a function that it
calls from another file changes, numba keeps running the old one. So each state of the sources has
its own folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

MAX_OTHERS = 3
"""Folders of other states that stay, so that switching between versions compiles nothing again."""
MIN_AGE = 24 * 3600.0
"""Seconds that a folder always stays: a process may be using it."""


def cache_folder(caches: Path, name: str, sources: Path) -> Path:
    """Return the folder in ``caches`` for the present state of a package's sources.

    It is created if missing; then the oldest folders of other states are removed.

    Args:
        caches: The folder of all states.
        name: The name that the package is imported by: numba's files contain module names.
        sources: The package's folder.
    """
    prefix = name.replace(".", "_")
    folder = caches / f"{prefix}-{sources_digest(sources)}"
    try:
        folder.mkdir(parents=True)
        _tidy(caches, prefix, folder)
    except OSError:  # it exists; or it cannot be created, and numba chooses another
        return folder
    return folder


def sources_digest(sources: Path) -> str:
    """Return a hash of the names and contents of all Python files that mention numba."""
    digest = hashlib.blake2b(digest_size=8)
    for folder, inside, names in os.walk(sources):
        inside.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    text = file.read()
                if b"numba" in text:
                    digest.update(f"{os.path.relpath(path, sources)} {len(text)}\n".encode())
                    digest.update(text)
    return digest.hexdigest()


def _tidy(caches: Path, prefix: str, own: Path) -> None:
    others = [path for path in caches.glob(f"{prefix}-*") if path != own]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[MAX_OTHERS:]:
        if time.time() - path.stat().st_mtime > MIN_AGE:
            shutil.rmtree(path, ignore_errors=True)
