"""``likeness train-polish``: the network that polishes what the photo does not show squarely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.training.small_options import PolishOptions
from .options import FILE, options_from
from .small_runs import print_files, print_progress
from .train import need_torch


@click.command()
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=FILE,
    help="Folder of lifted people's views; it may still grow.",
)
@click.option("-o", "--out", metavar="RUN", type=FILE, help="Folder of the run.")
@options_from(PolishOptions, defaults={"steps": 3_000})
def train_polish(data: Path, out: Path | None, **chosen: Any) -> None:
    """Train the network that polishes what the photo does not show squarely.

    RUN gets a checkpoint; the same command again continues a stopped run, with people that were
    added to --data since. One process uses one thread.
    """
    options = PolishOptions(**chosen)
    if options.make_pairs is not None:
        from ...engine.body import load_body
        from ...engine.files.weights import asset_path
        from ...engine.training.polish.pairs import make_pairs

        body = load_body(asset_path("body"))
        count = make_pairs(options.make_pairs, data, body, options.size, print_progress)
        click.echo(f"{count} people in {data}")
        return
    if options.measure:
        from ...engine.gaussians.polish.polish_network import load_polish
        from ...engine.training.polish.measure import format_figures, measure_polish
        from ...engine.training.polish.pairs import read_all_pairs

        click.echo(format_figures(measure_polish(load_polish(), read_all_pairs(data))))
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'.")
    need_torch()
    if options.export is not None:
        from ...engine.training.polish.export import export_polish
        from ...engine.training.small_cards import read_about

        print_files(export_polish(out, options.export, read_about(options.about)))
        return
    from ...engine.training.polish.train import train_polish as train_network

    train_network(data, out, options.steps, minutes=options.limit, say=print_progress)
    click.echo(str(out))
