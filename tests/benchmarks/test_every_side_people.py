"""Truth from all around: cameras carried by similarities, and an avatar that is the truth."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from likeness.benchmarks.figures.every_side_people import (
    PhotoSubject,
    TruthView,
    score_cross_views,
    transport_camera,
)
from likeness.engine.core.cameras import orbit, photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import NUM_JOINTS, Avatar, Pose
from likeness.engine.evaluation.people.person import random_person
from likeness.engine.evaluation.people.person_render import make_scene
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.figure import SynthContext

from .dotted_body import make_dotted_body


def test_a_carried_camera_sees_the_moved_as_it_was() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(30, 3)) * 0.3 - [0.0, 0.0, 3.0]
    camera = orbit(photo_camera(500.0, 320, 240), np.array([0.0, 0.0, -3.0]), 40.0)
    R = axis_angle_to_matrix(np.array([0.1, 0.5, -0.2]))
    t = np.array([0.3, 0.0, -1.0])
    moved = transport_camera(camera, 1.2, R, t)
    before, z_before = project(points, camera)
    after, z_after = project(1.2 * points @ R.T + t, moved)
    np.testing.assert_allclose(after, before, atol=1e-8)
    np.testing.assert_allclose(z_after, 1.2 * z_before, atol=1e-9)


def test_an_avatar_that_is_the_truth_elsewhere_is_without_error() -> None:
    body, splats = make_dotted_body(3000)
    camera = photo_camera(300.0, 160, 160)
    pose = Pose(
        np.zeros((NUM_JOINTS, 3)), np.array([0.0, 0.0, -3.5]), np.zeros(body.num_expression)
    )
    avatar = Avatar(body, splats, pose, camera, "full")
    posed = pose_avatar(avatar)
    truth = {}
    for yaw in (30, -30, 150):
        swung = orbit(camera, np.array([0.0, 0.0, -3.5]), yaw)
        drawn = render_camera(posed, swung)
        truth[yaw] = TruthView(swung, drawn.rgb, drawn.alpha)
    vertices = body.vertices(pose)[0]
    known = SimpleNamespace(vertices=vertices, vertex_visible=np.ones(len(vertices), bool))
    sitter = cast(PhotoSubject, SimpleNamespace(truth=known))
    elsewhere = replace(pose.with_joints(pelvis=[0.0, 0.4, 0.0]), transl=np.array([0.3, 0.1, -5.0]))
    found = score_cross_views(replace(avatar, pose=elsewhere), sitter, truth)
    assert found.psnr.keys() == {30, 150}
    assert min(found.psnr.values()) > 45.0
    assert min(found.ssim.values()) > 0.995
    assert found.picture.shape == (2 * 160, 3 * 160, 3)
    grey = replace(avatar, gaussians=replace(splats, colors=np.full_like(splats.colors, 0.5)))
    assert score_cross_views(grey, sitter, truth).psnr[30] < 20.0


@pytest.mark.usefixtures("quick_people")
def test_a_scene_is_the_same_person_from_behind(synth_world: SynthContext) -> None:
    rng = np.random.default_rng(5)
    person = random_person(synth_world, rng, framing="full", yaw=0.0)
    small = person.camera.resized(person.camera.width // 4, person.camera.height // 4)
    scene = make_scene(synth_world, replace(person, camera=small))
    for yaw in (0, 180):
        camera = orbit(small, scene.posed.joints[0], yaw)
        rgba = scene.draw(camera)
        body = synth_world.dress.body
        inside = rasterize_mesh(scene.posed.vertices, body.f, camera).face >= 0
        solid = rgba[..., 3] > 0.5
        assert solid[inside].mean() > 0.97  # clothes may pull in what they hide
        assert inside.sum() > 0.6 * solid.sum()
        assert rgba[..., :3][rgba[..., 3] == 0].max() == 0.0
