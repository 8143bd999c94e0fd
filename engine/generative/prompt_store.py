"""The folder of a run: what each stage has made of each prompt, one whole file each.

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
from ..files.atomic import atomic_write
from ..files.folders import folder_write_error
from ..files.run_folder import exclusive_lock
from ..files.untrusted import read_json
from .compose import Prompt

RUN_FILE, PROMPTS_FILE, REJECTED_FILE, LOCK_FILE = (
    "generate.json",
    "prompts.jsonl",
    "rejected.json",
    ".generate.lock",
)
KINDS = ("rewritten", "clips", "views", "subjects", "rejected")


class PromptStore:
    """Files of a run by prompt. The folder is made."""

    def __init__(self, data: Path) -> None:
        self.data = Path(data)
        try:
            for kind in KINDS:
                (self.data / "work" / kind).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise folder_write_error(self.data, error) from error

    def path(self, kind: str, prompt: Prompt, suffix: str) -> Path:
        return self.data / "work" / kind / f"{prompt.key}{suffix}"

    def has(self, kind: str, prompt: Prompt, suffix: str = ".json") -> bool:
        return self.path(kind, prompt, suffix).is_file()

    def read(self, kind: str, prompt: Prompt) -> dict[str, Any]:
        """The JSON of a stage.

        Raises:
            LikenessError: it is missing or damaged.
        """
        return _read_json(self.path(kind, prompt, ".json"))

    def write(self, kind: str, prompt: Prompt, content: Mapping[str, Any]) -> None:
        _write_json(self.path(kind, prompt, ".json"), content)

    def reject(self, prompt: Prompt, stage: str, reason: str, detail: str) -> None:
        content = {"stage": stage, "reason": reason, "detail": detail}
        self.write("rejected", prompt, content)

    def begin(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what the stages make their part with, or hold the options to it.

        Raises:
            LikenessError: a stage was begun with others.
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
                    "Give the same options, or another folder.",
                )
        _write_json(path, before)

    def write_prompts(self, prompts: Sequence[Prompt]) -> Path:
        """All prompts, one a line."""
        path = self.data / PROMPTS_FILE
        with atomic_write(path) as scratch:
            scratch.write_text("".join(p.line() + "\n" for p in prompts), encoding="utf-8")
        return path

    def rejections(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        """Write and return why prompts gave no subject: counts by reason, and each one's detail."""
        told = {p.key: self.read("rejected", p) for p in prompts if self.has("rejected", p)}
        counts = Counter(entry["reason"] for entry in told.values())
        out = {"counts": dict(sorted(counts.items())), "prompts": told}
        _write_json(self.data / REJECTED_FILE, out)
        return out

    def keep(self, prompt: Prompt, subject: Subject) -> None:
        members = [(subject.key, subject.members())]
        write_members(self.path("subjects", prompt, ".tar"), members)

    def pack(self, prompts: Sequence[Prompt], per_shard: int) -> list[Path]:
        """The accepted subjects as shards; those that hold what they should are left alone."""
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
    """The store of a folder that no other run is working in.

    Raises:
        LikenessError: one is, or the folder cannot be written.
    """
    with exclusive_lock(data / LOCK_FILE, data / RUN_FILE, f"Another run is working in '{data}'."):
        yield PromptStore(data)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path, shared=True) as scratch:
        scratch.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
        return dict(content)
    except (OSError, ValueError, TypeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error}).", "Remove it: it is made again."
        ) from error
