"""Cameras: where a point lands, and what orbiting and looking at things mean."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import (
    camera_position,
    canonical_fov,
    crop_camera,
    field_of_view,
    focal_length,
    intrinsics,
    look_at,
    orbit,
    photo_camera,
    project,
    transfer_position,
    unproject,
)
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import Camera


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


def off_centre_camera(focal: float) -> Camera:
    """Not square pixels, a principal point that is not in the middle."""
    camera = photo_camera(focal, 640, 480)
    K = np.array([[focal, 0, 250.0], [0, 1.1 * focal, 300.0], [0, 0, 1]])
    return Camera(camera.viewmat, K, 640, 480)


def thing(rng: np.random.Generator, depth: float) -> np.ndarray:
    """[40, 3] points of about 1 m around the origin, ``depth`` deep along z."""
    return rng.uniform(-0.5, 0.5, (40, 3)) * [1, 1, depth]


@pytest.mark.parametrize("fov", [20.0, 35.0, 60.0, 100.0])
@pytest.mark.parametrize("start", [600.0, 5000.0])
def test_canonical_fov_keeps_the_picture_of_a_flat_thing(fov, start):
    rng = np.random.default_rng(1)
    camera = off_centre_camera(start)
    place = np.array([0.4, -0.3, -start / 100])
    flat = thing(rng, 0.0)
    before, depth = project(flat + place, camera)
    other, moved = canonical_fov(camera, place, fov)
    after, new_depth = project(flat + moved, other)
    np.testing.assert_allclose(after, before, atol=1e-9)
    s = other.K[0, 0] / camera.K[0, 0]
    np.testing.assert_allclose(new_depth, s * depth)
    np.testing.assert_allclose(moved[:2], place[:2], atol=1e-12)
    assert other.K[1, 1] / camera.K[1, 1] == pytest.approx(s)  # aspect ratio
    np.testing.assert_array_equal(other.K[:2, 2], camera.K[:2, 2])
    assert field_of_view(other) == pytest.approx(fov)
    assert other.K[0, 0] == pytest.approx(320 / np.tan(np.radians(fov) / 2))


def test_canonical_fov_of_a_deep_thing_differs_as_documented():
    camera, place = photo_camera(2000, 640, 480), np.array([0.0, 0, -20.0])
    other, moved = canonical_fov(camera, place, 60.0)
    beside, d = np.array([0.3, 0.2, 0.0]), np.array([0, 0, 0.05])
    middle = np.array([320.0, 240])
    grown = (project(moved + beside + d, other)[0] - middle) / (
        project(place + beside + d, camera)[0] - middle
    )
    np.testing.assert_allclose(grown, 1 + 0.05 * (1 / -moved[2] - 1 / 20), atol=5e-4)


def test_canonical_fov_and_back():
    camera, place = off_centre_camera(900), np.array([0.1, 0.2, -3.0])
    other, moved = canonical_fov(camera, place, 80.0)
    again, back = canonical_fov(other, moved, field_of_view(camera))
    np.testing.assert_allclose(back, place)
    np.testing.assert_allclose(again.K, camera.K)


def test_portrait_format_counts_the_height():
    assert focal_length(60.0, 480, 640) == focal_length(60.0, 640, 480)
    camera = photo_camera(focal_length(60.0, 480, 640), 480, 640)
    assert field_of_view(camera) == pytest.approx(60.0)


@pytest.mark.parametrize("centre", [(320.0, 240.0), (90.0, 400.0), (600.0, 60.0)])
def test_carried_over_from_a_crop_shows_the_same_side(centre):
    """A narrow camera whose axis is in the middle of a crop, against the whole photo's."""
    rng = np.random.default_rng(2)
    crop = photo_camera(20000, 640, 480)
    crop.K[:2, 2] = centre
    photo = photo_camera(800, 640, 480)
    place = np.array([0.0, 0.0, -125.0])
    moved, turn = transfer_position(place, crop, photo)
    np.testing.assert_allclose(project(moved, photo)[0], centre, atol=1e-9)
    assert -moved[2] == pytest.approx(125 * 800 / 20000)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    points = thing(rng, 1.0) * 0.2
    size = np.ptp(project(points + place, crop)[0], axis=0).max()
    with_turn = project(points @ turn.T + moved, photo)[0]
    without = project(points + moved, photo)[0]
    wanted = project(points + place, crop)[0]

    def error(pixels: np.ndarray) -> float:
        away = pixels - wanted
        return float(np.linalg.norm(away - away.mean(0), axis=1).mean()) / size

    assert error(with_turn) < 0.025
    if centre != (320.0, 240.0):
        assert error(with_turn) < 0.5 * error(without)


def test_carried_over_to_the_same_camera_changes_nothing():
    camera = Camera(look_at(np.zeros(3), 3.0, 40, 10), intrinsics(500, 640, 480), 640, 480)
    place = np.array([0.3, -0.2, 0.1])
    moved, turn = transfer_position(place, camera, camera)
    np.testing.assert_allclose(moved, place, atol=1e-12)
    np.testing.assert_allclose(turn, np.eye(3), atol=1e-12)


def test_the_turn_is_in_world_axes():
    """Both cameras turned together turn the answer with them."""
    crop = off_centre_camera(3000)
    photo = photo_camera(700, 640, 480)
    place = np.array([0.5, 0.4, -15.0])
    moved, turn = transfer_position(place, crop, photo)
    R = axis_angle_to_matrix(np.array([0.3, -0.8, 0.4]))
    whirl = np.eye(4)
    whirl[:3, :3] = R.T

    def turned(camera: Camera) -> Camera:
        return Camera(camera.viewmat @ whirl, camera.K, camera.width, camera.height)

    other, other_turn = transfer_position(R @ place, turned(crop), turned(photo))
    np.testing.assert_allclose(other, R @ moved, atol=1e-9)
    np.testing.assert_allclose(other_turn, R @ turn @ R.T, atol=1e-9)


def test_a_cropped_camera_sees_the_same_at_shifted_pixels() -> None:
    camera = photo_camera(50.0, 120, 160)
    points = np.random.default_rng(0).uniform([-0.4, -0.4, -3.0], [0.4, 0.4, -2.0], (20, 3))
    crop = crop_camera(camera, (10, 25, 90, 140))
    assert (crop.width, crop.height) == (80, 115)
    np.testing.assert_allclose(
        project(points, crop)[0] + [10, 25], project(points, camera)[0], atol=1e-9
    )
