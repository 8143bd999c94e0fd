"""Dual-UV sampling against scipy, plain loops and brute-force rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project, unproject
from likeness.engine.core.sampling import bilinear, bilinear_matrix
from likeness.engine.core.types import Camera, FloatArray, IntArray, Pose
from likeness.engine.dual_uv.sampling import (
    SurfaceSamples,
    core_points,
    sample_surface,
    scatter_matrix,
    scatter_mean,
    shell_points,
)
from likeness.engine.gaussians import vertex_normals
from scipy import ndimage

CAMERA = photo_camera(520.0, 320, 400)
DIAGONALS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="module")
def vertices(body: Body) -> FloatArray:
    """The left arm hangs, the right forearm lies before the chest."""
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -1.2], right_shoulder=[0, 0.4, 1.0], right_elbow=[0, 1.6, 0.3]
    )
    return body.vertices(replace(pose, transl=np.array([0.0, 0.1, -2.8])))[0]


@pytest.fixture(scope="module")
def samples(body: Body) -> SurfaceSamples:
    return sample_surface(body, 96)


def pixel_position(camera: Camera) -> FloatArray:
    """[H, W, 2] an image whose colour is the place of its pixels' centres."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return np.stack([x, y], -1)


def first_hits(pixels: FloatArray, mesh: FloatArray, f: IntArray) -> FloatArray:
    """[N] depth of the first triangle that each pixel's ray meets, inf without one."""
    ray = unproject(pixels, np.ones(len(pixels)), CAMERA)  # depth 1: t is the depth
    a, b, c = (mesh[f[:, k]] for k in range(3))
    p = np.cross(ray[:, None], (c - a)[None])
    determinant = np.einsum("nfd,fd->nf", p, b - a)
    determinant = np.where(np.abs(determinant) < 1e-15, np.nan, determinant)
    u = np.einsum("nfd,fd->nf", p, -a) / determinant
    q = np.cross(-a, b - a)
    v = ray @ q.T / determinant
    t = np.einsum("fd,fd->f", c - a, q) / determinant
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return np.where(hit, t, np.inf).min(1)


def test_points_lie_between_their_corners(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    expected = np.einsum("nk,nkd->nd", samples.bary, vertices[body.f[samples.triangle]])
    np.testing.assert_allclose(samples.points(vertices, body.f), expected, atol=1e-12)


def around(xy: FloatArray) -> list[FloatArray]:
    """Rays through the points and a pixel beside them: where all agree, no edge is near."""
    return [xy + step for step in 1.5 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])]


@pytest.mark.parametrize("channels", [1, 3])
def test_bilinear_is_scipys_first_order(channels: int) -> None:
    rng = np.random.default_rng(channels)
    image = rng.uniform(size=(9, 13, channels))
    xy = rng.uniform([-2, -2], [15, 11], (200, 2))
    grid = [xy[:, 1] - 0.5, xy[:, 0] - 0.5]
    expected = [
        ndimage.map_coordinates(image[..., c], grid, order=1, mode="nearest")
        for c in range(channels)
    ]
    np.testing.assert_allclose(bilinear(image, xy), np.stack(expected, -1), atol=1e-12)


def test_bilinear_of_one_pixel() -> None:
    np.testing.assert_allclose(
        bilinear(np.array([[[0.3, 0.7]]]), np.array([[0.5, 0.5], [9.0, -3.0]])), [[0.3, 0.7]] * 2
    )


def test_scatter_averages_what_falls_into_a_cell() -> None:
    rng = np.random.default_rng(0)
    size, count = 5, 60
    row, col = rng.integers(0, 4, count), rng.integers(1, 5, count)  # cells that stay empty
    values = rng.normal(size=(count, 4))
    grid, mask = scatter_mean(values, row, col, size)
    for r in range(size):
        for c in range(size):
            here = (row == r) & (col == c)
            assert mask[r, c] == here.any()
            mean = values[here].mean(0) if here.any() else np.zeros(4)
            np.testing.assert_allclose(grid[r, c], mean, atol=1e-5)


def test_scatter_of_nothing() -> None:
    none = np.zeros(0, np.int64)
    grid, mask = scatter_mean(np.zeros((0, 3)), none, none, 4)
    assert grid.shape == (4, 4, 3)
    assert not grid.any()
    assert not mask.any()


@pytest.mark.parametrize("shape", [(9, 13), (1, 4), (1, 1)])
def test_matrices_read_and_scatter_as_the_functions_do(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(*shape, 6))
    xy = rng.uniform([-2, -2], [15, 11], (80, 2))
    row, col = rng.integers(0, 5, (2, 80))
    read = bilinear_matrix(*shape, xy)
    flat = image.reshape(-1, 6)
    np.testing.assert_allclose(read @ flat, bilinear(image, xy), atol=1e-12)
    sums = (scatter_matrix(row * 5 + col, 25) @ read) @ flat
    expected = np.zeros((25, 6))
    np.add.at(expected, row * 5 + col, bilinear(image, xy))
    np.testing.assert_allclose(sums, expected, atol=1e-12)


def test_samples_cover_the_atlas_and_lie_on_their_triangles(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    corners = np.asarray(body.atlas_vt, np.float64)[body.atlas_ft]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    covered = 0.5 * np.abs(edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]).sum()
    fine = sample_surface(body, 300)
    assert len(fine.row) / fine.size**2 == pytest.approx(covered, rel=0.01)
    assert len(np.unique(samples.row * samples.size + samples.col)) == len(samples.row)
    # The texel's centre is where the barycentric coordinates say, in the atlas ...
    centre = np.stack([samples.col + 0.5, samples.row + 0.5], -1) / samples.size
    at = np.einsum("nk,nkd->nd", samples.bary, corners[samples.triangle])
    np.testing.assert_allclose(at, centre, atol=1e-5)
    # ... and on the mesh the point lies in the triangle.
    assert samples.bary.min() >= 0
    np.testing.assert_allclose(samples.bary.sum(1), 1, atol=1e-5)
    points = samples.points(vertices, body.f)
    a, b, c = (vertices[body.f[samples.triangle, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(np.einsum("nd,nd->n", points - a, normal), 0, atol=1e-6)


def test_more_samples_a_cell_fill_the_same_cells(body: Body) -> None:
    one, nine = sample_surface(body, 40), sample_surface(body, 40, per_side=3)
    assert nine.size == one.size == 40
    cells = set(zip(nine.row.tolist(), nine.col.tolist(), strict=True))
    assert cells >= set(zip(one.row.tolist(), one.col.tolist(), strict=True))
    assert len(nine.row) == pytest.approx(9 * len(one.row), rel=0.05)


def test_chosen_triangles_are_sampled_as_among_all(body: Body) -> None:
    chosen = np.arange(len(body.f)) % 3 == 0
    every, some = sample_surface(body, 96), sample_surface(body, 96, faces=chosen)
    expected = every.take(chosen[every.triangle])
    for name in ("triangle", "bary", "row", "col"):
        np.testing.assert_array_equal(getattr(some, name), getattr(expected, name))


def test_core_points_lie_at_the_pixels_they_project_to(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    core = core_points(CAMERA, vertices, body, samples)
    xy, _ = project(samples.points(vertices, body.f), CAMERA)
    assert 0.2 < core.seen.mean() < 0.7
    np.testing.assert_allclose(core.xy[core.seen], xy[core.seen], atol=1e-6)


@pytest.mark.parametrize("size", [CAMERA, CAMERA.resized(80, 100)])
def test_features_of_any_resolution_are_read_there(
    body: Body, vertices: FloatArray, samples: SurfaceSamples, size: Camera
) -> None:
    core = core_points(CAMERA, vertices, body, samples)
    features = pixel_position(size) * CAMERA.width / size.width
    read = core.read(features, CAMERA)
    np.testing.assert_allclose(read[core.seen], core.xy[core.seen], atol=1e-6)
    assert not read[~core.seen].any()


def test_core_sees_what_rays_see(body: Body, vertices: FloatArray, samples: SurfaceSamples) -> None:
    seen = core_points(CAMERA, vertices, body, samples).seen
    chosen = np.random.default_rng(1).choice(len(seen), 1500, replace=False)
    points = samples.points(vertices, body.f)[chosen]
    xy, z = project(points, CAMERA)
    in_front = np.stack([first_hits(p, vertices, body.f) for p in around(xy)])
    normal = samples.points(vertex_normals(vertices, body.f), body.f)[chosen]
    facing = -np.einsum("nd,nd->n", normal, points) / np.linalg.norm(points, axis=1)
    occluded = (in_front < z - 0.03).all(0)
    open_ = (in_front > z - 0.001).all(0) & (facing > 0.3)
    assert occluded.sum() > 300
    assert open_.sum() > 100
    assert not (seen[chosen] & occluded).any()
    assert not (seen[chosen] & (facing < 0)).any()
    assert seen[chosen][open_].all()
    assert (occluded & (facing > 0.3)).sum() > 5  # the chest behind the forearm


def test_the_mask_drops_points_off_the_person(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[:, : CAMERA.width // 2] = True
    free = core_points(CAMERA, vertices, body, samples)
    held = free.within(mask)
    left = free.xy[:, 0] < CAMERA.width // 2
    np.testing.assert_array_equal(held.seen, free.seen & left)
    assert 0 < held.seen.sum() < free.seen.sum()


def test_the_shell_is_seen_beside_the_body_only(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    shell = shell_points(CAMERA, vertices, body, samples, 0.05)
    mesh = vertices + 0.05 * vertex_normals(vertices, body.f)
    xy, z = project(samples.points(mesh, body.f), CAMERA)
    assert 0 < shell.seen.sum() < 0.3 * len(shell.seen)
    np.testing.assert_allclose(shell.xy[shell.seen], xy[shell.seen], atol=1e-6)
    rows = np.nonzero(shell.seen)[0][:400]
    on_body = np.stack([np.isfinite(first_hits(p, vertices, body.f)) for p in around(xy[rows])])
    behind = np.stack([first_hits(p, mesh, body.f) < z[rows] - 0.03 for p in around(xy[rows])])
    assert not on_body.all(0).any()
    assert not behind.all(0).any()


def test_a_shell_without_distance_is_not_seen(
    body: Body, vertices: FloatArray, samples: SurfaceSamples
) -> None:
    wide = shell_points(CAMERA, vertices, body, samples, 0.06)
    flat = shell_points(CAMERA, vertices, body, samples, 0.0)
    # What is left lies on the outline's own pixels, whose centres miss the body.
    near = flat.xy[flat.seen]
    touched = [np.isfinite(first_hits(near + 0.9 * step, vertices, body.f)) for step in DIAGONALS]
    assert np.any(touched, axis=0).all()
    assert flat.seen.sum() < 0.5 * wide.seen.sum()
    # One distance for each vertex: the shell of the head alone.
    head = body.weights[:, 15] > 0.4
    only = shell_points(CAMERA, vertices, body, samples, np.where(head, 0.06, 0.0))
    on_head = head[body.f[samples.triangle]].all(1)
    assert (only.seen & on_head).sum() > 0.8 * (wide.seen & on_head).sum() > 0
    elsewhere = ~on_head & ~flat.seen
    assert (only.seen & elsewhere).sum() < 0.1 * (wide.seen & elsewhere).sum()


def test_nothing_is_seen_out_of_the_frame(body: Body, samples: SurfaceSamples) -> None:
    rest = body.vertices(Pose.rest(body.num_expression))[0]
    for away in ([5.0, 0.0, -3.0], [0.0, 0.0, 4.0]):  # beside the frame, behind the camera
        moved = rest + away
        assert not core_points(CAMERA, moved, body, samples).seen.any()
