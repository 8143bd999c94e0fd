"""``likeness train-labels``: the network that labels what a photo does not show."""

from __future__ import annotations

from pathlib import Path

import click

from .small_runs import PATH, export_options, print_files, print_progress, run_options
from .train import need_torch


@click.command()
@click.option(
    "--data",
    metavar="ATLAS",
    required=True,
    type=PATH,
    help="Folder of people that 'likeness synth --atlas' fills; it may still grow.",
)
@click.option("-o", "--out", metavar="RUN", required=True, type=PATH, help="Folder of the run.")
@run_options(steps=30_000)
@click.option(
    "--lifts",
    metavar="DIR",
    type=PATH,
    help="Folder of lifted pictures of these people, from which a third of the samples comes.",
)
@click.option(
    "--make-lifts",
    metavar="N",
    type=click.IntRange(min=1),
    help="Do not train: fill --lifts with lifted pictures of the first N people.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Do not train: measure RUN's network on the people of --data, which should be of the "
    "test split, and on their --lifts.",
)
@export_options
def train_labels(
    data: Path,
    out: Path,
    steps: int,
    minutes: float | None,
    lifts: Path | None,
    make_lifts: int | None,
    measure: bool,
    export: Path | None,
    about: Path | None,
) -> None:
    """Train the network that labels what a photo does not show.

    RUN gets a checkpoint; the same command again continues a stopped run, with people that were
    added to ATLAS since. One process uses one thread.
    """
    need_torch()
    if make_lifts is not None:
        from ...engine.training.atlas_labels.lift_people import lift_people

        if lifts is None:
            raise click.UsageError("--make-lifts needs --lifts.")
        click.echo(f"{lift_people(data, lifts, make_lifts, say=print_progress)} lifts in {lifts}")
        return
    from ...engine.body import load_body
    from ...engine.files.weights import asset_path

    body = load_body(asset_path("body"))
    if export is not None:
        from ...engine.training.atlas_labels.export import export_labels
        from ...engine.training.small_cards import read_about

        print_files(export_labels(out, export, body, read_about(about)))
        return
    if measure:
        from ...engine.training.atlas_labels.measure import format_accuracy, measure_run

        click.echo(format_accuracy(measure_run(out, data, body, lifts)))
        return
    from ...engine.training.atlas_labels.train import train_labels as train_network

    limit = float("inf") if minutes is None else minutes
    train_network(data, out, body, steps, minutes=limit, lifts=lifts, say=print_progress)
    click.echo(str(out))
