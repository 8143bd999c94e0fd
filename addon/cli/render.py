"""``likeness render``: pictures and clips of an avatar; and the options that say how it poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import FiniteNumber, terminal_progress

if TYPE_CHECKING:
    from ...engine.core.types import Avatar, Camera

FILE = click.Path(path_type=Path)
POSE_HELP = "A pose file (.npz), or a name as relaxed or wave; the photo's pose if not given."
FRAME_HELP = "Which frame of a motion file that --pose names, from 0 on."
EXPRESSION_HELP = (
    "A name as smile or viseme_aa, or weights, as in jawOpen=0.5,eyeBlinkLeft=1; or names and "
    "weights, smile,jawOpen=0.2 (and smile=0.5 for half of it)."
)
LEVEL_HELP = "At most so many: the most important ones, grown to fill in."
SIZE_HELP = "One of them alone keeps the proportions, or makes a square; else 768, or the photo's."
STILL_SIZE = 768

_OF_MOTIONS = ("start", "end", "every", "speed", "up")
_OF_CLIPS = ("fps", *_OF_MOTIONS)
_OF_TURNTABLES = ("turns", "seconds")
_OF_FREE_CAMERAS = ("yaw", "pitch", "focus")


def _positive(most: float) -> FiniteNumber:
    return FiniteNumber(min=0, min_open=True, max=most)


@click.command()
@click.argument("avatar", type=FILE)
@click.option(
    "-o",
    "--out",
    metavar="FILE|DIR",
    required=True,
    type=FILE,
    help="A .png; or a clip: .mp4, .mov, .webm, .gif, .mkv, or a folder or frame_%04d.png.",
)
@click.option("--motion", metavar="NPZ", type=FILE, help="Make a clip of this motion file.")
@click.option("--turntable", is_flag=True, help="Make a clip that goes around the avatar.")
@click.option(
    "--turns",
    metavar="N",
    type=FiniteNumber(-1000, 1000),
    default=1.0,
    show_default=True,
    help="How often around; negative: the other way.",
)
@click.option(
    "--seconds",
    metavar="SECONDS",
    type=_positive(3600),
    default=4.0,
    show_default=True,
    help="How long a turntable takes (with --motion, as long as that).",
)
@click.option(
    "--start",
    metavar="SECONDS",
    type=FiniteNumber(min=0),
    default=0.0,
    help="Begin the motion there.",
)
@click.option("--end", metavar="SECONDS", type=FiniteNumber(min=0), help="Leave the motion there.")
@click.option(
    "--every",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="Take one frame in N of a motion.",
)
@click.option(
    "--fps",
    metavar="RATE",
    type=FiniteNumber(1, 240),
    help="Frames a second of the clip; motions keep their speed. Else the file's, or 30.",
)
@click.option(
    "--speed",
    metavar="FACTOR",
    type=FiniteNumber(0.01, 100),
    default=1.0,
    help="0.5 is slow motion.",
)
@click.option(
    "--up",
    type=click.Choice(["auto", "y", "z", "-y"]),
    default="auto",
    help="Which axis of the motion file points up: z in AMASS, -y in many trackers' files. Else "
    "what the motion looks like.",
)
@click.option(
    "--camera",
    type=click.Choice(["fixed", "follow", "input", "motion"]),
    help="One that stays and holds the whole clip (the clips' default), one that goes along, the "
    "photo's (the pictures' default), or the one that the motion was filmed with.",
)
@click.option(
    "--yaw",
    metavar="DEGREES",
    type=FiniteNumber(-360, 360),
    help="30 shows more of the left side of the body.",
)
@click.option(
    "--pitch",
    metavar="DEGREES",
    type=FiniteNumber(-90, 90),
    help="From above; negative: from below.",
)
@click.option("--focus", type=click.Choice(["head", "upper", "full"]), help="What to show.")
@click.option("--pose", metavar="FILE|NAME", help=POSE_HELP)
@click.option("--frame", metavar="N", type=click.IntRange(min=0), help=FRAME_HELP)
@click.option("--expression", metavar="NAME[=V],...", help=EXPRESSION_HELP)
@click.option(
    "--background",
    metavar="COLOUR",
    help="'#rrggbb', a name as white, or transparent. Without it pictures are transparent, "
    "videos light grey.",
)
@click.option("--max-gaussians", metavar="N", type=click.IntRange(min=1), help=LEVEL_HELP)
@click.option(
    "--backend",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="What draws; auto takes the GPU where gsplat can use one.",
)
@click.option("--width", metavar="PIXELS", type=click.IntRange(1, 8192), help=SIZE_HELP)
@click.option("--height", metavar="PIXELS", type=click.IntRange(1, 8192))
@click.pass_context
def render(context: click.Context, /, **chosen: Any) -> None:
    """Draw an avatar: a picture, a clip of a motion, or a turntable."""
    from ...engine.formats.avatar import load_avatar
    from ...engine.gaussians.lod import simplify_avatar
    from ...engine.imaging.image_sequence import parse_numbered
    from ...engine.render import best_backend
    from ...engine.workflows.still_files import check_still, parse_color

    source = click.core.ParameterSource.COMMANDLINE
    given = {name for name in chosen if context.get_parameter_source(name) is source}
    _check_options(chosen, given)
    still = chosen["motion"] is None and not chosen["turntable"]
    if still:
        check_still(chosen["out"], parse_color(chosen["background"]) is None)
    else:
        parse_numbered(chosen["out"])
    person = load_avatar(chosen["avatar"])
    if chosen["max_gaussians"] is not None:
        person = simplify_avatar(person, chosen["max_gaussians"])
    backend = best_backend() if chosen["backend"] == "auto" else chosen["backend"]
    (_picture if still else _clip)(person, chosen, backend)


def _check_options(chosen: dict[str, Any], given: set[str]) -> None:
    """Refuse options that would do nothing."""

    def refuse(names: tuple[str, ...], why: str) -> None:
        for name in names:
            if name in given:
                raise click.UsageError(f"--{name} {why}")

    motion, turntable = chosen["motion"] is not None, chosen["turntable"]
    if not motion:
        refuse(_OF_MOTIONS, "goes with --motion.")
    if not turntable:
        refuse(_OF_TURNTABLES, "goes with --turntable.")
    if not motion and not turntable:
        refuse(_OF_CLIPS, "goes with --motion or --turntable.")
    if motion:
        refuse(("pose", "frame"), "goes without --motion, which poses the avatar.")
        refuse(("seconds",), "goes without --motion, which lasts as long as it does.")
        if "fps" in given:
            refuse(("every",), "goes without --fps.")
    elif chosen["camera"] in ("follow", "motion"):
        raise click.UsageError(f"--camera {chosen['camera']} goes with --motion.")
    check_frame(chosen["pose"], chosen["frame"])
    if chosen["camera"] in ("input", "motion"):
        refuse(_OF_FREE_CAMERAS, f"goes without --camera {chosen['camera']}.")


def _picture(person: Avatar, chosen: dict[str, Any], backend: str) -> None:
    from ...engine.visual.view_cameras import focus_camera
    from ...engine.workflows.pose_choice import resolve_pose
    from ...engine.workflows.still_files import draw_still, parse_color, save_still

    camera, pose, out = chosen["camera"], chosen["pose"], chosen["out"]
    width, height = chosen["width"], chosen["height"]
    free = camera == "fixed" or any(chosen[name] is not None for name in _OF_FREE_CAMERAS)
    # A pose file has a place of its own, most likely far from where the photo's camera looks.
    free = free or (pose is not None and bool(Path(pose).suffix) and camera is None)
    posed = resolve_pose(person, pose, chosen["expression"], chosen["frame"] or 0)
    if free:
        size = (width or height or STILL_SIZE, height or width or STILL_SIZE)
        yaw, pitch = chosen["yaw"] or 0.0, chosen["pitch"] or 0.0
        view = focus_camera(person, posed, chosen["focus"] or "full", yaw, pitch, *size)
    else:
        view = _scaled(person.camera, width, height)
    background = parse_color(chosen["background"])
    save_still(draw_still(person, posed, view, background, backend), out)


CLIP_BACKGROUND = "#e6e6e6"


def _clip(person: Avatar, chosen: dict[str, Any], backend: str) -> None:
    from ...engine.imaging.image_sequence import parse_numbered
    from ...engine.workflows.clip_files import ClipOptions, render_clip
    from ...engine.workflows.pose_choice import parse_expression, resolve_pose
    from ...engine.workflows.still_files import parse_color

    out, expression = chosen["out"], chosen["expression"]
    pose, colour = chosen["pose"], chosen["background"]
    if colour is None and parse_numbered(out) is None:
        colour = CLIP_BACKGROUND
    options = ClipOptions(
        **{
            name: chosen[name]
            for name in (
                "motion",
                "turntable",
                "turns",
                "seconds",
                "start",
                "end",
                "every",
                "fps",
                "speed",
                "up",
                "focus",
                "width",
                "height",
            )
        },
        backend=backend,
        camera=chosen["camera"] or "fixed",
        yaw=chosen["yaw"] or 0.0,
        pitch=chosen["pitch"] or 0.0,
        background=parse_color(colour),
        pose=resolve_pose(person, pose, None, chosen["frame"] or 0) if pose else None,
        expression=parse_expression(expression) if expression is not None else None,
    )
    with terminal_progress() as progress:
        clip = render_clip(person, out, options, progress)
    for note in clip.notes:
        click.echo(f"  note: {note}", err=True)
    click.echo(
        f"{clip.out}: {clip.frames} frames at {clip.frame_rate:g}/s, {clip.width} x {clip.height}"
    )


# Helpers ------------------------------------------------------------------------------------


def check_frame(pose: str | None, frame: int | None) -> None:
    """Refuse a --frame where there is no file with frames."""
    if frame is not None and (pose is None or not Path(pose).suffix):
        raise click.UsageError("--frame goes with --pose FILE.")


def _scaled(camera: Camera, width: int | None, height: int | None) -> Camera:
    """The camera at another size; one side given keeps the photo's proportions."""
    if width is None and height is None:
        return camera
    if width is None:
        width = max(1, round(camera.width * height / camera.height))  # type: ignore[operator]
    if height is None:
        height = max(1, round(camera.height * width / camera.width))
    return camera.resized(width, height)
