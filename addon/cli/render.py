"""``likeness render``: pictures and clips of an avatar; and the options that say how it poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.options import given_options
from ...engine.workflows.options import ClipOptions
from .console import terminal_progress
from .options import FILE, check_frame, max_gaussians_option, options_from, out_option, pose_options

if TYPE_CHECKING:
    from ...engine.core.types import Avatar, Camera

STILL_SIZE = 768

_OF_MOTIONS = ("start", "end", "every", "speed", "up", "swing")
_OF_CLIPS = ("fps", *_OF_MOTIONS)
_OF_TURNTABLES = ("turns", "seconds")
_OF_FREE_CAMERAS = ("yaw", "pitch", "focus")
_OF_LIGHT = ("light_turn", "light_exposure", "relight")


@click.command()
@click.argument("avatar", type=FILE)
@out_option(
    "A .png; or a clip: .mp4, .mov, .webm, .gif, .mkv, or a folder or frame_%04d.png.", "FILE|DIR"
)
@options_from(ClipOptions, unset=("camera", "yaw", "pitch"))
@pose_options
@click.option(
    "--background",
    metavar="COLOUR",
    help="Background: '#rrggbb', a name as white, or transparent; by default transparent for "
    "pictures and light grey for videos.",
)
@max_gaussians_option
@click.option(
    "--backend",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Rasteriser; auto (the default) takes the GPU where gsplat can use one.",
)
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
    """Refuse options that would have no effect."""

    def refuse(names: tuple[str, ...], why: str) -> None:
        for name in names:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} {why}")

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
    if chosen["light"] is None:
        refuse(_OF_LIGHT, "goes with --light.")
    check_frame(chosen["pose"], chosen["frame"])
    if chosen["camera"] in ("input", "motion"):
        refuse(_OF_FREE_CAMERAS, f"goes without --camera {chosen['camera']}.")


def _picture(person: Avatar, chosen: dict[str, Any], backend: str) -> None:
    from ...engine.visual.view_cameras import focus_camera
    from ...engine.workflows.pose_choice import resolve_pose
    from ...engine.workflows.still_files import draw_still, load_light, parse_color, save_still

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
    finish = chosen["refiner"], chosen["polish"]
    light = None
    if chosen["light"] is not None:
        how = (chosen[name] for name in _OF_LIGHT)
        light = load_light(chosen["light"], *how)
    picture = draw_still(person, posed, view, background, backend, *finish, light)
    save_still(picture, out)


CLIP_BACKGROUND = "#e6e6e6"


def _clip(person: Avatar, chosen: dict[str, Any], backend: str) -> None:
    from ...engine.imaging.image_sequence import parse_numbered
    from ...engine.workflows.clip_files import render_clip
    from ...engine.workflows.pose_choice import parse_expression, resolve_pose
    from ...engine.workflows.still_files import parse_color

    out, expression = chosen["out"], chosen["expression"]
    pose, colour = chosen["pose"], chosen["background"]
    if colour is None and parse_numbered(out) is None:
        colour = CLIP_BACKGROUND
    given = given_options(ClipOptions, chosen)
    options = ClipOptions(
        **given,
        backend=backend,
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


def _scaled(camera: Camera, width: int | None, height: int | None) -> Camera:
    """The camera at another size; one side given keeps the photo's proportions."""
    if width is None and height is None:
        return camera
    if width is None:
        width = max(1, round(camera.width * height / camera.height))  # type: ignore[operator]
    if height is None:
        height = max(1, round(camera.height * width / camera.width))
    return camera.resized(width, height)
