"""The functions of ``import likeness`` that make and show motions; :mod:`.api` has the others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.types import Avatar, Motion, Progress
from .api import File

if TYPE_CHECKING:
    from .clip_files import Clip
    from .options import ClipOptions, SpeakOptions, TrackOptions
    from .speak_files import SpeakFiles
    from .track_files import TrackFiles


def clip(avatar: Avatar, out: File, options: ClipOptions, progress: Progress | None = None) -> Clip:
    """Draw a clip: of a motion file, a turntable, or both at once.

    Args:
        avatar: the avatar.
        out: .mp4, .mov, .webm, .gif or .mkv (extra ``video``), or numbered PNG files: a folder,
            or a name such as ``frame_%04d.png``.
        options: what the clip shows, and how.
        progress: called with the name of the stage, 0..1 within it, and a message.

    Returns:
        What was written, and ``notes`` about choices that were made.

    Raises:
        LikenessError: the motion, an option or the output path cannot be used.
    """
    from .clip_files import render_clip

    return render_clip(avatar, Path(out), options, progress)


def motion(
    avatar: Avatar,
    file: File,
    *,
    fps: float | None = None,
    frames: tuple[int, int] | None = None,
    expression: str | Mapping[str, float] | None = None,
) -> Motion:
    """A motion file as an avatar does it, upright at the origin.

    Warns (:class:`UserWarning`) about choices that were made.

    Args:
        avatar: the avatar.
        file: SMPL-X's or AMASS's npz keys, what ``likeness track`` wrote, BVH, or a face
            capture of Live Link Face (.csv) or another ARKit app (.json).
        fps: frames a second instead of the file's.
        frames: first (counted from 0) and last, which is not included.
        expression: as for :func:`pose`; replaces the motion's own.

    Returns:
        ``full_pose`` [T, 55, 3] radians, ``transl`` [T, 3] metres, ``expression`` [T, E] and more;
        its ``pose(k)`` is one frame's.

    Raises:
        LikenessError: the file cannot be read, is not a motion, or lacks the frames.
    """
    from .export_files import load_export_motion
    from .pose_choice import parse_expression

    weights = None if expression is None else parse_expression(expression)
    moving, notes = load_export_motion(avatar, Path(file), fps, frames, weights)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return replace(moving, warnings=(*moving.warnings, *notes))


def track(
    media: File,
    out: File,
    options: TrackOptions | None = None,
    *,
    overlay: File | None = None,
    body: File | None = None,
    progress: Progress | None = None,
) -> TrackFiles:
    """Track the body, face and hands of a person in a photo or video, and write a motion file.

    Args:
        media: a photo or a video, told apart by content; videos need the extra ``video``.
        out: the motion file, ``.npz`` (docs/MOTION.md).
        options: None for the defaults.
        overlay: where to draw the fitted body: a picture for a photo, a video for a video.
        body: as for :func:`build`.
        progress: as for :func:`build`.

    Returns:
        The files, the ``motion`` itself, and a ``report`` with ``warnings`` and figures.

    Raises:
        LikenessError: the input cannot be read or shows nobody, or ``out`` cannot be written.
    """
    from .track_files import track_to_files

    return track_to_files(
        Path(media),
        Path(out),
        options,
        overlay=None if overlay is None else Path(overlay),
        body_path=None if body is None else Path(body),
        progress=progress,
    )


def speak(
    audio: File,
    out: File,
    options: SpeakOptions | None = None,
    *,
    body: File | None = None,
    progress: Progress | None = None,
) -> SpeakFiles:
    """Animate a face from a recording, and write a motion file.

    Args:
        audio: a recording or a video with sound (what is not WAV is read by PyAV), or a file of
            Rhubarb (.tsv, .xml, .json), Papagayo (.pgo, .pg2) or Moho (.dat).
        out: the motion file, ``.npz`` (docs/MOTION.md).
        options: None for the defaults; ``SpeakOptions(text="...")`` makes the mouth surer.
        body: as for :func:`build`.
        progress: as for :func:`build`.

    Returns:
        The file, the ``performance`` itself (weights [T, 52] and the head's turns), the ``speech``
        with its timed sounds, and a ``report`` with ``notes`` and figures.

    Raises:
        LikenessError: the input or the text cannot be used, or ``out`` cannot be written.
    """
    from .speak_files import speak_to_file

    own_body = None if body is None else Path(body)
    return speak_to_file(Path(audio), Path(out), options, body_path=own_body, progress=progress)
