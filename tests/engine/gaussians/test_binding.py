"""The triangle frame against a slow loop in numpy, its inverse, and rigid motions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_bare_body, make_synthetic_body
from likeness.engine.core.geometry import face_frames
from likeness.engine.core.rotations import axis_angle_to_matrix, quaternion_to_matrix
from likeness.engine.core.types import (
    NUM_JOINTS,
    Avatar,
    BoundGaussians,
    Camera,
    Gaussians,
    LikenessError,
    Pose,
)
from likeness.engine.gaussians import (
    bind_gaussians,
    place_gaussians,
    pose_avatar,
    triangle_frames,
    vertex_normals,
)
from likeness.engine.gaussians.binding import place_on_faces


def torus(rows: int = 8, columns: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A closed triangle mesh, wound counter-clockwise seen from outside."""
    u, v = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    a, b = 2 * np.pi * u / rows, 2 * np.pi * v / columns
    ring = 0.5 + 0.2 * np.cos(a)
    points = np.stack([ring * np.cos(b), 0.2 * np.sin(a), -ring * np.sin(b)], -1).reshape(-1, 3)
    index = (u * columns + v).ravel()
    right = (u * columns + (v + 1) % columns).ravel()
    up = ((u + 1) % rows * columns + v).ravel()
    both = ((u + 1) % rows * columns + (v + 1) % columns).ravel()
    f = np.concatenate([np.stack([index, right, both], -1), np.stack([index, both, up], -1)])
    return points, f.astype(np.int32)


def body_of(v: np.ndarray, f: np.ndarray) -> Body:
    weights = np.zeros((len(v), NUM_JOINTS), np.float32)
    weights[:, 0] = 1
    return make_bare_body(v.astype(np.float32), f, weights)


def random_gaussians(rng: np.random.Generator, count: int) -> Gaussians:
    quats = rng.normal(size=(count, 4))
    return Gaussians(
        rng.normal(scale=0.4, size=(count, 3)).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        rng.uniform(0.001, 0.05, (count, 3)).astype(np.float32),
        rng.uniform(size=count).astype(np.float32),
        rng.uniform(size=(count, 3)).astype(np.float32),
    )


@pytest.fixture
def scene():
    """Body, posed vertices, triangles and barycentric coordinates of 200 points."""
    rng = np.random.default_rng(7)
    v, f = torus()
    body = body_of(v, f)
    posed = v * [1.3, 0.8, 1.1] + rng.normal(scale=0.02, size=v.shape) + [0.1, 1.0, -2.0]
    triangle = rng.integers(len(f), size=200).astype(np.int32)
    bary = rng.dirichlet(np.ones(3), 200).astype(np.float32)
    return body, posed, triangle, bary


def slow_normals(v: np.ndarray, f: np.ndarray) -> np.ndarray:
    out = np.zeros((len(v), 3))
    for corners in f:
        p = v[corners]
        n = np.cross(p[1] - p[0], p[2] - p[0])
        n /= np.linalg.norm(n)
        for k in range(3):
            s, t = p[(k + 1) % 3] - p[k], p[(k + 2) % 3] - p[k]
            out[corners[k]] += n * np.arccos(s @ t / np.linalg.norm(s) / np.linalg.norm(t))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def test_vertex_normals_are_angle_weighted():
    v, f = torus()
    v = v + np.random.default_rng(1).normal(scale=0.03, size=v.shape)
    np.testing.assert_allclose(vertex_normals(v, f), slow_normals(v, f), atol=1e-12)


def test_cube_corner_does_not_depend_on_triangulation():
    # Three faces meet at the corner; two of them bring two triangles, one brings one.
    v = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1.0]])
    f = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 6], [0, 6, 3], [0, 1, 4], [1, 5, 4]])
    np.testing.assert_allclose(vertex_normals(v, f)[0], -np.ones(3) / np.sqrt(3), atol=1e-12)


def test_place_matches_a_slow_loop(scene):
    body, posed, triangle, bary = scene
    local = random_gaussians(np.random.default_rng(2), len(triangle))
    bound = bind_gaussians(local, triangle, bary, np.zeros(len(triangle)), posed, body)
    world = place_gaussians(bound, posed, body)
    normals = slow_normals(posed, body.f)
    rest = body.v_template.astype(np.float64)
    for i in range(len(triangle)):
        a, b, c = body.f[triangle[i]]
        u, v, w = bary[i].astype(np.float64)
        n = u * normals[a] + v * normals[b] + w * normals[c]
        n /= np.linalg.norm(n)
        e1 = (posed[b] - posed[a]) - ((posed[b] - posed[a]) @ n) * n
        e1 /= np.linalg.norm(e1)
        R = np.stack([e1, np.cross(n, e1), n], axis=1)
        area = np.linalg.norm(np.cross(posed[b] - posed[a], posed[c] - posed[a]))
        area_rest = np.linalg.norm(np.cross(rest[b] - rest[a], rest[c] - rest[a]))
        sigma = np.clip(np.sqrt(area / area_rest), 0.5, 2.0)
        mean = u * posed[a] + v * posed[b] + w * posed[c] + sigma * R @ bound.offset[i]
        np.testing.assert_allclose(world.means[i], mean, atol=1e-6)
        np.testing.assert_allclose(world.scales[i], sigma * bound.scales[i], rtol=1e-6)
        turned = R @ quaternion_to_matrix(bound.quats[i])
        np.testing.assert_allclose(quaternion_to_matrix(world.quats[i]), turned, atol=2e-6)
    assert world.means.dtype == world.quats.dtype == world.scales.dtype == np.float32


def test_bind_then_place_is_the_identity(scene):
    body, posed, triangle, bary = scene
    world = random_gaussians(np.random.default_rng(3), len(triangle))
    again = place_gaussians(
        bind_gaussians(world, triangle, bary, np.full(200, 2), posed, body), posed, body
    )
    np.testing.assert_allclose(again.means, world.means, atol=1e-5)
    np.testing.assert_allclose(again.scales, world.scales, atol=1e-6)
    np.testing.assert_allclose(
        quaternion_to_matrix(again.quats), quaternion_to_matrix(world.quats), atol=1e-5
    )
    np.testing.assert_array_equal(again.colors, world.colors)
    np.testing.assert_array_equal(again.opacities, world.opacities)


def test_rigid_motion_of_the_mesh_moves_the_gaussians_with_it(scene):
    body, posed, triangle, bary = scene
    world = random_gaussians(np.random.default_rng(4), len(triangle))
    bound = bind_gaussians(world, triangle, bary, np.zeros(200), posed, body)
    R, t = axis_angle_to_matrix(np.array([0.4, -1.1, 2.0])), np.array([0.3, -0.2, 0.9])
    moved = place_gaussians(bound, posed @ R.T + t, body)
    np.testing.assert_allclose(moved.means, world.means @ R.T + t, atol=2e-6)
    np.testing.assert_allclose(
        quaternion_to_matrix(moved.quats), R @ quaternion_to_matrix(world.quats), atol=5e-6
    )
    np.testing.assert_allclose(moved.scales, world.scales, rtol=1e-4)


@pytest.mark.parametrize(("growth", "sigma"), [(1.0, 1.0), (1.5, 1.5), (0.1, 0.5), (7.0, 2.0)])
def test_sigma_is_the_clamped_growth_since_rest(growth, sigma):
    v, f = torus()
    frames = triangle_frames(v * growth, f, v, np.arange(len(f)), np.full((len(f), 3), 1 / 3))
    np.testing.assert_allclose(frames.sigma, sigma, rtol=1e-9)


def test_degenerate_triangles_give_finite_orthonormal_frames():
    v, f = torus()
    flat = v.copy()
    flat[f[0]] = flat[f[0, 0]]  # a triangle collapsed to a point
    flat[f[5, 1]] = flat[f[5, 0]]  # and one to a line
    for rest in (v, flat, np.zeros_like(v)):
        for posed in (flat, np.zeros_like(v)):
            frames = triangle_frames(posed, f, rest, np.arange(len(f)), np.full((len(f), 3), 1 / 3))
            assert np.isfinite(frames.origin).all()
            assert np.isfinite(frames.sigma).all()
            unit = frames.R @ frames.R.transpose(0, 2, 1)
            np.testing.assert_allclose(unit, np.broadcast_to(np.eye(3), unit.shape), atol=1e-9)
            np.testing.assert_allclose(np.linalg.det(frames.R), 1, atol=1e-9)


def test_pose_avatar_takes_the_photo_pose_by_default(scene):
    body, _, triangle, bary = scene
    pose = Pose.rest(0)
    in_photo = Pose(pose.full_pose, np.array([0.0, 0.5, -2.0]), pose.expression)
    world = random_gaussians(np.random.default_rng(5), len(triangle))
    bound = bind_gaussians(world, triangle, bary, np.zeros(200), body.v_template, body)
    avatar = Avatar(body, bound, in_photo, Camera(np.eye(4), np.eye(3), 8, 8), "half")
    np.testing.assert_allclose(pose_avatar(avatar, pose).means, world.means, atol=1e-5)
    np.testing.assert_allclose(
        pose_avatar(avatar).means, world.means + in_photo.transl.astype(np.float32), atol=1e-5
    )


def test_another_bodys_gaussians_are_refused(scene):
    body, posed, triangle, bary = scene
    gaussians = random_gaussians(np.random.default_rng(1), 200)
    bound = bind_gaussians(gaussians, triangle, bary, np.zeros(200), posed, body)
    wrong = triangle.copy()
    wrong[[4, 9]] = [len(body.f), -1]
    with pytest.raises(LikenessError, match=r"^triangle: 2 of 200 .*first: row 4"):
        place_gaussians(replace(bound, triangle=wrong), posed, body)
    with pytest.raises(LikenessError, match=r"^quats: the shape is \[199, 4\]"):
        place_gaussians(replace(bound, quats=bound.quats[1:]), posed, body)
    for frames_of in (
        lambda v: place_gaussians(bound, v, body),
        lambda v: triangle_frames(v, body.f, body.v_template, triangle, bary),
    ):
        with pytest.raises(LikenessError, match=r"^vertices: the shape"):
            frames_of(posed[:-1])
    nothing = place_gaussians(bound.take(slice(0)), posed, body)
    assert len(nothing) == 0


def test_whole_triangles_carry_gaussians_as_equation_three_is_written() -> None:
    """Mu' = sigma R mu + t, r' = R r, s' = sigma s, one triangle after the other."""
    body = make_synthetic_body()
    rng = np.random.default_rng(3)
    pose = Pose(
        rng.normal(0, 0.3, (NUM_JOINTS, 3)),
        np.array([0.1, 0.2, -2.0]),
        np.zeros(body.num_expression),
    )
    vertices, _ = body.vertices(pose)
    count = 60
    bound = BoundGaussians(
        rng.integers(0, len(body.f), count).astype(np.int32),
        rng.dirichlet(np.ones(3), count).astype(np.float32),
        rng.normal(0, 0.02, (count, 3)).astype(np.float32),
        (lambda q: (q / np.linalg.norm(q, axis=1, keepdims=True)).astype(np.float32))(
            rng.normal(size=(count, 4))
        ),
        rng.uniform(0.001, 0.02, (count, 3)).astype(np.float32),
        rng.random(count).astype(np.float32),
        rng.random((count, 3)).astype(np.float32),
        np.zeros(count, np.uint8),
    )
    placed = place_on_faces(bound, vertices, body)
    for k in range(count):
        a, b, c = (np.asarray(vertices[v], np.float64) for v in body.f[bound.triangle[k]])
        p, q, r = (np.asarray(body.v_template[v], np.float64) for v in body.f[bound.triangle[k]])
        x = (b - a) / np.linalg.norm(b - a)
        z = np.cross(b - a, c - a)
        z /= np.linalg.norm(z)
        R = np.column_stack([x, np.cross(z, x), z])
        sigma = sum(np.linalg.norm(e) for e in (b - a, c - b, a - c)) / sum(
            np.linalg.norm(e) for e in (q - p, r - q, p - r)
        )
        t = bound.bary[k] @ np.stack([a, b, c])
        np.testing.assert_allclose(placed.means[k], sigma * R @ bound.offset[k] + t, atol=1e-6)
        np.testing.assert_allclose(placed.scales[k], sigma * bound.scales[k], rtol=1e-5)
        turned = R @ quaternion_to_matrix(bound.quats[k : k + 1])[0]
        np.testing.assert_allclose(
            quaternion_to_matrix(placed.quats[k : k + 1])[0], turned, atol=1e-5
        )


def test_triangles_without_an_area_have_frames() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    frames = face_frames(
        vertices,
        np.array([[0, 1, 2], [0, 0, 0]]),
        vertices,
        np.array([0, 1]),
        np.full((2, 3), 1 / 3),
    )
    assert np.isfinite(frames.R).all()
    np.testing.assert_allclose(np.linalg.det(frames.R), 1.0)
    assert (frames.sigma == 1.0).all()
