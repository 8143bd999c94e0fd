"""Clips of an avatar as files: a motion, a turntable, or both at once.

The command line goes through :func:`render_clip`. Files are written atomically, and predictable
errors are raised before the first frame is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.cameras import orbit
from ..core.types import (
    FRAME_STATES,
    Avatar,
    BoolArray,
    Camera,
    LikenessError,
    Motion,
    Pose,
    Progress,
)
from ..core.upright import camera_at
from ..files.folders import make_parents
from ..gaussians.swing_rig import make_swing_rig
from ..imaging.image_sequence import ImageSequenceWriter, NumberedFiles, parse_numbered
from ..imaging.resize import fit_size
from ..imaging.video import import_av
from ..imaging.video_writer import FORMATS, GIF_MAX_RATE, VideoWriter, check_video_format
from ..motion import reenact
from ..motion.bone_maps import detect_bones
from ..motion.bvh import read_bvh
from ..motion.face_keys import known_joints
from ..motion.io import motion_from_arrays, read_arrays
from ..motion.motion_source import measure_source_body
from ..motion.prepare_motion import motion_from_poses
from ..motion.retarget import retarget_motion
from ..motion.smplx_keys import Arrays, standardize_keys
from ..motion.swing import swing_vertices
from ..motion.swing_options import SwingOptions
from ..visual.clip_cameras import (
    DEFAULT_FOCUS,
    FOLLOW_SECONDS,
    AvatarOutline,
    FrameSpec,
    render_frames,
    steady_cameras,
    turntable_yaws,
)
from ..visual.lit_pictures import lit_drawing
from .options import ClipOptions
from .still_files import check_light, finished_drawing, load_light

DEFAULT_SIZE = 768
MAX_SIDE = 1280
"""Pixels of the longer side of a photo's or video's own camera, when no size is given."""

TURNTABLE_RATE = 30.0

MIN_RATE = 1 / 60
"""Frames a second; a lower rate means an error in the options or in the motion file."""


@dataclass(frozen=True)
class Clip:
    """What was written.

    Attributes:
        out: the file, or the pattern of the numbered files.
        frames: how many.
        width: pixels.
        height: pixels.
        frame_rate: frames a second.
        notes: for the user, about choices that were made.
    """

    out: Path
    frames: int
    width: int
    height: int
    frame_rate: float
    notes: tuple[str, ...]


def render_clip(
    avatar: Avatar, out: Path, options: ClipOptions, progress: Progress | None = None
) -> Clip:
    """Draw a clip of an avatar.

    Args:
        avatar: the avatar.
        out: a name with a suffix of ``video_writer.FORMATS``, or, for numbered PNG files, a
            folder or a name with the number's place in it (``frame_%04d.png``).
        options: what the clip shows, and how.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: an option, the motion or the output path cannot be used; it says what to do.
    """
    notes: list[str] = []
    check_light(options.light is not None, options.refiner, options.polish)
    if options.swing and options.motion is None:
        raise LikenessError(
            "Hair and skirts cannot swing without a motion.", "Give one, or leave the swing out."
        )
    rig = None
    if options.swing:
        avatar, rig, _ = make_swing_rig(avatar)
    draw = finished_drawing(avatar, options.refiner, options.polish)
    light = None
    if options.light is not None:
        how = options.light_turn, options.light_exposure, options.relight
        light = load_light(options.light, *how)
    names = parse_numbered(out)
    if names is None:
        check_video_format(out, options.background is None)
        import_av()
    poses, rate, motion = _poses(avatar, options, notes)
    count = len(poses)
    if motion is None:
        count = max(1, round(options.seconds * rate))
    _check_target(out, names, count, rate)
    even = names is None and FORMATS[out.suffix.lower()].even
    cameras = _cameras(avatar, poses, count, rate, motion, options, even, notes, progress)
    if light is not None:
        draw = lit_drawing(avatar, light, cameras[0] if options.turntable else None)
    width, height = cameras[0].width, cameras[0].height
    alpha = options.background is None
    writer = (
        VideoWriter(out, width, height, rate, alpha=alpha)
        if names is None
        else ImageSequenceWriter(names, width, height, alpha=alpha)
    )
    surface = None
    if rig is not None and motion is not None:
        springs = SwingOptions(amount=options.swing)
        surface = swing_vertices(rig, poses, rate, springs, motion.shot)
    how_drawn = options.background, options.backend, draw, surface
    drawn = render_frames(avatar, poses, cameras, *how_drawn)
    with make_parents(out if names is None else names.pattern), writer:
        for number, picture in enumerate(drawn, 1):
            writer.write(picture)
            if progress:
                progress("frames", number / count, f"frame {number} of {count}")
    return Clip(out if names is None else names.pattern, count, width, height, rate, tuple(notes))


def _check_target(out: Path, names: NumberedFiles | None, count: int, rate: float) -> None:
    if rate < MIN_RATE:
        raise LikenessError(
            f"'{out}' would show {rate:.2g} frames a second, less than one in a minute.",
            "Give --fps, or a smaller --every or a larger --speed.",
        )
    if names is None:
        if out.suffix.lower() == ".gif" and rate > GIF_MAX_RATE + 1e-6:
            raise LikenessError(
                f"'{out}' cannot show {rate:g} frames a second: GIF ends at {GIF_MAX_RATE:g}.",
                "Give --fps 25 (or --every 2), or choose another format.",
            )
        return
    left = names.beyond(count)
    if left:
        raise LikenessError(
            f"'{left[0]}' is a frame of another clip, longer than this one of {count} frames.",
            "Choose another folder or name, or remove the old frames.",
        )


# What moves ---------------------------------------------------------------------------------


def _poses(
    avatar: Avatar, options: ClipOptions, notes: list[str]
) -> tuple[Sequence[Pose], float, Motion | None]:
    """The poses (a single one for a figure that stands still), frames a second, the motion."""
    if options.motion is None:
        pose = _with_expression(options.pose or avatar.pose, avatar, options.expression)
        return [pose], options.fps or TURNTABLE_RATE, None
    motion = load_clip_motion(avatar, options.motion, options, notes)
    moving = [
        _with_expression(motion.pose(k), avatar, options.expression) for k in range(len(motion))
    ]
    return moving, motion.frame_rate, motion


def _with_expression(pose: Pose, avatar: Avatar, weights: dict[str, float] | None) -> Pose:
    if not weights:
        return pose
    wanted = avatar.body.expression(**weights)
    expression = np.array(pose.expression, np.float64)
    for name in weights:
        index = avatar.body.expression_index[name]
        expression[index] = wanted[index]
    return replace(pose, expression=expression)


def load_clip_motion(avatar: Avatar, path: Path, options: ClipOptions, notes: list[str]) -> Motion:
    """A motion file as this avatar does it, where the camera of ``options`` expects it.

    Args:
        avatar: the avatar.
        path: the motion file.
        options: the stretch, rate, speed, up axis and camera.
        notes: receives notes for the user.

    Raises:
        LikenessError: the file cannot be read, is not a motion, or lacks the camera wanted.
    """
    arrays: Arrays = {}
    if path.suffix.lower() == ".bvh":
        motion = _of_bvh(avatar, path, arrays, notes)
    else:
        arrays = read_arrays(path)
        with warnings.catch_warnings():
            if options.camera != "motion":  # only then its camera matters
                warnings.filterwarnings("ignore", message=".*has no camera")
            body = avatar.body
            arrays, more = standardize_keys(arrays, path)
            for note in more:
                warnings.warn(note, stacklevel=2)
            motion = motion_from_arrays(arrays, path, body.num_expression, body.expression_names)
            motion = _with_photo_pose(motion, known_joints(arrays), avatar)
    has_camera = "camera_K" in arrays
    if options.camera == "motion" and not has_camera:
        raise LikenessError(
            f"'{path}' holds no camera.", "Use --camera fixed, follow or input instead."
        )
    whole = len(motion)
    motion = reenact.trim(
        motion,
        options.start,
        options.end,
        every=options.every,
        fps=options.fps,
        speed=options.speed,
    )
    if whole == 1:
        notes.append(f"'{path}' holds one frame only, and so does the clip.")
    lost = int((motion.frame_state == FRAME_STATES.index("lost")).sum())
    if lost:
        notes.append(f"In {lost} of {len(motion)} frames the tracker had lost the person.")
    pelvis, legs = measure_source_body(arrays, path, motion)
    scale = reenact.leg_length(avatar.body.J_template) / legs if legs else 1.0
    up = options.up
    if up == "auto":
        up = "y" if has_camera else reenact.up_axis(motion)
        if up != "y":
            notes.append(f"'{path}' has {up} up, it seems (--up says otherwise).")
    motion = reenact.make_upright(motion, pelvis, up)
    if options.camera == "motion":
        return reenact.align_to_camera(motion, avatar, pelvis, scale)
    if not has_camera:
        heading = np.array([0.0, 0.0, 1.0])
        if options.camera == "input":
            heading = reenact.facing_direction(avatar.pose)
        motion = reenact.turn_to_heading(motion, pelvis, heading)
    motion = reenact.place_on_avatar(motion, avatar, pelvis, scale, np.zeros(3))
    return reenact.align_to_photo(motion, avatar) if options.camera == "input" else motion


def _with_photo_pose(motion: Motion, known: BoolArray | None, avatar: Avatar) -> Motion:
    """The motion of a head alone, on the body as the photo shows it."""
    if known is None:
        return motion
    pose = np.where(known[:, None], motion.full_pose, avatar.pose.full_pose)
    return replace(motion, full_pose=pose)


def _of_bvh(avatar: Avatar, path: Path, arrays: Arrays, notes: list[str]) -> Motion:
    """A skeleton's motion on this avatar, whose legs and pelvis it then has."""
    joints = np.asarray(avatar.body.J_template, np.float64)
    moved = read_bvh(path)
    found = detect_bones(moved.skeleton.names)
    done = retarget_motion(moved, found, joints)
    notes.extend([found.report(), *done.notes])
    arrays |= {"pelvis": joints[0], "leg_length": np.array(reenact.leg_length(joints))}
    return motion_from_poses(
        done.full_pose, done.transl, avatar.body.num_expression, moved.frame_rate
    )


# Cameras ------------------------------------------------------------------------------------


def _cameras(
    avatar: Avatar,
    poses: Sequence[Pose],
    count: int,
    rate: float,
    motion: Motion | None,
    options: ClipOptions,
    even: bool,
    notes: list[str],
    progress: Progress | None,
) -> list[Camera]:
    yaws = np.full(count, options.yaw)
    if options.turntable:
        yaws = turntable_yaws(count, options.turns, options.yaw)
    focus = options.focus or DEFAULT_FOCUS[avatar.framing]
    outline = AvatarOutline(avatar, focus)
    if options.camera in ("input", "motion"):
        own = avatar.camera
        if options.camera == "motion":
            assert motion is not None
            own = motion.camera
        width, height = _own_size(own, options.width, options.height)
        camera = own.resized(*_evened(width, height, even, options, notes))
        if not options.turntable:
            if options.camera == "input" or motion is None:
                return [camera] * count
            shots = [camera_at(motion, frame) for frame in range(count)]
            return [replace(camera, viewmat=shot.viewmat) for shot in shots]
        middle = np.mean([outline.points(pose).middle for pose in poses], axis=0)
        return [orbit(camera, middle, yaw) for yaw in yaws]
    width = options.width or options.height or DEFAULT_SIZE
    height = options.height or options.width or DEFAULT_SIZE
    frame = FrameSpec(*_evened(width, height, even, options, notes))

    def tell(number: int) -> None:
        if progress:
            progress("camera", number / count, f"frame {number} of {count}")

    follow = FOLLOW_SECONDS * rate if options.camera == "follow" else None
    return steady_cameras(
        outline, poses, frame, list(yaws), options.pitch, follow=follow, tell=tell
    )


def _own_size(camera: Camera, width: int | None, height: int | None) -> tuple[int, int]:
    """Pixels of a camera's picture; one side given keeps the proportions."""
    if width and height:
        return width, height
    if width:
        return width, max(1, round(camera.height * width / camera.width))
    if height:
        return max(1, round(camera.width * height / camera.height)), height
    return fit_size(camera.width, camera.height, MAX_SIDE)


def _evened(
    width: int, height: int, even: bool, options: ClipOptions, notes: list[str]
) -> tuple[int, int]:
    if not even or (width % 2 == 0 and height % 2 == 0):
        return width, height
    wide, high = width + width % 2, height + height % 2
    if width == options.width or height == options.height:
        notes.append(f"Videos have even sides: {wide} x {high} instead of {width} x {height}.")
    return wide, high
