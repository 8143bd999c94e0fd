"""``likeness train-parser``: the network that labels what a photo shows."""

from __future__ import annotations

from pathlib import Path

import click

from .small_runs import PATH, export_options, print_files, print_progress, run_options
from .train import need_torch


@click.command()
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=PATH,
    help="Folder of labelled pictures; it may still grow.",
)
@click.option("-o", "--out", metavar="RUN", type=PATH, help="Folder of the run.")
@run_options(steps=4_000)
@click.option(
    "--make-pictures",
    metavar="N",
    type=click.IntRange(min=1),
    help="Do not train: fill --data with pictures of N people, four of each.",
)
@click.option("--assets", metavar="LIBRARY", help="With --make-pictures: as for 'likeness synth'.")
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="With --make-pictures: as for 'likeness synth'.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=31,
    show_default=True,
    help="With --make-pictures: of the people.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Do not train: measure the parser that Likeness uses on --data, which should be of the "
    "test split.",
)
@export_options
def train_parser(
    data: Path,
    out: Path | None,
    steps: int,
    minutes: float | None,
    make_pictures: int | None,
    assets: str | None,
    split: str,
    seed: int,
    measure: bool,
    export: Path | None,
    about: Path | None,
) -> None:
    """Train the network that labels what a photo shows.

    RUN gets a checkpoint; the same command again continues a stopped run, with pictures that were
    added to --data since. One process uses one thread.
    """
    if make_pictures is not None:
        from ...engine.synth.synth_options import SynthOptions
        from ...engine.training.pixel_labels.people import make_people

        options = SynthOptions(assets=assets, split=split, seed=seed)
        count = make_people(data, make_pictures, options, print_progress)
        click.echo(f"{count} pictures in {data}")
        return
    from ...engine.body import load_body
    from ...engine.files.weights import asset_path

    body = load_body(asset_path("body"))
    if measure:
        from ...engine.gaussians.lift.labels_parser import load_parser
        from ...engine.training.pixel_labels.measure import format_counts, measure_parser

        parser = load_parser()
        if parser is None:
            raise click.UsageError("This computer has no parser.")
        click.echo(format_counts(measure_parser(parser, data, body)))
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'.")
    need_torch()
    if export is not None:
        from ...engine.training.pixel_labels.export import export_parser
        from ...engine.training.small_cards import read_about

        print_files(export_parser(out, export, body, read_about(about)))
        return
    from ...engine.training.pixel_labels.train import train_parser as train_network

    limit = float("inf") if minutes is None else minutes
    train_network(data, out, body, steps, minutes=limit, say=print_progress)
    click.echo(str(out))
