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
from ...core.types import FRAME_STATES, Avatar, FloatArray, LikenessError, Motion, Pose
from ...imaging.load import load_portrait
from ...motion.reenact import align_to_photo, leg_length, place_on_avatar
from .compare import ComparedImage, DetectedFace, comparison_size, identity_similarity
from .context import AvatarContext
from .crossview import build_metrics, pick_evenly
from .items import REFERENCE, Figures, MeasuredView, MeasureFailure
from .methods import BuiltAvatar
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


@dataclass(frozen=True)
class SourcePhoto:
    """A photo whose avatars are moved.

    Attributes:
        name: of its file.
        shot: what is known of the person in it.
        made: its avatars by method.
        picture: the person on grey, at the size at which it is compared.
        face: the person's; None if none is found.
    """

    name: str
    shot: ObservedPhoto
    made: Mapping[str, BuiltAvatar]
    picture: ComparedImage
    face: DetectedFace | None

    @classmethod
    def of(
        cls, name: str, shot: ObservedPhoto, made: Mapping[str, BuiltAvatar], context: AvatarContext
    ) -> SourcePhoto:
        """Make one, and look for the face."""
        size = comparison_size(shot.track.camera.width, shot.track.camera.height)
        picture = ComparedImage.of_cutout(shot.matte.foreground, shot.matte.alpha, *size)
        return cls(name, shot, made, picture, context.comparer.face(picture))


def measure_cross_reenactment(
    photos: Sequence[Path], videos: Sequence[Path], context: AvatarContext
) -> None:
    """Move each photo's avatars by each video.

    Args:
        photos: the sources.
        videos: the motions.
        context: gets the items, and photos, faces and videos that cannot be used; its views are
            the frames of each pair, spread over the video, 8 by default.
    """
    clips: list[DrivingClip] = []
    for path in videos:
        try:
            clips.append(driving_clip(path.name, context.track(path), context.body, context.views))
        except LikenessError as error:
            context.refuse(MeasureFailure(CROSS_REENACT, path.name, str(error)))
    for number, path in enumerate(photos if clips else ()):
        if context.progress is not None:
            context.progress(CROSS_REENACT, number / len(photos), path.name)
        try:
            portrait = load_portrait(path)
            shot = observe_photo(
                portrait, context.body, context.detectors, context.open_for(path.stem)
            )
            made = context.methods.make(shot)
        except LikenessError as error:
            context.refuse(MeasureFailure(CROSS_REENACT, path.name, str(error)))
            continue
        source = SourcePhoto.of(path.name, shot, made, context)
        if source.face is None:
            reason = "no face is found in the photo, so identity is not measured"
            context.refuse(MeasureFailure(CROSS_REENACT, path.name, reason))
        for clip in clips:
            move_photo(source, clip, context)


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


def move_photo(source: SourcePhoto, clip: DrivingClip, context: AvatarContext) -> None:
    """Draw a photo's avatars in the frames of a clip, and compare faces.

    Args:
        source: the photo.
        clip: moves its avatars.
        context: gets the items.
    """
    shot, photo = source.shot, source.picture
    camera = shot.track.camera.resized(*photo.rgb.shape[1::-1])
    avatar = next(iter(source.made.values())).avatar
    for row, pose in zip(clip.frames, clip.poses_of(avatar), strict=True):
        figures: dict[str, Figures] = {}
        pictures: dict[str, FloatArray] = {REFERENCE: photo.rgb}
        for method, one in source.made.items():
            start = time.perf_counter()
            drawn = context.methods.draw(one.posed(pose), camera)
            fps = 1.0 / (time.perf_counter() - start)
            figures[method] = {**build_metrics(one), "fps": fps}
            if source.face is not None:
                face = context.comparer.face(drawn)
                figures[method]["face_found"] = float(face is not None)
                figures[method]["identity"] = identity_similarity(face, source.face)
            pictures[method] = drawn.rgb
        context.give(
            MeasuredView(
                CROSS_REENACT,
                f"{source.name}/{clip.name}/{row:05d}",
                source.name,
                clip.name,
                True,
                {"frame": row, "framing": shot.track.framing},
                {"framing": shot.track.framing},
                figures,
                pictures,
            )
        )
