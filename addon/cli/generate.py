"""``likeness generate``: generated people as training data."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError
from .console import terminal_progress
from .options import FiniteNumber, OutputFolder, pool_options, pop_cluster

if TYPE_CHECKING:
    from ...engine.generative.generate_run import GenerateResult
    from ...engine.generative.options import GenerateOptions
    from ...engine.workflows.executor import Executor

EXIT_GIVEN_UP = 3
STAGES = ("prompts", "rewrite", "videos", "views", "shards", "all")
"""As in engine/generative/generate_run.py, which loads the tracker; a test holds the two to each
other."""
MODEL = "Another model, by a name that Likeness knows or its folder"


@click.command()
@click.option(
    "-o",
    "--out",
    "data",
    metavar="DATA",
    required=True,
    type=OutputFolder(),
    help="Folder of the data; the same command again continues it.",
)
@click.option(
    "--prompts",
    metavar="N",
    required=True,
    type=click.IntRange(1, 1_000_000),
    help="Number of scenes; a larger number later extends the set.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed.",
)
@click.option(
    "--stage",
    type=click.Choice(STAGES),
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
@click.option(
    "--rewrite/--no-rewrite",
    default=True,
    help="Have a language model rewrite the scenes (the default), or film them as composed.",
)
@click.option(
    "--language-model", metavar="NAME|DIR", help=f"{MODEL}: a chat model of transformers."
)
@click.option("--video-model", metavar="NAME|DIR", help=f"{MODEL}: a WanPipeline.")
@click.option("--image-model", metavar="NAME|DIR", help=f"{MODEL}: a QwenImageEdit(Plus)Pipeline.")
@click.option(
    "--video-size",
    metavar="WxH",
    default="1280x704",
    show_default=True,
    help="Size of the clips in pixels; multiples of 32.",
)
@click.option(
    "--frames",
    "video_frames",
    metavar="N",
    type=click.IntRange(min=5),
    default=121,
    show_default=True,
    help="Frames of each clip, at 24 per second; one more than a multiple of 4.",
)
@click.option(
    "--video-steps",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Sampling steps of the video model; fewer are faster and coarser.",
)
@click.option(
    "--image-steps",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Sampling steps of the image model.",
)
@click.option(
    "--views",
    "frames",
    metavar="N",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Frames of each clip that become views, besides the sides and the back.",
)
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(64, 2048),
    default=512,
    show_default=True,
    help="Side of the views.",
)
@click.option(
    "--temperature",
    metavar="X",
    type=FiniteNumber(0.01, 2.0),
    default=0.7,
    show_default=True,
    help="Sampling temperature of the language model; higher is more varied.",
)
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Scenes rewritten at once.",
)
@click.option(
    "--device",
    type=click.Choice(["cuda", "cpu"]),
    default="cuda",
    show_default=True,
    help="Device; cpu takes hours for one clip and is for tests with tiny models.",
)
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="Number format of the models.",
)
@click.option(
    "--offload", is_flag=True, help="Keep only the active part on the GPU: slower, less memory."
)
@click.option(
    "--allow-download",
    is_flag=True,
    help="Download missing models (30, 34 and 58 GB); else LIKENESS_ALLOW_DOWNLOAD decides.",
)
@click.option(
    "--per-shard",
    metavar="N",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Scenes in each tar file.",
)
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
    shape = PoolConfig(chosen["workers"], chosen["threads"], chosen["recycle"])
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


def _options(chosen: Mapping[str, Any]) -> GenerateOptions:
    from ...engine.generative.clip_generation import VideoOptions
    from ...engine.generative.models import Placement
    from ...engine.generative.options import GenerateOptions
    from ...engine.generative.rewrite import RewriteOptions
    from ...engine.generative.view_editing import EditOptions

    given = {
        "rewrite": chosen["language_model"],
        "videos": chosen["video_model"],
        "views": chosen["image_model"],
    }
    width, height = _size(chosen["video_size"])
    return GenerateOptions(
        prompts=chosen["prompts"],
        seed=chosen["seed"],
        rewrite=chosen["rewrite"],
        models={stage: _whole(name) for stage, name in given.items() if name},
        placement=Placement(
            chosen["device"], chosen["dtype"], chosen["offload"], chosen["allow_download"] or None
        ),
        rewriting=RewriteOptions(temperature=chosen["temperature"], batch=chosen["batch"]),
        video=VideoOptions(width, height, chosen["video_frames"], steps=chosen["video_steps"]),
        edit=EditOptions(steps=chosen["image_steps"]),
        frames=chosen["frames"],
        size=chosen["size"],
        per_shard=chosen["per_shard"],
    )


def _whole(source: str) -> str:
    """A model's name, or its folder as an absolute path: workers may run elsewhere."""
    return str(Path(source).absolute()) if Path(source).is_dir() else source


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
