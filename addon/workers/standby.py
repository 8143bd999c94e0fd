"""A worker that loads what a task needs while the user still chooses, without bpy.

Starting Python, importing the engine and opening its networks take two seconds, in which the
user looks for a photo.
"""

from __future__ import annotations

import atexit
import queue
from collections.abc import Mapping, Sequence
from typing import Any

from .process import WorkerProcess


class StandbyWorker:
    """A worker process without a request.

    Attributes:
        process: takes the request as its next line.
        messages: what it has sent so far.
    """

    def __init__(
        self, task: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            task: whose modules and networks it loads.
            command: how to start it.
            environment: variables set besides the present ones.

        Raises:
            OSError: the command cannot be started.
        """
        self.messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._start = task, list(command), dict(environment or {})
        self.process = WorkerProcess({"stand_by": task}, command, self.messages.put, environment)
        atexit.register(self.drop)

    def fits(
        self, task: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> bool:
        """Whether it is alive, and what would be started now."""
        same = self._start == (task, list(command), dict(environment or {}))
        return same and self.process.exit_code is None

    def hand_over(self) -> None:
        """Leave it to a job, which ends it."""
        atexit.unregister(self.drop)

    def drop(self) -> None:
        """End it: it is not needed."""
        self.hand_over()
        if self.process.exit_code is None:
            self.process.kill(with_children=False)
