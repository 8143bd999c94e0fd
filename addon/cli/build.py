"""``likeness build``: avatars from portraits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError, Progress
from ...engine.pipeline.options import BuildOptions, parse_settings
from .console import EXIT_ERROR, print_error, terminal_progress
from .extra_views import parse_extra_views, view_option
from .options import FILE, body_option, options_from, out_option, set_option

if TYPE_CHECKING:
    from ...engine.pipeline.track import ExtraView
    from ..blend_file import BlendProcess


@click.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=FILE)
@out_option("Folder to write to; each of several photos gets a folder of its own in it.")
@view_option
@options_from(BuildOptions)
@set_option
@body_option
@click.option("--blend/--no-blend", default=True, help="Also write avatar.blend (the default).")
@click.option("--preview/--no-preview", default=True, help="Also write preview.png (the default).")
@click.option("-v", "--verbose", is_flag=True, help="Also print the figures of the report.")
def build(
    photos: tuple[Path, ...],
    out: Path,
    views: tuple[str, ...],
    settings: tuple[str, ...],
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Build avatars from portraits: avatar.safetensors, avatar.blend, preview.png, report.json."""
    folders = [out] if len(photos) == 1 else [out / photo.stem for photo in photos]
    if len(set(folders)) < len(folders):
        raise LikenessError(
            "Two of the photos have the same name, so their avatars would overwrite each other.",
            "Rename one, or build them one by one.",
        )
    others = parse_extra_views(views, len(photos)) if views else []
    options = BuildOptions(**chosen, settings=parse_settings(settings))
    failed = False
    for photo, folder in zip(photos, folders):
        try:
            _build_one(photo, folder, others, options, body, blend, preview, verbose)
        except LikenessError as error:
            if len(photos) == 1:
                raise
            print_error(error)
            failed = True
    if failed:
        raise click.exceptions.Exit(EXIT_ERROR)


def _build_one(
    photo: Path,
    folder: Path,
    others: Sequence[ExtraView],
    options: BuildOptions,
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
) -> None:
    from ...engine.workflows.build_files import build_to_folder
    from ..blend_file import BlendProcess, can_write_blend

    blend_ahead = blend and can_write_blend()
    names = " + ".join(str(path) for path in (photo, *(other.path for other in others)))
    click.echo(f"{names} -> {folder}", err=True)
    with terminal_progress() as progress, BlendProcess() as blend_process:

        def tell(stage: str, fraction: float, message: str) -> None:
            progress(stage, fraction, message)
            if stage == "lift" and blend_ahead:  # which leaves a core idle
                blend_process.start()

        files = build_to_folder(
            photo, folder, options, preview=preview, body_path=body, progress=tell, others=others
        )
        if blend:
            _write_blend(files.avatar, photo, progress, blend_process)
    for warning in files.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    if verbose:
        click.echo(json.dumps(files.report, indent=2))
    click.echo(str(files.avatar))


def _write_blend(avatar: Path, photo: Path, progress: Progress, process: BlendProcess) -> None:
    """Make avatar.blend beside the avatar."""
    from ...engine.files.atomic import atomic_write_files
    from ...engine.workflows.build_files import BLEND_FILE
    from ..blend_file import can_write_blend, write_blend

    if not can_write_blend():
        click.echo("  no avatar.blend: Blender's Python module bpy is not installed.", err=True)
        return
    progress("blend", 0.0, "writing the Blender file")
    with atomic_write_files(avatar.parent) as scratch:
        write_blend(avatar, scratch / BLEND_FILE, photo, process=process)
    progress("blend", 1.0, "written")
