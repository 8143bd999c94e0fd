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
from .assets import assets
from .batch import batch, batch_worker
from .console import FiniteNumber, print_error, show_warning, terminal_progress
from .convert import convert
from .eval import evaluation
from .export import export
from .extra_views import parse_extra_views, view_option
from .generate import generate, generate_worker
from .render import render
from .synth import synth, synth_worker
from .track import track
from .train import train

if TYPE_CHECKING:
    from ...engine.pipeline.track import ExtraView

EXIT_ERROR = 2
EXIT_CANCELLED = 130
PHOTO = click.Path(path_type=Path)


# Commands -----------------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, message="Likeness %(version)s")
def cli() -> None:
    """One portrait in, an animatable 3D Gaussian avatar out."""


cli.add_command(assets)
cli.add_command(track)
cli.add_command(render)
cli.add_command(export)
cli.add_command(train)
cli.add_command(synth)
cli.add_command(convert)
cli.add_command(evaluation)
cli.add_command(generate)
cli.add_command(batch)
cli.add_command(synth_worker)
cli.add_command(batch_worker)
cli.add_command(generate_worker)


@cli.command(short_help="Build avatars from portraits.")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=PHOTO)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    required=True,
    type=PHOTO,
    help="Where to write; each of several photos gets a folder of its own in it.",
)
@view_option
@click.option(
    "--max-gaussians",
    metavar="N",
    type=click.IntRange(min=5000),
    help="At most so many splats; 262,144 if not given.",
)
@click.option(
    "--person",
    metavar="N",
    type=click.IntRange(min=0),
    help="Which of several, counted from the left from 0; else the largest.",
)
@click.option(
    "--fov",
    metavar="DEGREES",
    type=FiniteNumber(1, 150),
    help="Field of view along the longer side, if you know it.",
)
@click.option(
    "--refine",
    type=click.Choice(["off", "fast", "full"]),
    default="fast",
    show_default=True,
    help="How long the splats are fitted to the photo: not at all, about 15 seconds, or about 45, "
    "on two idle cores.",
)
@click.option(
    "--network",
    metavar="DIR|default|none",
    default="default",
    show_default=True,
    help="What corrects the sides that the photo does not show: the network that comes with "
    "Likeness, none, or the folder of another.",
)
@click.option("--body", metavar="NPZ", type=PHOTO, help="Another body file, with landmarks.")
@click.option("--blend/--no-blend", default=True, help="Also write avatar.blend.")
@click.option("--preview/--no-preview", default=True, help="Also write preview.png.")
@click.option("-v", "--verbose", is_flag=True, help="Also print the figures of the report.")
def build(
    photos: tuple[Path, ...],
    out: Path,
    views: tuple[str, ...],
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
    **chosen: float | str | None,
) -> None:
    """Build avatars from portraits: avatar.safetensors, avatar.blend, preview.png, report.json."""
    folders = [out] if len(photos) == 1 else [out / photo.stem for photo in photos]
    if len(set(folders)) < len(folders):
        raise LikenessError(
            "Two of the photos have the same name, so their avatars would overwrite each other.",
            "Rename one, or build them one by one.",
        )
    others = parse_extra_views(views, len(photos)) if views else []
    failed = False
    for photo, folder in zip(photos, folders):
        try:
            _build_one(photo, folder, others, chosen, body, blend, preview, verbose)
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
    chosen: dict[str, float | str | None],
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
) -> None:
    from ...engine.pipeline.options import BuildOptions
    from ...engine.workflows.build_files import build_to_folder

    options = BuildOptions(**{k: v for k, v in chosen.items() if v is not None})  # type: ignore[arg-type]
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
@click.argument("avatar", type=PHOTO)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(avatar: Path, as_json: bool) -> None:
    """Say what an avatar file holds."""
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


# Entry --------------------------------------------------------------------------------------


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (2 for what the user can mend)."""
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
