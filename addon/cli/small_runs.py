"""What the commands that train a small network print."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


def print_progress(text: str) -> None:
    """Print a line of progress to standard error."""
    click.echo(text, err=True)


def print_files(paths: Iterable[Path]) -> None:
    """Print the files that an export wrote, with their sizes."""
    for path in paths:
        click.echo(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")
