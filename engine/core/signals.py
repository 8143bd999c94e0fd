"""Ctrl-C and SIGTERM that come while compiled code runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reraise_interrupts() -> Iterator[None]:
    """Raise as itself a ``KeyboardInterrupt`` or ``SystemExit`` that numba turned into an error.

    A signal's handler that raises while one of numba's functions returns becomes the cause of a
    ``SystemError``, or of several around each other.

    Raises:
        KeyboardInterrupt: It caused the block's ``SystemError``.
        SystemExit: It caused the block's ``SystemError``.
        SystemError: The block raised one with another cause.
    """
    try:
        yield
    except SystemError as error:
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if isinstance(cause, KeyboardInterrupt | SystemExit):
            raise cause from None
        raise
