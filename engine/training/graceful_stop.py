"""Ctrl-C and SIGTERM while a training runs: the step is finished, a checkpoint saved, then it
stops."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_TERMINATED = 143  # as a shell reports a process that SIGTERM ended
SAME_STOP = 3.0
"""Seconds in which a second signal is the same stop: ``torchrun`` passes on the Ctrl-C that its
processes got from the terminal as well."""


SAID = (
    "  stopping: this step is finished and saved first, which may take minutes where photos are "
    "lifted; Ctrl-C again stops at once, without what was learned since the last checkpoint"
)


class StopRequest:
    """Whether somebody has asked the run to stop, and how.

    Attributes:
        say: is told so at once; the request itself waits for the end of a step.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.moment = 0.0
        self.say: Callable[[str], None] = lambda text: None

    def __bool__(self) -> bool:
        return self.signal != 0

    def exception(self) -> BaseException:
        """What the run ends with, once it has saved its state."""
        if self.signal == signal.SIGTERM:
            return SystemExit(EXIT_TERMINATED)
        return KeyboardInterrupt()


@contextmanager
def graceful_shutdown() -> Iterator[StopRequest]:
    """Note the first Ctrl-C or SIGTERM instead of raising it; a later one stops at once.

    Outside the main thread, where Python has no signals, nothing is noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if not request:
            request.signal, request.moment = number, time.monotonic()
            # Not here: this may have interrupted somebody who is writing to the same stream.
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
