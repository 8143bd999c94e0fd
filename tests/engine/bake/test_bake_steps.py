"""The bake's single steps on small synthetic data."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.bake.closest import closest_on_mesh, nearest_facing
from likeness.engine.bake.flatten import DiskPatch, boundary_loops, slim, tutte
from likeness.engine.bake.makehuman_targets import (
    local_coefficients,
    random_local,
    random_phenotype,
)
from likeness.engine.bake.mpfb import load_target, sample_uv_image
from likeness.engine.bake.phenotype_prior import FEATURES, _scores_of
from likeness.engine.bake.plain_render import triangulate
from likeness.engine.bake.template_fixes import fair_patch
from likeness.engine.bake.tpose import to_tpose
from likeness.engine.body.phenotype import ANCHORS, RACES, feature_products, phenotype_memberships
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import intrinsics, look_at, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Pose,
)
from PIL import Image


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """[n * n, 2] points of a unit grid and its triangles, counter-clockwise."""
    y, x = np.divmod(np.arange(n * n), n)
    i = np.arange(n * n).reshape(n, n)
    a, b, c, d = i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]
    f = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return np.stack([x, y], 1) / (n - 1), f


def test_memberships_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        member = phenotype_memberships(random_phenotype(rng))
        for anchors in (*ANCHORS.values(), RACES):
            assert sum(member[name] for name in anchors) == pytest.approx(1.0)
    assert phenotype_memberships({"weight": 0.75})["maxweight"] == pytest.approx(0.5)


def test_local_coefficients_pick_the_direction() -> None:
    np.testing.assert_allclose(local_coefficients(np.array([0.3, -0.2])), [0.3, 0, 0, 0.2])


def test_random_local_keeps_the_two_sides_alike() -> None:
    names = ("l-ear-scale-incr", "r-ear-scale-incr", "l-leg-valgus-incr")
    draws = np.stack([random_local(names, True, 0.3, np.random.default_rng(i)) for i in range(400)])
    assert (draws[:, 2] == 0).all()
    assert np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] > 0.9


def test_prior_finds_the_scores_that_bodies_were_made_of() -> None:
    rng = np.random.default_rng(0)
    vertices, body_count, head_count = 60, 50, 4
    dirs = np.linalg.qr(rng.normal(size=(3 * vertices, body_count + head_count)))[0]
    dirs *= rng.uniform(0.1, 3.0, body_count + head_count)
    scores = rng.normal(size=(5, body_count + head_count))
    offsets = (scores @ dirs.T).reshape(5, vertices, 3)
    found = _scores_of(offsets, dirs.reshape(vertices, 3, -1), np.ones(vertices))
    np.testing.assert_allclose(found, scores, atol=1e-9)


def test_prior_features_are_independent() -> None:
    rng = np.random.default_rng(1)
    X = np.stack(
        [feature_products(random_phenotype(rng), FEATURES) for _ in range(2 * len(FEATURES))]
    )
    assert len(set(FEATURES)) == len(FEATURES)
    assert np.linalg.matrix_rank(X) == len(FEATURES)


def test_load_target(tmp_path: Path) -> None:
    text = "# a comment\n2 1 -.5 0\n\n0 0 0 .25\n"
    (tmp_path / "a.target").write_text(text)
    with gzip.open(tmp_path / "a.target.gz", "wt") as file:
        file.write(text)
    wanted = [[0, 0, 0.025], [0, 0, 0], [0.1, -0.05, 0]]
    for name in ("a.target", "a.target.gz"):
        np.testing.assert_allclose(load_target(tmp_path / name, 3), wanted, atol=1e-7)
    with pytest.raises(LikenessError, match=r"missing\.target"):
        load_target(tmp_path / "missing.target", 3)


def test_sample_uv_image(tmp_path: Path) -> None:
    picture = np.zeros((4, 8), np.uint8)
    picture[0, 6] = 200  # the top row of a picture is v near 1
    Image.fromarray(picture).save(tmp_path / "mask.png")
    uv = np.array([[6.5 / 8, 0.9], [6.5 / 8, 0.1]])
    np.testing.assert_array_equal(sample_uv_image(tmp_path / "mask.png", uv), [200, 0])


def test_to_tpose_undoes_a_relaxed_pose() -> None:
    body = make_synthetic_body()
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -0.8],
        right_shoulder=[0, 0, 0.8],
        left_elbow=[0, -0.5, 0],
        right_elbow=[0, 0.5, 0],
        left_index1=[0, 0, -0.3],
        right_middle2=[0, 0, 0.4],
    )
    vertices, joints = body.vertices(pose)
    tips = np.stack(
        [
            joints[JOINT_INDEX[f"{s}_{n}3"]]
            + (joints[JOINT_INDEX[f"{s}_{n}3"]] - joints[JOINT_INDEX[f"{s}_{n}2"]])
            for s in ("left", "right")
            for n in ("index", "middle", "pinky", "ring", "thumb")
        ]
    )
    straight, at_rest = to_tpose(vertices, joints, tips, np.eye(55)[body.weights.argmax(1)])
    arms = [
        JOINT_INDEX[f"{s}_{n}"]
        for s in ("left", "right")
        for n in ("shoulder", "elbow", "wrist", "index1", "index3", "middle3")
    ]
    np.testing.assert_allclose(at_rest[arms], body.J_template[arms], atol=1e-6)
    rigid = np.flatnonzero(body.weights.max(1) > 0.99)
    arm = rigid[np.isin(body.weights[rigid].argmax(1), [18, 19])]
    np.testing.assert_allclose(straight[arm], body.v_template[arm], atol=1e-6)


def test_flattening_a_dome_is_nearly_isometric() -> None:
    points, f = grid(21)
    centred = 2 * points - 1
    dome = np.column_stack([centred, 0.4 * (1 - (centred**2).sum(1))])
    lengths = np.stack(
        [
            np.linalg.norm(dome[f[:, (k + 1) % 3]] - dome[f[:, (k + 2) % 3]], axis=1)
            for k in range(3)
        ],
        1,
    )
    loop = boundary_loops(f)[0]
    assert len(loop) == 80
    piece = DiskPatch(f, lengths, np.ones(len(f)), loop, np.zeros(len(dome), bool))
    uv = slim(piece, tutte(piece, len(dome)))
    a, b = uv[f[:, 1]] - uv[f[:, 0]], uv[f[:, 2]] - uv[f[:, 0]]
    area = 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    true = 0.5 * np.linalg.norm(
        np.cross(dome[f[:, 1]] - dome[f[:, 0]], dome[f[:, 2]] - dome[f[:, 0]]), axis=1
    )
    assert area.min() > 0
    ratio = area / true
    assert ratio.min() > 0.7
    assert ratio.max() < 1.4


def test_flattening_keeps_the_axis_straight() -> None:
    points, f = grid(11)
    on_axis = points[:, 0] == 0
    flat = np.column_stack([points, 0.2 * np.sin(3 * points[:, 0])])
    lengths = np.stack(
        [
            np.linalg.norm(flat[f[:, (k + 1) % 3]] - flat[f[:, (k + 2) % 3]], axis=1)
            for k in range(3)
        ],
        1,
    )
    piece = DiskPatch(f, lengths, np.ones(len(f)), boundary_loops(f)[0], on_axis)
    uv = slim(piece, tutte(piece, len(flat)))
    np.testing.assert_array_equal(uv[on_axis, 0], 0)
    assert (uv[~on_axis, 0] > 0).all()


def test_fair_patch_fills_linear_data_exactly() -> None:
    points, f = grid(9)
    # On a grid cut along diagonals each vertex's neighbours are symmetric, so linear functions
    # solve the Laplace equation.
    patch = np.array([30, 31, 40, 41])
    values = points @ np.array([[1.0, 2.0], [3.0, -1.0]])
    broken = values.copy()
    broken[patch] += 5.0
    np.testing.assert_allclose(fair_patch(broken, f, patch), values, atol=1e-9)


def test_closest_on_mesh_against_sampling() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(12, 3))
    f = np.array([rng.choice(12, 3, replace=False) for _ in range(8)])
    points = 1.5 * rng.normal(size=(30, 3))
    triangle, bary = closest_on_mesh(points, vertices, f, np.arange(1, 8))
    assert triangle.min() >= 1
    assert bary.min() >= 0
    np.testing.assert_allclose(bary.sum(1), 1)
    found = np.einsum("nkc,nk->nc", vertices[f[triangle]], bary)
    distance = np.linalg.norm(found - points, axis=1)
    many = rng.dirichlet([0.5, 0.5, 0.5], 4000)
    samples = np.einsum("sk,fkc->fsc", many, vertices[f[1:]]).reshape(-1, 3)
    nearest = np.linalg.norm(points[:, None] - samples[None], axis=2).min(1)
    assert (distance <= nearest + 1e-12).all()
    assert (nearest - distance < 0.05).all()


def test_the_nearest_of_many_triangles_is_that_of_each_alone() -> None:
    """Most are left out unseen, for they are too far away."""
    rng = np.random.default_rng(1)
    vertices = rng.normal(size=(60, 3))
    f = np.array([rng.choice(60, 3, replace=False) for _ in range(80)])
    near = np.linalg.norm(vertices[f] - vertices[f].mean(1, keepdims=True), axis=2).max(1) < 1.5
    points = 3.0 * rng.normal(size=(40, 3))

    def distances(triangle: IntArray, bary: FloatArray) -> FloatArray:
        return np.linalg.norm(np.einsum("nkc,nk->nc", vertices[f[triangle]], bary) - points, axis=1)

    alone = [
        distances(*closest_on_mesh(points, vertices, f, np.array([face])))
        for face in np.flatnonzero(near)
    ]
    triangle, _bary = closest_on_mesh(points, vertices, f, np.flatnonzero(near))
    np.testing.assert_array_equal(triangle, np.flatnonzero(near)[np.argmin(alone, axis=0)])
    # The same among all, and only of those that face the same way.
    normal = np.cross(vertices[f[:, 1]] - vertices[f[:, 0]], vertices[f[:, 2]] - vertices[f[:, 0]])
    faces = np.arange(20)  # so few that each is a candidate
    towards = normal[rng.choice(20, 40)]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    triangle, _ = nearest_facing(points, towards, vertices, f, faces, 0.3)
    unit = normal[:20] / np.linalg.norm(normal[:20], axis=1, keepdims=True)
    each = np.array(
        [distances(*closest_on_mesh(points, vertices, f, np.array([face]))) for face in faces]
    )
    each[(unit @ towards.T) < 0.3] = np.inf
    np.testing.assert_array_equal(triangle, faces[np.argmin(each, axis=0)])


def test_triangulate_ignores_a_wild_view() -> None:
    target = np.array([0.1, 0.2, -0.1])
    cameras = [
        Camera(look_at(np.zeros(3), 3.0, yaw, 5.0), intrinsics(900.0, 640, 640), 640, 640)
        for yaw in (-50.0, -20.0, 0.0, 15.0, 40.0)
    ]
    pixels = np.stack([project(target, camera)[0] for camera in cameras])
    pixels[2] += [60.0, -40.0]
    point, miss = triangulate(cameras, pixels, np.ones(5))
    np.testing.assert_allclose(point, target, atol=1e-3)
    assert miss[2] > 0.1


def test_triangles_without_area_have_nearest_points_too() -> None:
    """Registration may lay corners onto one another."""
    a, b, c = np.eye(3)
    vertices = np.stack([a, b, c, 0.5 * (a + b)])
    f = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0], [2, 2, 2], [0, 1, 3]], np.int32)
    at = np.array([0.25 * a + 0.75 * b, a, [2.0, -1.0, 0.0]])
    for face, corners in enumerate(f):
        _, bary = closest_on_mesh(at, vertices, f, np.array([face]))
        assert np.isfinite(bary).all()
        np.testing.assert_allclose(bary.sum(1), 1.0)
        found = np.einsum("nk,kd->nd", bary, vertices[corners])
        ends = vertices[corners]
        brute = np.linspace(0.0, 1.0, 401)[:, None, None]
        sides = np.concatenate([(1 - brute) * ends + brute * np.roll(ends, 1, 0)]).reshape(-1, 3)
        nearest = np.linalg.norm(at[:, None] - sides, axis=2).min(1)
        np.testing.assert_allclose(np.linalg.norm(found - at, axis=1), nearest, atol=2e-3)
