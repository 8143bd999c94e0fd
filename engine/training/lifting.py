"""Lift all references of training data ahead of a run, so that its first epoch does not wait."""

from __future__ import annotations

import multiprocessing
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from ..body import Body
from ..core.types import LikenessError, Progress
from ..dataset.shards import SkippedItem, read_subjects, shard_files
from ..network.config import NetworkConfig
from .data import DataOptions, training_views
from .references import References

_TASKS_PER_WORKER = 8  # so that they finish together


@dataclass(frozen=True)
class LiftCounts:
    """Numbers of lifted references.

    Attributes:
        usable: In the cache now.
        refused: Unusable.
        skipped: Shards and subjects that could not be read.
        reasons: Why references are unusable, and how many for each reason.
    """

    usable: int
    refused: int
    skipped: tuple[SkippedItem, ...]
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class _Task:
    shard: str
    part: int
    parts: int


def lift_references(
    shards: Path | str | Sequence[Path | str],
    config: NetworkConfig,
    options: DataOptions,
    body: Body,
    workers: int = 1,
    progress: Progress | None = None,
) -> LiftCounts:
    """Compute and cache the network's inputs of all views that a run may take as a reference.

    They are stored in ``options.cache``; those that are there already take no time.

    Args:
        shards: As :func:`.shards.shard_files` takes them.
        config: Of the network.
        options: Of the run.
        body: The default body.
        workers: Processes; 1 works in this one.
        progress: Called after each part.

    Raises:
        LikenessError: There are no shards, or no cache folder is given, or a process was killed.
    """
    if options.cache is None:
        raise LikenessError("Lifting ahead needs a folder for lifted photos.", "Give one.")
    early: list[SkippedItem] = []
    files = shard_files(shards, early.append)
    parts = max(1, -(-_TASKS_PER_WORKER * workers // len(files)))
    tasks = [_Task(file, part, parts) for file in files for part in range(parts)]
    good, reasons = 0, Counter[str]()
    skipped = dict.fromkeys(early)
    references = References(body, config, options.cache, options.augment, options.seen)
    for done, (usable, refused, told) in enumerate(_results(tasks, references, options, workers)):
        good += usable
        reasons += refused
        skipped |= dict.fromkeys(told)
        if progress:
            progress("lift", (done + 1) / len(tasks), f"{good + reasons.total()} references")
    return LiftCounts(good, reasons.total(), tuple(skipped), tuple(sorted(reasons.items())))


_Result = tuple[int, Counter[str], list[SkippedItem]]


def _results(
    tasks: Sequence[_Task], references: References, options: DataOptions, workers: int
) -> Iterator[_Result]:
    if workers <= 1:
        for task in tasks:
            yield _done(task, references, options)
        return
    # numba's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _begin, (references, options)) as pool:
            for future in as_completed([pool.submit(_at_work, task) for task in tasks]):
                yield future.result()
    except BrokenProcessPool as error:
        raise LikenessError(
            "A process that lifts photos was stopped from outside.",
            "It may have run out of memory: use fewer. Lifted photos stay in the cache.",
        ) from error


_mine: tuple[References, DataOptions] | None = None


def _begin(references: References, options: DataOptions) -> None:
    global _mine
    import numba

    numba.set_num_threads(1)
    _mine = references, options


def _at_work(task: _Task) -> _Result:
    assert _mine is not None
    return _done(task, *_mine)


def _done(task: _Task, references: References, options: DataOptions) -> _Result:
    usable, reasons = 0, Counter[str]()
    told: list[SkippedItem] = []
    body = references.body
    subjects = read_subjects(task.shard, body.num_betas, body.num_expression, told.append)
    for number, subject in enumerate(subjects):
        if number % task.parts != task.part:
            continue
        rows, among = training_views(subject, options)
        for place in among:
            reason = references.refusal(subject, rows[place])
            if reason is None:
                usable += 1
            else:
                reasons[_kind(reason)] += 1
    return usable, reasons, told


def _kind(reason: str) -> str:
    """A reason without the details of one photo.

    >>> _kind("No person was found in 'person_000001.v3'.")
    'No person was found'
    """
    return re.sub(r" ?(in )?'[^']*'| ?\([^)]*\)|: .*", "", reason).rstrip(".")
