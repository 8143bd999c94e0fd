"""``likeness export``: an avatar as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.core.options import option_specs
from ...engine.core.types import LikenessError
from ...engine.formats.vrm_options import VrmOptions
from ...engine.workflows.options import ExportOptions
from .console import terminal_progress
from .options import (
    FILE,
    check_frame,
    given_flags,
    max_gaussians_option,
    options_from,
    out_option,
    pop_options,
    pose_options,
)


@click.command()
@click.argument("avatar", type=FILE)
@out_option(
    "A name ending in .ply or .spz (splats), .glb, .usda or .usdz (splats, rigged mesh, or both), "
    "or .vrm (a rigged mesh for VTubing).",
    "FILE",
)
@pose_options
@click.option(
    "--motion",
    metavar="NPZ",
    type=FILE,
    help="Motion file: it animates the mesh; of splats it makes a file for each frame, named "
    "as in 'me_%04d.ply'.",
)
@click.option(
    "--frames", metavar="A:B", help="Frames of --motion: from A up to, but not including, B."
)
@click.option(
    "--fps",
    metavar="RATE",
    type=click.FloatRange(1, 240),
    help="Frames per second of --motion; the file's if not given.",
)
@options_from(ExportOptions, unset=("content",))
@options_from(VrmOptions)
@max_gaussians_option
@click.pass_context
def export(
    context: click.Context,
    /,
    avatar: Path,
    out: Path,
    pose: str | None,
    frame: int | None,
    expression: str | None,
    motion: Path | None,
    frames: str | None,
    fps: float | None,
    content: str | None,
    max_gaussians: int | None,
    **chosen: Any,
) -> None:
    """Write an avatar for other programs: splats (.ply, .spz), or splats and a rigged mesh with
    its look baked into a texture (.glb, .usda, .usdz, .vrm)."""
    from ...engine.formats.avatar import load_avatar
    from ...engine.gaussians.lod import simplify_avatar
    from ...engine.workflows.export_files import (
        check_export_format,
        export_avatar,
        load_export_motion,
    )
    from ...engine.workflows.pose_choice import parse_expression, resolve_pose

    check_frame(pose, frame)
    if motion is not None and pose is not None:
        raise click.UsageError("--pose goes without --motion, which poses the avatar.")
    if motion is None and (frames is not None or fps is not None):
        raise click.UsageError("--frames and --fps go with --motion.")
    name = out.stem.partition("%")[0].rstrip("_#") or "Avatar"
    if content == "both" and out.suffix.lower() in (".ply", ".spz"):
        content = "mesh"  # refused with the reason
    vrm = VrmOptions(**pop_options(VrmOptions, chosen))
    if out.suffix.lower() == ".vrm":
        if pose is not None or expression is not None:
            raise click.UsageError("A .vrm is in the T-pose: leave --pose and --expression out.")
        chosen["vrm"] = vrm
    elif given := given_flags(context, option_specs(VrmOptions)):
        raise click.UsageError(f"{', '.join(given)} belongs to .vrm files.")
    options = ExportOptions(content or "both", **chosen, name=name)
    check_export_format(out, options, motion is not None)
    stretch = _stretch(frames) if frames is not None else None
    person = load_avatar(avatar)
    if max_gaussians is not None:
        person = simplify_avatar(person, max_gaussians)
    with terminal_progress() as progress:
        if motion is None:
            posed = resolve_pose(person, pose, expression, frame or 0)
            files = export_avatar(person, out, posed, options, progress)
        else:
            weights = parse_expression(expression) if expression is not None else None
            moving, notes = load_export_motion(person, motion, fps, stretch, weights)
            files = export_avatar(person, out, moving, options, progress)
            for note in notes:
                click.echo(f"  note: {note}", err=True)
    for file in files if len(files) < 3 else (files[0], files[-1]):
        click.echo(str(file))


def _stretch(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    try:
        numbers = int(first or 0), int(last)
    except ValueError:
        colon = ""
    if not colon or not 0 <= numbers[0] < numbers[1]:
        raise LikenessError(f"'{text}' is not a range of frames.", "Write --frames 0:100.")
    return numbers
