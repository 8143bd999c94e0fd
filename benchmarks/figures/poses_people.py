"""Synthetic people in several poses: the avatar of one photo, moved, against the truth.

The photo is taken in one pose and lifted with the true body, camera and matte, or with what the
tracker and the matting make of it. The avatar is then driven by the true parameters of other poses,
in which the same person is dressed and drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.body import Body
from ...engine.core.cameras import orbit
from ...engine.core.types import JOINT_INDEX, Avatar, BoolArray, Camera, FloatArray, Pose
from ...engine.dataset.spaces import photo_transform, transform_camera, transform_pose
from ...engine.evaluation.protocols.observed_photos import (
    ObservedPhoto,
    make_portrait,
    observe_photo,
    observe_truth,
)
from ...engine.gaussians.lift.lift_photo import LiftOptions
from ...engine.gaussians.posing import pose_avatar
from ...engine.render import render_camera
from ...engine.render.mesh import rasterize_mesh
from ...engine.synth import raster
from ...engine.synth.environment_light import environment_picture
from ...engine.synth.figure import SynthContext, SynthSubject, dress_wearer, make_subject
from ...engine.synth.natural import natural_pose
from ...engine.synth.person_parts import Wearer
from ...engine.synth.person_traits import stratified_traits
from ...engine.synth.splits import split_seed
from ...engine.synth.subject import RasterStudio, StageClock, draw_subject
from ...engine.synth.synth_options import SynthOptions
from ...engine.tracking.detectors import Detectors
from ...engine.visual.metrics import ms_ssim, psnr, ssim
from ...engine.wardrobe.dress import PosedBody, pose_body
from .hidden_labels import LiftNetworks, lift_shot

YAWS = (0.0, 45.0, -45.0)
"""Degrees from the photo's camera."""

PARTS = ("hands", "arms", "armpits", "neck", "mouth")

_GREY = 0.5  # background on which neither dark nor bright clothes vanish
_SHOWN = 0.5  # alpha
_FEW = 30  # pixels of a part that count
_STREAM = 1000  # of random numbers, beside those that make the person


REACH = 0.09
"""Metres around an armpit that count as it."""


class ViewScore(NamedTuple):
    """One view's figures.

    Attributes:
        own_pose: whether the person stands as in the photo.
        yaw: degrees from the photo's camera.
        figures: name -> value: ``db``, ``ssim`` and ``ms_ssim`` of the person, and ``db`` of each
            part that the view shows.
    """

    own_pose: bool
    yaw: float
    figures: dict[str, float]


def score_person(
    number: int,
    poses: int,
    options: SynthOptions,
    context: SynthContext,
    detectors: Detectors,
    networks: LiftNetworks | None = None,
    tracked: bool = False,
    lift: LiftOptions | None = None,
) -> tuple[Avatar, list[ViewScore]]:
    """Make a person, lift their photo, and compare the avatar with them in other poses.

    Args:
        number: of the person.
        poses: how many others.
        options: of the people, with one view.
        context: opened with them.
        detectors: of faces and landmarks.
        networks: as for :func:`hidden_labels.lift_shot`.
        tracked: whether nothing but the photo is known, not the true body, camera and matte.
        lift: how the avatar's budget is spent.

    Returns:
        avatar: lifted from the photo.
        scores: of the photo's pose and the other poses, seen from each of ``YAWS``.

    Raises:
        LikenessError: nobody is found in the photo, or it cannot be lifted.
    """
    made = make_subject(number, options, context)
    subject = draw_subject(made, options, RasterStudio(context.surroundings.read), StageClock())
    shot = truth = observe_truth(subject, 0, context.dress.body, detectors)
    if tracked:
        shot = observe_photo(make_portrait(subject, 0), context.dress.body, detectors)
    lifted = lift_shot(shot, networks, lift)
    track = shot.track
    avatar = Avatar(lifted.body, lifted.gaussians, track.pose, track.camera, track.framing)
    motion = photo_transform(made.views[0].camera)
    centre = JOINT_INDEX["head" if made.framing == "head" else "spine2"]
    scores = []
    for pose in (made.pose, *other_poses(made, poses, options, context)):
        posed, drawn = pose_truth(made, pose, options, context)
        wanted_pose = transform_pose(pose, truth.person, motion)
        if tracked:
            wanted_pose = _transfer_pose(wanted_pose, truth, shot)
        driven = pose_avatar(avatar, wanted_pose)
        middle = shot.person.vertices(wanted_pose)[1][centre]
        for yaw, (camera, picture) in zip(YAWS, drawn, strict=True):
            own = transform_camera(camera, motion)
            if tracked:
                own = orbit(track.camera, middle, yaw)
            shown = render_camera(driven, own, np.full(3, _GREY))
            alpha = picture[..., 3:]
            wanted = picture[..., :3] * alpha + (1.0 - alpha) * _GREY
            person = (alpha[..., 0] > _SHOWN) | (np.asarray(shown.alpha) > _SHOWN)
            found = np.clip(shown.rgb, 0.0, 1.0)
            figures = {
                "db": psnr(found, wanted, person),
                "ssim": ssim(found, wanted, person),
                "ms_ssim": ms_ssim(found, wanted, person),
            }
            for name, mask in show_parts(posed, context.dress.body, camera).items():
                if (mask & person).sum() >= _FEW:
                    figures[name] = psnr(found, wanted, mask & person)
            scores.append(ViewScore(pose is made.pose, yaw, figures))
    return avatar, scores


def _transfer_pose(pose: Pose, truth: ObservedPhoto, shot: ObservedPhoto) -> Pose:
    """The same pose on the tracked body, moved from where the tracker has it in the photo."""

    def start(photo: ObservedPhoto) -> tuple[FloatArray, float]:
        pelvis = np.asarray(photo.person.J_template[0]) + photo.track.pose.transl
        return pelvis, float(-pelvis[2] / photo.track.camera.K[0, 0])

    (true_pelvis, true_pixel), (pelvis, pixel) = start(truth), start(shot)
    way = np.asarray(truth.person.J_template[0]) + pose.transl - true_pelvis
    transl = pelvis + way * pixel / true_pixel - shot.person.J_template[0]
    return Pose(pose.full_pose, transl, pose.expression)


def show_parts(posed: PosedBody, body: Body, camera: Camera) -> dict[str, BoolArray]:
    """Return where a camera sees each part of a person: name -> [H, W].

    Args:
        posed: the true body.
        body: the default body.
        camera: in the same space.
    """
    buffer = rasterize_mesh(posed.vertices, body.f, camera)
    drawn = buffer.face >= 0
    part = np.array(body.part_names)[body.face_part]
    centres = posed.vertices[body.f].mean(1)
    shoulders = posed.joints[[JOINT_INDEX["left_shoulder"], JOINT_INDEX["right_shoulder"]]]
    below = shoulders + 0.4 * (posed.joints[JOINT_INDEX["spine3"]] - shoulders)
    near = np.linalg.norm(centres[:, None] - below, axis=-1).min(1) < REACH
    faces = {
        "hands": part == "hand",
        "arms": part == "arm",
        "armpits": near & np.isin(part, ["torso", "arm"]),
        "neck": part == "neck",
        "mouth": np.isin(part, ["lips", "mouth", "teeth", "tongue"]),
    }
    return {name: drawn & own[buffer.face] for name, own in faces.items()}


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
) -> tuple[PosedBody, list[tuple[Camera, FloatArray]]]:
    """Draw a person in a pose: the body, cameras, and what they see [H, W, 4], straight alpha."""
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
    return posed, [(camera, raster.draw_figure(prepared, camera)) for camera in cameras]


def summarize_people(scores: Sequence[ViewScore]) -> dict[str, Any]:
    """Return JSON-able means over the views; empty without any."""
    out: dict[str, Any] = {}
    for kind, own in (("same_pose", True), ("cross_pose", False)):
        views = [score.figures for score in scores if score.own_pose == own]
        for name in ("db", "ssim", "ms_ssim"):
            values = [figures[name] for figures in views]
            out[f"{kind}_{name}"] = float(np.mean(values)) if values else None
        for name, front in (("photo_side", True), ("aside", False)):
            values = [
                v.figures["db"] for v in scores if v.own_pose == own and (v.yaw == 0) == front
            ]
            out[f"{kind}_{name}_db"] = float(np.mean(values)) if values else None
        out[f"{kind}_parts_db"] = {
            name: float(np.mean(values))
            for name in PARTS
            if (values := [figures[name] for figures in views if name in figures])
        }
    return out
