"""``likeness track``: a photo or a video to a motion file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .console import FiniteNumber, terminal_progress
from .extra_views import parse_extra_views, view_option

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("media", metavar="PHOTO|VIDEO", type=FILE)
@click.option(
    "-o",
    "--out",
    metavar="NPZ",
    required=True,
    type=FILE,
    help="The motion file, with SMPL-X's keys (docs/MOTION.md).",
)
@click.option(
    "--overlay",
    metavar="FILE",
    type=FILE,
    help="Also draw the fitted body over the photo (.png) or the video (.mp4).",
)
@view_option
@click.option("--person", type=click.IntRange(min=0), help="Which of several, from the left, 0 on.")
@click.option(
    "--fov",
    metavar="DEGREES",
    type=FiniteNumber(1, 150),
    help="Field of view along the longer side; else the photo's EXIF, else a guess.",
)
@click.option("--body", metavar="NPZ", type=FILE, help="Another body file, with landmarks.")
@click.option(
    "--start", metavar="SECONDS", type=FiniteNumber(min=0), default=0.0, help="Begin a video there."
)
@click.option("--end", metavar="SECONDS", type=FiniteNumber(min=0), help="Leave a video there.")
@click.option(
    "--max-frames", type=click.IntRange(min=1), help="Of a video, at most so many frames."
)
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Go on with a video where an earlier run was stopped (the default), or begin anew.",
)
@click.option(
    "--estimate",
    metavar="FILE",
    multiple=True,
    type=FILE,
    help="For a photo, another program's pose to begin with (docs/ESTIMATORS.md); several in turn.",
)
@click.option(
    "--smplx", metavar="NPZ", type=FILE, help="Your SMPL-X model, which OSX's hands need."
)
@click.option(
    "--sapiens",
    metavar="FOLDER",
    type=FILE,
    help="For a photo, a downloaded Sapiens2 pose model, whose keypoints are used.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also print all figures as JSON.")
def track(
    media: Path,
    out: Path,
    overlay: Path | None,
    views: tuple[str, ...],
    person: int | None,
    fov: float | None,
    body: Path | None,
    start: float,
    end: float | None,
    max_frames: int | None,
    resume: bool,
    estimate: tuple[Path, ...],
    smplx: Path | None,
    sapiens: Path | None,
    verbose: bool,
) -> None:
    """Find body, face and hands of a person in a photo or video.

    Writes a motion file of one or more frames. Which kind the input is, its content tells. Parts
    that the picture does not show stand at ease, and the file says which they are.
    """
    from ...engine.workflows.track_files import TrackOptions, summarize_track, track_to_files

    others = tuple(parse_extra_views(views)) if views else ()
    options = TrackOptions(
        person, fov, start, end, max_frames, resume, estimate, smplx, sapiens, others
    )
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
