"""The command line: ``likeness``, ``python -m likeness`` and ``blender --command likeness``.

One parser, one :func:`main`. Heavy modules load inside the commands, so that ``--help`` is fast.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.signals import reraise_interrupts
from ...engine.core.types import LikenessError, Progress
from ...engine.core.version import VERSION
from ...engine.pipeline.options import BuildOptions, parse_settings
from .assets import assets
from .batch import batch, batch_worker
from .console import print_error, show_warning, terminal_progress
from .convert import convert
from .eval import evaluation
from .export import export
from .extra_views import parse_extra_views, view_option
from .generate import generate, generate_worker
from .options import FILE, body_option, options_from, out_option, set_option
from .render import render
from .synth import synth, synth_worker
from .track import track
from .train import train

if TYPE_CHECKING:
    from ...engine.pipeline.track import ExtraView

EXIT_ERROR = 2
EXIT_CANCELLED = 130


# Commands -----------------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, message="Likeness %(version)s")
def cli() -> None:
    """One portrait in, an animatable 3D Gaussian avatar out."""


for command in (assets, track, render, export, train, synth, convert, evaluation, generate, batch):
    cli.add_command(command)
for worker in (synth_worker, batch_worker, generate_worker):
    cli.add_command(worker)


@cli.command(short_help="Build avatars from portraits.")
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

    names = " + ".join(str(path) for path in (photo, *(other.path for other in others)))
    click.echo(f"{names} -> {folder}", err=True)
    with terminal_progress() as progress:
        files = build_to_folder(
            photo,
            folder,
            options,
            preview=preview,
            body_path=body,
            progress=progress,
            others=others,
        )
        if blend:
            _write_blend(files.avatar, photo, progress)
    for warning in files.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    if verbose:
        click.echo(json.dumps(files.report, indent=2))
    click.echo(str(files.avatar))


def _write_blend(avatar: Path, photo: Path, progress: Progress) -> None:
    """Make avatar.blend beside the avatar."""
    from ...engine.files.atomic import atomic_write_files
    from ...engine.workflows.build_files import BLEND_FILE
    from ..blend_file import can_write_blend, write_blend

    if not can_write_blend():
        click.echo("  no avatar.blend: Blender's Python module bpy is not installed.", err=True)
        return
    progress("blend", 0.0, "writing the Blender file")
    with atomic_write_files(avatar.parent) as scratch:
        write_blend(avatar, scratch / BLEND_FILE, photo)
    progress("blend", 1.0, "written")


@cli.command()
@click.argument("avatar", type=FILE, required=False)
@click.option("--settings", is_flag=True, help="List the tuning constants for --set instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(avatar: Path | None, settings: bool, as_json: bool) -> None:
    """Describe an avatar file, or list the tuning constants of a build."""
    if settings:
        _list_settings(as_json)
        return
    if avatar is None:
        raise click.UsageError("Missing argument 'AVATAR'.")
    from ...engine.core.types import LAYERS
    from ...engine.formats.avatar import load_avatar

    person = load_avatar(avatar)
    layers = person.gaussians.layer
    facts: dict[str, Any] = {
        "gaussians": len(person.gaussians),
        "layers": {name: int((layers == i).sum()) for i, name in enumerate(LAYERS)},
        "ordered": person.lod_start is not None,
        "framing": person.framing,
        "vertices": len(person.body.v_template),
        "expressions": list(person.body.expression_names),
        "photo": {"width": person.camera.width, "height": person.camera.height},
        "provenance": person.provenance,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in facts["layers"].items())
    click.echo(f"{avatar}")
    click.echo(f"  Gaussians    {facts['gaussians']:,} ({counts})")
    order = "of importance: the first of them are lower levels of detail"
    if not facts["ordered"]:
        order = "none: build it again for lower levels of detail"
    click.echo(f"  order        {order}")
    click.echo(
        f"  framing      {person.framing}, photo {person.camera.width} x {person.camera.height}"
    )
    click.echo(
        f"  body         {facts['vertices']:,} vertices, {len(facts['expressions'])} expressions"
    )
    for key, value in person.provenance.items():
        click.echo(f"  {key:<12} {value if isinstance(value, str) else json.dumps(value)}")


def _list_settings(as_json: bool) -> None:
    """Every tuning constant with its default and meaning."""
    from ...engine.core.settings import list_settings
    from ...engine.pipeline import build  # noqa: F401  registers the stages of a build
    from ...engine.tracking import track_video  # noqa: F401  and those of a video

    listed = list_settings()
    if as_json:
        facts = {one.name: {"default": one.default, "meaning": one.meaning} for one in listed}
        click.echo(json.dumps(facts, indent=2))
        return
    for one in listed:
        value = (
            f"{one.name}={','.join(map(str, one.default))}"
            if isinstance(one.default, tuple)
            else f"{one.name}={one.default}"
        )
        click.echo(f"{value:<48} {one.meaning}".rstrip())


# Entry --------------------------------------------------------------------------------------


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (2 for user errors)."""
    warnings.showwarning = show_warning  # type: ignore[assignment]
    try:
        with reraise_interrupts():
            code = cli.main(args=list(argv), prog_name="likeness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LikenessError as error:
        print_error(error)
        return EXIT_ERROR
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("likeness: cancelled.", err=True)
        return EXIT_CANCELLED
