"""``likeness train``: a network from shards of people."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.core.types import LikenessError
from .console import terminal_progress

if TYPE_CHECKING:
    from ...engine.training.config import TrainConfig

PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "--data",
    metavar="SHARDS",
    multiple=True,
    help="Folder of shards, a pattern like 'shard-{000000..000099}.tar', or a file. Required; "
    "repeatable.",
)
@click.option("-o", "--out", metavar="RUN", required=True, type=PATH, help="Folder of the run.")
@click.option(
    "--config",
    metavar="NAME|JSON",
    help="Configuration: paper, base, small, tiny, or a file like a run's config.json; if not "
    "given, the one of RUN.",
)
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    help="Another value for a setting, as in --set lr=2e-4. Repeatable.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Number of steps; same as --set steps=N.")
@click.option(
    "--workers", type=click.IntRange(min=0), help="Number of data workers; same as --set workers=N."
)
@click.option(
    "--validate",
    metavar="SHARDS",
    multiple=True,
    help="Shards of other people, to validate the network on. Repeatable.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device to train on. For several GPUs: torchrun --nproc-per-node N -m likeness train ...",
)
@click.option(
    "--references",
    metavar="DIR",
    type=PATH,
    help="Folder of the lifted photos, for several runs on the same data; in RUN if not given.",
)
@click.option(
    "--lift-only",
    metavar="N",
    type=click.IntRange(min=1),
    help="Only lift the photos, in N processes, so that the run does not wait for it.",
)
@click.option(
    "--onnx/--no-onnx", default=True, help="Also export the network to ONNX (the default)."
)
@click.option(
    "--export-weights",
    metavar="DIR",
    type=PATH,
    help="Write RUN's network into DIR in the form shipped with Likeness, and do not train.",
)
@click.option("--body", metavar="NPZ", type=PATH, help="Another body file.")
def train(
    data: tuple[str, ...],
    out: Path,
    config: str | None,
    changes: tuple[str, ...],
    steps: int | None,
    workers: int | None,
    validate: tuple[str, ...],
    device: str,
    references: Path | None,
    lift_only: int | None,
    onnx: bool,
    export_weights: Path | None,
    body: Path | None,
) -> None:
    """Train a network on shards of people.

    RUN gets checkpoints, curves and sample sheets, and the network itself in RUN/network. The same
    command again continues a stopped run.
    """
    if export_weights is not None:
        _export_weights(out, export_weights, body)
        return
    if not data:
        raise click.UsageError("Missing option '--data'.")
    chosen = _chosen(out, config, changes, steps, workers)
    from ...engine.training.loop import lift_ahead, train_network

    def say(text: str) -> None:
        click.echo(text, err=True)

    if lift_only is not None:
        with terminal_progress() as progress:
            lift_ahead(
                chosen,
                out,
                data,
                lift_only,
                body_path=body,
                references=references,
                say=say,
                progress=progress,
            )
        return
    result = train_network(
        chosen,
        out,
        data,
        validate=validate,
        device=device,
        body_path=body,
        references=references,
        onnx=onnx,
        say=say,
    )
    if result.main:
        click.echo(str(result.network))


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


def _chosen(
    run: Path, name: str | None, changes: tuple[str, ...], steps: int | None, workers: int | None
) -> TrainConfig:
    """The configuration that the options describe."""
    need_torch()
    from ...engine.training.config import read_config, with_settings
    from ...engine.training.run_folder import run_config

    config = read_config(name) if name else run_config(run)
    if config is None:
        raise LikenessError(
            f"'{run}' does not contain a run to continue.",
            "Choose what to train: --config paper, base, small, tiny, or a JSON file.",
        )
    settings = dict(_setting(text) for text in changes)
    for given, value in (("steps", steps), ("workers", workers)):
        if value is not None:
            settings[given] = str(value)
    return with_settings(config, settings)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise LikenessError(f"--set '{text}' is not a setting.", "Write --set NAME=VALUE.")
    return name, value
