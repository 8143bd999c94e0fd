"""Rotations against the matrix exponential, scipy, and their own inverses."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.rotation_kernels import rotation_quaternions
from likeness.engine.core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_multiply,
    quaternion_to_axis_angle,
    quaternion_to_matrix,
    rotation_between,
    skew,
)
from scipy.linalg import expm
from scipy.spatial.transform import Rotation


@pytest.fixture
def vectors() -> np.ndarray:
    """Axis-angles of every size up to pi, also tiny and nearly half a turn."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(300, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    tiny, nearly_half = np.geomspace(1e-12, 1e-2, 50), np.pi - np.geomspace(1e-6, 1, 50)
    angles = np.concatenate([rng.uniform(0, np.pi, 200), tiny, nearly_half])
    return axes * angles[:, None]


def test_rodrigues_is_the_matrix_exponential(vectors):
    expected = np.stack([expm(skew(v)) for v in vectors])
    np.testing.assert_allclose(axis_angle_to_matrix(vectors), expected, atol=1e-12)


def test_quaternions_agree_with_scipy(vectors):
    expected = np.roll(Rotation.from_rotvec(vectors).as_quat(), 1, axis=-1)  # scipy: x, y, z, w
    ours = axis_angle_to_quaternion(vectors)
    sign = np.sign((ours * expected).sum(-1, keepdims=True))
    np.testing.assert_allclose(ours * sign, expected, atol=1e-12)
    np.testing.assert_allclose(
        quaternion_to_matrix(ours), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12
    )


def test_inverses(vectors):
    R = axis_angle_to_matrix(vectors)
    np.testing.assert_allclose(matrix_to_axis_angle(R), vectors, atol=1e-7)
    np.testing.assert_allclose(quaternion_to_matrix(matrix_to_quaternion(R)), R, atol=1e-9)
    quats = axis_angle_to_quaternion(vectors)
    np.testing.assert_allclose(quaternion_to_axis_angle(-quats), vectors, atol=1e-7)
    assert (matrix_to_quaternion(R)[:, 0] >= 0).all()


def test_the_kernel_gives_the_same_quaternions(vectors):
    R = axis_angle_to_matrix(vectors)
    np.testing.assert_array_equal(rotation_quaternions(R), matrix_to_quaternion(R))
    assert rotation_quaternions(R[:0]).shape == (0, 4)


def test_multiplication_composes_from_the_right(vectors):
    a, b = axis_angle_to_quaternion(vectors), axis_angle_to_quaternion(vectors[::-1])
    np.testing.assert_allclose(
        quaternion_to_matrix(quaternion_multiply(a, b)),
        quaternion_to_matrix(a) @ quaternion_to_matrix(b),
        atol=1e-12,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_precision_are_kept(dtype):
    v = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(dtype)
    R = axis_angle_to_matrix(v)
    assert R.shape == (2, 5, 3, 3)
    assert R.dtype == dtype
    assert axis_angle_to_quaternion(v).dtype == dtype
    assert quaternion_multiply(*[axis_angle_to_quaternion(v)] * 2).shape == (2, 5, 4)


def test_half_turns_about_every_axis():
    for axis in (*np.eye(3), np.ones(3) / np.sqrt(3), np.array([0.6, -0.8, 0])):
        R = 2 * np.outer(axis, axis) - np.eye(3)
        q = matrix_to_quaternion(R)
        np.testing.assert_allclose(quaternion_to_matrix(q), R, atol=1e-12)
        assert np.linalg.norm(matrix_to_axis_angle(R)) == pytest.approx(np.pi)


def test_rotation_between_is_the_shortest():
    rng = np.random.default_rng(2)
    for a, b in [*rng.normal(size=(20, 2, 3)), ([1, 0, 0], [-1, 0, 0]), ([0, 2, 0], [0, 3, 0])]:
        a, b = np.asarray(a, float), np.asarray(b, float)
        R = rotation_between(a, b)
        np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
        angle = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
        assert np.linalg.norm(matrix_to_axis_angle(R)) == pytest.approx(angle, abs=1e-6)
