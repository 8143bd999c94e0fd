"""``likeness train-parser``: the network that labels what a photo shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.training.small_options import ParserOptions
from .options import FILE, options_from
from .small_runs import print_files, print_progress
from .train import need_torch


@click.command()
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=FILE,
    help="Folder of labelled pictures; it may still grow.",
)
@click.option("-o", "--out", metavar="RUN", type=FILE, help="Folder of the run.")
@options_from(ParserOptions, defaults={"steps": 4_000})
def train_parser(data: Path, out: Path | None, **chosen: Any) -> None:
    """Train the network that labels what a photo shows.

    RUN gets a checkpoint; the same command again continues a stopped run, with pictures that were
    added to --data since. One process uses one thread.
    """
    options = ParserOptions(**chosen)
    if options.make_pictures is not None:
        from ...engine.synth.synth_options import SynthOptions
        from ...engine.training.pixel_labels.people import make_people

        people = SynthOptions(assets=options.assets, split=options.split, seed=options.seed)
        renderer = None
        if options.engine == "cycles":
            from ..synth.cycles import CyclesStudio

            renderer = CyclesStudio(people.samples, threads=1)
        count = make_people(data, options.make_pictures, people, print_progress, renderer)
        click.echo(f"{count} pictures in {data}")
        return
    from ...engine.body import load_body
    from ...engine.files.weights import asset_path

    body = load_body(asset_path("body"))
    if options.measure:
        from ...engine.gaussians.lift.pixels.labels_parser import load_parser
        from ...engine.training.pixel_labels.measure import format_counts, measure_parser

        parser = load_parser()
        if parser is None:
            raise click.UsageError("This computer has no parser.")
        click.echo(format_counts(measure_parser(parser, data, body)))
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'.")
    need_torch()
    if options.export is not None:
        from ...engine.training.pixel_labels.export import export_parser
        from ...engine.training.small_cards import read_about

        print_files(export_parser(out, options.export, body, read_about(options.about)))
        return
    from ...engine.training.pixel_labels.train import train_parser as train_network

    train_network(data, out, body, options.steps, minutes=options.limit, say=print_progress)
    click.echo(str(out))
