"""Long work in slices, between which Blender handles the user's input."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.004


def run_to_end(steps: Generator[None, None, T]) -> T:
    """Run all slices at once; returns the generator's result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def in_thread(function: Callable[[], T]) -> Generator[None, None, T]:
    """Call a function beside Blender's own thread, which goes on meanwhile.

    Args:
        function: uses none of Blender's data.

    Returns:
        What the function returns, by the generator.
    """
    from ...engine.core.threads import start_thread

    future = start_thread(function)
    while not future.done():
        time.sleep(_POLL_SECONDS)
        yield
    return future.result()
