"""The stages one after the other; what is there already is not made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..formats.atomic import whole_file
from ..pipeline import load_fitting_body
from ..tracking.detectors import Detectors
from ..training.cards import contact_sheet, write_card
from ..types import LikenessError, Progress
from ..version import VERSION
from ..weights import asset_path
from .checks import Rejected
from .compose import REGIMES, Prompt, all_different, compose, diversity
from .models import MODELS, Placement, needs, told
from .rewrite import Rewriting, language_model, rewrite
from .side_views import SIDES, EditOptions, editing_model, turned_views
from .store import RUN_FILE, Store, locked
from .tracked import Tracker, choose_reference, make_subject
from .video import VideoOptions, video_model, write_clip
from .vocabulary import FOLDER, load_vocabulary

STAGES = ("prompts", "rewrite", "videos", "views", "shards")
MIX: Mapping[str, str] = {
    "regime": "regime", "age": "factors.age", "gender": "factors.gender",
    "region": "factors.region", "hair": "factors.hair_style", "day or night":
    "factors.day_or_night", "rewriting": "rewriting.outcome",
}  # fmt: skip
"""What the card counts."""

LIMITS = (
    "Nobody in these clips exists. The pictures of one person agree with each other nearly, not "
    "exactly: poses and details differ between the front and the turned views.",
    "Body, pose and camera are the tracker's, not the truth.",
    "Video and image models have biases of their own beside those of the prompts, which are dealt "
    "evenly; hands are their weakest part.",
    "Adults only.",
)


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes:
        prompts: how many scenes; more than before go on where the folder's set ended.
        rewrite: whether the language model is used; else templates are filmed as they are.
        models: by stage, a name in ``weights.WEIGHTS`` or a folder; else the defaults.
        vocabulary: folder of another one.
        frames: of a clip, how many become views. size: of the views. per_shard: prompts.
    """

    prompts: int
    seed: int = 0
    rewrite: bool = True
    models: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)
    rewriting: Rewriting = field(default_factory=Rewriting)
    video: VideoOptions = field(default_factory=VideoOptions)
    edit: EditOptions = field(default_factory=EditOptions)
    vocabulary: Path = FOLDER
    frames: int = 4
    size: int = 512
    per_shard: int = 64

    def fixed(self, stages: Sequence[str]) -> dict[str, Any]:
        """What must stay the same in one folder once these stages have begun, by stage."""
        names = {k: Path(self.models.get(k, MODELS[k].weights)).name for k in MODELS}
        dtype = self.placement.dtype
        every = {
            "prompts": {"seed": self.seed, "vocabulary": Path(self.vocabulary).name},
            "rewrite": {"model": names["rewrite"], "dtype": dtype, **asdict(self.rewriting)},
            "videos": {
                "model": names["videos"], "dtype": dtype, "rewrite": self.rewrite,
                **asdict(self.video),
            },
            "views": {"model": names["views"], "dtype": dtype, **asdict(self.edit)},
            "shards": {
                "frames": self.frames, "size": self.size, "per_shard": self.per_shard,
            },
        }  # fmt: skip
        return {stage: every[stage] for stage in ("prompts", *stages)}


@dataclass(frozen=True)
class Outcome:
    """What is there after a run: JSON-able figures, and the shards."""

    figures: dict[str, Any]
    shards: list[Path]


Say = Callable[[str], None]


def stages_of(name: str) -> tuple[str, ...]:
    """The stages that a choice stands for.

    >>> stages_of("all") == STAGES, stages_of("views")
    (True, ('views',))
    """
    if name == "all":
        return STAGES
    if name not in STAGES:
        raise LikenessError(f"There is no stage '{name}'.", f"Stages: {', '.join(STAGES)}, all.")
    return (name,)


def generate(
    data: Path,
    options: Options,
    stages: Sequence[str] = STAGES,
    *,
    say: Say = lambda _: None,
    progress: Progress | None = None,
    command: str = "",
) -> Outcome:
    """Make generated people in a folder.

    Args:
        stages: in their order; those before must have been run.
        say: told what will be used, and what was made.
        command: for the card.

    Raises:
        LikenessError: something is missing (all of it is said at once, before anything starts),
            the folder was begun with other options, or a model does not work.
    """
    working = [s for s in stages if s != "rewrite" or options.rewrite]
    missing = needs(working, options.models, options.placement) + _file_needs(working)
    if missing:
        raise LikenessError(
            f"This cannot start. {' '.join(missing)}",
            "'--stage prompts' works without models and GPU; docs/generate.md tells the rest.",
        )
    before = _stage_before(stages[0], options)
    if before and not (data / RUN_FILE).is_file():
        raise LikenessError(
            f"'{data}' has not been through the stage '{before}'.",
            f"Run --stage {before} first, or --stage all.",
        )
    for line in told(working, options.models, options.placement):
        say(line)
    vocabulary = load_vocabulary(options.vocabulary)
    report = progress or (lambda stage, fraction, message: None)
    with locked(data) as store:
        store.begin(options.fixed(working))
        prompts = [compose(k, options.seed, vocabulary) for k in range(options.prompts)]
        figures: dict[str, Any] = {
            "prompts": len(prompts), "different": all_different(prompts),
            "regimes": {r: sum(p.regime == r for p in prompts) for r in REGIMES},
            "diversity": diversity(prompts, vocabulary),
        }  # fmt: skip
        store.write_prompts(prompts)
        run = _Run(store, options, report, say)
        steps = {"rewrite": run.rewrite, "videos": run.film, "views": run.turn, "shards": run.track}
        for stage in working:
            if stage in steps:
                steps[stage](prompts)
        if options.rewrite and any(store.has("rewritten", p) for p in prompts):
            store.write_prompts([run.final(p, partial=True) for p in prompts])
        shards: list[Path] = []
        if "shards" in stages:
            shards = run.pack(prompts, figures, command)
    return Outcome(figures, shards)


def _file_needs(stages: Sequence[str]) -> list[str]:
    if not set(stages) & {"videos", "views", "shards"}:
        return []
    from importlib.util import find_spec

    packages = {"av": "av", "imageio_ffmpeg": "imageio-ffmpeg", "webdataset": "webdataset"}
    missing = [package for name, package in packages.items() if find_spec(name) is None]
    if not missing:
        return []
    return [f"Packages for clips and shards are missing: pip install {' '.join(missing)}."]


@dataclass
class _Run:
    """The stages over a store."""

    store: Store
    options: Options
    report: Progress
    say: Say

    def final(self, prompt: Prompt, partial: bool = False) -> Prompt:
        """The prompt as it is filmed.

        Raises:
            LikenessError: it should have been rewritten before, and ``partial`` is not allowed.
        """
        if not self.options.rewrite:
            return prompt
        if not self.store.has("rewritten", prompt):
            if partial:
                return prompt
            raise _before("rewrite", prompt)
        kept = self.store.read("rewritten", prompt)
        return replace(prompt, text=kept["text"], rewriting=kept["rewriting"])

    def _source(self, stage: str) -> str:
        return self.options.models.get(stage, MODELS[stage].weights)

    def _open(self, prompts: Sequence[Prompt], kind: str, suffix: str) -> list[Prompt]:
        return [
            p for p in prompts
            if not self.store.has(kind, p, suffix) and not self.store.has("rejected", p)
        ]  # fmt: skip

    def rewrite(self, prompts: Sequence[Prompt]) -> None:
        settings = self.options.rewriting
        missing = self._open(prompts, "rewritten", ".json")
        # Whole batches: an answer depends on those beside it, and must not on a kill.
        batches = {prompt.number // settings.batch for prompt in missing}
        todo = [prompt for prompt in prompts if prompt.number // settings.batch in batches]
        if not todo:
            return
        self.report("rewrite", 0.0, "loading the language model")
        complete, about = language_model(self._source("rewrite"), self.options.placement, settings)
        kept = 0
        for done, prompt in enumerate(rewrite(todo, complete, about, settings.batch), 1):
            if not self.store.has("rewritten", prompt):
                content = {"text": prompt.text, "rewriting": dict(prompt.rewriting)}
                self.store.write("rewritten", prompt, content)
            kept += prompt.rewriting["outcome"] != "rewritten"
            self.report("rewrite", done / len(todo), f"scene {done} of {len(todo)}")
        del complete
        _release()
        if kept:
            self.say(
                f"{kept} of {len(todo)} scenes stay as composed: what the model wrote lost "
                "something that was drawn (the records say what)."
            )

    def film(self, prompts: Sequence[Prompt]) -> None:
        todo = self._open(prompts, "clips", ".mp4")
        if not todo:
            return
        texts = [self.final(prompt) for prompt in todo]
        self.report("videos", 0.0, "loading the video model")
        video = self.options.video
        film, about = video_model(self._source("videos"), self.options.placement, video)
        for done, prompt in enumerate(texts, 1):
            frames = film(prompt)
            self.store.write("clips", prompt, about)
            write_clip(self.store.path("clips", prompt, ".mp4"), frames, video.frame_rate)
            self.report("videos", done / len(todo), f"clip {done} of {len(todo)}")
        del film
        _release()

    def turn(self, prompts: Sequence[Prompt]) -> None:
        todo = self._open(prompts, "views", ".json")
        if not todo:
            return
        for prompt in todo:
            if not self.store.has("clips", prompt, ".mp4"):
                raise _before("videos", prompt)
        self.report("views", 0.0, "loading the image model")
        edit, about = editing_model(
            self._source("views"), self.options.placement, self.options.edit
        )
        detectors = _detectors()
        for done, prompt in enumerate(todo, 1):
            try:
                clip = self.store.path("clips", prompt, ".mp4")
                number, rgb = choose_reference(clip, prompt, detectors)
            except Rejected as error:
                self.store.reject(prompt, "views", error.reason, error.detail)
            else:
                pixels = np.rint(rgb * 255).astype(np.uint8)
                for side, picture in turned_views(pixels, prompt, edit).items():
                    path = self.store.path("views", prompt, f".{side}.png")
                    with whole_file(path) as scratch:
                        Image.fromarray(picture).save(scratch)
                self.store.write("views", prompt, {"reference": number, **about})
            self.report("views", done / len(todo), f"person {done} of {len(todo)}")
        del edit
        _release()

    def track(self, prompts: Sequence[Prompt]) -> None:
        todo = self._open(prompts, "subjects", ".tar")
        if not todo:
            return
        for prompt in todo:
            if not self.store.has("views", prompt):
                raise _before("views", prompt)
        tracker = Tracker(
            load_fitting_body(None), _detectors(), frames=self.options.frames,
            size=self.options.size,
        )  # fmt: skip
        for done, prompt in enumerate(todo, 1):
            self._track_one(self.final(prompt), tracker)
            self.report("shards", done / len(todo), f"person {done} of {len(todo)}")

    def _track_one(self, prompt: Prompt, tracker: Tracker) -> None:
        view = self.store.read("views", prompt)
        provenance = {
            "generator": f"Likeness {VERSION}",
            "video": self.store.read("clips", prompt), "editing": view,
        }  # fmt: skip
        turned = {side: self.store.path("views", prompt, f".{side}.png") for side in SIDES}
        try:
            subject, left_out = make_subject(
                prompt, self.store.path("clips", prompt, ".mp4"), int(view["reference"]), turned,
                tracker, provenance,
            )  # fmt: skip
        except Rejected as error:
            self.store.reject(prompt, "shards", error.reason, error.detail)
            return
        subject = replace(subject, facts={**subject.facts, "left_out": left_out})
        self.store.keep(prompt, subject)

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
                "program": f"Likeness {VERSION}", "command": command, "seed": self.options.seed,
            },
            "options": self.options.fixed(STAGES), "limits": list(LIMITS),
            "diversity": figures["diversity"], "rejected": rejected["counts"],
        }  # fmt: skip
        write_card(self.store.data, about, MIX)
        contact_sheet(self.store.data)
        return shards


def _release() -> None:
    from .loading import release

    release()


def _stage_before(stage: str, options: Options) -> str:
    """Whose files a stage begins with; empty where prompts are enough."""
    earlier = {"videos": "rewrite" if options.rewrite else "", "views": "videos", "shards": "views"}
    return earlier.get(stage, "")


def _before(stage: str, prompt: Prompt) -> LikenessError:
    return LikenessError(
        f"Prompt {prompt.number} has not been through the stage '{stage}'.",
        f"Run --stage {stage} first, or --stage all.",
    )


def _detectors() -> Detectors:
    return Detectors(asset_path("pose_landmark").parent)
