"""The folder of a run: the result of each stage for each prompt, one file each, written atomically.

::

    DATA/generate.json               what the set is made with; refuses another
    DATA/prompts.jsonl               every prompt with its factors
    DATA/work/rewritten/KEY.json     the text for the video model
    DATA/work/clips/KEY.mp4          the clip
    DATA/work/views/KEY.json         number of the reference frame, and beside it KEY.left.png, ...
    DATA/work/subjects/KEY.tar       tracked and accepted
    DATA/work/rejected/KEY.json      why a prompt gives no subject
    DATA/rejected.json               the same, counted
    DATA/shard-000000.tar, ...       what was accepted, by number
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.types import LikenessError
from ..dataset.shards import shard_name, write_index, write_members
from ..dataset.stored_subjects import read_members, read_stored_subjects
from ..dataset.subjects import Subject
from ..files.atomic import atomic_write_json, atomic_write_text
from ..files.folders import folder_write_error
from ..files.run_folder import RunFolder
from ..files.untrusted import read_json
from .compose import Prompt

RUN_FILE, LOCK_FILE = "generate.json", ".generate.lock"
PROMPTS_FILE, REJECTED_FILE = "prompts.jsonl", "rejected.json"
KINDS = ("rewritten", "clips", "views", "subjects", "rejected")


class PromptStore:
    """Files of a run by prompt. The folder is created.

    Args:
        data: The folder.

    Raises:
        LikenessError: It cannot be written.
    """

    def __init__(self, data: Path) -> None:
        self.data = Path(data)
        try:
            for kind in KINDS:
                (self.data / "work" / kind).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise folder_write_error(self.data, error) from error

    def path(self, kind: str, prompt: Prompt, suffix: str) -> Path:
        """Get the path of a prompt's file."""
        return self.data / "work" / kind / f"{prompt.key}{suffix}"

    def has(self, kind: str, prompt: Prompt, suffix: str = ".json") -> bool:
        """Whether a prompt's file exists."""
        return self.path(kind, prompt, suffix).is_file()

    def read(self, kind: str, prompt: Prompt) -> dict[str, Any]:
        """Read the JSON of a stage.

        Raises:
            LikenessError: It is missing or damaged.
        """
        return _read_json(self.path(kind, prompt, ".json"))

    def write(self, kind: str, prompt: Prompt, content: Mapping[str, Any]) -> None:
        """Write the JSON of a stage.

        Raises:
            LikenessError: The folder cannot be written.
        """
        _write_json(self.path(kind, prompt, ".json"), content)

    def reject(self, prompt: Prompt, stage: str, reason: str, detail: str) -> None:
        """Record why a prompt gives no subject.

        Raises:
            LikenessError: The folder cannot be written.
        """
        content = {"stage": stage, "reason": reason, "detail": detail}
        self.write("rejected", prompt, content)

    def begin(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        """Record the stages' options, or check them against the recorded ones.

        Raises:
            LikenessError: A stage was begun with other options.
        """
        path = self.data / RUN_FILE
        before = _read_json(path) if path.is_file() else {}
        for stage, wanted in json.loads(json.dumps(dict(options))).items():
            kept = before.setdefault(stage, wanted)
            other = [name for name in wanted if kept.get(name) != wanted[name]]
            if other:
                name = other[0]
                raise LikenessError(
                    f"The {stage} of '{self.data}' were begun with {name} {kept.get(name)!r}, not "
                    f"{wanted[name]!r}.",
                    "Give the same options, or choose another folder.",
                )
        _write_json(path, before)

    def write_prompts(self, prompts: Sequence[Prompt]) -> Path:
        """Write all prompts, one a line; returns the file.

        Raises:
            LikenessError: The folder cannot be written.
        """
        path = self.data / PROMPTS_FILE
        atomic_write_text(path, "".join(prompt.line() + "\n" for prompt in prompts))
        return path

    def rejections(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        """Write and return why prompts gave no subject: counts by reason, and each one's detail.

        Raises:
            LikenessError: The folder cannot be written, or a file is damaged.
        """
        told = {p.key: self.read("rejected", p) for p in prompts if self.has("rejected", p)}
        counts = Counter(entry["reason"] for entry in told.values())
        out = {"counts": dict(sorted(counts.items())), "prompts": told}
        _write_json(self.data / REJECTED_FILE, out)
        return out

    def keep(self, prompt: Prompt, subject: Subject) -> None:
        """Store an accepted subject.

        Raises:
            LikenessError: The folder cannot be written.
        """
        members = [(subject.key, subject.members())]
        write_members(self.path("subjects", prompt, ".tar"), members)

    def pack(self, prompts: Sequence[Prompt], per_shard: int) -> list[Path]:
        """Pack the accepted subjects into shards; complete shards are left alone.

        Raises:
            LikenessError: The folder cannot be written, or a subject's file is damaged.
        """
        shards: dict[int, list[Prompt]] = {}
        for prompt in prompts:
            if self.has("subjects", prompt, ".tar"):
                shards.setdefault(prompt.number // per_shard, []).append(prompt)
        paths, fresh = [], []
        for number, accepted in sorted(shards.items()):
            path = self.data / shard_name(number)
            keys = [prompt.key for prompt in accepted]
            if not path.is_file() or [s.key for s in read_stored_subjects(path)] != keys:
                write_members(path, self._members(accepted))
                fresh.append(path)
            paths.append(path)
        if paths:
            write_index(self.data, fresh)
        return paths

    def _members(self, prompts: Sequence[Prompt]) -> Iterator[tuple[str, dict[str, bytes]]]:
        for prompt in prompts:
            yield from read_members(self.path("subjects", prompt, ".tar"))


@contextmanager
def lock_store(data: Path) -> Iterator[PromptStore]:
    """Lock the store of a folder against other runs.

    Raises:
        LikenessError: Another run is in progress, or the folder cannot be written.
    """
    folder = RunFolder(data, RUN_FILE, LOCK_FILE)
    with folder.hold(f"Another run is in progress in '{data}'."):
        yield PromptStore(data)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    atomic_write_json(path, content, shared=True, ensure_ascii=False)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
        return dict(content)
    except (OSError, ValueError, TypeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error}).", "Remove it; it will be made again."
        ) from error
