"""``likeness train-labels``: the network that labels what a photo does not show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.training.small_options import LabelOptions
from .options import FILE, options_from, out_option
from .small_runs import print_files, print_progress
from .train import need_torch


@click.command()
@click.option(
    "--data",
    metavar="ATLAS",
    required=True,
    type=FILE,
    help="Folder of people that 'likeness synth --atlas' fills; it may still grow.",
)
@out_option("Folder of the run.", "RUN")
@options_from(LabelOptions)
def train_labels(data: Path, out: Path, **chosen: Any) -> None:
    """Train the network that labels what a photo does not show.

    RUN gets a checkpoint; the same command again continues a stopped run, with people that were
    added to ATLAS since. One process uses one thread.
    """
    options = LabelOptions(**chosen)
    need_torch()
    if options.make_lifts is not None:
        from ...engine.training.atlas_labels.lift_people import lift_people

        if options.lifts is None:
            raise click.UsageError("--make-lifts needs --lifts.")
        count = lift_people(data, options.lifts, options.make_lifts, say=print_progress)
        click.echo(f"{count} lifts in {options.lifts}")
        return
    from ...engine.body import load_body
    from ...engine.files.weights import asset_path

    body = load_body(asset_path("body"))
    if options.export is not None:
        from ...engine.training.atlas_labels.export import export_labels
        from ...engine.training.small_cards import read_about

        print_files(export_labels(out, options.export, body, read_about(options.about)))
        return
    if options.measure:
        from ...engine.training.atlas_labels.measure import format_accuracy, measure_run

        click.echo(format_accuracy(measure_run(out, data, body, options.lifts)))
        return
    from ...engine.training.atlas_labels.train import train_labels as train_network

    train_network(
        data,
        out,
        body,
        options.steps,
        minutes=options.limit,
        lifts=options.lifts,
        say=print_progress,
    )
    click.echo(str(out))
