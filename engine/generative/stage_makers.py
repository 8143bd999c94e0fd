"""Worker side of ``likeness generate``: one stage, its model loaded, prompt by prompt.

The request names a stage and a folder; a unit names its prompts by their numbers. Finished results
are not made again, and every file is written atomically, so that a unit can be restarted at any
point.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.types import LikenessError
from ..core.version import VERSION
from ..files.atomic import atomic_write
from ..pipeline.track import load_fitting_body, open_detectors
from ..workflows.executor import FatalWorkerError, Unit
from .clip_generation import open_video_model, write_clip
from .compose import Prompt, compose_prompt
from .models import MODELS, missing_requirements
from .options import GenerateOptions, parse_options
from .prompt_store import PromptStore
from .quality_filters import RejectedSampleError
from .rewrite import open_language_model, rewrite_prompts
from .subject_tracking import SubjectTracker, choose_reference, make_tracked_subject
from .view_editing import SIDES, edit_side_views, open_editing_model
from .vocabulary import load_vocabulary

Maker = Callable[[Unit], Mapping[str, Any]]


def open_stage(request: Mapping[str, Any]) -> Maker:
    """Open a stage, its model loaded.

    Args:
        request: ``data``, the folder; ``stage``; ``options`` as :meth:`.GenerateOptions.as_json`.

    Returns:
        A maker of the stage's units.

    Raises:
        LikenessError: Requirements are missing, or the model cannot be loaded.
    """
    options, stage = parse_options(request["options"]), str(request["stage"])
    missing = stage_needs([stage], options)
    if missing:
        raise LikenessError(f"This cannot start. {' '.join(missing)}", "See docs/generate.md.")
    store = PromptStore(Path(request["data"]))
    make = _STAGES[stage](store, options)
    vocabulary = load_vocabulary(options.vocabulary)

    def one(unit: Unit) -> Mapping[str, Any]:
        return make([compose_prompt(int(k), options.seed, vocabulary) for k in unit["prompts"]])

    return one


def stage_needs(stages: Sequence[str], options: GenerateOptions) -> list[str]:
    """List what stages need and this computer lacks, a sentence for each."""
    missing = missing_requirements(stages, options.models, options.placement)
    if set(stages) & {"videos", "views", "shards"}:
        packages = ("av", "webdataset")
        absent = [name for name in packages if importlib.util.find_spec(name) is None]
        if absent:
            missing.append(
                f"Packages for clips and shards are missing: pip install {' '.join(absent)}."
            )
    return missing


def final_text(store: PromptStore, prompt: Prompt, options: GenerateOptions) -> Prompt:
    """Get the prompt as it is filmed.

    Raises:
        LikenessError: Its rewritten text is missing or damaged.
    """
    if not options.rewrite:
        return prompt
    kept = store.read("rewritten", prompt)
    return replace(prompt, text=kept["text"], rewriting=kept["rewriting"])


_Make = Callable[[Sequence[Prompt]], Mapping[str, Any]]


def _rewriting(store: PromptStore, options: GenerateOptions) -> _Make:
    settings = options.rewriting
    complete, about = open_language_model(_source(options, "rewrite"), options.placement, settings)

    def make(prompts: Sequence[Prompt]) -> Mapping[str, Any]:
        kept = 0
        for prompt in rewrite_prompts(prompts, complete, about, settings.batch):
            kept += prompt.rewriting["outcome"] != "rewritten"
            if not store.has("rewritten", prompt):
                content = {"text": prompt.text, "rewriting": dict(prompt.rewriting)}
                with _writing():
                    store.write("rewritten", prompt, content)
        return {"kept": kept}

    return make


def _filming(store: PromptStore, options: GenerateOptions) -> _Make:
    film, about = open_video_model(_source(options, "videos"), options.placement, options.video)

    def make(prompts: Sequence[Prompt]) -> Mapping[str, Any]:
        for prompt in prompts:
            frames = film(final_text(store, prompt, options))
            with _writing():
                store.write("clips", prompt, about)
                with atomic_write(store.path("clips", prompt, ".mp4"), shared=True) as scratch:
                    write_clip(scratch, frames, options.video.frame_rate)
        return {}

    return make


def _turning(store: PromptStore, options: GenerateOptions) -> _Make:
    edit, about = open_editing_model(_source(options, "views"), options.placement, options.edit)
    detectors = open_detectors()

    def make(prompts: Sequence[Prompt]) -> Mapping[str, Any]:
        for prompt in prompts:
            clip = store.path("clips", prompt, ".mp4")
            try:
                number, rgb = choose_reference(clip, prompt, detectors)
            except RejectedSampleError as error:
                _reject(store, prompt, "views", error)
                continue
            pixels = np.rint(rgb * 255).astype(np.uint8)
            turned = edit_side_views(pixels, prompt, edit)
            with _writing():
                for side, picture in turned.items():
                    path = store.path("views", prompt, f".{side}.png")
                    with atomic_write(path, shared=True) as scratch:
                        Image.fromarray(picture).save(scratch)
                store.write("views", prompt, {"reference": number, **about})
        return {}

    return make


def _tracking(store: PromptStore, options: GenerateOptions) -> _Make:
    tracker = SubjectTracker(
        load_fitting_body(None if options.body is None else Path(options.body)),
        open_detectors(),
        frames=options.frames,
        size=options.size,
        estimator=options.estimator,
        smplx=options.smplx,
    )

    def make(prompts: Sequence[Prompt]) -> Mapping[str, Any]:
        for prompt in prompts:
            _track_one(store, final_text(store, prompt, options), tracker)
        return {}

    return make


def _track_one(store: PromptStore, prompt: Prompt, tracker: SubjectTracker) -> None:
    view = store.read("views", prompt)
    provenance = {
        "generator": f"Likeness {VERSION}",
        "video": store.read("clips", prompt),
        "editing": view,
    }
    turned = {side: store.path("views", prompt, f".{side}.png") for side in SIDES}
    clip = store.path("clips", prompt, ".mp4")
    try:
        subject, left_out = make_tracked_subject(
            prompt, clip, int(view["reference"]), turned, tracker, provenance
        )
    except RejectedSampleError as error:
        _reject(store, prompt, "shards", error)
        return
    subject = replace(subject, facts={**subject.facts, "left_out": left_out})
    with _writing():
        store.keep(prompt, subject)


_STAGES: Mapping[str, Callable[[PromptStore, GenerateOptions], _Make]] = {
    "rewrite": _rewriting,
    "videos": _filming,
    "views": _turning,
    "shards": _tracking,
}


def _reject(store: PromptStore, prompt: Prompt, stage: str, error: RejectedSampleError) -> None:
    with _writing():
        store.reject(prompt, stage, error.reason, error.detail)


@contextmanager
def _writing() -> Iterator[None]:
    """An error of writing ends the worker: other files could not be written either."""
    try:
        yield
    except LikenessError as error:
        raise FatalWorkerError(error.message, error.remedy) from error


def _source(options: GenerateOptions, stage: str) -> str:
    return options.models.get(stage, MODELS[stage].weights)
