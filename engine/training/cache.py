"""What is worked out once and kept on disk: by what code it was made, and how it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.types import LikenessError
from ..files.atomic import atomic_write, describe_error


def code_digest(parts: Sequence[str]) -> str:
    """A hash of code: files and folders (without those inside) of the engine."""
    engine = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in parts:
        path = engine / part
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def atomic_shared_file(path: Path) -> Iterator[Path]:
    """``atomic_write`` in a folder that is made first, for several processes at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"The folder '{path.parent}' cannot be made: {describe_error(error)}.",
            "Choose another folder for what is kept, or make room.",
        ) from error
    with atomic_write(path, shared=True) as scratch:
        yield scratch
