"""The folder of a run: its options and its subjects.

::

    DATA/synth.json                    the options, which must not change; assets that were skipped
    DATA/.staging/person_000123.tar    a subject that waits for the others of its shard
    DATA/shard-000001.tar, shards.json the data (engine/dataset/shards.py)
    DATA/.synth.lock                   locked during a run

Files are written atomically. A subject is staged, then packed, then unstaged, so a killed run loses
at most the subjects in progress and duplicates none.
"""

from __future__ import annotations

import heapq
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.dataset.shards import INDEX_FILE, shard_name, write_index, write_members
from ...engine.dataset.stored_subjects import read_members, read_stored_subjects
from ...engine.dataset.subjects import PERSON, Subject, person_key
from ...engine.files.run_folder import RunFolder
from ...engine.synth.synth_options import fill_later_options

RUN_FILE, STAGING, LOCK_FILE = "synth.json", ".staging", ".synth.lock"


def parse_subject_number(key: str) -> int:
    """Return the number in a subject's key.

    >>> parse_subject_number("person_000123")
    123
    """
    return int(key.removeprefix(PERSON))


class SynthFolder(RunFolder):
    """The folder of a synthetic data set.

    Args:
        data: The folder.
    """

    def __init__(self, data: Path) -> None:
        super().__init__(data, RUN_FILE, LOCK_FILE)

    def begin(self, options: Mapping[str, Any], subjects: int) -> bool:
        """Record what the set is made with, or hold the options to that record.

        Args:
            options: The run's options, JSON-able.
            subjects: Number of subjects wanted.

        Returns:
            Whether the folder is new.

        Raises:
            LikenessError: The folder was begun with other options or with more subjects, or
                holds shards of something else.
        """
        options = json.loads(json.dumps(options))
        skipped: dict[str, str] = {}
        new = not self.is_begun()
        if not new:
            before = self._record()
            skipped = before["skipped"]
            self.check_options(fill_later_options(before["options"], options), options)
            if subjects < before["subjects"]:
                raise LikenessError(
                    f"'{self.folder}' was begun with {before['subjects']} subjects; {subjects} are "
                    "fewer.",
                    f"Ask for {before['subjects']} or more, or choose another folder.",
                )
        elif any(self.folder.glob("*.tar")):
            raise LikenessError(
                f"'{self.folder}' holds shards that likeness synth did not make (no {RUN_FILE}).",
                "Choose another folder.",
            )
        self.write({"version": 1, "subjects": subjects, "options": options, "skipped": skipped})
        return new

    def read_skipped(self) -> dict[str, str]:
        """Return the reasons why assets were left out, by asset.

        Raises:
            LikenessError: The record cannot be read.
        """
        return dict(self._record()["skipped"])

    def record_skipped(self, skipped: Mapping[str, str]) -> None:
        """Record which assets are left out, for the card that another run may write.

        Args:
            skipped: Reasons by asset.

        Raises:
            LikenessError: The record cannot be read or written.
        """
        self.write({"version": 1, **self._record(), "skipped": dict(skipped)})

    def rollback(self) -> None:
        """Undo :meth:`begin` of a new folder in which no subject could be made, so that a run
        with corrected options finds it free."""
        for name in (RUN_FILE, INDEX_FILE):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / STAGING, ignore_errors=True)

    def _record(self) -> dict[str, Any]:
        about = self.read()
        with self.parsing():
            return {
                "subjects": int(about["subjects"]),
                "options": dict(about["options"]),
                "skipped": dict(about.get("skipped", {})),
            }


def stage_subject(data: Path, subject: Subject) -> None:
    """Store a subject until its shard is complete.

    Raises:
        LikenessError: The disk is full or read-only.
    """
    write_members(data / STAGING / f"{subject.key}.tar", [(subject.key, subject.members())])


class ShardAssembler:
    """Packs the subjects of a data set into shards.

    Attributes:
        data: the folder.
        subjects: number of subjects wanted.
        per_shard: number of subjects in each shard except the last.
        staged: numbers of the subjects that wait to be packed.
        done: numbers of the subjects that are staged or packed.
    """

    def __init__(self, data: Path, subjects: int, per_shard: int) -> None:
        self.data, self.subjects, self.per_shard = data, subjects, per_shard
        self._packed = self._listed()
        packed = {number for numbers in self._packed.values() for number in numbers}
        self.staged = self._staged() - packed
        self.done = packed | self.staged
        self._tidy(packed)

    def _listed(self) -> dict[int, set[int]]:
        """Shard -> numbers of its subjects; shards that are complete by the index are not
        opened."""
        index = json.loads(write_index(self.data).read_text(encoding="utf-8"))["shards"]
        counts = {entry["name"]: entry["subjects"] for entry in index}
        out = {}
        for shard in range(-(-self.subjects // self.per_shard)):
            wanted, count = self.wanted(shard), counts.get(shard_name(shard), 0)
            if count == len(wanted):
                out[shard] = set(wanted)
            elif count:
                path = self.data / shard_name(shard)
                out[shard] = {
                    parse_subject_number(stored.key) for stored in read_stored_subjects(path)
                }
        return out

    def _staged(self) -> set[int]:
        paths = (self.data / STAGING).glob(f"{PERSON}*.tar")
        return {n for n in (parse_subject_number(path.stem) for path in paths) if n < self.subjects}

    def _tidy(self, packed: set[int]) -> None:
        """Remove leftovers of a killed run: partial files, and staged subjects that are packed."""
        for path in (self.data / STAGING).glob(".*.part.tar"):
            path.unlink(missing_ok=True)
        for number in packed:
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.data / STAGING / f"{person_key(number)}.tar"

    def wanted(self, shard: int) -> range:
        """The numbers of a shard's subjects."""
        first = shard * self.per_shard
        return range(first, min(first + self.per_shard, self.subjects))

    def missing(self) -> list[int]:
        """Numbers of the subjects that are yet to be made."""
        return [number for number in range(self.subjects) if number not in self.done]

    def add(self, number: int) -> None:
        """Record that a worker has staged a subject."""
        self.staged.add(number)
        self.done.add(number)

    def pack(self, number: int, given_up: Mapping[int, str]) -> None:
        """Write the shard of a subject if all its subjects are done or given up.

        Raises:
            LikenessError: The disk is full or read-only.
        """
        shard = number // self.per_shard
        fresh = sorted(self.staged.intersection(self.wanted(shard)))
        if not fresh or any(n not in self.done and n not in given_up for n in self.wanted(shard)):
            return
        path = self.data / shard_name(shard)
        write_members(path, self._merged(path, fresh))
        write_index(self.data, [path])
        for one in fresh:
            self._path(one).unlink(missing_ok=True)
        self.staged.difference_update(fresh)

    def _merged(self, path: Path, fresh: list[int]) -> Iterator[tuple[str, dict[str, bytes]]]:
        """The subjects of a shard, existing and staged, in order."""
        new = (one for number in fresh for one in read_members(self._path(number)))
        if not path.is_file():
            return new
        return heapq.merge(read_members(path), new, key=lambda one: parse_subject_number(one[0]))

    def close(self) -> None:
        """Remove the staging folder if it is empty."""
        if not self.staged:
            shutil.rmtree(self.data / STAGING, ignore_errors=True)
