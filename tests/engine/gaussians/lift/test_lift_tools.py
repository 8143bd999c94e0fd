"""The lift's splats and meshes, against closed forms and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, unproject
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import JOINT_INDEX, FloatArray, Pose
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh
from likeness.engine.gaussians.lift.splats.photo_splats import (
    find_adrift,
    find_stuck_cloth,
    find_trunk_cloth,
    limit_reach,
)
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import (
    GROUPS,
    HEAD,
    LEFT_ARM,
    TORSO,
    vertex_groups,
)
from likeness.engine.gaussians.lift.surface.surfels import (
    FLATNESS,
    IN_SLEEVE,
    INNER_PARTS,
    TriangleBinding,
    closest_barycentric,
    grid_tangents,
    has_near_neighbours,
    surfels_from_tangents,
    surfels_on_plane,
    tangent_plane_steps,
)
from likeness.engine.gaussians.lift.surface.surfels import S as SURFELS
from likeness.engine.gaussians.mesh_diffusion import (
    diffuse_values,
    mesh_edges,
    mesh_laplacian,
    mirror_vertices,
)

# Surfels


def covariances(quats: FloatArray, scales: FloatArray) -> FloatArray:
    R = quaternion_to_matrix(quats)
    return np.einsum("nab,nb,ncb->nac", R, scales**2, R)


def test_points_in_mid_air_are_told_from_a_surface() -> None:
    y, x = np.mgrid[:20, :20] * 0.002
    sheet = np.stack([x, y, np.where(x < 0.02, 0.0, 0.3)], -1).reshape(-1, 3)  # two limbs
    between = np.array([[0.02, 0.01, 0.15], [0.02, 0.02, 0.2]])
    found = has_near_neighbours(np.concatenate([sheet, between]), np.full(402, 0.002))
    assert found[:400].all()
    assert not found[400:].any()
    assert has_near_neighbours(between, np.full(2, 0.002)).all()  # too few to tell


def test_surfels_have_the_tangents_covariance() -> None:
    rng = np.random.default_rng(4)
    du = rng.normal(size=(300, 3))
    dv = rng.normal(size=(300, 3))
    normal = np.cross(du, dv)
    # Not the almost parallel ones: those are kept from becoming needles.
    fat = np.linalg.norm(normal, axis=1) > 0.5 * np.einsum("nd,nd->n", du, du)
    fat &= np.linalg.norm(normal, axis=1) > 0.5 * np.einsum("nd,nd->n", dv, dv)
    du, dv, normal = du[fat], dv[fat], normal[fat]
    assert len(du) > 50
    n = len(du)
    out = surfels_from_tangents(np.zeros((n, 3)), du, dv, 0.45, np.ones((n, 3)), np.ones(n))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    expected = 0.45**2 * (du[:, :, None] * du[:, None] + dv[:, :, None] * dv[:, None])
    thin = out.scales[:, 2] ** 2
    expected += thin[:, None, None] * normal[:, :, None] * normal[:, None]
    np.testing.assert_allclose(covariances(out.quats, out.scales), expected, atol=1e-9)
    np.testing.assert_allclose(out.scales[:, 2], FLATNESS * out.scales[:, :2].min(1))
    third = quaternion_to_matrix(out.quats)[:, :, 2]
    np.testing.assert_allclose(np.abs(np.einsum("nd,nd->n", third, normal)), 1, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(out.quats, axis=1), 1, atol=1e-9)


def test_degenerate_tangents_stay_finite_and_flat() -> None:
    du = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 2e-3], [1e-12, 0, 0]])
    dv = np.array([[2.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1.0, 0]])
    out = surfels_from_tangents(np.zeros((4, 3)), du, dv, 0.5, np.ones((4, 3)), np.ones(4))
    assert np.isfinite(out.quats).all()
    assert (out.scales > 0).all()
    np.testing.assert_allclose(np.linalg.norm(out.quats, axis=1), 1, atol=1e-6)
    assert (out.scales[:, 2] <= 0.1001 * out.scales[:, :2].min(1)).all()


def test_round_surfels_lie_on_their_plane() -> None:
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    radius = rng.uniform(0.001, 0.01, 50)
    out = surfels_on_plane(np.zeros((50, 3)), normals, radius, np.ones((50, 3)), np.ones(50))
    np.testing.assert_allclose(out.scales[:, :2], radius[:, None] * [1, 1], rtol=1e-9)
    third = quaternion_to_matrix(out.quats)[:, :, 2]
    np.testing.assert_allclose(np.abs(np.einsum("nd,nd->n", third, normals)), 1, atol=1e-9)


def test_steps_in_a_plane_lead_to_the_next_pixels() -> None:
    """Against the points where the neighbouring pixels' rays meet the plane."""
    rng = np.random.default_rng(6)
    camera = photo_camera(4000.0, 800, 600)
    xy = rng.uniform(100, 500, (200, 2))
    points = unproject(xy, rng.uniform(0.5, 3.0, 200), camera)
    toward = -points / np.linalg.norm(points, axis=1, keepdims=True)
    normals = toward + 0.9 * rng.normal(size=(200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    gentle = np.einsum("nd,nd->n", normals, toward) > 0.45
    assert gentle.sum() > 50
    size = -points[:, 2] / camera.K[0, 0]
    for step, moved in zip(
        tangent_plane_steps(points, normals, size), ([1.0, 0.0], [0.0, 1.0]), strict=True
    ):
        ray = unproject(xy + moved, np.ones(200), camera)
        scale = np.einsum("nd,nd->n", points, normals) / np.einsum("nd,nd->n", ray, normals)
        there = ray * scale[:, None] - points
        np.testing.assert_allclose(step[gentle], there[gentle], atol=3e-3 * size.max())
    # Grazing or turned away, no step is longer than it may be.
    away = tangent_plane_steps(points, -normals, size)[0]
    assert (np.linalg.norm(away, axis=1) <= np.hypot(1.0, SURFELS.stretch) * 1.2 * size).all()


def test_tangents_of_a_slanted_plane_cross_no_label() -> None:
    y, x = np.mgrid[:6, :8].astype(float)
    points = np.stack([0.01 * x, -0.01 * y, 0.004 * x + 0.002 * y], -1)
    label = (x >= 4).astype(int)
    points[label == 1, 2] += 3.0  # another sheet, far behind
    du, dv = grid_tangents(points, np.ones((6, 8), bool), label, np.full((6, 8), 0.01))
    np.testing.assert_allclose(du, np.broadcast_to([0.01, 0, 0.004], du.shape), atol=1e-12)
    np.testing.assert_allclose(dv, np.broadcast_to([0, -0.01, 0.002], dv.shape), atol=1e-12)
    # Without the labels the jump is too far for one surface: each side keeps its own step.
    everywhere, size = np.ones((6, 8), bool), np.full((6, 8), 0.01)
    du, _ = grid_tangents(points, everywhere, 0 * label, size)
    np.testing.assert_allclose(du, np.broadcast_to([0.01, 0, 0.004], du.shape), atol=1e-12)
    # A step along a steep surface counts, and is cut to MAX_STRETCH pixels.
    points[..., 2] = 0.08 * x
    du, _ = grid_tangents(points, everywhere, label, size)
    np.testing.assert_allclose(np.linalg.norm(du, axis=-1), SURFELS.max_stretch * 0.01)
    np.testing.assert_allclose(du[..., 2] / du[..., 0], 8.0)
    # A pixel alone faces the camera.
    alone = np.zeros((6, 8), bool)
    alone[2, 2] = True
    du, dv = grid_tangents(points, alone, label, np.full((6, 8), 0.01))
    np.testing.assert_allclose(du[2, 2], [0.01, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(dv[2, 2]), [0, 0.01, 0], atol=1e-12)


# Homes


def test_barycentric_of_a_point_over_its_triangle() -> None:
    rng = np.random.default_rng(6)
    corners = rng.normal(size=(40, 3, 3))
    inside = rng.dirichlet(np.ones(3), 40)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    points = np.einsum("nk,nkd->nd", inside, corners) + 0.7 * normal
    np.testing.assert_allclose(closest_barycentric(points, corners), inside, atol=1e-9)


def test_barycentric_outside_is_near_the_closest_point() -> None:
    """Clamping is not the exact nearest point; it must stay on the triangle and near it."""
    rng = np.random.default_rng(7)
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0.3, 0.9, 0]]) + 0.05 * rng.normal(size=(30, 3, 3))
    points = rng.uniform(-1, 2, (30, 3))
    bary = closest_barycentric(points, corners)
    assert bary.min() >= 0
    np.testing.assert_allclose(bary.sum(1), 1, atol=1e-9)
    steps = np.linspace(0, 1, 101)
    u, v = (g.ravel() for g in np.meshgrid(steps, steps))
    dense = np.stack([1 - u - v, u, v], -1)[u + v <= 1 + 1e-9]
    for point, corner, found in zip(points, corners, bary, strict=True):
        best = np.linalg.norm(dense @ corner - point, axis=1).min()
        assert np.linalg.norm(found @ corner - point) < best + 0.35


def test_groups_of_vertices_follow_the_joints() -> None:
    body = make_synthetic_body()
    groups = vertex_groups(body)
    assert set(groups.tolist()) == set(range(len(GROUPS)))
    sole = body.weights.max(1) > 0.99
    joint = body.weights.argmax(1)
    for name, expected in (
        ("head", "head"),
        ("left_knee", "left_leg"),
        ("left_elbow", "left_arm"),
        ("right_wrist", "right_arm"),
        ("spine2", "torso"),
        ("right_thumb2", "right_arm"),
    ):
        own = sole & (joint == JOINT_INDEX[name])
        assert own.any(), name
        assert (groups[own] == GROUPS.index(expected)).all(), name


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


def test_homes_are_of_the_right_limb_and_outside(body: Body) -> None:
    vertices, _ = body.vertices(Pose.rest(body.num_expression))
    face_group = vertex_groups(body)[body.f[:, 0]]
    homes = TriangleBinding(body, vertices, face_group)
    rng = np.random.default_rng(8)
    points = rng.uniform(-1, 1, (600, 3))
    group = rng.integers(0, len(GROUPS), 600)
    triangle, bary = homes.find(points, group)
    assert (face_group[triangle] == group).all()
    part = np.array(body.part_names)[body.face_part[triangle]]
    assert not np.isin(part, INNER_PARTS).any()
    np.testing.assert_allclose(bary.sum(1), 1, atol=1e-6)
    # The nearest centroid among those that anything is bound to.
    used = np.unique(triangle[group == LEFT_ARM])
    centroids = vertices[body.f].mean(1)
    for row in np.nonzero(group == LEFT_ARM)[0][:50]:
        distance = np.linalg.norm(centroids[used] - points[row], axis=1)
        assert triangle[row] == used[distance.argmin()]


def test_homes_leave_out_mimic_triangles_where_others_are(body: Body) -> None:
    face_group = vertex_groups(body)[body.f[:, 0]]
    vertices, _ = body.vertices(Pose.rest(body.num_expression))
    # Only the upper half of the head moves with expressions.
    exprdirs = np.zeros_like(body.exprdirs)
    exprdirs[vertices[:, 1] > 0.7] = 0.01
    mimic = replace(body, exprdirs=exprdirs)
    points = np.tile([0.0, 0.8, 0.1], (5, 1))
    triangle, _ = TriangleBinding(mimic, vertices, face_group).find(points, np.full(5, HEAD))
    assert not (exprdirs[mimic.f[triangle]] > 0.003).any()


def test_a_limb_without_triangles_gets_another_home(body: Body) -> None:
    vertices, _ = body.vertices(Pose.rest(body.num_expression))
    face_group = np.zeros(len(body.f), int)
    triangle, bary = TriangleBinding(body, vertices, face_group).find(
        np.zeros((3, 3)), np.full(3, HEAD)
    )
    assert (triangle >= 0).all()
    assert np.isfinite(bary).all()


# Completion over the mesh


def chain(n: int) -> np.ndarray:
    """Triangles of a strip with n vertices."""
    return np.stack([np.arange(n - 2), np.arange(1, n - 1), np.arange(2, n)], -1)


def test_laplacian_of_a_mesh() -> None:
    f = chain(6)
    edges = {tuple(sorted(e)) for t in f.tolist() for e in (t[:2], t[1:], [t[0], t[2]])}
    expected = np.zeros((6, 6))
    for i, j in edges:
        expected[i, j] = expected[j, i] = -1.0
    expected -= np.diag(expected.sum(1))
    np.testing.assert_allclose(mesh_laplacian(f, 6).toarray(), expected)
    assert [tuple(e) for e in mesh_edges(f).tolist()] == sorted(edges)


def test_diffusion_minimises_its_energy() -> None:
    rng = np.random.default_rng(9)
    n = 12
    laplacian = mesh_laplacian(chain(n), n)
    values, prior = rng.uniform(size=(n, 2)), rng.uniform(size=(n, 2))
    weight, pull = rng.uniform(0, 2, n), rng.uniform(0.01, 0.5, n)

    def energy(x: FloatArray) -> float:
        return float(
            np.trace(x.T @ laplacian.toarray() @ x)
            + (weight[:, None] * (x - values) ** 2).sum()
            + (pull[:, None] * (x - prior) ** 2).sum()
        )

    best = diffuse_values(laplacian, values, weight, prior, pull)
    for _ in range(50):
        assert energy(best + 1e-2 * rng.normal(size=(n, 2))) > energy(best)


def test_diffusion_carries_the_known_and_falls_back_to_the_prior() -> None:
    two = np.concatenate([chain(5), chain(5) + 5])
    laplacian = mesh_laplacian(two, 10)
    values = np.zeros((10, 3))
    values[0] = [0.9, 0.1, 0.4]
    weight = np.eye(10)[0] * 1e3
    out = diffuse_values(laplacian, values, weight, np.array([0.5, 0.5, 0.5]), 1e-5)
    np.testing.assert_allclose(out[:5], np.tile(values[0], (5, 1)), atol=1e-3)
    np.testing.assert_allclose(out[5:], 0.5, atol=1e-9)


def test_mirror_of_a_mirrored_body(body: Body) -> None:
    mirror = mirror_vertices(body.v_template)
    there = mirror >= 0
    assert there.mean() > 0.95
    flipped = body.v_template[mirror[there]] * [-1, 1, 1]
    assert np.linalg.norm(flipped - body.v_template[there], axis=1).max() < 0.006
    lonely = np.array([[0.5, 0.0, 0.0], [-0.5, 0.02, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(mirror_vertices(lonely), [-1, -1, 2])


def test_cloth_behind_a_bare_arm_stays_with_the_trunk() -> None:
    label = np.array([UPPER, UPPER, SKIN, UPPER, UPPER])
    limb = np.array([LEFT_ARM, LEFT_ARM, LEFT_ARM, TORSO, LEFT_ARM + IN_SLEEVE])
    worn = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    stuck = find_stuck_cloth(label, limb, worn)
    np.testing.assert_array_equal(stuck, [True, False, False, False, False])


def test_cloth_on_the_trunk_does_not_rise_with_an_arm_beside_it(average: Body) -> None:
    """At the armpit the nearest triangle that may hold it is far down the arm."""
    body = average
    pose = Pose.rest(body.num_expression).with_joints(left_shoulder=[0, 0, -1.3])
    vertices, _ = body.vertices(pose)
    homes = TriangleBinding(body, vertices, vertex_groups(body)[body.f[:, 0]])
    none = np.zeros(len(vertices))
    dressed = DressedMesh(vertices, none, none + 1.0, body.f, none > 0.0)
    centres = vertices[body.f].mean(1)
    trunk = np.nonzero(homes.face_group == TORSO)[0]
    arm = np.nonzero(homes.face_group == LEFT_ARM)[0]
    flank = trunk[np.abs(centres[trunk] - centres[arm].mean(0)).sum(1).argmin()]
    upper, fore = (
        arm[body.weights[:, JOINT_INDEX[f"left_{joint}"]][body.f[arm]].sum(1).argmax()]
        for joint in ("shoulder", "elbow")
    )
    points = centres[[flank, upper, flank]]
    stays = find_trunk_cloth(points, np.array([upper, upper, fore]), homes, dressed)
    np.testing.assert_array_equal(stays, [True, False, False])


def test_scraps_of_a_sleeve_that_float_beside_the_hand_go() -> None:
    """A wide sleeve hangs down as far, but from the arm."""
    along, down = np.meshgrid(np.arange(0.0, 0.2, 0.004), np.arange(0.0, 0.15, 0.004))
    sleeve = np.stack([along.ravel(), -down.ravel(), np.zeros(along.size)], 1)
    scrap = sleeve[:200] * [0.2, 0.2, 1.0] + [0.1, 0.1, 0.1]
    points = np.concatenate([sleeve, scrap])
    away = np.concatenate([0.01 - sleeve[:, 1], np.full(len(scrap), 0.13)])
    adrift = find_adrift(points, away)
    assert not adrift[: len(sleeve)].any()
    assert adrift[len(sleeve) :].all()


def test_a_bare_arm_seen_before_a_shirt_keeps_no_flap():
    """It is held tighter than a wide sleeve, and what is held in a hand not at all."""
    none, one = np.zeros(1, bool), np.ones(1, bool)
    flap = limit_reach(one, none, none, one)
    sleeve = limit_reach(one, one, none, none)
    assert flap < limit_reach(one, none, none, none) < sleeve < limit_reach(none, none, none, none)
