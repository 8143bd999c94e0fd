"""``likeness synth``: synthetic people as training data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError
from ...engine.core.version import VERSION
from .console import get_command_line, terminal_progress
from .options import OutputFolder, pool_options, pop_cluster

if TYPE_CHECKING:
    from ...engine.synth.figure import SynthOptions

EXIT_GIVEN_UP = 3
PATH = click.Path(path_type=Path)
PLACES = ("assets", "motions", "environments", "characters")


@click.command(short_help="Make synthetic people as training data.")
@click.option(
    "-o",
    "--out",
    "data",
    metavar="DATA",
    required=True,
    type=OutputFolder(),
    help="The folder of the data; the same command again goes on with it.",
)
@click.option(
    "--subjects",
    metavar="N",
    required=True,
    type=click.IntRange(1, 1_000_000),
    help="How many people DATA shall hold; a larger number later extends it.",
)
@click.option(
    "--assets",
    metavar="DIR",
    type=PATH,
    help="An asset library in MakeHuman's layout; without one everything is made up.",
)
@click.option(
    "--characters",
    metavar="DIR",
    type=PATH,
    multiple=True,
    help="A character that 'likeness convert' has made; they come first. Several times.",
)
@click.option(
    "--motions",
    metavar="FILE|DIR",
    type=PATH,
    multiple=True,
    help="Motion files whose frames are poses; else poses are made up. Several times.",
)
@click.option(
    "--environments",
    metavar="FILE|DIR",
    type=PATH,
    multiple=True,
    help="HDR pictures that light; else Blender's own, and made-up skies. Several times.",
)
@click.option(
    "--seed", metavar="N", type=click.IntRange(min=0), help="Of all that is random; 0 if not given."
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "test"]),
    help="Only the people, assets and lights that training may see (train), or the others (test).",
)
@click.option(
    "--engine",
    type=click.Choice(["cycles", "raster"]),
    default="cycles",
    show_default=True,
    help="What draws: Blender's path tracer, or our own rasteriser.",
)
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(16, 4096),
    help="Sides of the pictures; 512 if not given.",
)
@click.option(
    "--views",
    metavar="N",
    type=click.IntRange(1, 100),
    help="Pictures of each person; 12 if not given.",
)
@click.option(
    "--framing",
    type=click.Choice(["head", "half", "full", "mix"]),
    help="What the pictures show; mix if not given.",
)
@click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(1, 65536),
    help="Of Cycles for each pixel, at most; 48 if not given.",
)
@click.option(
    "--texture-size",
    metavar="PIXELS",
    type=click.IntRange(64, 8192),
    help="Sides of the skin's texture; follows --size if not given.",
)
@click.option("--depth/--no-depth", default=True, help="Also store depth (the default).")
@click.option("--labels/--no-labels", default=True, help="Also store part labels (the default).")
@click.option(
    "--hold-out",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Keep every Nth view from training, for measuring; 0 keeps none.",
)
@click.option(
    "--per-shard",
    metavar="N",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="People in each tar file.",
)
@pool_options(
    workers="Processes that draw.",
    recycle="People after which a process is replaced: Blender keeps some memory of each.",
)
@click.pass_context
def synth(
    context: click.Context,
    /,
    data: Path,
    subjects: int,
    hold_out: int,
    per_shard: int,
    workers: int,
    threads: int,
    recycle: int,
    **chosen: Any,
) -> None:
    """Make synthetic people: pictures from all sides, with body, cameras, depth and labels.

    DATA gets shards for 'likeness train', a card and a contact sheet. The same options make the
    same pixels, with any number of workers; a run that was stopped goes on with the same command.
    Exit code 3: some people were given up, the others are complete.
    """
    from ..synth.dataset_card import format_summary, has_current_card, write_dataset_card
    from ..synth.synth_run import SynthJob, run_synth

    cluster = pop_cluster(chosen)
    options = {**asdict(_options(chosen)), "hold_out": hold_out}
    job = SynthJob(data, subjects, options, per_shard, workers, threads, recycle, cluster)
    try:
        with terminal_progress() as progress:
            outcome = run_synth(job, progress)
    except KeyboardInterrupt:
        click.echo(f"  stopped; the same command goes on with '{data}'.", err=True)
        raise
    if not outcome.made and not outcome.given_up and has_current_card(data):
        click.echo(f"  '{data}' is complete.", err=True)
    else:
        card = write_dataset_card(data, options, get_command_line(context), VERSION, outcome)
        for line in format_summary(card, outcome):
            click.echo(f"  {line}", err=True)
    click.echo(str(data))
    if outcome.given_up:
        context.exit(EXIT_GIVEN_UP)


@click.command("synth-worker", hidden=True)
@click.pass_context
def synth_worker(context: click.Context, /) -> None:
    """Make people by numbers that come on stdin; 'likeness synth' starts this."""
    from ..synth.subject_maker import open_subject_maker
    from ..synth.subject_worker import serve_subjects

    context.exit(serve_subjects(open_subject_maker))


def _options(chosen: dict[str, Any]) -> SynthOptions:
    """What the people are made with; places as whole paths, since workers may stand elsewhere."""
    from ...engine.synth.figure import SynthOptions
    from ..synth.environments import HDR_PICTURES, MOTIONS, find_files, has_bpy

    if chosen["engine"] == "cycles" and not has_bpy():
        raise LikenessError(
            "Cycles needs Blender's Python module bpy, which is not installed.",
            "Run it in Blender (blender --command likeness synth ...), install bpy, or take "
            "--engine raster.",
        )
    places = {name: chosen.pop(name) for name in PLACES}
    for name, value in places.items():
        for path in (value,) if isinstance(value, Path) else value or ():
            if not path.exists():
                raise LikenessError(f"--{name} '{path}' is not there.", "Give another place.")
    for path in places["characters"]:
        if not (path / "subject.json").is_file():
            raise LikenessError(
                f"--characters '{path}' is no folder that 'likeness convert' has written.",
                "Convert the character first, and give its folder.",
            )
    return SynthOptions(
        assets=None if places["assets"] is None else str(places["assets"].absolute()),
        motions=_absolute(find_files(places["motions"], MOTIONS)),
        characters=_absolute(places["characters"]),
        environments=_absolute(find_files(places["environments"], HDR_PICTURES)),
        **{name: value for name, value in chosen.items() if value is not None},
    )


def _absolute(paths: Any) -> tuple[str, ...]:
    return tuple(str(path.absolute()) for path in paths)
