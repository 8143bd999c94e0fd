"""The folder of a run: what it was begun with, and which subjects are there.

::

    DATA/synth.json                    what the set is made with, refuses another; what was left out
    DATA/.staging/person_000123.tar    a subject that waits for the others of its shard
    DATA/shard-000001.tar, shards.json the data (engine/dataset/shards.py)
    DATA/.synth.lock                   held while a run goes on

Every file appears whole, and a subject is staged before it is packed and packed before it is
unstaged: a run that is killed at any moment loses at most the subjects in work, and none is there
twice.
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
            self.check_options(before["options"], options)
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
    """Keep a subject until its shard is complete.

    Raises:
        LikenessError: the disk is full or read-only.
    """
    write_members(data / STAGING / f"{subject.key}.tar", [(subject.key, subject.members())])


class ShardAssembler:
    """The subjects of a set, by the shards in which they belong.

    Args:
        subjects: how many the set shall have. per_shard: in each shard but the last.
    """

    def __init__(self, data: Path, subjects: int, per_shard: int) -> None:
        self.data, self.subjects, self.per_shard = data, subjects, per_shard
        self._packed = self._listed()
        packed = {number for numbers in self._packed.values() for number in numbers}
        self.staged = self._staged() - packed
        self.done = packed | self.staged
        self._tidy(packed)

    def _listed(self) -> dict[int, set[int]]:
        """What is in each shard; those that the index tells to be full are not opened."""
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
        """Remove what a killed run has left: half-written files and subjects that are packed."""
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
        """Numbers of subjects that are still to be made."""
        return [number for number in range(self.subjects) if number not in self.done]

    def add(self, number: int) -> None:
        """A worker has staged a subject."""
        self.staged.add(number)
        self.done.add(number)

    def pack(self, number: int, given_up: Mapping[int, str]) -> None:
        """Write the shard of a subject if all of it are there, but for those given up.

        Raises:
            LikenessError: the disk is full or read-only.
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
        """The subjects of a shard as it is, and those that are staged, in order."""
        new = (one for number in fresh for one in read_members(self._path(number)))
        if not path.is_file():
            return new
        return heapq.merge(read_members(path), new, key=lambda one: parse_subject_number(one[0]))

    def close(self) -> None:
        """Remove the staging folder when nothing waits in it."""
        if not self.staged:
            shutil.rmtree(self.data / STAGING, ignore_errors=True)
