"""The stages one after the other; finished results are not made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ..core.types import LikenessError, Progress
from ..core.version import VERSION
from ..dataset.cards import write_contact_sheet, write_data_card
from ..workflows.executor import Executor, as_completed
from .compose import REGIMES, Prompt, compose_prompt, count_distinct, measure_diversity
from .models import describe_models
from .options import STAGES, GenerateOptions
from .prompt_store import RUN_FILE, PromptStore, lock_store
from .stage_makers import final_text, stage_needs
from .vocabulary import load_vocabulary

MADE: Mapping[str, tuple[str, str]] = {
    "rewrite": ("rewritten", ".json"),
    "videos": ("clips", ".mp4"),
    "views": ("views", ".json"),
    "shards": ("subjects", ".tar"),
}
"""Folder and suffix in the store of each stage's result for a prompt."""

MIX: Mapping[str, str] = {
    "regime": "regime",
    "age": "factors.age",
    "gender": "factors.gender",
    "region": "factors.region",
    "hair": "factors.hair_style",
    "day or night": "factors.day_or_night",
    "rewriting": "rewriting.outcome",
}
"""Entries that the card counts."""

LIMITS = (
    "Nobody in these clips exists. The pictures of one person agree only approximately: poses and "
    "details differ between the front and the turned views.",
    "Body, pose and camera are the tracker's, not the truth.",
    "Video and image models have biases of their own, besides those of the prompts, which are "
    "distributed evenly; hands are their weakest part.",
    "Adults only.",
)


@dataclass(frozen=True)
class GenerateResult:
    """Result of a run.

    Attributes:
        figures: JSON-able.
        shards: The shards in the folder.
        given_up: Number of a scene -> why it was given up.
    """

    figures: dict[str, Any]
    shards: list[Path]
    given_up: dict[int, str] = field(default_factory=dict)


Say = Callable[[str], None]
OpenExecutor = Callable[[Mapping[str, Any]], Executor]


def resolve_stages(name: str) -> tuple[str, ...]:
    """Get the stages of a choice.

    Args:
        name: One of the stages, or ``all``.

    Raises:
        LikenessError: There is no such stage.

    >>> resolve_stages("all") == STAGES, resolve_stages("views")
    (True, ('views',))
    """
    if name == "all":
        return STAGES
    if name not in STAGES:
        raise LikenessError(f"Unknown stage '{name}'.", f"Stages: {', '.join(STAGES)}, all.")
    return (name,)


def generate_people(
    data: Path,
    options: GenerateOptions,
    stages: Sequence[str] = STAGES,
    *,
    executor: OpenExecutor,
    elsewhere: bool = False,
    say: Say = lambda _: None,
    progress: Progress | None = None,
    command: str = "",
) -> GenerateResult:
    """Generate people in a folder.

    Args:
        data: The folder.
        options: The user's choices.
        stages: In order; the stages before them must be finished.
        executor: Starts workers for a request of :func:`.stage_makers.open_stage`.
        elsewhere: The workers are not on this computer, which then needs neither GPU nor weights.
        say: Called with the models in use, and with results.
        progress: Called with the progress of each stage.
        command: For the card.

    Raises:
        LikenessError: Requirements are missing (all are listed, before anything starts), the folder
            was begun with other options, or a model does not work.
    """
    working = [s for s in stages if s != "rewrite" or options.rewrite]
    missing = [] if elsewhere else stage_needs(working, options)
    if missing:
        raise LikenessError(
            f"This cannot start. {' '.join(missing)}",
            "'--stage prompts' works without models and GPU; see docs/generate.md.",
        )
    before = _stage_before(stages[0], options)
    if before and not (data / RUN_FILE).is_file():
        raise LikenessError(
            f"'{data}' has not been through the stage '{before}'.",
            f"Run --stage {before} first, or --stage all.",
        )
    for line in describe_models(working, options.models, options.placement):
        say(line)
    vocabulary = load_vocabulary(options.vocabulary)
    report = progress or (lambda stage, fraction, message: None)
    with lock_store(data) as store:
        store.begin(options.fixed(working))
        prompts = [compose_prompt(k, options.seed, vocabulary) for k in range(options.prompts)]
        figures: dict[str, Any] = {
            "prompts": len(prompts),
            "different": count_distinct(prompts),
            "regimes": {r: sum(p.regime == r for p in prompts) for r in REGIMES},
            "diversity": measure_diversity(prompts, vocabulary),
        }
        store.write_prompts(prompts)
        run = _Run(store, options, executor, report, say)
        for stage in working:
            if stage in MADE:
                run.make(stage, prompts)
        if options.rewrite and any(store.has("rewritten", p) for p in prompts):
            store.write_prompts([run.final(p) for p in prompts])
        shards: list[Path] = []
        if "shards" in stages:
            shards = run.pack(prompts, figures, command)
    return GenerateResult(figures, shards, run.given_up)


@dataclass
class _Run:
    """The stages over a store: units go to workers, stage by stage.

    Attributes:
        given_up: Number of a scene -> why it was given up in this run; later stages skip it.
    """

    store: PromptStore
    options: GenerateOptions
    executor: OpenExecutor
    report: Progress
    say: Say
    given_up: dict[int, str] = field(default_factory=dict)

    def make(self, stage: str, prompts: Sequence[Prompt]) -> None:
        """Make what a stage has not made yet.

        Raises:
            LikenessError: No worker works, or a prompt has not been through the stage before.
        """
        todo = self._todo(stage, prompts)
        if not todo:
            return
        units = [
            {"key": str(together[0].number), "prompts": [prompt.number for prompt in together]}
            for together in todo
        ]
        open_units = {unit["key"]: together for unit, together in zip(units, todo)}
        total = sum(map(len, todo))
        kept = done = 0
        self.report(stage, 0.0, "starting")
        workers = self.executor(
            {
                "data": str(self.store.data.absolute()),
                "stage": stage,
                "options": self.options.as_json(),
            }
        )
        try:
            for said in as_completed(workers, units):
                if said.kind not in ("done", "failed"):
                    continue
                together = open_units[said.key]
                done += len(together)
                kept += int(said.content.get("kept", 0))
                if said.kind == "failed":
                    why = f"{said.content['reason']} {said.content.get('remedy', '')}".strip()
                    self.given_up |= {prompt.number: why for prompt in together}
                self.report(stage, done / total, f"scene {done} of {total}")
        finally:
            workers.end()
        if kept:
            self.say(
                f"{kept} of {total} scenes stay as composed: what the model wrote lost "
                "something that was drawn (the records say what)."
            )

    def _todo(self, stage: str, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
        """The prompts of each unit."""
        kind, suffix = MADE[stage]
        todo = [
            p
            for p in prompts
            if not self.store.has(kind, p, suffix)
            and not self.store.has("rejected", p)
            and p.number not in self.given_up
        ]
        if stage == "rewrite":
            # Whole batches: an answer depends on its batch, which a kill must not change.
            size = self.options.rewriting.batch
            batches = {prompt.number // size for prompt in todo}
            whole = [prompt for prompt in prompts if prompt.number // size in batches]
            return [list(one) for _, one in groupby(whole, lambda prompt: prompt.number // size)]
        before = _stage_before(stage, self.options)
        for prompt in todo:
            if before and not self.store.has(MADE[before][0], prompt, MADE[before][1]):
                raise _before(before, prompt)
        return [[prompt] for prompt in todo]

    def final(self, prompt: Prompt) -> Prompt:
        """The prompt as it is filmed, or as composed where it is not rewritten yet."""
        if not self.store.has("rewritten", prompt):
            return prompt
        return final_text(self.store, prompt, self.options)

    def pack(self, prompts: Sequence[Prompt], figures: dict[str, Any], command: str) -> list[Path]:
        shards = self.store.pack(prompts, self.options.per_shard)
        rejected = self.store.rejections(prompts)
        figures["rejected"] = rejected["counts"]
        figures["accepted"] = sum(self.store.has("subjects", p, ".tar") for p in prompts)
        if not shards:
            return []
        about = {
            "title": "Synthetic people, generated",
            "made_by": {
                "program": f"Likeness {VERSION}",
                "command": command,
                "seed": self.options.seed,
            },
            "options": self.options.fixed(STAGES),
            "limits": list(LIMITS),
            "diversity": figures["diversity"],
            "rejected": rejected["counts"],
        }
        write_data_card(self.store.data, about, MIX)
        write_contact_sheet(self.store.data)
        return shards


def _stage_before(stage: str, options: GenerateOptions) -> str:
    """The stage whose files a stage needs; empty where prompts are enough."""
    earlier = {"videos": "rewrite" if options.rewrite else "", "views": "videos", "shards": "views"}
    return earlier.get(stage, "")


def _before(stage: str, prompt: Prompt) -> LikenessError:
    return LikenessError(
        f"Prompt {prompt.number} has not been through the stage '{stage}'.",
        f"Run --stage {stage} first, or --stage all.",
    )
