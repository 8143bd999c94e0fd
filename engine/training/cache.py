"""The hash of the code that computed cached results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def code_digest(parts: Sequence[str]) -> str:
    """Hash code of the engine.

    Args:
        parts: Paths in ``engine/``: files, or folders (without their subfolders).
    """
    engine = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in parts:
        path = engine / part
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
