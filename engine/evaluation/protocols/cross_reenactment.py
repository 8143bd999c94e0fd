"""Photos moved by other people's videos, which have no ground truth: whose face they still show.

As in GUAVA's cross-reenactment: each source photo's avatar takes on the motion of each video, seen
by the photo's camera. Its face is compared with the photo's by a face-recognition network.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...body import Body
from ...core.types import FRAME_STATES, Avatar, FloatArray, LikenessError, Motion, Pose, Progress
from ...imaging.load import load_portrait
from ...motion.reenact import align_to_photo, leg_length, place_on_avatar
from ...tracking.detectors import Detectors
from ...tracking.track_video import track_video
from .compare import ComparedImage, Comparer, comparison_size, identity_similarity
from .crossview import build_metrics, pick_evenly
from .items import (
    REFERENCE,
    Figures,
    Give,
    MeasuredView,
    MeasureFailure,
    OpenEstimators,
    Refuse,
    no_estimators,
)
from .methods import BuiltAvatar, Methods
from .observed_photos import ObservedPhoto, observe_photo

CROSS_REENACT = "cross-reenact"
USUAL_VIEWS = 8
"""Frames of each pair of a photo and a video."""


@dataclass(frozen=True)
class DrivingClip:
    """A tracked video that moves the avatars.

    Attributes:
        name: of its file.
        motion: of the person in it.
        pelvis: [3] that person's rest pelvis, metres.
        legs: length of that person's legs, metres.
        frames: rows of the motion that are drawn.
    """

    name: str
    motion: Motion
    pelvis: FloatArray
    legs: float
    frames: list[int]

    def poses_of(self, avatar: Avatar) -> list[Pose]:
        """The drawn frames' poses, from where the avatar is in its photo."""
        scale = leg_length(avatar.body.J_template) / self.legs
        moved = place_on_avatar(self.motion, avatar, self.pelvis, scale, np.zeros(3))
        moved = align_to_photo(moved, avatar, self.frames[0])
        return [moved.pose(row) for row in self.frames]


def measure_cross_reenactment(
    photos: Sequence[Path],
    videos: Sequence[Path],
    *,
    views: int | None,
    max_frames: int | None,
    body: Body,
    detectors: Detectors,
    methods: Methods,
    comparer: Comparer,
    give: Give,
    refuse: Refuse,
    progress: Progress | None = None,
    open_for: OpenEstimators = no_estimators,
) -> None:
    """Move each photo's avatars by each video.

    Args:
        photos: the sources.
        videos: the motions.
        views: upper limit of the frames of each pair, spread over the video; 8 by default.
        max_frames: upper limit of the frames tracked of each video.
        body: the body to fit.
        detectors: of faces and landmarks.
        methods: make the avatars.
        comparer: finds faces and knows them.
        give: receives the items.
        refuse: receives photos and videos that cannot be used.
        progress: called with the stage, 0..1 and a message.
        open_for: opens the estimates of a photo or video by its name.
    """
    clips: list[DrivingClip] = []
    for path in videos:
        try:
            motion = track_video(
                path,
                body,
                detectors,
                estimators=open_for(path.stem).poses,
                max_frames=max_frames,
                progress=progress,
            )
            clips.append(driving_clip(path.name, motion, body, views))
        except LikenessError as error:
            refuse(MeasureFailure(CROSS_REENACT, path.name, str(error)))
    for number, path in enumerate(photos if clips else ()):
        if progress is not None:
            progress(CROSS_REENACT, number / len(photos), path.name)
        try:
            portrait = load_portrait(path)
            shot = observe_photo(portrait, body, detectors, open_for(path.stem))
            made = methods.make(shot)
        except LikenessError as error:
            refuse(MeasureFailure(CROSS_REENACT, path.name, str(error)))
            continue
        for clip in clips:
            move_photo(path.name, shot, made, clip, methods, comparer, give)


def driving_clip(name: str, motion: Motion, body: Body, views: int | None) -> DrivingClip:
    """Prepare a tracked video.

    Args:
        name: of its file.
        motion: of the person in it.
        body: that was fitted.
        views: upper limit of the frames that are drawn; 8 by default.

    Raises:
        LikenessError: the person is never followed.
    """
    seen = [k for k in range(len(motion)) if motion.frame_state[k] == FRAME_STATES.index("tracked")]
    if not seen:
        raise LikenessError(
            f"The person in '{name}' is never followed.", "Give a video of one person in sight."
        )
    joints = body.personalised(motion.betas).J_template
    frames = pick_evenly(seen, views or USUAL_VIEWS)
    return DrivingClip(name, motion, np.asarray(joints[0]), leg_length(joints), frames)


def move_photo(
    name: str,
    shot: ObservedPhoto,
    made: Mapping[str, BuiltAvatar],
    clip: DrivingClip,
    methods: Methods,
    comparer: Comparer,
    give: Give,
) -> None:
    """Draw a photo's avatars in the frames of a clip, and compare faces.

    Args:
        name: of the photo's file.
        shot: the photo.
        made: its avatars by method.
        clip: moves them.
        methods: draw them.
        comparer: finds faces and knows them.
        give: receives the items.
    """
    size = comparison_size(shot.track.camera.width, shot.track.camera.height)
    camera = shot.track.camera.resized(*size)
    photo = ComparedImage.of_cutout(shot.matte.foreground, shot.matte.alpha, *size)
    own_face = comparer.face(photo)
    avatar = next(iter(made.values())).avatar
    for row, pose in zip(clip.frames, clip.poses_of(avatar), strict=True):
        figures: dict[str, Figures] = {}
        pictures: dict[str, FloatArray] = {REFERENCE: photo.rgb}
        for method, one in made.items():
            start = time.perf_counter()
            drawn = methods.draw(one.posed(pose), camera)
            fps = 1.0 / (time.perf_counter() - start)
            figures[method] = {**build_metrics(one), "fps": fps}
            if own_face is not None:
                face = comparer.face(drawn)
                figures[method]["face_found"] = float(face is not None)
                figures[method]["identity"] = identity_similarity(face, own_face)
            pictures[method] = drawn.rgb
        give(
            MeasuredView(
                CROSS_REENACT,
                f"{name}/{clip.name}/{row:05d}",
                name,
                clip.name,
                True,
                {"frame": row, "framing": shot.track.framing},
                {"framing": shot.track.framing},
                figures,
                pictures,
            )
        )
