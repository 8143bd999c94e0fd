"""Synthetic people in several poses: the avatar of one photo, moved, against the truth.

The photo is taken in one pose and lifted with the true body, camera and matte. The avatar is then
driven by the true parameters of other poses, in which the same person is dressed and drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.core.cameras import orbit
from ...engine.core.types import JOINT_INDEX, Avatar, Camera, FloatArray, Pose
from ...engine.dataset.spaces import photo_transform, transform_camera, transform_pose
from ...engine.evaluation.protocols.observed_photos import observe_truth
from ...engine.gaussians.lift.labels_network import LabelNetworkRuntime
from ...engine.gaussians.posing import pose_avatar
from ...engine.render import render_camera
from ...engine.synth import raster
from ...engine.synth.dress import pose_body
from ...engine.synth.environment_light import environment_picture
from ...engine.synth.figure import SynthContext, SynthSubject, dress_wearer, make_subject
from ...engine.synth.natural import natural_pose
from ...engine.synth.person_parts import Wearer
from ...engine.synth.person_traits import stratified_traits
from ...engine.synth.splits import split_seed
from ...engine.synth.subject import RasterStudio, StageClock, draw_subject
from ...engine.synth.synth_options import SynthOptions
from ...engine.tracking.detectors import Detectors
from ...engine.visual.metrics import psnr
from .hidden_labels import lift_shot

YAWS = (0.0, 45.0, -45.0)
"""Degrees from the photo's camera."""

_GREY = 0.5  # background on which neither dark nor bright clothes vanish
_SHOWN = 0.5  # alpha
_STREAM = 1000  # of random numbers, beside those that make the person


class PoseScore(NamedTuple):
    """One person's figures.

    Attributes:
        same_db: PSNR of the person in the photo's own pose, one for each view.
        cross_db: the same of the other poses.
    """

    same_db: list[float]
    cross_db: list[float]


def score_person(
    number: int,
    poses: int,
    options: SynthOptions,
    context: SynthContext,
    detectors: Detectors,
    labels: LabelNetworkRuntime | None = None,
) -> PoseScore:
    """Make a person, lift their photo, and compare the avatar with them in other poses.

    Args:
        number: of the person.
        poses: how many others.
        options: of the people, with one view.
        context: opened with them.
        detectors: of faces and landmarks.
        labels: as for :func:`hidden_labels.lift_shot`.

    Raises:
        LikenessError: nobody is found in the photo, or it cannot be lifted.
    """
    made = make_subject(number, options, context)
    subject = draw_subject(made, options, RasterStudio(context.surroundings.read), StageClock())
    shot = observe_truth(subject, 0, context.dress.body, detectors)
    lifted = lift_shot(shot, labels)
    track = shot.track
    avatar = Avatar(lifted.body, lifted.gaussians, track.pose, track.camera, track.framing)
    motion = photo_transform(made.views[0].camera)
    scores = PoseScore([], [])
    for pose in (made.pose, *other_poses(made, poses, options, context)):
        drawn = pose_truth(made, pose, options, context)
        driven = pose_avatar(avatar, transform_pose(pose, shot.person, motion))
        for camera, truth in drawn:
            shown = render_camera(driven, transform_camera(camera, motion), np.full(3, _GREY))
            alpha = truth[..., 3:]
            wanted = truth[..., :3] * alpha + (1.0 - alpha) * _GREY
            person = (alpha[..., 0] > _SHOWN) | (np.asarray(shown.alpha) > _SHOWN)
            found = psnr(np.clip(shown.rgb, 0.0, 1.0), wanted, person)
            (scores.same_db if pose is made.pose else scores.cross_db).append(found)
    return scores


def _random(made: SynthSubject, options: SynthOptions, step: int) -> np.random.Generator:
    return np.random.default_rng([split_seed(options.seed, options.split), made.number, step])


def other_poses(
    made: SynthSubject, count: int, options: SynthOptions, context: SynthContext
) -> list[Pose]:
    """Draw other natural poses of a person, with the photo's expression."""
    found = []
    for k in range(count):
        rng = _random(made, options, _STREAM + k)
        pose, _ = natural_pose(rng, context.dress, made.betas, context.motions)
        found.append(Pose(pose.full_pose, pose.transl, made.pose.expression))
    return found


def pose_truth(
    made: SynthSubject, pose: Pose, options: SynthOptions, context: SynthContext
) -> list[tuple[Camera, FloatArray]]:
    """Draw a person in a pose: cameras, and what they see [H, W, 4], straight alpha."""
    posed = pose_body(context.dress, made.betas, pose)
    wearer = Wearer(
        context.dress,
        posed,
        stratified_traits(made.number, split_seed(options.seed, options.split)),
        made.betas,
        np.asarray(pose.expression),
        context.library,
        options.texture,
    )
    figure = dress_wearer(wearer, lambda step: _random(made, options, step))
    environment = environment_picture(made.lighting, context.surroundings.read)
    prepared = raster.prepare_figure(figure, made.lighting, environment)
    centre = posed.joints[JOINT_INDEX["head" if made.framing == "head" else "spine2"]]
    cameras = [orbit(made.views[0].camera, centre, yaw) for yaw in YAWS]
    return [(camera, raster.draw_figure(prepared, camera)) for camera in cameras]


def summarize_people(scores: Sequence[PoseScore]) -> dict[str, Any]:
    """Return JSON-able means; None without anybody."""
    same = [value for score in scores for value in score.same_db]
    cross = [value for score in scores for value in score.cross_db]
    return {
        "people": len(scores),
        "same_pose_db": float(np.mean(same)) if same else None,
        "cross_pose_db": float(np.mean(cross)) if cross else None,
    }
