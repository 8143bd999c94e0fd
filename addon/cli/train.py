"""``likeness train``: a network from shards of people."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError
from ...engine.training.train_options import TrainOptions
from .console import terminal_progress
from .options import options_from, out_option

if TYPE_CHECKING:
    from ...engine.training.config import TrainConfig


@click.command()
@options_from(TrainOptions, only=("data",))
@out_option("Folder of the run.", "RUN")
@options_from(TrainOptions, exclude=("data",))
def train(out: Path, **chosen: Any) -> None:
    """Train a network on shards of people.

    RUN gets checkpoints, curves and sample sheets, and the network itself in RUN/network. The same
    command again continues a stopped run.
    """
    options = TrainOptions(**chosen)
    if options.export_weights is not None:
        _export_weights(out, options.export_weights, options.body)
        return
    if not options.data:
        raise click.UsageError("Missing option '--data'.")
    config = _configured(out, options)
    from ...engine.training.loop import lift_ahead, train_network

    def say(text: str) -> None:
        click.echo(text, err=True)

    if options.lift_only is not None:
        with terminal_progress() as progress:
            lift_ahead(config, out, options, say, progress)
        return
    result = train_network(config, out, options, say)
    if result.main:
        click.echo(str(result.network))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Everything is written. Threads that connect the processes may still run, and would abort
        # an interpreter that shuts down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _export_weights(run: Path, folder: Path, body: Path | None) -> None:
    need_torch()
    from ...engine.body import load_body
    from ...engine.files.weights import asset_path
    from ...engine.network.shipping import ship_network
    from ...engine.training.run_folder import NETWORK_FOLDER

    written = ship_network(run / NETWORK_FOLDER, folder, load_body(body or asset_path("body")))
    for path in written:
        click.echo(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


def need_torch() -> None:
    """Check that torch is installed.

    Raises:
        LikenessError: It is not.
    """
    if importlib.util.find_spec("torch") is None:
        raise LikenessError(
            "Training needs torch, which is not installed.",
            "Install it in the project's folder: pip install -e '.[train]'.",
        )


def _configured(run: Path, options: TrainOptions) -> TrainConfig:
    """The configuration that the options describe."""
    need_torch()
    from ...engine.training.config import read_config, with_settings
    from ...engine.training.run_folder import run_config

    config = read_config(options.config) if options.config else run_config(run)
    if config is None:
        raise LikenessError(
            f"'{run}' does not contain a run to continue.",
            "Choose what to train: --config paper, base, small, tiny, or a JSON file.",
        )
    return with_settings(config, options.settings())
