"""Units of work and their executors: processes of this machine (addon/workers/pool.py) or others.

A unit is a JSON-able mapping with a ``key`` of its own. An :class:`Executor` takes units and
reports their outcomes; :func:`as_completed` is the loop around it that every run shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.types import LikenessError

Unit = Mapping[str, Any]


class FatalWorkerError(LikenessError):
    """No unit can be made at present, for example because the disk is full."""


MAX_TRIES = 2
"""How often a unit may fail, or its worker die, before it is given up."""


@dataclass(frozen=True)
class WorkerEvent:
    """The outcome of a unit, or another message of a worker.

    Attributes:
        kind: ``done`` or ``failed``, which end a unit; ``again`` where it is tried once more; or
            any other message of the workers, such as ``progress``.
        key: the unit's, where the message concerns one.
        content: of ``failed``: ``reason``, ``remedy``, and ``mendable`` where it is a user error
            and trying again would not help, and ``lost`` where it is not known whether the worker
            has ended. Of ``done``: the worker's answer.
    """

    kind: str
    key: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """Does units, in any order, several at a time."""

    def submit(self, unit: Unit, soon: bool = False) -> None:
        """Queue a unit; with ``soon``, ahead of those that wait."""

    def take(self, timeout: float) -> WorkerEvent | None:
        """The workers' next message; None when none comes within ``timeout`` seconds.

        Raises:
            LikenessError: no worker can work.
        """

    def end(self) -> None:
        """Stop all work at once and wait until it has stopped."""


def as_completed(
    executor: Executor,
    units: Iterable[Unit],
    tries: int = MAX_TRIES,
    renew: Callable[[Unit], Unit] | None = None,
) -> Iterator[WorkerEvent]:
    """Have units done, and pass on all messages, until every unit is done or given up.

    Args:
        executor: does the units.
        units: each with a ``key`` of its own.
        tries: how often a unit is begun that fails through no fault of the user.
        renew: gives the unit for another try where a worker was lost and might still be at it.

    Yields:
        Every message of the workers.

    Raises:
        LikenessError: no worker can work.
    """
    open_units = {str(unit["key"]): unit for unit in units}
    failures: Counter[str] = Counter()
    for unit in open_units.values():
        executor.submit(unit)
    while open_units:
        said = executor.take(0.5)  # short, so that Ctrl-C is handled
        if said is None:
            continue
        if said.kind == "failed":
            reason = to_sentence(str(said.content["reason"]))
            said = WorkerEvent(said.kind, said.key, {**said.content, "reason": reason})
            failures[said.key] += 1
            if not said.content.get("mendable") and failures[said.key] < tries:
                if said.content.get("lost") and renew is not None:
                    open_units[said.key] = renew(open_units[said.key])
                executor.submit(open_units[said.key], soon=True)
                yield WorkerEvent("again", said.key, said.content)
                continue
        if said.kind in ("done", "failed"):
            del open_units[said.key]
            began = failures[said.key] + (said.kind == "done")
            said = WorkerEvent(said.kind, said.key, {**said.content, "tries": began})
        yield said


def to_sentence(words: str) -> str:
    """Turn words into a sentence, with a capital and a full stop.

    >>> to_sentence("it took longer than 40 s"), to_sentence("OSError()")
    ('It took longer than 40 s.', 'OSError().')
    """
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", "…")) else ".")


def format_duration(seconds: float) -> str:
    """Format a duration for people to read.

    >>> format_duration(40), format_duration(200), format_duration(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_time_left(elapsed: float, made: float, left: float) -> str:
    """Estimate how long the rest will take, from what is made.

    >>> format_time_left(60.0, 2, 4), format_time_left(5.0, 0, 4)
    ('about 2 min left', 'time left not known yet')
    """
    if made <= 0:
        return "time left not known yet"
    return f"about {format_duration(elapsed / made * left)} left"
