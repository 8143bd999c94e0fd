"""Hashes of files and of code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(parts: Sequence[str]) -> str:
    """Hash code of the engine, so that results of other code are not reused.

    Args:
        parts: Paths in ``engine/``: files, or folders with all that is in them.
    """
    engine = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in parts:
        path = engine / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
