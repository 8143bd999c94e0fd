"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..types import LikenessError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path``, with its suffix, that becomes ``path`` when the block succeeds.

    Raises:
        LikenessError: the folder is missing, full or read-only.
    """
    scratch = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        try:
            yield scratch
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise LikenessError(
            f"Cannot write '{path}': {error.strerror or error}.",
            "Choose a folder that exists and has room.",
        ) from error
