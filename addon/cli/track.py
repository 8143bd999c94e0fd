"""``likeness track``: a photo or a video to a motion file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ...engine.workflows.options import TrackOptions
from .console import terminal_progress
from .extra_views import parse_extra_views, view_option
from .options import FILE, body_option, options_from, out_option


@click.command()
@click.argument("media", metavar="PHOTO|VIDEO", type=FILE)
@out_option("Motion file to write, with SMPL-X's keys (docs/MOTION.md).", "NPZ")
@click.option(
    "--overlay",
    metavar="FILE",
    type=FILE,
    help="Also draw the fitted body over the photo (.png) or the video (.mp4).",
)
@view_option
@options_from(TrackOptions)
@body_option
@click.option("-v", "--verbose", is_flag=True, help="Also print all figures as JSON.")
def track(
    media: Path,
    out: Path,
    overlay: Path | None,
    views: tuple[str, ...],
    body: Path | None,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Find body, face and hands of a person in a photo or video.

    Writes a motion file of one or more frames. The content of the file decides which of both it
    is. Parts that the picture does not show take a relaxed pose, and the file says which they are.
    """
    from ...engine.workflows.track_files import summarize_track, track_to_files

    others = tuple(parse_extra_views(views)) if views else ()
    options = TrackOptions(**chosen, others=others)
    names = " + ".join(str(path) for path in (media, *(other.path for other in others)))
    click.echo(f"{names} -> {out}", err=True)
    with terminal_progress() as progress:
        files = track_to_files(
            media, out, options, overlay=overlay, body_path=body, progress=progress
        )
    for warning in files.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    if verbose:
        click.echo(json.dumps(files.report, indent=2))
    click.echo(summarize_track(files))
