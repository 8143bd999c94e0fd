"""What the commands that train a small network share: their options, and writing the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
Command = Callable[..., Any]


def run_options(steps: int) -> Callable[[Command], Command]:
    """Return a decorator that adds ``--steps``, with its default, and ``--minutes``."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--minutes",
            type=click.FloatRange(min=0, min_open=True),
            help="Stop after this time; the same command goes on.",
        )(command)
        return click.option(
            "--steps",
            type=click.IntRange(min=1),
            default=steps,
            show_default=True,
            help="Number of steps of the whole run, 8 samples each.",
        )(command)

    return decorate


def export_options(command: Command) -> Command:
    """Add ``--export`` and ``--about``."""
    command = click.option(
        "--about",
        metavar="JSON",
        type=PATH,
        help="With --export: what the card says of data, commands, figures and limits.",
    )(command)
    return click.option(
        "--export",
        metavar="DIR",
        type=PATH,
        help="Do not train: write RUN's network into DIR in the form shipped with Likeness.",
    )(command)


def print_progress(text: str) -> None:
    """Print a line of progress to standard error."""
    click.echo(text, err=True)


def print_files(paths: Iterable[Path]) -> None:
    """Print the files that an export wrote, with their sizes."""
    for path in paths:
        click.echo(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")
