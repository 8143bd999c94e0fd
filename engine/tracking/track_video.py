"""A clip tracked: one shape and one camera, a pose for every frame (paper, supplement C.3).

The shape comes from some frames spread over the clip, fitted as photos are (``shape_fusion``). Then
frame follows frame: the last one shows where to look (``person_follower``) and where the fit starts
(``frame_fit``); results are smoothed a little later (``smoothing``), gaps are bridged or marked
(``clip_recorder``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.model import Body
from ..core.settings import register_settings
from ..core.types import (
    NUM_JOINTS,
    Camera,
    Gravity,
    IntArray,
    LikenessError,
    Motion,
    Observation,
    Portrait,
    Progress,
)
from ..core.upright import pack_gravities, poses_to_world, tilt_camera, unpack_gravities
from ..imaging.video import VideoFrame, VideoReader
from .checkpoint import Checkpoint
from .clip_recorder import FRAMINGS, LOST, TRACKED, VIEWS, FrameResult, Recorder
from .clip_tracker import ClipRange, ClipTracker
from .detectors import Detectors
from .estimators import FrameEstimator
from .fit import choose_camera
from .frame_fit import FrameFitter
from .frame_source import FrameSource, PersonObserver
from .gravity import combine_gravity
from .person_follower import Follower
from .priors import POSE_START
from .shape_fusion import ShapeEvidence, fuse_shapes, shape_evidence


@dataclass(frozen=True)
class VideoSettings:
    """Which frames of a clip give the shape, and how often work is saved."""

    key_frames: int = 6  # frames from which the shape is taken, at most
    key_frames_per_second: int = 3  # the limit in very short clips
    more_key_frames: int = 24  # frames to look at when none of them shows a person
    save_every: float = 5.0  # seconds between checkpoints


S = register_settings("tracking.video", VideoSettings())


MAX_NAMED = 5  # spans that a warning lists


def track_video(
    path: Path,
    body: Body,
    detectors: Detectors,
    *,
    fov: float | None = None,
    pitch: float | None = None,
    person: int | None = None,
    max_frames: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    estimators: Sequence[FrameEstimator] = (),
) -> Motion:
    """Track one person through a video.

    Args:
        path: the video file.
        body: with landmarks.
        detectors: the landmark detectors.
        fov: degrees over the longer side of the frames, see :func:`~.fit.choose_camera`.
        pitch: degrees by which the camera looks down, if that is known.
        person: index from the left, from 0, in the first frame with people; by default the
            largest person.
        max_frames: stop after this many frames.
        start: seconds; the motion begins with the frame at ``start``.
        end: seconds; None for the whole video.
        progress: stages ``shape`` and ``track``.
        checkpoint: a file to save the work in every few seconds; a run of the same video with
            the same options resumes from it and deletes it when done.
        estimators: other programs' poses, of every frame of the video.

    Returns:
        The motion, its camera in pixels of the frames of ``VideoReader(path)``; its frame i is
        the frame of that reader whose number is i plus that of the first.

    Raises:
        LikenessError: the file is not a video, has no frames or shows nobody, or the field of
            view is impossible.
    """
    clip = VideoReader(path)
    first = max(0, round(start * clip.frame_rate))
    stop = None if end is None else round(end * clip.frame_rate)
    if max_frames is not None:
        stop = first + max_frames if stop is None else min(stop, first + max_frames)
    if stop is not None and stop <= first:
        raise LikenessError(f"The end of '{path}' is not after its start.", "Give a later end.")
    saved = None
    if checkpoint is not None:
        paths = tuple(str(estimator.path) for estimator in estimators)
        options = (fov, pitch, person, first, stop, *paths)
        saved = Checkpoint.of_video(checkpoint, Path(path), body, options, S.save_every)
    eye = Follower(detectors, clip.frame_rate, person)
    part = ClipRange(first, stop)
    return track_clip(clip, body, eye, fov, part, progress, saved, pitch, estimators)


def track_clip(
    clip: FrameSource,
    body: Body,
    eye: PersonObserver,
    fov: float | None = None,
    part: ClipRange | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    pitch: float | None = None,
    estimators: Sequence[FrameEstimator] = (),
) -> Motion:
    """Track the person that ``eye`` sees in ``clip``.

    Args:
        clip: the frames.
        body: with landmarks.
        eye: finds the person in each frame.
        fov: degrees over the longer side.
        part: which frames.
        progress: stages ``shape`` and ``track``.
        checkpoint: where to save the work.
        pitch: degrees by which the camera looks down, if that is known.
        estimators: other programs' poses, of every frame.

    Raises:
        LikenessError: the body has no landmarks, or nobody was found or followed.
    """
    if body.landmarks is None:
        raise LikenessError(
            "This body file has no landmark correspondence, so no video can be fitted to it.",
            "Use the default body, or bake landmarks into the file.",
        )
    part = part or ClipRange()
    report = progress or (lambda stage, fraction, message: None)
    blank = np.zeros((clip.height, clip.width, 3), np.float32)
    camera = choose_camera(Portrait(blank, None, clip.path), fov)
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is None:
        times, photos = measure_key_frames(clip, body, eye, camera, part, report, pitch)
        betas, used = fuse_shapes(photos)
        strangers = np.array(times)[~used]
        tilts = np.column_stack([times, pack_gravities([p.gravity for p in photos])])[used]
    else:
        tilts = saved["gravity"]["key_frames"]
        betas, strangers = saved["run"]["betas"], saved["run"]["strangers"]
    fitter = FrameFitter(body.personalised(betas), camera, clip.frame_rate, pitch)
    recorder = Recorder(fitter, clip.frame_rate)
    tracker = ClipTracker(
        clip, eye, fitter, recorder, part, report, checkpoint, betas, strangers, tilts, estimators
    )
    if saved is not None:
        tracker.restore(saved)
    tracker.run()
    motion = _motion(clip, part, tracker, camera)
    if checkpoint is not None:
        checkpoint.remove()
    return motion


def measure_key_frames(
    clip: FrameSource,
    body: Body,
    eye: PersonObserver,
    camera: Camera,
    part: ClipRange,
    report: Progress,
    pitch: float | None = None,
) -> tuple[list[float], list[ShapeEvidence]]:
    """Fit some frames spread over the clip as photos, for the shape.

    Returns:
        Their times in seconds, and what each says about the shape.

    Raises:
        LikenessError: none of them shows a person.
    """
    start = part.first / clip.frame_rate
    ends = [
        t
        for t in (clip.duration, None if part.stop is None else part.stop / clip.frame_rate)
        if t is not None
    ]
    end = max(min(ends), start) if ends else start
    seen_at: list[float] = []
    photos: list[ShapeEvidence] = []
    few = int(np.clip(np.ceil(S.key_frames_per_second * (end - start)), 1, S.key_frames))
    for count in (few, S.more_key_frames):
        times = [start + (end - start) * k / count for k in range(count)]
        for k, (frame, observation) in enumerate(_one_ahead(clip.at(times), eye)):
            report("shape", k / count, f"measuring the person, picture {k + 1} of {count}")
            if observation is not None:
                portrait = Portrait(frame.rgb, None, clip.path)
                photos.append(shape_evidence(observation, portrait, body, camera, pitch))
                seen_at.append(frame.time)
        if photos:
            report("shape", 1.0, "")
            return seen_at, photos
    raise LikenessError(
        f"No person was found in '{clip.path}'.",
        "Use a video that shows one person upright and not too small.",
    )


def _one_ahead(
    frames: Iterator[VideoFrame], eye: PersonObserver
) -> Iterator[tuple[VideoFrame, Observation | None]]:
    """Look at the next frame in a separate thread while one is fitted."""
    with ThreadPoolExecutor(1, "likeness-look") as pool:

        def look() -> tuple[VideoFrame, Observation | None] | None:
            frame = next(frames, None)
            return None if frame is None else (frame, eye.photo(frame))

        coming = pool.submit(look)
        while (seen := coming.result()) is not None:
            coming = pool.submit(look)
            yield seen


def _motion(clip: FrameSource, part: ClipRange, tracker: ClipTracker, camera: Camera) -> Motion:
    """The recorded frames as a motion; lost frames hold the nearest known pose."""
    results = tracker.recorder.results
    state = np.array([r.state for r in results], np.uint8)
    shot = np.array([r.shot for r in results], np.int32)
    known = np.flatnonzero(state != LOST)
    if not len(known):
        raise LikenessError(
            f"The person in '{clip.path}' could not be followed.",
            "Use a video in which one person is seen upright and not too small.",
        )
    nearest = _nearest_known(known, shot)
    vectors = np.array([results[i].vector for i in nearest], np.float64)
    smile = POSE_START + 3 * NUM_JOINTS
    face = np.array([r.face_error for r in results])
    best = results[_best(results)]
    full_pose, transl = vectors[:, POSE_START:smile].reshape(-1, NUM_JOINTS, 3), vectors[:, :3]
    gravities = _gravities(tracker, shot, clip.frame_rate)
    pelvis = np.asarray(tracker.fitter.person.J_template)[0]
    for number, gravity in enumerate(gravities):
        own = shot[nearest] == number  # lost frames hold another shot's pose
        full_pose[own], transl[own] = poses_to_world(full_pose[own], transl[own], pelvis, gravity)
    return Motion(
        betas=tracker.betas,
        full_pose=full_pose,
        transl=transl,
        expression=vectors[:, smile:],
        joint_confidence=np.array([r.confidence for r in results]),
        frame_state=state,
        shot=shot,
        camera=tilt_camera(camera, gravities[0]),
        gravities=tuple(gravities),
        frame_rate=clip.frame_rate,
        framing=FRAMINGS[best.framing],
        view=VIEWS[best.view],
        face_error=face,
        pose_error=np.array([r.pose_error for r in results]),
        warnings=tuple(_warnings(clip, part, tracker, state, shot)),
        sources=tracker.sources,
    )


def _gravities(tracker: ClipTracker, shot: IntArray, frame_rate: float) -> list[Gravity]:
    """Combine the tilts that each shot's first frame and key frames gave."""
    first = tracker.part.first
    rows = np.clip(np.round(tracker.tilts[:, 0] * frame_rate) - first, 0, len(shot) - 1)
    out = []
    for number, begun in enumerate(tracker.fitter.shots):
        if begun is None or begun.source != "estimated":
            out.append(begun or Gravity())
            continue
        votes = unpack_gravities(tracker.tilts[shot[rows.astype(int)] == number, 1:])
        out.append(combine_gravity([begun, *filter(None, votes)]))
    return out


def _nearest_known(known: IntArray, shot: IntArray) -> list[int]:
    """For every frame the nearest known one, of its own shot where there is one."""
    out = []
    for i in range(len(shot)):
        same = known[shot[known] == shot[i]]
        among = same if len(same) else known
        at = int(np.searchsorted(among, i))
        near = among[max(at - 1, 0) : at + 1]
        out.append(int(near[np.argmin(np.abs(near - i))]))
    return out


def _best(results: list[FrameResult]) -> int:
    """The seen frame with the smallest errors among those of the most frequent framing."""
    seen = [i for i, r in enumerate(results) if r.state == TRACKED]
    framings = np.bincount([results[i].framing for i in seen], minlength=len(FRAMINGS))
    among = [i for i in seen if results[i].framing == int(framings.argmax())]

    def error(i: int) -> float:
        r = results[i]
        return float(np.nan_to_num(r.face_error, nan=20.0) + np.nan_to_num(r.pose_error, nan=20.0))

    return min(among, key=error)


def _warnings(
    clip: FrameSource, part: ClipRange, tracker: ClipTracker, state: IntArray, shot: IntArray
) -> list[str]:
    out = list(clip.warnings)
    if tracker.people > 1:
        out.append(
            f"{tracker.people} people were found; the one largest at the start was followed. "
            "Choose another by its number."
        )

    def seconds(frame: int) -> str:
        return f"{(part.first + frame) / clip.frame_rate:.1f}"

    edges = np.flatnonzero(np.diff(np.r_[0, state == LOST, 0].astype(np.int8)))
    spans = [f"{seconds(a)}-{seconds(b)} s" for a, b in zip(edges[::2], edges[1::2])]
    if spans:
        out.append(f"The person is not visible at {_named(spans)}; the last pose is held there.")
    others = _shots_of_others(part, tracker, np.where(state == LOST, -1, shot), clip.frame_rate)
    if others:
        places = [f"{seconds(a)}-{seconds(b)} s" for a, b in others]
        out.append(
            f"At {_named(places)} the clip seems to show someone else: the face differs, but "
            "the motion has only one shape."
        )
    cuts = [f"{seconds(i)} s" for i in np.flatnonzero(np.diff(shot)) + 1]
    if cuts:
        out.append(
            f"Cuts were found at {_named(cuts)}: nothing is smoothed across them, and all shots "
            "share one body shape."
        )
    return out


def _shots_of_others(
    part: ClipRange, tracker: ClipTracker, shot: IntArray, frame_rate: float
) -> list[tuple[int, int]]:
    """First frame and end of the shots [T] (-1: lost) whose key frames show another face."""
    rows = np.clip(np.round(tracker.strangers * frame_rate) - part.first, 0, len(shot) - 1)
    numbers = np.setdiff1d(shot[rows.astype(int)], [-1])
    if not tracker.recorder.shot:
        return []  # one shot shows one person; what was left out was a bad picture
    spans = [np.flatnonzero(shot == number)[[0, -1]] for number in numbers]
    return [(int(a), int(b) + 1) for a, b in spans]


def _named(places: list[str]) -> str:
    more = f" and {len(places) - MAX_NAMED} more" if len(places) > MAX_NAMED else ""
    return ", ".join(places[:MAX_NAMED]) + more
