"""The files that tracking writes: a motion and, if wanted, a picture or video of the fitted body.

The command line goes through :func:`track_to_files`, for photos and videos alike. Files are
written atomically; an error leaves earlier files untouched. Tracking a video keeps a checkpoint
beside the motion file, from which the next run goes on.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body
from ..core.cameras import field_of_view
from ..core.progress import StageTimer
from ..core.types import FRAME_STATES, FloatArray, LikenessError, Motion, Progress
from ..core.upright import camera_at, track_to_motion
from ..core.version import VERSION
from ..files.atomic import atomic_write
from ..files.folders import make_parents
from ..files.weights import asset_path
from ..imaging.media import PICTURE_SUFFIXES, is_video
from ..imaging.video import VideoReader
from ..imaging.video_writer import VideoWriter
from ..motion.io import save_motion
from ..pipeline.estimators import open_estimators
from ..pipeline.options import person_index
from ..pipeline.track import load_fitting_body, track_photos, track_portrait
from ..tracking.detectors import Detectors
from ..tracking.track_summary import mean_joint_confidence, unseen_parts
from ..visual.overlay import OverlayPainter
from ..visual.sheet import save_image
from .options import TrackOptions

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v")
TRACKED, LOST = FRAME_STATES.index("tracked"), FRAME_STATES.index("lost")

_FRAMINGS = {"head": "head and shoulders", "half": "half body", "full": "full body"}
_VIEWS = {"front": "from the front", "side": "from the side", "back": "from behind"}


@dataclass(frozen=True)
class TrackFiles:
    """What tracking wrote.

    Attributes:
        motion_file: the motion's file.
        overlay: the picture or video of the fitted body; None when it was not wanted.
        motion: the motion itself.
        report: figures about it, JSON-able.
    """

    motion_file: Path
    overlay: Path | None
    motion: Motion
    report: dict[str, Any]


def track_to_files(
    media: Path,
    out: Path,
    options: TrackOptions | None = None,
    *,
    overlay: Path | None = None,
    body_path: Path | None = None,
    progress: Progress | None = None,
) -> TrackFiles:
    """Track the person in a photo or video, and write the motion.

    Args:
        media: a photo or a video, told apart by content.
        out: the motion file, ``.npz``.
        options: None for the defaults.
        overlay: where to draw the fitted body over the photo (a picture) or video (a video).
        body_path: a body file to use instead of the default one.
        progress: called with the stage, 0..1 and a message.

    Raises:
        LikenessError: the input or the output path cannot be used; it says what to do.
    """
    options = options or TrackOptions()
    media, out = Path(media), Path(out)
    video = is_video(media)
    _check_targets(media, out, overlay, video)
    if video and options.sapiens:
        raise LikenessError(
            "Sapiens2 works on photos only, and this is a video.", "Leave --sapiens out."
        )
    if options.others and video:
        raise LikenessError(
            "Further views go with a photo only, and this is a video.", "Leave --view out."
        )
    stages = StageTimer(progress)
    with make_parents(out, *([overlay] if overlay else [])):
        if video:
            return _track_video(media, out, options, overlay, body_path, stages)
        return _track_photo(media, out, options, overlay, body_path, stages)


def _track_photo(
    media: Path,
    out: Path,
    options: TrackOptions,
    overlay: Path | None,
    body_path: Path | None,
    stages: StageTimer,
) -> TrackFiles:
    warnings: list[str]
    estimators = open_estimators(options.estimates, options.smplx, options.sapiens, media)
    if options.others:
        tracked, *others = track_photos(
            media,
            options.others,
            person=options.person,
            fov=options.fov,
            camera_pitch=options.camera_pitch,
            body_path=body_path,
            stages=stages,
            estimators=estimators,
        )
        warnings = [*tracked.warnings, *(note for other in others for note in other.warnings)]
    else:
        tracked = track_portrait(
            media,
            person=options.person,
            fov=options.fov,
            camera_pitch=options.camera_pitch,
            body_path=body_path,
            stages=stages,
            estimators=estimators,
        )
        warnings = tracked.warnings
    joints = tracked.body.shaped(tracked.track.betas)[1]
    motion = track_to_motion(tracked.track, joints[0])
    motion = replace(motion, warnings=tuple(warnings))
    with ExitStack() as files:
        save_motion(
            motion,
            files.enter_context(atomic_write(out)),
            tracked.body,
            _notes(media, tracked.lens),
        )
        if overlay is not None:
            with stages("overlay", "drawing the body over the photo"):
                painter = OverlayPainter(tracked.body, motion.betas)
                drawn = painter.draw(
                    tracked.portrait.rgb, motion.pose(0), motion.camera, motion.joint_confidence[0]
                )
                save_image(drawn, files.enter_context(atomic_write(overlay)))
    report = _report(media, "photo", motion, tracked.lens, stages)
    return TrackFiles(out, overlay, motion, report)


def _track_video(
    media: Path,
    out: Path,
    options: TrackOptions,
    overlay: Path | None,
    body_path: Path | None,
    stages: StageTimer,
) -> TrackFiles:
    from ..tracking.track_video import track_video

    with stages("load", "opening the video"):
        reader = VideoReader(media)  # raises at once if it cannot be read
        body = load_fitting_body(body_path)
    checkpoint = out.with_name(f"{out.stem}.resume.npz")
    if not options.resume:
        checkpoint.unlink(missing_ok=True)
    with stages("track", "following the person"):
        motion = track_video(
            media,
            body,
            Detectors(asset_path("pose_landmark").parent),
            fov=options.fov,
            pitch=options.camera_pitch,
            estimators=open_estimators(options.estimates, options.smplx, None, media).poses,
            person=person_index(options.person),
            max_frames=options.max_frames,
            start=options.start,
            end=options.end,
            progress=_as_one(stages),
            checkpoint=checkpoint,
        )
    lens = "assumed" if options.fov is None else "given"
    # Before the overlay, so that hours of work do not depend on drawing it.
    save_motion(motion, out, body, _notes(media, lens))
    if overlay is not None:
        first = max(0, round(options.start * reader.frame_rate))
        with stages("overlay", "drawing the body over the video"):
            draw_tracked_video(media, motion, body, overlay, first, stages.within("overlay"))
    return TrackFiles(out, overlay, motion, _report(media, "video", motion, lens, stages))


def _as_one(stages: StageTimer) -> Progress:
    """Finding the shape is the first tenth of tracking a video."""

    def told(stage: str, fraction: float, message: str) -> None:
        whole = 0.1 * fraction if stage == "shape" else 0.1 + 0.9 * fraction
        stages.tell("track", min(whole, 0.999), message)

    return told


def draw_tracked_video(
    media: Path,
    motion: Motion,
    body: Body,
    target: Path,
    first: int = 0,
    progress: Progress | None = None,
) -> None:
    """Draw the tracked stretch of a video again, with the fitted body over it.

    In bridged frames the whole body has the tint of what was not seen; lost frames stay as they
    are. A frame that the video lacks repeats the one before it, so that the timing stays.

    Args:
        media: the video.
        motion: its track.
        body: with its shape basis.
        target: the video to write.
        first: number of the video's frame with which the motion begins.
        progress: called with the stage, 0..1 and a message.
    """
    painter = OverlayPainter(body, motion.betas, smooth=False)
    reader = VideoReader(media, max(motion.camera.width, motion.camera.height))
    with VideoWriter(target, reader.width, reader.height, motion.frame_rate) as writer:
        drawn: FloatArray | None = None
        written = 0
        for frame in reader.frames(first, first + len(motion)):
            index = frame.number - first
            while drawn is not None and written < index:
                writer.write(drawn)
                written += 1
            drawn, state = frame.rgb, int(motion.frame_state[index])
            if state != LOST:
                sure = motion.joint_confidence[index] * (state == TRACKED)
                camera = camera_at(motion, index).resized(reader.width, reader.height)
                drawn = painter.draw(drawn, motion.pose(index), camera, sure)
            writer.write(drawn)
            written += 1
            if progress:
                progress("overlay", written / len(motion), f"frame {written} of {len(motion)}")


def summarize_track(files: TrackFiles) -> str:
    """The outcome in one line, as the command line prints it."""
    report, motion = files.report, files.motion
    parts = [f"{_FRAMINGS[motion.framing]} {_VIEWS[motion.view]}"]
    if report["kind"] == "video":
        counts = ", ".join(f"{report[state]} {state}" for state in FRAME_STATES)
        shots = f" in {report['shots']} shots" if report["shots"] > 1 else ""
        parts.append(f"{len(motion)} frames at {motion.frame_rate:g}/s{shots} ({counts})")
    if report["face_error"] is not None:
        parts.append(f"face within {report['face_error']:.1f} % of the eye distance")
    if report["pose_error"] is not None:
        parts.append(f"body points within {report['pose_error']:.1f} px of 512")
    if report["unseen"]:
        parts.append(f"{_listed(_paired(report['unseen']))} not seen")
    lens = {"given": "as given", "file": "from the file", "assumed": "assumed"}
    parts.append(f"lens {lens[report['lens']['source']]}, {report['lens']['fov']:.0f} degrees")
    return f"{files.motion_file}: {'; '.join(parts)}"


def _paired(parts: list[str]) -> list[str]:
    """Join a left and a right leg to ``legs``."""
    out = []
    for part in parts:
        side, _, what = part.partition(" ")
        other = {"left": f"right {what}", "right": f"left {what}"}.get(side)
        word = f"{what}s" if other in parts else part
        if word not in out:
            out.append(word)
    return out


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _report(
    media: Path, kind: str, motion: Motion, lens: str, stages: StageTimer
) -> dict[str, Any]:
    known = motion.frame_state != LOST
    states = {name: int((motion.frame_state == i).sum()) for i, name in enumerate(FRAME_STATES)}
    confidence = motion.joint_confidence[known] if known.any() else motion.joint_confidence * 0
    return {
        "source": str(media),
        "version": VERSION,
        "kind": kind,
        "size": [motion.camera.width, motion.camera.height],
        "frames": len(motion),
        "frame_rate": round(motion.frame_rate, 4),
        **states,
        "shots": int(motion.shot.max()) + 1,
        "framing": motion.framing,
        "view": motion.view,
        "lens": {"source": lens, "fov": round(field_of_view(motion.camera), 2)},
        "gravity": [gravity.as_report() for gravity in motion.gravities],
        "estimators": dict(motion.sources),
        "face_error": _median(motion.face_error),
        "pose_error": _median(motion.pose_error),
        "joint_confidence": mean_joint_confidence(confidence),
        "unseen": list(unseen_parts(confidence)),
        "seconds": {**stages.seconds, "total": round(sum(stages.seconds.values()), 3)},
        "warnings": list(motion.warnings),
    }


def _median(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(np.median(known)), 2) if len(known) else None


def _notes(media: Path, lens: str) -> dict[str, str]:
    return {"generator": f"Likeness {VERSION}", "source": media.name, "lens": lens}


def _check_targets(media: Path, out: Path, overlay: Path | None, video: bool) -> None:
    """Raise predictable errors before the work."""
    if out.suffix.lower() != ".npz":
        raise LikenessError(f"'{out}' is not a motion file.", "Choose a name that ends in .npz.")
    kinds = VIDEO_SUFFIXES if video else PICTURE_SUFFIXES
    if overlay is not None and overlay.suffix.lower() not in kinds:
        what, example = ("video", ".mp4") if video else ("photo", ".png")
        raise LikenessError(
            f"'{overlay}' has no format for an overlay of a {what}.",
            f"Choose a name that ends in {example}.",
        )
    targets = [out, *([overlay] if overlay else [])]
    for target in targets:
        if target.is_dir():
            raise LikenessError(f"'{target}' is a folder.", "Name a file.")
        if target.exists() and target.samefile(media):
            raise LikenessError(f"'{target}' is the input itself.", "Choose another name.")
