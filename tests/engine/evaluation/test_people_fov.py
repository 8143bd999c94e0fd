"""Rendered people through known lenses: the fit finds where they stand (issue: 20 to 100 degrees),
and without the lens only the depth differs, by the ratio of the focal lengths (paper, eq. 18)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import canonical_fov, field_of_view, project
from likeness.engine.core.types import JOINT_INDEX, Observation, Portrait, Track
from likeness.engine.evaluation.people.person import RandomPerson, random_person
from likeness.engine.evaluation.people.person_render import (
    PersonScene,
    Truth,
    make_scene,
    take_photo,
)
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.figure import SynthContext
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.fit import fit_body
from likeness.engine.tracking.observation import observe

from tests.soaked import if_asked

pytestmark = pytest.mark.usefixtures("quick_people")
HEAD = JOINT_INDEX["head"]
LENSES = [20.0, *if_asked(35.0, 60.0, 100.0)]

Shot = tuple[RandomPerson, Portrait, Truth, Observation, Track]
"""A person, the picture and what is true, seen and, with the lens known, fitted."""


def photograph(scene: PersonScene, person: RandomPerson) -> tuple[Portrait, Truth]:
    """The photo of somebody who stands elsewhere than in the scene: the camera moves instead."""
    moved = person.pose.transl - scene.person.pose.transl
    viewmat = person.camera.viewmat.copy()
    viewmat[:3, 3] += viewmat[:3, :3] @ moved
    camera = replace(person.camera, viewmat=viewmat)
    portrait, truth = take_photo(replace(scene, person=replace(person, camera=camera)))
    there = replace(truth, vertices=truth.vertices + moved, joints=truth.joints + moved)
    return portrait, there


@pytest.fixture(scope="module")
def shoot(synth_world: SynthContext) -> Callable[[float], Shot]:
    """The same person of nearly average build, down to the hips, through a lens."""
    detectors = Detectors(asset_path("face_landmark").parent)
    scenes: list[PersonScene] = []

    @functools.cache
    def shoot_through(fov: float) -> Shot:
        rng = np.random.default_rng(4)
        person = random_person(synth_world, rng, framing="half", yaw=12.0, fov=fov)
        person = replace(person, betas=0.3 * person.betas)
        if not scenes:
            scenes.append(make_scene(synth_world, person))
        portrait, truth = photograph(scenes[0], person)
        seen = observe(portrait, detectors)
        track = fit_body(seen, portrait, synth_world.dress.body, fov=fov)
        return person, portrait, truth, seen, track

    return shoot_through


def pixels_off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("fov", LENSES)
def test_a_known_lens_gives_the_place(
    synth_world: SynthContext, shoot: Callable[[float], Shot], fov: float
) -> None:
    person, _, truth, _, track = shoot(fov)
    body = synth_world.dress.body
    assert field_of_view(person.camera) == pytest.approx(fov, abs=0.01)
    _, joints = body.vertices(track.pose, track.betas)
    true = truth.joints[HEAD]
    # One picture doesn't tell a small head nearby from a large one: heads differ by some per cent.
    assert -joints[HEAD, 2] == pytest.approx(-true[2], rel=0.08)
    beside = joints[HEAD, :2] / -joints[HEAD, 2] - true[:2] / -true[2]
    assert np.linalg.norm(beside) < 0.02  # of the distance
    assert track.face_error is not None
    assert track.face_error < 4.0


@pytest.mark.slow
@pytest.mark.parametrize("fov", LENSES)
def test_an_unknown_lens_only_scales_the_depth(
    synth_world: SynthContext, shoot: Callable[[float], Shot], fov: float
) -> None:
    _, portrait, truth, observation, known = shoot(fov)
    body = synth_world.dress.body
    guessed = fit_body(observation, portrait, body)
    heads, shown = [], []
    seen = np.flatnonzero(truth.vertex_visible)
    for track in (known, guessed):
        vertices, joints = body.vertices(track.pose, track.betas)
        heads.append(joints[HEAD])
        shown.append(project(vertices[seen], track.camera)[0])
    true_pixels = project(truth.vertices[seen], known.camera)[0]
    # The picture is met as well with a wrong lens as with the right one ...
    assert pixels_off(shown[1], true_pixels) < 1.5 * pixels_off(shown[0], true_pixels) + 2.0
    assert known.face_error is not None
    assert guessed.face_error is not None
    assert guessed.face_error < known.face_error + 1.0
    # ... by another depth. At 100 degrees the body is as deep as it is far away, and a body
    # without the true perspective is no longer nearly the same picture.
    _, expected = canonical_fov(known.camera, heads[0], field_of_view(guessed.camera))
    assert heads[1][2] == pytest.approx(expected[2], rel=0.05 if fov <= 60 else 0.2)
    assert heads[1][:2] == pytest.approx(heads[0][:2], abs=0.04)
