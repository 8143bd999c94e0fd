"""``likeness generate``: generated people as training data."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError
from ...engine.generative.clip_generation import VideoOptions
from ...engine.generative.models import Placement
from ...engine.generative.options import STAGES, GenerateOptions, ModelSources
from ...engine.generative.rewrite import RewriteOptions
from ...engine.generative.view_editing import EditOptions
from .console import terminal_progress
from .options import OutputFolder, options_from, out_option, pool_options, pop_cluster, pop_options

if TYPE_CHECKING:
    from ...engine.generative.generate_run import GenerateResult
    from ...engine.workflows.executor import Executor

EXIT_GIVEN_UP = 3
SCENES = ("prompts", "seed", "rewrite")


@click.command()
@out_option(
    "Folder of the data; the same command again continues it.", "DATA", OutputFolder(), "data"
)
@options_from(GenerateOptions, only=SCENES)
@click.option(
    "--stage",
    type=click.Choice([*STAGES, "all"]),
    default="all",
    show_default=True,
    help="Stage to run; prompts needs no models, no GPU and no packages.",
)
@click.option(
    "--show",
    metavar="K",
    type=click.IntRange(min=0),
    default=0,
    help="Number of prompts to print; 0 if not given.",
)
@options_from(ModelSources, prefix="source_")
@click.option(
    "--video-size",
    metavar="WxH",
    default="1280x704",
    show_default=True,
    help="Size of the clips in pixels; multiples of 32.",
)
@options_from(VideoOptions, prefix="video_")
@options_from(EditOptions, prefix="image_")
@options_from(GenerateOptions, exclude=SCENES)
@options_from(RewriteOptions)
@options_from(Placement)
@pool_options(
    workers="Number of processes, each with its own model, so at most one per GPU.",
    recycle="Scenes after which a process is replaced and loads the model again.",
    after=1000,
)
@click.pass_context
def generate(context: click.Context, /, data: Path, stage: str, show: int, **chosen: Any) -> None:
    """Make generated people as training data (docs/generate.md).

    Scenes are composed from vocabularies, rewritten by a language model and filmed by a video
    model; an image model turns one frame to the sides and the back. Clips that the tracker follows
    well become shards in the format of 'likeness synth'. Exit code 3: some scenes were given up,
    the others are complete.
    """
    from ...engine.generative.generate_run import generate_people as run
    from ...engine.generative.generate_run import resolve_stages
    from ...engine.generative.prompt_store import RUN_FILE
    from ..workers.executors import open_executor
    from ..workers.plan import PoolConfig

    cluster = pop_cluster(chosen)
    shape = PoolConfig(**pop_options(PoolConfig, chosen))
    options = _options(chosen)

    def executor(request: Mapping[str, Any]) -> Executor:
        common = [data.absolute() / RUN_FILE]
        return open_executor(request, shape, "generate-worker", cluster, common)

    with terminal_progress() as progress:
        outcome = run(
            data,
            options,
            resolve_stages(stage),
            executor=executor,
            elsewhere=cluster is not None and not cluster.here,
            progress=progress,
            say=lambda line: click.echo(f"  {line}", err=True),
            command=" ".join(["likeness", *sys.argv[1:]]),
        )
    _print(data, outcome, show)
    for number, why in outcome.given_up.items():
        click.echo(f"  given up: scene {number}: {why}", err=True)
    if outcome.given_up:
        context.exit(EXIT_GIVEN_UP)


@click.command("generate-worker", hidden=True)
@click.pass_context
def generate_worker(context: click.Context, /) -> None:
    """Run a stage for scenes from stdin; 'likeness generate' starts this."""
    from ...engine.generative.stage_makers import open_stage
    from ..workers.serving import serve_units

    context.exit(serve_units(lambda request, say: open_stage(request)))


def _options(chosen: dict[str, Any]) -> GenerateOptions:
    width, height = _size(chosen.pop("video_size"))
    return GenerateOptions(
        models=ModelSources(**pop_options(ModelSources, chosen, "source_")).by_stage(),
        placement=Placement(**pop_options(Placement, chosen)),
        rewriting=RewriteOptions(**pop_options(RewriteOptions, chosen)),
        video=VideoOptions(width, height, **pop_options(VideoOptions, chosen, "video_")),
        edit=EditOptions(**pop_options(EditOptions, chosen, "image_")),
        **chosen,
    )


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None:
        raise LikenessError(f"--video-size '{text}' is not a size.", "Write it as 1280x704.")
    return int(found.group(1)), int(found.group(2))


def _print(data: Path, outcome: GenerateResult, show: int) -> None:
    figures = outcome.figures
    regimes = ", ".join(f"{count} by {name}" for name, count in figures["regimes"].items())
    click.echo(f"{figures['prompts']} prompts ({regimes}), {figures['different']} different")
    for axis, counts in figures["diversity"].items():
        click.echo(f"  {axis:<18} {counts['used']:>5} of {counts['of']}")
    if show:
        from ...engine.generative.prompt_store import PROMPTS_FILE

        with (data / PROMPTS_FILE).open(encoding="utf-8") as lines:
            _show([next(lines) for _ in range(min(show, figures["prompts"]))])
    if "accepted" in figures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in figures["rejected"].items())
        accepted = f"{figures['accepted']} people accepted"
        click.echo(f"{accepted}; rejected: {reasons}" if reasons else accepted)
        click.echo("\n".join(str(path) for path in outcome.shards))


def _show(lines: list[str]) -> None:
    from ...engine.generative.compose import Prompt

    for prompt in map(Prompt.of_line, lines):
        click.echo(f"\n[{prompt.number}] {prompt.text}\n  not: {prompt.negative}")
