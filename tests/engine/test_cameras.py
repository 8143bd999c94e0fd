"""Cameras: where a point lands, and what orbiting and looking at things mean."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.cameras import (
    camera_position,
    intrinsics,
    look_at,
    orbit,
    photo_camera,
    project,
    unproject,
)
from likeness.engine.types import Camera


def test_projection_in_homogeneous_coordinates():
    rng = np.random.default_rng(0)
    viewmat = look_at(np.array([0.1, 0.9, 0]), 2.5, 33, -12)
    camera = Camera(viewmat, intrinsics(400, 320, 200), 320, 200)
    points = rng.normal(scale=0.4, size=(50, 3)) + np.array([0, 0.9, 0])
    h = np.concatenate([points, np.ones((50, 1))], 1) @ (camera.K @ camera.viewmat[:3]).T
    xy, z = project(points, camera)
    np.testing.assert_allclose(xy, h[:, :2] / h[:, 2:])
    np.testing.assert_allclose(z, h[:, 2])
    np.testing.assert_allclose(unproject(xy, z, camera), points, atol=1e-12)


def test_photo_camera_sees_up_above_and_the_bodys_left_on_the_right():
    camera = photo_camera(500, 640, 480)
    middle, _ = project(np.array([0, 0, -2.0]), camera)
    up, _ = project(np.array([0, 0.1, -2.0]), camera)
    left_hand, _ = project(np.array([0.1, 0, -2.0]), camera)
    np.testing.assert_allclose(middle, [320, 240])
    assert up[1] < 240
    assert left_hand[0] > 320


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (90, 0), (0, 40), (-70, -25), (180, 10)])
def test_look_at_keeps_its_target_in_the_middle_and_upright(yaw, pitch):
    target = np.array([0.2, 1.1, -0.3])
    camera = Camera(look_at(target, 3.0, yaw, pitch), intrinsics(300, 100, 100), 100, 100)
    xy, z = project(target, camera)
    np.testing.assert_allclose(xy, [50, 50])
    assert z == pytest.approx(3.0)
    above, _ = project(target + np.array([0, 0.1, 0]), camera)
    assert above[0] == pytest.approx(50)
    assert above[1] < 50
    R = camera.viewmat[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    y, p = np.radians(yaw), np.radians(pitch)
    stand = target + 3 * np.array([np.sin(y) * np.cos(p), np.sin(p), np.cos(y) * np.cos(p)])
    np.testing.assert_allclose(camera_position(camera), stand, atol=1e-12)


def test_orbit_turns_about_the_centre_towards_the_bodys_left():
    camera, centre = photo_camera(500, 640, 480), np.array([0.1, 0.05, -2.0])
    before, depth = project(centre, camera)
    for yaw, pitch in ((30, 0), (-60, 0), (0, 25), (20, -15), (180, 0)):
        turned = orbit(camera, centre, yaw, pitch)
        after, z = project(centre, turned)
        np.testing.assert_allclose(after, before, atol=1e-9)
        assert z == pytest.approx(float(depth))
    assert camera_position(orbit(camera, centre, 30))[0] > 0.5  # it went to +x, the body's left
    assert camera_position(orbit(camera, centre, 0, 30))[1] > 0.5  # and up
    np.testing.assert_allclose(orbit(camera, centre, 0).viewmat, camera.viewmat, atol=1e-12)


def test_resized_scales_pixels():
    camera = photo_camera(500, 640, 480)
    point = np.array([0.3, -0.2, -2.0])
    xy, _ = project(point, camera)
    half, _ = project(point, camera.resized(320, 240))
    np.testing.assert_allclose(half, xy / 2)
