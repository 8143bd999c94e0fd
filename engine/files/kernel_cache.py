"""Where compiled kernels are kept between processes.

numba stores a compiled function with the time and size of the one file that it stands in, and does
not see that a function which it calls from another file has changed: it would go on with the old
one. So each state of the sources has a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

KEPT = 3
"""Folders of other states that stay, so that changing between versions compiles nothing again."""
MIN_AGE = 24 * 3600.0
"""Seconds for which a folder stays in any case: a process may be at work with it."""


def cache_folder(caches: Path, name: str, sources: Path) -> Path:
    """The folder in ``caches`` for a package and its sources as they are.

    Made if it is not there; then the oldest folders of other states go.

    Args:
        name: that the package runs under: numba's files name the module they belong to.
        sources: the package's folder.
    """
    prefix = name.replace(".", "_")
    folder = caches / f"{prefix}-{sources_digest(sources)}"
    try:
        folder.mkdir(parents=True)
        _tidy(caches, prefix, folder)
    except OSError:  # it is there; or cannot be made, and numba finds another place
        return folder
    return folder


def sources_digest(sources: Path) -> str:
    """A hash of all Python files that mention numba, names and contents."""
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
    for path in others[KEPT:]:
        if time.time() - path.stat().st_mtime > MIN_AGE:
            shutil.rmtree(path, ignore_errors=True)
