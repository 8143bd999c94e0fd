"""Synthetic people from every side: the avatar of their photo compared with the true view.

The truth is drawn by cameras swung about the person. An avatar stands where the tracker put it:
a few centimetres nearer or farther and a little larger or smaller, which one photo cannot show.
So the truth's cameras are moved by the similarity that best takes the true body to the fitted
one. The rest is the visible difference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from ...engine.body import Body
from ...engine.core.alignment import fit_similarity
from ...engine.core.cameras import orbit
from ...engine.core.types import NUM_JOINTS, Avatar, Camera, FloatArray, Matte, Portrait, Track
from ...engine.evaluation.people.person import FRAMINGS, RandomPerson, random_person
from ...engine.evaluation.people.person_render import PersonScene, Truth, make_scene, take_photo
from ...engine.gaussians.lift.lift_photo import lift_photo
from ...engine.gaussians.posing import pose_avatar
from ...engine.pipeline.build import build_avatar
from ...engine.pipeline.options import BuildOptions
from ...engine.render import render_camera
from ...engine.synth.figure import SynthContext
from ...engine.tracking.detectors import Detectors
from ...engine.tracking.observation import observe
from ...engine.visual.metrics import psnr, ssim
from ...engine.visual.sheet import save_image

YAWS = (30, -30, 60, -60, 90, -90, 180)
"""Degrees by which the camera is swung about the person; their sizes are reported."""

_GREY = 0.5  # background on which neither dark nor bright hair vanishes
_SHOWN = 0.5  # alpha
_MAX_YAW, _FOV = 12.0, 35.0  # degrees of a portrait
_EASY = ("standing", "wide", "contrapposto", "A-pose", "one hand on hip", "waving")


@dataclass(frozen=True)
class PhotoSubject:
    """A synthetic person whose photo was taken.

    Attributes:
        person: who it is.
        scene: the person as drawn.
        portrait: the photo.
        truth: what is true in it.
        matte: the true one.
        centre: [3] metres, about which the cameras swing.
    """

    person: RandomPerson
    scene: PersonScene
    portrait: Portrait
    truth: Truth
    matte: Matte
    centre: FloatArray


def make_photo_subject(number: int, world: SynthContext, seed: int = 0) -> PhotoSubject:
    """Person ``number``, from the front: full, half and head in rotation, arms off the trunk."""
    framing = ("full", "half", "head")[number % len(FRAMINGS)]
    for attempt in count():
        rng = np.random.default_rng([seed, number, attempt])
        yaw = float(rng.uniform(-_MAX_YAW, _MAX_YAW))
        person = random_person(world, rng, framing=framing, yaw=yaw, fov=_FOV)
        if person.anchor in _EASY:
            break
    scene = make_scene(world, person)
    portrait, truth = take_photo(scene)
    rgba = scene.draw(person.camera)
    matte = Matte(rgba[..., 3], rgba[..., :3])
    seen = truth.vertices[truth.vertex_visible]
    # The visible side is the near half; the middle lies behind it.
    centre = (seen.min(0) + seen.max(0)) / 2
    centre[2] = float(np.median(truth.vertices[truth.vertex_visible][:, 2])) - 0.05
    return PhotoSubject(person, scene, portrait, truth, matte, centre)


class TruthView(NamedTuple):
    """The truth from one side.

    Attributes:
        light: [H, W, 3] colours times alpha, 0..1.
        alpha: [H, W] 0..1.
    """

    camera: Camera
    light: FloatArray
    alpha: FloatArray


def render_truth_views(sitter: PhotoSubject, yaws: Sequence[int] = YAWS) -> dict[int, TruthView]:
    """The person by the photo's camera, at its size, swung about them."""
    camera = sitter.person.camera
    out = {}
    for yaw in yaws:
        swung = orbit(camera, sitter.centre, yaw)
        rgba = sitter.scene.draw(swung)
        out[yaw] = TruthView(swung, rgba[..., :3] * rgba[..., 3:], rgba[..., 3])
    return out


def build_from_truth(sitter: PhotoSubject, body: Body, detectors: Detectors) -> Avatar:
    """The lift alone, from the true body, pose, camera and matte; landmarks are detected.

    Raises:
        LikenessError: nobody is found in the photo.
    """
    person = sitter.person
    track = Track(
        person.betas, person.pose, person.camera, person.framing, np.ones(NUM_JOINTS), 0.0, 0.0
    )
    own = body.personalised(person.betas)
    lifted = lift_photo(sitter.matte, observe(sitter.portrait, detectors), track, own)
    return Avatar(lifted.body, lifted.gaussians, person.pose, person.camera, person.framing)


def build_from_photo(sitter: PhotoSubject) -> Avatar:
    """The whole build except refining, from the photo's file and the field of view.

    Raises:
        LikenessError: as :func:`..pipeline.build_avatar`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        save_image(sitter.portrait.rgb, path)
        return build_avatar(path, BuildOptions(fov=sitter.person.fov, refine="off")).avatar


def transport_camera(camera: Camera, s: float, R: FloatArray, t: FloatArray) -> Camera:
    """The camera that sees s R p + t where ``camera`` sees p.

    Args:
        camera: the camera to carry over.
        s: scale.
        R: [3, 3] rotation.
        t: [3] translation, metres.
    """
    turn = camera.viewmat[:3, :3] @ R.T
    viewmat = np.eye(4)
    viewmat[:3, :3] = turn
    viewmat[:3, 3] = s * camera.viewmat[:3, 3] - turn @ t
    return replace(camera, viewmat=viewmat)


@dataclass(frozen=True)
class CrossViewScores:
    """How an avatar compares with the truth.

    Attributes:
        psnr: dB by size of the yaw in degrees, on grey, where either of them is.
        ssim: the same, 0..1.
        picture: [2 H, n W, 3] all views, the truth above the avatar.
    """

    psnr: dict[int, float]
    ssim: dict[int, float]
    picture: FloatArray


def score_cross_views(
    avatar: Avatar, sitter: PhotoSubject, truth: dict[int, TruthView]
) -> CrossViewScores:
    """Compare an avatar of the sitter's photo with :func:`render_truth_views`."""
    shown = np.flatnonzero(sitter.truth.vertex_visible)  # pieces come after the body's own
    fitted = np.asarray(avatar.body.vertices(avatar.pose)[0], np.float64)[shown]
    s, R, t = fit_similarity(sitter.truth.vertices[shown], fitted)
    posed = pose_avatar(avatar)
    decibels: dict[int, list[float]] = {}
    likeness: dict[int, list[float]] = {}
    pictures = []
    for yaw, shot in truth.items():
        drawn = render_camera(posed, transport_camera(shot.camera, s, R, t), np.full(3, _GREY))
        true = shot.light + _GREY * (1.0 - shot.alpha[..., None])
        either = (shot.alpha > _SHOWN) | (drawn.alpha > _SHOWN)
        decibels.setdefault(abs(yaw), []).append(psnr(drawn.rgb, true, either))
        likeness.setdefault(abs(yaw), []).append(ssim(drawn.rgb, true, either))
        pictures.append(np.concatenate([true, drawn.rgb]))
    return CrossViewScores(
        {yaw: fmean(values) for yaw, values in decibels.items()},
        {yaw: fmean(values) for yaw, values in likeness.items()},
        np.concatenate(pictures, axis=1),
    )
