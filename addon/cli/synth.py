"""``likeness synth``: synthetic people as training data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from ...engine.core.types import LikenessError, Progress
from ...engine.core.version import VERSION
from ...engine.synth.synth_options import SynthOptions, family_size
from ..synth.synth_run import SynthJob
from ..workers.plan import PoolConfig
from .console import get_command_line, terminal_progress
from .options import OutputFolder, options_from, out_option, pool_options, pop_cluster, pop_options

EXIT_GIVEN_UP = 3
PLACES = ("motions", "environments", "characters")
ATLAS_OPTIONS = ("seed", "split", "framing", "texture_size", "assets", "motions")
ATLAS_TEXTURE = 256  # pixels along a texture's sides, as fine as the atlas
_Outcome = TypeVar("_Outcome")


@click.command()
@out_option(
    "Folder of the data; the same command again continues it.", "DATA", OutputFolder(), "data"
)
@options_from(SynthJob, only=("subjects",))
@options_from(SynthOptions, unset=("texture_size",))
@options_from(SynthJob, only=("per_shard",))
@click.option(
    "--atlas",
    is_flag=True,
    help="Instead of pictures, store what covers each texel of the body's atlas.",
)
@pool_options(
    workers="Number of processes that draw.",
    recycle="People after which a process is replaced: Blender retains memory of each.",
)
@click.pass_context
def synth(context: click.Context, /, data: Path, atlas: bool, **chosen: Any) -> None:
    """Make synthetic people: pictures from all sides, with body, cameras, depth and labels.

    DATA gets shards for 'likeness train', a card and a contact sheet. The same options make the
    same pixels, with any number of workers; a run that was stopped goes on with the same command.
    Exit code 3: some people were given up, the others are complete.
    """
    from ..synth.dataset_card import format_summary, has_current_card, write_dataset_card
    from ..synth.synth_run import run_synth

    cluster = pop_cluster(chosen)
    run = pop_options(SynthJob, chosen) | pop_options(PoolConfig, chosen)
    if atlas:
        chosen = _atlas_options(context, chosen)
    people = _options(chosen)
    run["subjects"] *= family_size(people.attributes, people.between)
    options = asdict(people)
    job = SynthJob(data, options=options, cluster=cluster, **run)
    if atlas:
        _run_atlas(context, job)
        return
    outcome = _run(run_synth, job)
    if not outcome.made and not outcome.given_up and has_current_card(data):
        click.echo(f"  '{data}' is complete.", err=True)
    else:
        card = write_dataset_card(data, options, get_command_line(context), VERSION, outcome)
        for line in format_summary(card, outcome):
            click.echo(f"  {line}", err=True)
    click.echo(str(data))
    if outcome.given_up:
        context.exit(EXIT_GIVEN_UP)


def _atlas_options(context: click.Context, chosen: dict[str, Any]) -> dict[str, Any]:
    """The options of people over the atlas; those of pictures may not be given."""
    given = [
        name
        for name in [*chosen, "per_shard"]
        if name not in ATLAS_OPTIONS
        and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise LikenessError(f"--atlas makes no pictures; {names} does not apply.", "Leave it out.")
    size = chosen["texture_size"] or ATLAS_TEXTURE
    return {**chosen, "engine": "raster", "texture_size": size}


def _run_atlas(context: click.Context, job: SynthJob) -> None:
    from ..synth.atlas_run import run_atlas

    outcome = _run(run_atlas, job)
    for number, reason in sorted(outcome.given_up.items()):
        click.echo(f"  person {number} was given up: {reason}", err=True)
    click.echo(str(job.data))
    if outcome.given_up:
        context.exit(EXIT_GIVEN_UP)


def _run(make: Callable[[SynthJob, Progress], _Outcome], job: SynthJob) -> _Outcome:
    """Run a job with progress; whoever stops it is told how to go on."""
    try:
        with terminal_progress() as progress:
            return make(job, progress)
    except KeyboardInterrupt:
        click.echo(f"  stopped; the same command goes on with '{job.data}'.", err=True)
        raise


@click.command("synth-worker", hidden=True)
@click.pass_context
def synth_worker(context: click.Context, /) -> None:
    """Make the people whose numbers are read from stdin; 'likeness synth' starts this."""
    from ..synth.subject_maker import open_subject_maker
    from ..synth.subject_worker import serve_subjects

    context.exit(serve_subjects(open_subject_maker))


@click.command("atlas-worker", hidden=True)
@click.pass_context
def atlas_worker(context: click.Context, /) -> None:
    """Label the atlas of the people whose numbers are read from stdin."""
    from ..synth.atlas_run import open_atlas_maker
    from ..workers.serving import serve_units

    context.exit(serve_units(open_atlas_maker))


def _options(chosen: dict[str, Any]) -> SynthOptions:
    """What the people are made with; absolute paths, since workers may run elsewhere."""
    from ..synth.environments import HDR_PICTURES, MOTIONS, find_files, has_bpy

    if chosen["engine"] == "cycles" and not has_bpy():
        raise LikenessError(
            "Cycles needs Blender's Python module bpy, which is not installed.",
            "Run it in Blender (blender --command likeness synth ...), install bpy, or use "
            "--engine raster.",
        )
    assets = chosen.pop("assets")
    places: dict[str, tuple[Path, ...]] = {"assets": () if assets is None else (Path(assets),)}
    places |= {name: tuple(map(Path, chosen.pop(name))) for name in PLACES}
    for name, paths in places.items():
        for path in paths:
            if not path.exists():
                raise LikenessError(f"--{name} '{path}' does not exist.", "Check the path.")
    for path in places["characters"]:
        if not (path / "subject.json").is_file():
            raise LikenessError(
                f"--characters '{path}' is not a folder written by 'likeness convert'.",
                "Convert the character first, and give its folder.",
            )
    return SynthOptions(
        assets=next(iter(_absolute(places["assets"])), None),
        motions=_absolute(find_files(places["motions"], MOTIONS)),
        characters=_absolute(places["characters"]),
        environments=_absolute(find_files(places["environments"], HDR_PICTURES)),
        **{name: value for name, value in chosen.items() if value is not None},
    )


def _absolute(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(str(path.absolute()) for path in paths)
