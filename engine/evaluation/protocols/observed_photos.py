"""Pictures with a body fitted to the person, as the lift takes them: true and tracked ones."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...body import Body
from ...core.types import NUM_JOINTS, Matte, Observation, Portrait, Track
from ...dataset.backgrounds import random_background
from ...dataset.spaces import photo_transform, transform_camera, transform_pose
from ...dataset.subjects import Subject
from ...pipeline.estimators import NO_ESTIMATORS, Estimators
from ...pipeline.track import track_image, verify_matte
from ...tracking.detectors import Detectors
from ...tracking.observation import observe


@dataclass(frozen=True)
class ObservedPhoto:
    """A picture, and what is known of the person in it.

    Attributes:
        portrait: the picture.
        observation: what the detectors saw.
        matte: of the person.
        track: the fit, or the truth.
        person: their own body.
        seconds: time that finding this out took.
        find_skirt: whether the lift looks for a skirt, as it does in a user's photo; training's
            references are lifted without.
    """

    portrait: Portrait
    observation: Observation
    matte: Matte
    track: Track
    person: Body
    seconds: float = 0.0
    find_skirt: bool = True


def observe_photo(
    portrait: Portrait, body: Body, detectors: Detectors, estimators: Estimators = NO_ESTIMATORS
) -> ObservedPhoto:
    """Process a picture like a user's photo: detect, fit and matte.

    Args:
        portrait: the picture.
        body: the body to fit.
        detectors: of faces and landmarks.
        estimators: initial poses and keypoints from other programs.

    Raises:
        LikenessError: nobody is found.
    """
    start = time.perf_counter()
    tracked = track_image(portrait, body, detectors, estimators=estimators)
    person = body.personalised(tracked.track.betas)
    matte, _ = verify_matte(tracked, person)
    seconds = time.perf_counter() - start
    return ObservedPhoto(portrait, tracked.observation, matte, tracked.track, person, seconds)


def observe_truth(subject: Subject, row: int, body: Body, detectors: Detectors) -> ObservedPhoto:
    """A synthetic person's view with the true body, camera and matte, as in training.

    Args:
        subject: the person and their views.
        row: of the view.
        body: the default body.
        detectors: of faces and landmarks.

    Raises:
        LikenessError: the detectors find nobody, whose face the lift needs.
        InvalidSampleError: the picture is damaged.
    """
    start = time.perf_counter()
    view = subject.views[row]
    rgba = view.rgba()
    portrait = make_portrait(subject, row)
    own = body.personalised(subject.betas)
    motion = photo_transform(view.camera)
    track = Track(
        subject.betas,
        transform_pose(subject.pose(row), own, motion),
        transform_camera(view.camera, motion),
        subject.framing,
        np.ones(NUM_JOINTS),
        0.0,
        0.0,
        view=view.kind,
    )
    matte = Matte(np.ascontiguousarray(rgba[..., 3]), np.ascontiguousarray(rgba[..., :3]))
    observation = observe(portrait, detectors)
    return ObservedPhoto(
        portrait, observation, matte, track, own, time.perf_counter() - start, find_skirt=False
    )


def make_portrait(subject: Subject, row: int) -> Portrait:
    """A view as a photo: on its own background, or on one that is always the same for it.

    Raises:
        InvalidSampleError: a picture is damaged.
    """
    view = subject.views[row]
    rgba, behind = view.rgba(), view.behind()
    if behind is None:
        seed = zlib.crc32(f"{subject.key}/{view.name}".encode())
        rng = np.random.default_rng([subject.seed & 0xFFFFFFFF, seed])
        behind = random_background(view.camera.height, view.camera.width, rng)
    alpha = rgba[..., 3:]
    rgb = np.clip(rgba[..., :3] * alpha + behind * (1.0 - alpha), 0.0, 1.0).astype(np.float32)
    size = (view.camera.width, view.camera.height)
    return Portrait(rgb, None, Path(f"{subject.key}.{view.name}"), original_size=size)
