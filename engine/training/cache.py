"""Cached results: by what code they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def code_digest(parts: Sequence[str]) -> str:
    """A hash of code: files and folders (without those inside) of the engine."""
    engine = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in parts:
        path = engine / part
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
