"""The command line: ``likeness``, ``python -m likeness`` and ``blender --command likeness``.

One parser, one :func:`main`. Heavy modules load inside the commands, so that ``--help`` is fast.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.types import LikenessError, Progress
from .cli_console import complain, show_warning, terminal_progress
from .cli_track import track

if TYPE_CHECKING:
    from ..engine.types import Avatar, Camera, Pose

EXIT_ERROR = 2
PHOTO = click.Path(path_type=Path)


# Commands -----------------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """One portrait in, an animatable 3D Gaussian avatar out."""


cli.add_command(track)


@cli.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=PHOTO)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    required=True,
    type=PHOTO,
    help="Where to write; each of several photos gets a folder of its own in it.",
)
@click.option("--max-gaussians", type=click.IntRange(min=1), help="At most so many (262,144).")
@click.option("--person", type=click.IntRange(min=0), help="Which of several, from the left, 0 on.")
@click.option(
    "--fov",
    type=click.FloatRange(1, 150),
    help="Field of view along the longer side, in degrees, if you know it.",
)
@click.option("--body", metavar="NPZ", type=PHOTO, help="Another body file, with landmarks.")
@click.option("--blend/--no-blend", default=True, help="Also write avatar.blend.")
@click.option("--preview/--no-preview", default=True, help="Also write preview.png.")
@click.option("-v", "--verbose", is_flag=True, help="Also print the figures of the report.")
def build(
    photos: tuple[Path, ...],
    out: Path,
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
    **chosen: float | None,
) -> None:
    """Build avatars from portraits: avatar.safetensors, avatar.blend, preview.png, report.json."""
    folders = [out] if len(photos) == 1 else [out / photo.stem for photo in photos]
    if len(set(folders)) < len(folders):
        raise LikenessError(
            "Two of the photos have the same name, so their avatars would overwrite each other.",
            "Rename one, or build them one by one.",
        )
    failed = False
    for photo, folder in zip(photos, folders):
        try:
            _build_one(photo, folder, chosen, body, blend, preview, verbose)
        except LikenessError as error:
            if len(photos) == 1:
                raise
            complain(error)
            failed = True
    if failed:
        raise click.exceptions.Exit(EXIT_ERROR)


def _build_one(
    photo: Path,
    folder: Path,
    chosen: dict[str, float | None],
    body: Path | None,
    blend: bool,
    preview: bool,
    verbose: bool,
) -> None:
    from ..engine.output import build_to_folder
    from ..engine.pipeline import BuildOptions

    options = BuildOptions(**{k: v for k, v in chosen.items() if v is not None})  # type: ignore[arg-type]
    click.echo(f"{photo} -> {folder}", err=True)
    with terminal_progress() as progress:
        files = build_to_folder(
            photo, folder, options, preview=preview, body_path=body, progress=progress
        )
        if blend:
            _write_blend(files.avatar, photo, progress)
    for warning in files.report["warnings"]:
        click.echo(f"  warning: {warning}", err=True)
    if verbose:
        click.echo(json.dumps(files.report, indent=2))
    click.echo(str(files.avatar))


def _write_blend(avatar: Path, photo: Path, progress: Progress) -> None:
    """Make avatar.blend beside the avatar, in this process if it is Blender, else in another."""
    from ..engine.output import BLEND_FILE, whole_files

    if "bpy" not in sys.modules and importlib.util.find_spec("bpy") is None:
        click.echo("  no avatar.blend: Blender's Python module bpy is not installed.", err=True)
        return
    progress("blend", 0.0, "writing the Blender file")
    with whole_files(avatar.parent) as scratch:
        target = scratch / BLEND_FILE
        if "bpy" in sys.modules:
            from .scene.blend import blend_from_avatar

            blend_from_avatar(avatar, target, photo)
        else:
            # A process of its own: bpy keeps one scene, and its exit is not always clean.
            paths = [str(path.absolute()) for path in (avatar, target, photo)]
            done = subprocess.run(
                [sys.executable, "-m", f"{__package__}.scene.blend", *paths],
                check=False, capture_output=True, text=True, errors="replace",
            )  # fmt: skip
            if done.returncode or not target.exists():
                lines = (done.stderr or done.stdout).strip().splitlines()
                raise LikenessError(
                    f"avatar.blend was not written: {lines[-1] if lines else 'Blender stopped'}.",
                    f"The avatar itself is complete: '{avatar}'. Leave it out with --no-blend.",
                )
    progress("blend", 1.0, "written")


POSE_HELP = "A pose file (.npz), or a name as relaxed or wave; the photo's pose if not given."
FRAME_HELP = "Which frame of a motion file that --pose names, from 0 on."
EXPRESSION_HELP = "Expression weights, as in jawOpen=0.5,eyeBlinkLeft=1."


@cli.command()
@click.argument("avatar", type=PHOTO)
@click.option("-o", "--out", metavar="PNG", required=True, type=PHOTO)
@click.option("--camera", type=click.Choice(["input"]), help="The photo's camera.")
@click.option("--yaw", type=float, help="Degrees; 30 shows more of the left side of the body.")
@click.option("--pitch", type=float, help="Degrees; positive looks from above.")
@click.option("--focus", type=click.Choice(["head", "upper", "full"]), help="What to show.")
@click.option("--pose", metavar="FILE|NAME", help=POSE_HELP)
@click.option("--frame", type=click.IntRange(min=0), default=0, help=FRAME_HELP)
@click.option("--expression", metavar="NAME=V,...", help=EXPRESSION_HELP)
@click.option("--width", type=click.IntRange(1, 8192))
@click.option("--height", type=click.IntRange(1, 8192))
def render(
    avatar: Path,
    out: Path,
    camera: str | None,
    yaw: float | None,
    pitch: float | None,
    focus: str | None,
    pose: str | None,
    frame: int,
    expression: str | None,
    width: int | None,
    height: int | None,
) -> None:
    """Draw an avatar to a PNG with a transparent background."""
    from ..engine.evaluation.sheet import save_picture, straight_rgba
    from ..engine.evaluation.views import focus_camera
    from ..engine.formats.avatar import load_avatar
    from ..engine.gaussians.binding import pose_avatar
    from ..engine.output import whole_files
    from ..engine.render import render_camera

    free = yaw is not None or pitch is not None or focus is not None
    # A pose file has a place of its own, most likely far from where the photo's camera looks.
    free = free or (pose is not None and bool(Path(pose).suffix) and camera is None)
    if camera and free:
        raise click.UsageError("--camera input goes without --yaw, --pitch and --focus.")
    person = load_avatar(avatar)
    posed = _posed(person, pose, expression, frame)
    gaussians = pose_avatar(person, posed)
    if free:
        size = (width or height or 768, height or width or 768)
        view = focus_camera(person, posed, focus or "full", yaw or 0.0, pitch or 0.0, *size)
    else:
        view = _scaled(person.camera, width, height)
    with whole_files(out.absolute().parent) as scratch:
        save_picture(straight_rgba(render_camera(gaussians, view)), scratch / out.name)


@cli.command()
@click.argument("avatar", type=PHOTO)
@click.option("-o", "--out", metavar="PLY", required=True, type=PHOTO)
@click.option("--pose", metavar="FILE|NAME", help=POSE_HELP)
@click.option("--frame", type=click.IntRange(min=0), default=0, help=FRAME_HELP)
@click.option("--expression", metavar="NAME=V,...", help=EXPRESSION_HELP)
def export(avatar: Path, out: Path, pose: str | None, frame: int, expression: str | None) -> None:
    """Write the posed Gaussians of an avatar as a PLY file for splat viewers."""
    from ..engine.formats.avatar import load_avatar
    from ..engine.formats.ply import write_ply
    from ..engine.gaussians.binding import pose_avatar
    from ..engine.output import whole_files

    if out.suffix.lower() != ".ply":
        raise LikenessError(f"'{out}' has no known format.", "Choose a name that ends with .ply.")
    person = load_avatar(avatar)
    gaussians = pose_avatar(person, _posed(person, pose, expression, frame))
    with whole_files(out.absolute().parent) as scratch:
        write_ply(gaussians, scratch / out.name)


@cli.command()
@click.argument("avatar", type=PHOTO)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(avatar: Path, as_json: bool) -> None:
    """Say what an avatar file holds."""
    from ..engine.formats.avatar import load_avatar
    from ..engine.types import LAYERS

    person = load_avatar(avatar)
    layers = person.gaussians.layer
    facts: dict[str, Any] = {
        "gaussians": len(person.gaussians),
        "layers": {name: int((layers == i).sum()) for i, name in enumerate(LAYERS)},
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
    click.echo(
        f"  framing      {person.framing}, photo {person.camera.width} x {person.camera.height}"
    )
    click.echo(
        f"  body         {facts['vertices']:,} vertices, {len(facts['expressions'])} expressions"
    )
    for key, value in person.provenance.items():
        click.echo(f"  {key:<12} {value if isinstance(value, str) else json.dumps(value)}")


# Helpers ------------------------------------------------------------------------------------


def parse_expression(text: str) -> dict[str, float]:
    """Weights from ``NAME=V,...``.

    >>> parse_expression("jawOpen=0.5, mouthSmileLeft=1")
    {'jawOpen': 0.5, 'mouthSmileLeft': 1.0}
    """
    weights = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise LikenessError(
                f"'{part.strip()}' is not an expression weight.",
                "Write NAME=VALUE, as jawOpen=0.5.",
            )
    return weights


def _posed(avatar: Avatar, pose: str | None, expression: str | None, frame: int = 0) -> Pose:
    """The pose that --pose and --expression ask for; the photo's where they are silent."""
    from dataclasses import replace

    from ..engine.formats.pose import load_pose, named_pose

    posed = avatar.pose
    if pose is not None and Path(pose).suffix:
        posed = load_pose(Path(pose), avatar.body.num_expression, frame)
    elif pose is not None:
        posed = named_pose(pose, avatar.body, avatar.pose)
    if expression is not None:
        posed = replace(posed, expression=avatar.body.expression(**parse_expression(expression)))
    return posed


def _scaled(camera: Camera, width: int | None, height: int | None) -> Camera:
    """The camera at another size; one side given keeps the photo's proportions."""
    if width is None and height is None:
        return camera
    if width is None:
        width = max(1, round(camera.width * height / camera.height))  # type: ignore[operator]
    if height is None:
        height = max(1, round(camera.height * width / camera.width))
    return camera.resized(width, height)


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns the exit code (2 for what the user can mend)."""
    warnings.showwarning = show_warning  # type: ignore[assignment]
    try:
        code = cli.main(args=list(argv), prog_name="likeness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except LikenessError as error:
        complain(error)
        return EXIT_ERROR
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("likeness: cancelled.", err=True)
        return 130
