"""``likeness assets``: makes the body and the detectors that every build needs."""

from __future__ import annotations

import sys

import click

from ...engine.core.types import LikenessError
from .console import terminal_progress


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Download without asking.")
@click.option("--sample", is_flag=True, help="Also fetch a sample portrait, and print its path.")
def assets(yes: bool, sample: bool) -> None:
    """Download pinned packages, check them, and make the assets from their data files.

    It takes one to two minutes. Later calls find everything in place and do nothing.
    """
    from ...engine.bake.assets import ensure_assets, ensure_sample, missing_wheels
    from ...engine.files.downloads import downloads_allowed

    wheels = missing_wheels(sample=sample)
    for wheel in wheels:
        click.echo(f"{wheel.requirement}: {wheel.provides}, {wheel.megabytes} MB", err=True)
    if wheels and not (yes or downloads_allowed()):
        if not sys.stdin.isatty():
            raise LikenessError(
                "The assets have to be downloaded, and nobody has agreed to that.",
                "Run 'likeness assets --yes'.",
            )
        click.confirm("Download from the package index?", default=True, abort=True, err=True)
    with terminal_progress() as progress:
        folder = ensure_assets(progress)
    click.echo(str(ensure_sample() if sample else folder))
