"""From clips and turned pictures to subjects: tracking and filters (paper, supplement C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body
from ..core.cameras import intrinsics
from ..core.types import (
    NUM_JOINTS,
    Camera,
    FloatArray,
    LikenessError,
    Matte,
    Motion,
    Observation,
    Portrait,
    Track,
)
from ..core.upright import camera_at
from ..dataset.pairs import azimuth_kind, trunk_azimuth
from ..dataset.subjects import Subject, SubjectView, encode_rgba
from ..imaging.load import load_portrait
from ..imaging.matte_check import BodyMap, body_parts, filter_landmarks, map_body, repair_matte
from ..imaging.matting import make_matte as make_matte
from ..imaging.resize import resize
from ..imaging.video import VideoReader
from ..pipeline.estimators import open_estimators
from ..tracking.detectors import Detectors
from ..tracking.fit import fit_body
from ..tracking.multiview import ObservedPhoto, camera_azimuth, contradicts_direction
from ..tracking.multiview import S as MULTIVIEW
from ..tracking.observation import observe
from ..tracking.profile_face import flip_front_back
from ..tracking.track_video import track_video
from .compose import Prompt
from .quality_filters import (
    TRACKED,
    FilterLimits,
    RejectedSampleError,
    check_azimuth,
    check_colours,
    check_errors,
    check_face,
    check_hands,
    check_matte,
    check_motion,
    check_people,
)

REFERENCE = "frame_00"
TEST_EVERY = 20
"""Scenes of which one is of the test split: the paper's 19 : 1. Training skips it."""
_FRAMES = 0x517E  # so that frames are not drawn with the prompt's numbers
_TRIES = 5  # frames of a clip that are looked at for a reference
_TRUNK = [11, 12, 23, 24]  # landmarks of shoulders and hips, as in tracking/several.py
_MARGIN = 1.08  # of the crop around the person


@dataclass(frozen=True)
class SubjectTracker:
    """Everything that tracking needs.

    Attributes:
        body: The body to fit, with landmarks.
        detectors: Of people, faces and hands.
        limits: Of the filters.
        frames: Frames of a clip that become views, including the reference.
        size: Pixels along each side of the views.
        estimator: Other programs' poses of the clips, as in ``GenerateOptions``.
        smplx: As there.
    """

    body: Body
    detectors: Detectors
    limits: FilterLimits = field(default_factory=FilterLimits)
    frames: int = 4
    size: int = 512
    estimator: tuple[str, ...] = ()
    smplx: str | None = None


@dataclass(frozen=True)
class TrackedPicture:
    """A tracked picture that passed the checks.

    Attributes:
        name: Of the view.
        track: The fitted body.
        rgba: [H, W, 4] straight alpha.
        azimuth: Degrees.
    """

    name: str
    track: Track
    rgba: FloatArray
    azimuth: float


def choose_reference(clip: Path, prompt: Prompt, detectors: Detectors) -> tuple[int, FloatArray]:
    """Choose a random frame of a clip that shows one person's face.

    Args:
        clip: The clip's file.
        prompt: The scene, which seeds the choice.
        detectors: Of people and faces.

    Returns:
        Its number and [H, W, 3] picture, sRGB in 0..1.

    Raises:
        RejectedSampleError: None of the examined frames does.
        LikenessError: The clip cannot be read.
    """
    reader = VideoReader(clip)
    count = sum(1 for _ in reader.frames())
    rng = np.random.default_rng([prompt.seed, prompt.number, _FRAMES])
    numbers = rng.permutation(count)[:_TRIES]
    reason = RejectedSampleError("no face", "the clip has no frames")
    frames = {frame.number: frame.rgb for frame in reader.frames() if frame.number in numbers}
    for number in (int(n) for n in numbers):
        try:
            observation = _seen(Portrait(frames[number], None, clip), detectors)
            check_face(observation)
            return number, frames[number]
        except RejectedSampleError as error:
            reason = error
    raise reason


def _seen(portrait: Portrait, detectors: Detectors) -> Observation:
    try:
        observation = observe(portrait, detectors)
    except LikenessError as error:
        raise RejectedSampleError("nobody", error.message) from error
    check_people(observation)
    return observation


def make_tracked_subject(
    prompt: Prompt,
    clip: Path,
    reference: int,
    turned: Mapping[str, Path],
    tracker: SubjectTracker,
    provenance: Mapping[str, Any],
) -> tuple[Subject, list[str]]:
    """Track a clip and the turned pictures of one of its frames.

    Args:
        prompt: The scene.
        clip: The clip's file.
        reference: Number of that frame.
        turned: Pictures by side.
        tracker: Detectors, body and limits.
        provenance: For the facts.

    Returns:
        The subject, whose first view is the reference; and why other pictures were left out.

    Raises:
        RejectedSampleError: The clip or the reference fails, or all other pictures do.
    """
    try:
        estimators = open_estimators(tracker.estimator, tracker.smplx, None, clip).poses
        motion = track_video(clip, tracker.body, tracker.detectors, estimators=estimators)
    except LikenessError as error:
        raise RejectedSampleError("nobody", error.message) from error
    check_motion(motion, tracker.limits)
    person = tracker.body.personalised(motion.betas)
    numbers = choose_frames(motion, reference, tracker.frames)
    reader = VideoReader(clip)
    rgb = {frame.number: frame.rgb for frame in reader.frames() if frame.number in numbers}
    if reference not in rgb or int(motion.frame_state[reference]) != TRACKED:
        raise RejectedSampleError("lost", "the reference frame was not followed")
    pictures, left_out = [], []
    for row, number in enumerate(numbers):
        name = f"frame_{row:02d}"
        try:
            portrait = Portrait(rgb[number], None, clip)
            pictures.append(_frame(name, portrait, motion, number, person, tracker))
        except RejectedSampleError as error:
            if number == reference:
                raise
            left_out.append(f"{name}: {error}")
    for side, path in turned.items():
        try:
            shown = _turned(side, path, motion, person, pictures[0], tracker)
            pictures.append(shown)
        except RejectedSampleError as error:
            left_out.append(f"{side}: {error}")
    if len(pictures) < 2:
        raise RejectedSampleError("one view", "; ".join(left_out))
    return _subject(prompt, motion, pictures, tracker, provenance), left_out


def choose_frames(motion: Motion, reference: int, count: int) -> list[int]:
    """Choose tracked frames: the reference, then those that differ most in pose.

    Args:
        motion: The tracked clip.
        reference: Number of the reference frame.
        count: Maximum number of frames.

    Returns:
        Numbers of the frames; each differs most from those before it.
    """
    known = np.flatnonzero(motion.frame_state == TRACKED)
    poses = motion.full_pose.reshape(len(motion), -1)
    chosen = [reference]
    distance = np.full(len(known), np.inf)
    for _ in range(min(count - 1, len(known) - 1)):
        away = np.linalg.norm(poses[known] - poses[chosen[-1]], axis=1)
        distance = np.minimum(distance, away)
        distance[np.isin(known, chosen)] = -1.0
        chosen.append(int(known[distance.argmax()]))
    return chosen


def _frame(
    name: str,
    portrait: Portrait,
    motion: Motion,
    number: int,
    person: Body,
    tracker: SubjectTracker,
) -> TrackedPicture:
    """One frame of a clip; its pose is the clip's smoothed one."""
    observation = _seen(portrait, tracker.detectors)
    face, pose = float(motion.face_error[number]), float(motion.pose_error[number])
    track = Track(
        motion.betas,
        motion.pose(number),
        camera_at(motion, number),
        motion.framing,
        motion.joint_confidence[number],
        face if np.isfinite(face) else None,
        pose if np.isfinite(pose) else None,
    )
    if name == REFERENCE:
        check_face(observation)
    check_errors(track, tracker.limits)
    vertices, joints = person.vertices(track.pose)
    if name == REFERENCE:
        check_hands(track, joints, tracker.limits)
    rgba = _cut_out(portrait, observation, track, person, vertices, tracker.limits)
    return TrackedPicture(name, track, rgba, trunk_azimuth(person, _NONE, track.pose, track.camera))


_NONE = np.zeros(0)  # a person's own body has no betas left


def _turned(
    side: str,
    path: Path,
    motion: Motion,
    person: Body,
    reference: TrackedPicture,
    tracker: SubjectTracker,
) -> TrackedPicture:
    portrait = load_portrait(path)
    observation = _seen(portrait, tracker.detectors)
    track, observation = fit_known_shape(ObservedPhoto(portrait, observation, side), person)
    track = replace(track, betas=motion.betas)
    check_errors(track, tracker.limits, turned=True)
    azimuth = trunk_azimuth(person, _NONE, track.pose, track.camera)
    check_azimuth(side, azimuth, tracker.limits)
    vertices, _ = person.vertices(track.pose)
    rgba = _cut_out(portrait, observation, track, person, vertices, tracker.limits)
    check_colours(rgba, reference.rgba, tracker.limits)
    return TrackedPicture(side, track, rgba, azimuth)


def fit_known_shape(photo: ObservedPhoto, person: Body) -> tuple[Track, Observation]:
    """Fit the pose of a body of known shape to a picture from a known direction.

    As in :mod:`~..tracking.multiview`: a lost face is left out, and where the detector confused
    front and back, its points are swapped. A picture of a side is treated as an exact profile, in
    which dense facial landmarks tilt the head and are left out (paper, supplement C.4).
    """
    profile = photo.direction if photo.direction in ("left", "right") else ""

    def fitted(seen: Observation) -> Track:
        return fit_body(filter_landmarks(seen), photo.portrait, person, photo.fov, profile=profile)

    seen = photo.observation
    observation = replace(seen, face=None, face_score=0.0) if profile else seen
    track = fitted(observation)
    if track.face_lost:
        observation = replace(observation, face=None, face_score=0.0)
        track = fitted(observation)
    sure = (
        observation.pose_visibility[_TRUNK] >= MULTIVIEW.sure
    ).all() or observation.face is not None
    if not sure and contradicts_direction(photo.direction, camera_azimuth(track.pose)):
        swapped = flip_front_back(observation)
        other = fitted(swapped)
        if not contradicts_direction(photo.direction, camera_azimuth(other.pose)):
            track, observation = other, swapped
    return track, observation


def _cut_out(
    portrait: Portrait,
    observation: Observation,
    track: Track,
    person: Body,
    vertices: FloatArray,
    limits: FilterLimits,
) -> FloatArray:
    """[H, W, 4] the person, straight alpha, after the matte's checks."""

    def drawn(confidence: FloatArray) -> BodyMap | None:
        return map_body(vertices, person.f, body_parts(person.weights, confidence), track.camera)

    fitted = drawn(track.joint_confidence)
    matte: Matte
    matte, _ = repair_matte(portrait, observation, make_matte(portrait, observation), fitted)
    check_matte(matte, fitted, drawn(np.ones(NUM_JOINTS)), limits)
    return np.concatenate([matte.foreground, matte.alpha[..., None]], -1)


def _subject(
    prompt: Prompt,
    motion: Motion,
    pictures: Sequence[TrackedPicture],
    tracker: SubjectTracker,
    provenance: Mapping[str, Any],
) -> Subject:
    views = []
    for row, picture in enumerate(pictures):
        rgba, camera = crop_person(picture.rgba, picture.track.camera, tracker.size)
        views.append(
            SubjectView(
                picture.name,
                row,
                azimuth_kind(picture.azimuth),
                picture.azimuth,
                camera,
                False,
                encode_rgba(rgba),
            )
        )
    poses = [picture.track.pose for picture in pictures]
    facts = {
        "reference": REFERENCE,
        "split": "test" if prompt.number % TEST_EVERY == TEST_EVERY - 1 else "train",
        "regime": prompt.regime,
        "factors": dict(prompt.factors),
        "prompt": prompt.text,
        "template": prompt.template,
        "negative": prompt.negative,
        "rewriting": dict(prompt.rewriting),
        **provenance,
        "tracking": {
            p.name: {
                "face_error": _rounded(p.track.face_error),
                "pose_error": _rounded(p.track.pose_error),
                "azimuth": _rounded(p.azimuth),
            }
            for p in pictures
        },
    }
    return Subject(
        key=prompt.key,
        source="generated",
        framing=motion.framing,
        seed=prompt.seed,
        betas=motion.betas,
        full_pose=np.stack([pose.full_pose for pose in poses]),
        transl=np.stack([pose.transl for pose in poses]),
        expression=np.stack([pose.expression for pose in poses]),
        views=tuple(views),
        facts=facts,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 2)


def crop_person(rgba: FloatArray, camera: Camera, size: int) -> tuple[FloatArray, Camera]:
    """Crop the square around the person.

    Args:
        rgba: [H, W, 4] straight alpha.
        camera: Of the picture.
        size: Of the square, in pixels.

    Returns:
        [size, size, 4], transparent beyond the picture, and its camera.
    """
    alpha = rgba[..., 3] > 0.02
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    wide, high = int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
    side = int(np.ceil(_MARGIN * max(wide, high)))
    left = int(columns[0] + (wide - side) // 2)
    top = int(rows[0] + (high - side) // 2)
    height, width = rgba.shape[:2]
    square = np.zeros((side, side, 4), np.float32)
    x0, x1 = max(left, 0), min(left + side, width)
    y0, y1 = max(top, 0), min(top + side, height)
    square[y0 - top : y1 - top, x0 - left : x1 - left] = rgba[y0:y1, x0:x1]
    square[..., :3] *= square[..., 3:]
    small = resize(square, size, size, "area" if side > size else "bilinear")
    small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
    scale = size / side
    K = intrinsics(float(camera.K[0, 0]) * scale, size, size)
    K[0, 0], K[1, 1] = camera.K[0, 0] * scale, camera.K[1, 1] * scale
    K[0, 2], K[1, 2] = (camera.K[0, 2] - left) * scale, (camera.K[1, 2] - top) * scale
    return np.clip(small, 0.0, 1.0), Camera(camera.viewmat, K, size, size)
