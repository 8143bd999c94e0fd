"""Engine axes and cameras in Blender's terms."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from likeness.addon.scene import axes
from likeness.addon.scene.axes import (
    SENSOR_MM,
    BlenderCamera,
    camera_to_blender,
    points_to_blender,
    points_to_engine,
    rotations_to_blender,
    rotations_to_engine,
)
from likeness.engine.core.cameras import look_at, photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import Camera, FloatArray


def blender_pixel(point: FloatArray, camera: BlenderCamera) -> FloatArray:
    """Where Blender draws a point: its camera looks along -z, y is up, the sensor's longer side
    spans the picture, a pixel's height is ``pixel_aspect`` widths, and shift moves the view."""
    R, t = camera.matrix_world[:3, :3], camera.matrix_world[:3, 3]
    local = R.T @ (point - t)
    width, height = camera.resolution
    side = width if camera.sensor_fit == "HORIZONTAL" else height * camera.pixel_aspect
    pixels_per_unit = camera.lens / SENSOR_MM * side
    x = local[0] / -local[2] * pixels_per_unit - camera.shift_x * side
    y = local[1] / -local[2] * pixels_per_unit - camera.shift_y * side
    return np.array([width / 2 + x, height / 2 - y / camera.pixel_aspect])


def test_body_stands_and_faces_as_blender_expects() -> None:
    up, front, left = np.eye(3)[1], np.eye(3)[2], np.eye(3)[0]
    np.testing.assert_array_equal(points_to_blender(up), [0, 0, 1])
    np.testing.assert_array_equal(points_to_blender(front), [0, -1, 0])
    np.testing.assert_array_equal(points_to_blender(left), [1, 0, 0])


def test_there_and_back() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 5, 3)).astype(np.float32)
    assert points_to_blender(points).dtype == np.float32
    np.testing.assert_array_equal(points_to_engine(points_to_blender(points)), points)
    R = axis_angle_to_matrix(rng.normal(size=(6, 3)))
    np.testing.assert_allclose(rotations_to_engine(rotations_to_blender(R)), R, atol=1e-12)


def test_rotations_turn_the_same_vectors() -> None:
    rng = np.random.default_rng(1)
    R, v = axis_angle_to_matrix(rng.normal(size=3)), rng.normal(size=3)
    np.testing.assert_allclose(
        rotations_to_blender(R) @ points_to_blender(v), points_to_blender(R @ v), atol=1e-12
    )


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (512, 512)])
@pytest.mark.parametrize("aspect", [1.0, 1.25, 0.8])
def test_camera_sees_the_same_pixels(size: tuple[int, int], aspect: float) -> None:
    width, height = size
    K = np.array([[500.0 * aspect, 0, width / 2 + 31], [0, 500.0, height / 2 - 17], [0, 0, 1]])
    camera = Camera(look_at(np.array([0.1, 0.2, 0.3]), 2.0, 40.0, 15.0), K, width, height)
    rng = np.random.default_rng(2)
    blender = camera_to_blender(camera)
    for point in rng.normal(0, 0.3, (10, 3)):
        expected, _ = project(point, camera)
        found = blender_pixel(points_to_blender(point), blender)
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_photo_camera_stands_at_the_origin() -> None:
    blender = camera_to_blender(photo_camera(800.0, 600, 800))
    np.testing.assert_allclose(blender.matrix_world[:3, 3], 0)
    np.testing.assert_allclose(blender.matrix_world[:3, :3] @ [0, 0, -1], [0, 1, 0])
    assert blender.lens == pytest.approx(36.0)
    assert blender.sensor_fit == "VERTICAL"


def test_skew_is_refused() -> None:
    K = np.array([[100.0, 5.0, 50.0], [0, 100.0, 50.0], [0, 0, 1]])
    with pytest.raises(ValueError, match="skew"):
        camera_to_blender(Camera(np.eye(4), K, 100, 100))


def test_examples() -> None:
    assert doctest.testmod(axes).failed == 0
