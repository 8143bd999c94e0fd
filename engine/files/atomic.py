"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from ..core.types import LikenessError

WRITE_ERRORS = (OSError, SafetensorError)
"""What a full or read-only disk raises: safetensors has an error of its own for it."""


def describe_error(error: Exception) -> str:
    """The system's word for an error, if it has one."""
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def atomic_write(path: Path, shared: bool = False) -> Iterator[Path]:
    """A path beside ``path``, with its suffix, that becomes ``path`` when the block succeeds.

    Args:
        shared: several processes may be writing it at once; the last wins.

    Raises:
        LikenessError: the folder is missing, full or read-only.
    """
    own = f"-{uuid4().hex[:12]}" if shared else ""
    scratch = path.with_name(f".{path.stem}{own}.part{path.suffix}")
    try:
        try:
            yield scratch
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except WRITE_ERRORS as error:
        raise LikenessError(
            f"Cannot write '{path}': {describe_error(error)}.",
            "Choose a folder that exists and has room.",
        ) from error
