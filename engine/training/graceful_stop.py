"""Ctrl-C and SIGTERM during training: the step ends and a checkpoint is saved before the stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_TERMINATED = 143  # as a shell reports a process that SIGTERM ended
SAME_STOP = 3.0
"""Seconds within which a second signal is the same stop: ``torchrun`` also forwards the Ctrl-C that
its processes got from the terminal."""


SAID = (
    "  stopping after this step and a checkpoint, which may take minutes while photos are "
    "lifted; Ctrl-C again stops at once and loses the steps since the last checkpoint"
)


class StopRequest:
    """Whether and how the run was asked to stop.

    Attributes:
        signal: Number of the signal; 0 while there is none.
        moment: When it came, seconds of ``time.monotonic``.
        say: Called at once with a message; the stop itself waits for the end of the step.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.moment = 0.0
        self.say: Callable[[str], None] = lambda text: None

    def __bool__(self) -> bool:
        return self.signal != 0

    def exception(self) -> BaseException:
        """Get the exception that ends the run once its state is saved."""
        if self.signal == signal.SIGTERM:
            return SystemExit(EXIT_TERMINATED)
        return KeyboardInterrupt()


@contextmanager
def graceful_shutdown() -> Iterator[StopRequest]:
    """Record the first Ctrl-C or SIGTERM instead of raising it; a later one stops at once.

    Outside the main thread, where Python has no signals, it does nothing.

    Raises:
        KeyboardInterrupt: Another signal came after Ctrl-C.
        SystemExit: Another signal came after SIGTERM.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if not request:
            request.signal, request.moment = number, time.monotonic()
            # Not here: this may have interrupted a write to the same stream.
            threading.Thread(target=request.say, args=(SAID,), daemon=True).start()
        elif time.monotonic() - request.moment > SAME_STOP:
            raise request.exception()

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        yield request
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
