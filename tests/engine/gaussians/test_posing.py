"""Posing in numpy and its torch twin: the same Gaussians, and derivatives that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import look_at, photo_camera
from likeness.engine.core.types import NUM_JOINTS, Avatar, BoundGaussians, LikenessError, Pose
from likeness.engine.gaussians import pose_avatar, triangle_frames, vertex_normals

torch = pytest.importorskip("torch")

from likeness.engine.body.skinning_torch import (  # noqa: E402
    BodyTensors,
    axis_angle_to_matrix_torch,
    body_vertices_torch,
)
from likeness.engine.gaussians.posing_torch import (  # noqa: E402
    AvatarTensors,
    pose_avatar_torch,
    pose_tensors,
    triangle_frames_torch,
    vertex_normals_torch,
)
from likeness.engine.render.tensors import rasterize_tensors  # noqa: E402

FIELDS = ("means", "quats", "scales", "opacities", "colors")


def random_pose(rng: np.random.Generator, body: Body, bend: float = 0.4) -> Pose:
    return Pose(
        rng.normal(scale=bend, size=(NUM_JOINTS, 3)),
        rng.normal([0, 0, -3], 0.5),
        rng.uniform(0, 1, body.num_expression),
    )


def avatar_of(body: Body, count: int, seed: int = 0) -> Avatar:
    """Random Gaussians bound all over the body."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    bound = BoundGaussians(
        triangle=rng.integers(len(body.f), size=count).astype(np.int32),
        bary=rng.dirichlet(np.ones(3), count).astype(np.float32),
        offset=rng.normal(scale=0.01, size=(count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=rng.uniform(0.001, 0.01, (count, 3)).astype(np.float32),
        opacities=rng.uniform(0.1, 1, count).astype(np.float32),
        colors=rng.uniform(size=(count, 3)).astype(np.float32),
        layer=np.zeros(count, np.uint8),
    )
    return Avatar(body, bound, random_pose(rng, body), photo_camera(500, 64, 64), "full")


@pytest.fixture(scope="module")
def body() -> Body:
    """Small, with pose correctives, and as dense in numbers as a file's."""
    rng = np.random.default_rng(5)
    plain = make_synthetic_body()
    posedirs = rng.normal(scale=0.001, size=(*plain.v_template.shape, 486))
    return replace(plain, posedirs=posedirs.astype(np.float32))


@pytest.fixture(scope="module")
def avatar(body: Body) -> Avatar:
    return avatar_of(body.personalised(np.full(body.num_betas, 0.3)), 500)


def up_to_sign(quats: np.ndarray, like: np.ndarray) -> np.ndarray:
    return quats * np.sign((quats * like).sum(-1, keepdims=True))


def test_expression_takes_the_place_of_the_poses_own(avatar):
    body = avatar.body
    pose = random_pose(np.random.default_rng(1), body)
    by_name = pose_avatar(avatar, pose, {"jawOpen": 0.5, "eyeBlinkLeft": 1.0})
    by_array = pose_avatar(avatar, pose, body.expression(jawOpen=0.5, eyeBlinkLeft=1.0))
    whole = replace(pose, expression=body.expression(jawOpen=0.5, eyeBlinkLeft=1.0))
    np.testing.assert_array_equal(by_name.means, by_array.means)
    np.testing.assert_array_equal(by_name.means, pose_avatar(avatar, whole).means)
    assert np.abs(by_name.means - pose_avatar(avatar, pose).means).max() > 1e-3
    in_photo = pose_avatar(avatar, expression={})
    neutral = replace(avatar.pose, expression=np.zeros(body.num_expression))
    np.testing.assert_array_equal(in_photo.means, pose_avatar(avatar, neutral).means)


def test_expressions_that_do_not_fit_are_refused(avatar):
    with pytest.raises(LikenessError, match="winkle"):
        pose_avatar(avatar, expression={"winkle": 1.0})
    with pytest.raises(LikenessError, match=r"\[3\]"):
        pose_avatar(avatar, expression=np.zeros(3))
    tensors = AvatarTensors.of(avatar)
    with pytest.raises(LikenessError, match="winkle"):
        pose_avatar_torch(tensors, *pose_tensors(avatar.pose)[:2], {"winkle": 1.0})


@pytest.mark.parametrize("seed", range(4))
def test_twin_in_float64_is_exact(body, seed):
    rng = np.random.default_rng(seed)
    pose, betas = random_pose(rng, body, bend=0.8), rng.normal(size=body.num_betas)
    vertices, joints = body.vertices(pose, betas)
    tensors = BodyTensors.of(body, torch.float64)
    ours, our_joints = body_vertices_torch(
        tensors, *pose_tensors(pose, torch.float64), torch.tensor(betas)
    )
    np.testing.assert_allclose(ours, vertices, atol=1e-12)
    np.testing.assert_allclose(our_joints, joints, atol=1e-12)

    triangle = rng.integers(len(body.f), size=300)
    bary = rng.dirichlet(np.ones(3), 300)
    truth = triangle_frames(vertices, body.f, body.v_template, triangle, bary)
    frames = triangle_frames_torch(ours, tensors, torch.tensor(triangle), torch.tensor(bary))
    for name in truth._fields:
        np.testing.assert_allclose(getattr(frames, name), getattr(truth, name), atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 2e-6)])
def test_twin_poses_the_avatar_alike(avatar, dtype, tolerance):
    kind = getattr(torch, dtype)
    tensors = AvatarTensors.of(avatar, kind)
    for seed in range(5):
        pose = random_pose(np.random.default_rng(seed), avatar.body)
        truth = pose_avatar(avatar, pose)
        ours = pose_avatar_torch(tensors, *pose_tensors(pose, kind))
        assert ours.means.dtype == kind
        for name in FIELDS:
            found, expected = getattr(ours, name).numpy(), getattr(truth, name)
            if name == "quats":
                found = up_to_sign(found, expected)
            np.testing.assert_allclose(found, expected, atol=tolerance, err_msg=name)


def test_many_poses_at_once_are_each_alone(avatar):
    tensors = AvatarTensors.of(avatar, torch.float64)
    rng = np.random.default_rng(3)
    poses = [pose_tensors(random_pose(rng, avatar.body), torch.float64) for _ in range(6)]
    stacked = [torch.stack(parts).unflatten(0, (2, 3)) for parts in zip(*poses, strict=True)]
    together = pose_avatar_torch(tensors, *stacked)
    assert together.means.shape == (2, 3, 500, 3)
    for k, pose in enumerate(poses):
        alone = pose_avatar_torch(tensors, *pose)
        for name in ("means", "quats", "scales"):
            one = getattr(together, name).flatten(0, 1)[k]
            torch.testing.assert_close(one, getattr(alone, name), rtol=0, atol=1e-12)


def test_expressions_by_name_in_torch(avatar):
    tensors = AvatarTensors.of(avatar, torch.float64)
    full_pose, transl, _ = pose_tensors(avatar.pose, torch.float64)
    opened = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    ours = pose_avatar_torch(tensors, full_pose, transl, {"jawOpen": opened, "mouthPucker": 0.2})
    truth = pose_avatar(avatar, expression={"jawOpen": 0.4, "mouthPucker": 0.2})
    np.testing.assert_allclose(ours.means.detach(), truth.means, atol=1e-6)
    ours.means.square().sum().backward()
    assert opened.grad.abs() > 0


def test_derivatives_agree_with_differences():
    body = replace(
        make_synthetic_body(),
        posedirs=np.random.default_rng(0)
        .normal(scale=0.001, size=(*make_synthetic_body().v_template.shape, 486))
        .astype(np.float32),
    )
    avatar = AvatarTensors.of(avatar_of(body, 4), torch.float64)
    pose = random_pose(np.random.default_rng(2), body)
    given = [*pose_tensors(pose, torch.float64)]
    bound = avatar.gaussians
    given += [bound.offset, bound.quats, bound.scales, bound.opacities, bound.colors]
    given = [tensor.clone().requires_grad_() for tensor in given]

    def posed(full_pose, transl, expression, offset, quats, scales, opacities, colors):
        changed = replace(
            bound, offset=offset, quats=quats, scales=scales, opacities=opacities, colors=colors
        )
        out = pose_avatar_torch(AvatarTensors(avatar.body, changed), full_pose, transl, expression)
        return tuple(out)

    assert torch.autograd.gradcheck(posed, given, atol=1e-6, fast_mode=True)


def test_a_pictures_derivatives_reach_the_pose(avatar):
    """Posed and drawn by numba, and by brute force in float64."""
    pose = random_pose(np.random.default_rng(1), avatar.body)
    centre = pose_avatar(avatar, pose).means.mean(0)
    view = look_at(centre, 2.5, 20.0, 0.0)[None]
    K = photo_camera(30.0, 24, 32).K[None]
    found = []
    for backend, dtype in (("cpu", torch.float32), ("reference", torch.float64)):
        given = [values.requires_grad_() for values in pose_tensors(pose, dtype)]
        drawn = pose_avatar_torch(AvatarTensors.of(avatar, dtype), *given)
        cameras = (torch.tensor(array, dtype=dtype) for array in (view, K))
        rgb, alpha, _ = rasterize_tensors(*drawn, *cameras, 24, 32, backend=backend)
        (rgb.square().sum() + alpha.sum()).backward()
        assert all(values.grad.dtype == dtype for values in given)
        found.append([values.grad.double() for values in given])
    for ours, truth in zip(*found, strict=True):
        assert truth.norm() > 0
        assert (ours - truth).norm() < 1e-3 * truth.norm()


def test_derivatives_at_rest_and_without_area_are_finite(body):
    """At zero angles, and on a mesh whose triangles have collapsed to points and lines."""
    flat = np.array(body.v_template)
    flat[body.f[0]] = flat[body.f[0, 0]]
    flat[body.f[30, 2]] = flat[body.f[30, 1]]
    broken = replace(body, v_template=flat)
    tensors = AvatarTensors.of(avatar_of(broken, 400))
    full_pose = torch.zeros(NUM_JOINTS, 3, requires_grad=True)
    transl = torch.zeros(3, requires_grad=True)
    expression = torch.zeros(body.num_expression, requires_grad=True)
    out = pose_avatar_torch(tensors, full_pose, transl, expression)
    sum(getattr(out, name).square().sum() for name in ("means", "quats", "scales")).backward()
    for leaf in (full_pose, transl, expression):
        assert leaf.grad.isfinite().all()
    truth = triangle_frames(
        flat, body.f, flat, np.arange(len(body.f)), np.full((len(body.f), 3), 1 / 3)
    )
    single = torch.tensor(flat, dtype=torch.float64)
    twin = triangle_frames_torch(
        single,
        BodyTensors.of(broken, torch.float64),
        torch.arange(len(body.f)),
        torch.full((len(body.f), 3), 1 / 3, dtype=torch.float64),
    )
    np.testing.assert_allclose(twin.R, truth.R, atol=1e-9)
    np.testing.assert_allclose(twin.sigma, truth.sigma, atol=1e-9)


def test_normals_of_a_batch(body):
    rng = np.random.default_rng(9)
    many = np.stack([body.vertices(random_pose(rng, body))[0] for _ in range(3)])
    ours = vertex_normals_torch(torch.tensor(many), torch.tensor(body.f, dtype=torch.int64))
    for k, vertices in enumerate(many):
        np.testing.assert_allclose(ours[k], vertex_normals(vertices, body.f), atol=1e-10)


def test_small_and_large_angles():
    """Rodrigues' formula against the matrix exponential."""
    rng = np.random.default_rng(4)
    v = rng.normal(size=(60, 3)) * np.logspace(-12, 0.8, 60)[:, None]
    v[0] = 0
    zero = np.zeros(60)
    K = np.stack([zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], -1)
    expected = torch.linalg.matrix_exp(torch.tensor(K.reshape(-1, 3, 3)))
    found = axis_angle_to_matrix_torch(torch.tensor(v))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    single = axis_angle_to_matrix_torch(torch.tensor(v, dtype=torch.float32)).double()
    torch.testing.assert_close(single, expected, rtol=0, atol=1e-6)
