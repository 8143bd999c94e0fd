"""Videos: the avatar of the first frame, moved like the person, compared with the other frames.

Shape, camera and poses are those of the tracked clip, as in the papers: the first frame gives the
appearance, not the track. The truth is a frame through our matting, on grey.
"""

from __future__ import annotations

import time
from pathlib import Path

from ...body import Body
from ...core.types import FRAME_STATES, FloatArray, LikenessError, Motion, Portrait, Track
from ...core.upright import camera_at
from ...dataset.groups import INPUT
from ...imaging.video import VideoReader
from ...pipeline.track import TrackedPortrait, verify_matte
from ...tracking.observation import observe
from .compare import ComparedImage, comparison_size, difference_image
from .context import AvatarContext
from .crossview import build_metrics, pick_evenly
from .items import REFERENCE, TRUTH, Figures, MeasuredView, MeasureFailure
from .methods import BuiltAvatar
from .observed_photos import ObservedPhoto

REENACT = "reenact"
USUAL_VIEWS = 24
_TRACKED = FRAME_STATES.index("tracked")


def measure_video(path: Path, context: AvatarContext) -> None:
    """Track a video, build the avatar of its first frame, and compare the other frames.

    Args:
        path: the video.
        context: gets the frames; its views are those besides the first, spread over the video.
    """
    try:
        motion = context.track(path)
    except LikenessError as error:
        context.refuse(MeasureFailure(REENACT, path.name, str(error)))
        return
    seen = [k for k in range(len(motion)) if motion.frame_state[k] == _TRACKED]
    if len(seen) < 2:
        context.refuse(
            MeasureFailure(
                REENACT, path.name, "the person is followed through less than two frames"
            )
        )
        return
    wanted = {seen[0], *pick_evenly(seen[1:], context.views or USUAL_VIEWS)}
    person = context.body.personalised(motion.betas)
    made: dict[str, BuiltAvatar] = {}
    reference: FloatArray | None = None
    for frame in VideoReader(path).frames(0, len(motion)):
        if frame.number not in wanted:
            continue
        name = f"{path.name}/{frame.number:05d}"
        first = frame.number == seen[0]
        try:
            shot = _shot(frame.rgb, path, motion, frame.number, person, context)
            if first:
                made, reference = context.methods.make(shot), shot.portrait.rgb
        except LikenessError as error:
            context.refuse(MeasureFailure(REENACT, name, str(error)))
            if first:
                return
            continue
        if reference is None:  # the reader gave no such frame
            context.refuse(
                MeasureFailure(REENACT, path.name, "its first tracked frame cannot be read again")
            )
            return
        size = comparison_size(motion.camera.width, motion.camera.height)
        truth = ComparedImage.of_cutout(shot.matte.foreground, shot.matte.alpha, *size)
        face = context.comparer.face(truth)
        figures: dict[str, Figures] = {}
        pictures = {REFERENCE: reference, TRUTH: truth.rgb}
        for method, one in made.items():
            start = time.perf_counter()
            gaussians = one.posed(shot.track.pose)
            ours = context.methods.draw(gaussians, shot.track.camera.resized(*size))
            speed = {"fps": 1.0 / (time.perf_counter() - start)}
            figures[method] = {
                **context.comparer.figures(ours, truth, face),
                **build_metrics(one),
                **speed,
            }
            pictures[method] = ours.rgb
            pictures[f"{method} difference"] = difference_image(ours.rgb, truth.rgb)
        seconds = round((frame.number - seen[0]) / motion.frame_rate, 3)
        context.give(
            MeasuredView(
                REENACT,
                name,
                path.name,
                INPUT if first else "others",
                not first,
                {"frame": frame.number, "seconds_after": seconds, "framing": motion.framing},
                {"framing": motion.framing},
                figures,
                pictures,
            )
        )


def _shot(
    rgb: FloatArray, path: Path, motion: Motion, number: int, person: Body, context: AvatarContext
) -> ObservedPhoto:
    """A frame with the clip's body in it.

    Raises:
        LikenessError: nobody is found in it.
    """
    portrait = Portrait(rgb, None, path, original_size=(rgb.shape[1], rgb.shape[0]))
    observation = observe(portrait, context.detectors)
    track = Track(
        motion.betas,
        motion.pose(number),
        camera_at(motion, number),
        motion.framing,
        motion.joint_confidence[number],
        float(motion.face_error[number]),
        float(motion.pose_error[number]),
        view=motion.view,
    )
    tracked = TrackedPortrait(portrait, observation, track, context.body, "assumed")
    matte, _ = verify_matte(tracked, person)
    return ObservedPhoto(portrait, observation, matte, track, person)
