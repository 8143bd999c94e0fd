"""The numbers that refining changes: into the world and back, their limits, and Adam."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import orbit, photo_camera, project
from likeness.engine.core.types import NUM_JOINTS, BoundGaussians, Gaussians, Pose
from likeness.engine.gaussians import place_gaussians, triangle_frames
from likeness.engine.gaussians.lift.surface.surfels import surfels_on_plane
from likeness.engine.gaussians.refine.parameters import (
    COLORS,
    COLUMNS,
    OFFSET,
    OPACITY,
    SCALES,
    ParameterRange,
    PosedGaussians,
    adam_step,
    apply_parameters,
    initial_parameters,
    parameter_bounds,
    pixel_sizes,
)
from likeness.engine.gaussians.squareness import cosine_to_camera, photo_trust
from likeness.engine.render import Gradients

FIELDS = ("means", "quats", "scales", "opacities", "colors")
CAMERA = photo_camera(80.0, 72, 96)
COUNT = 200


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body().personalised(np.full(4, 0.5))


@pytest.fixture(scope="module")
def bound(body: Body) -> BoundGaussians:
    """Flat splats of all sorts, all over the body."""
    rng = np.random.default_rng(3)
    quats = rng.normal(size=(COUNT, 4))
    scales = rng.uniform(0.002, 0.02, (COUNT, 3))
    scales[:, 2] = 0.1 * scales[:, :2].min(1) * rng.uniform(0.2, 1.0, COUNT)
    return BoundGaussians(
        rng.integers(len(body.f), size=COUNT).astype(np.int32),
        rng.dirichlet(np.ones(3), COUNT).astype(np.float32),
        rng.normal(scale=0.02, size=(COUNT, 3)).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales.astype(np.float32),
        rng.uniform(0.05, 0.95, COUNT).astype(np.float32),
        rng.uniform(size=(COUNT, 3)).astype(np.float32),
        rng.integers(3, size=COUNT).astype(np.uint8),
    )


def posed_vertices(body: Body, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pose = Pose(
        rng.normal(scale=0.4, size=(NUM_JOINTS, 3)),
        rng.normal([0, 0, -3], 0.3),
        rng.uniform(size=body.num_expression),
    )
    return body.vertices(pose)[0]


def random_numbers(bound: BoundGaussians, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (initial_parameters(bound) + rng.normal(scale=0.5, size=(len(bound), COLUMNS))).astype(
        "f4"
    )


def test_zero_change_is_the_lift(body: Body, bound: BoundGaussians) -> None:
    same = apply_parameters(
        bound, initial_parameters(bound), pixel_sizes(bound, posed_vertices(body, 0), body, CAMERA)
    )
    for name in BoundGaussians.__dataclass_fields__:
        found, expected = getattr(same, name), getattr(bound, name)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)
    for name in ("triangle", "bary", "offset", "quats", "colors", "layer"):
        np.testing.assert_array_equal(getattr(same, name), getattr(bound, name))


def test_opacities_of_nothing_and_everything_have_numbers(bound: BoundGaussians) -> None:
    opacities = np.zeros(COUNT, np.float32)
    opacities[::2] = 1.0
    start = initial_parameters(replace(bound, opacities=opacities))
    assert np.isfinite(start).all()
    assert (start[::2, OPACITY] > 4).all()
    assert (start[1::2, OPACITY] < -4).all()


@pytest.mark.parametrize("seed", range(3))
def test_changed_and_placed_is_what_was_drawn(body: Body, bound: BoundGaussians, seed: int) -> None:
    """One change, seen in several poses: what refining draws is what the avatar then shows."""
    unit = pixel_sizes(bound, posed_vertices(body, 0), body, CAMERA)
    numbers = random_numbers(bound, seed)
    kept = apply_parameters(bound, numbers, unit)
    vertices = posed_vertices(body, seed)
    drawn = PosedGaussians(bound, vertices, body, unit).gaussians(numbers)
    shown = place_gaussians(kept, vertices, body)
    for name in FIELDS:
        found = getattr(drawn, name)
        np.testing.assert_allclose(found, getattr(shown, name), rtol=2e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("level", [False, True])
def test_some_of_all_are_what_they_are_among_all(
    body: Body, bound: BoundGaussians, level: bool
) -> None:
    vertices = body.vertices(Pose.rest(body.num_expression))[0]
    posed = PosedGaussians(bound, vertices, body, np.full(COUNT, 0.01, np.float32))
    rng = np.random.default_rng(9)
    numbers = initial_parameters(bound) + rng.normal(scale=0.1, size=(COUNT, COLUMNS)).astype("f4")
    count = COUNT // 2 if level else COUNT
    grown = np.linspace(1.0, 2.0, count, dtype=np.float32) if level else None
    every = posed.gaussians(numbers, grown)
    rows = rng.permutation(count)[:70]
    some = posed.subset(rows)
    drawn = some.gaussians(numbers, grown)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(drawn, name), getattr(every, name)[rows])
    gradients = Gradients(
        *(rng.normal(size=getattr(every, name).shape).astype(np.float32) for name in FIELDS),
        background=np.zeros((1, 3), np.float32),
    )
    chosen = Gradients(*(getattr(gradients, name)[rows] for name in FIELDS), gradients.background)
    expected = posed.pull(gradients, every)
    found = some.pull(chosen, drawn)
    np.testing.assert_array_equal(found[rows], expected[rows])
    others = np.setdiff1d(np.arange(COUNT), rows)
    assert not found[others].any()


def test_splats_stay_flat_and_never_grow_thicker(body: Body, bound: BoundGaussians) -> None:
    numbers = random_numbers(bound, 1)
    kept = apply_parameters(bound, numbers, np.full(COUNT, 0.01, np.float32))
    assert (kept.scales > 0).all()
    assert (kept.scales[:, 2] <= 0.1 * kept.scales[:, :2].min(1) * (1 + 1e-6)).all()
    assert (kept.scales[:, 2] <= bound.scales[:, 2]).all()
    world = PosedGaussians(bound, posed_vertices(body, 2), body, np.full(COUNT, 0.01)).gaussians(
        numbers
    )
    assert (world.scales[:, 2] <= 0.1 * world.scales[:, :2].min(1) * (1 + 1e-6)).all()


def test_a_unit_of_offset_is_a_pixel_of_the_photo(body: Body, bound: BoundGaussians) -> None:
    """Whatever the pose has grown: a step of that length across the view is one pixel long."""
    vertices = posed_vertices(body, 4)
    camera = orbit(CAMERA, vertices.mean(0), 25.0, 10.0)
    unit = pixel_sizes(bound, vertices, body, camera)
    frames = triangle_frames(vertices, body.f, body.v_template, bound.triangle, bound.bary)
    across = camera.viewmat[0, :3]
    there, _ = project(frames.origin + (unit * frames.sigma)[:, None] * across, camera)
    here, _ = project(frames.origin, camera)
    np.testing.assert_allclose(there - here, np.tile([1.0, 0.0], (COUNT, 1)), atol=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_derivatives_by_the_numbers(body: Body, bound: BoundGaussians, seed: int) -> None:
    """Against central differences of a synthetic function of the world Gaussians.

    The third scale is not in it: it follows the others, and a tenth of them hardly shows.
    """
    vertices = posed_vertices(body, seed + 10)
    posed = PosedGaussians(bound, vertices, body, pixel_sizes(bound, vertices, body, CAMERA))
    rng = np.random.default_rng(seed)
    a, b, c, d = (rng.normal(size=(COUNT, k)) for k in (3, 2, 1, 3))

    def loss(world: Gaussians) -> np.ndarray:
        """[N] each splat's own part of the function."""
        means, opacities = np.asarray(world.means, np.float64), world.opacities[:, None]
        return (
            (a * means + means**2).sum(1)
            + (b * np.sqrt(np.asarray(world.scales[:, :2], np.float64))).sum(1)
            + (c * opacities**3).sum(1)
            + (d * np.sin(3 * world.colors)).sum(1)
        )

    numbers = random_numbers(bound, seed)
    world = posed.gaussians(numbers)
    upstream = Gradients(
        a + 2 * world.means,
        np.zeros((COUNT, 4)),
        np.concatenate([b / (2 * np.sqrt(world.scales[:, :2])), np.zeros((COUNT, 1))], 1),
        c[:, 0] * 3 * world.opacities**2,
        3 * d * np.cos(3 * world.colors),
        np.zeros((1, 3)),
    )
    ours = posed.pull(upstream, world)
    assert ours.shape == (COUNT, COLUMNS)
    for columns, step in ((COLORS, 1e-3), (OPACITY, 1e-2), (SCALES, 1e-2), (OFFSET, 0.3)):
        for column in np.atleast_1d(np.arange(COLUMNS)[columns]):
            push = np.zeros(COLUMNS, np.float32)
            push[column] = step
            rise = loss(posed.gaussians(numbers + push)) - loss(posed.gaussians(numbers - push))
            expected = rise / (2 * step)
            size = np.abs(expected).max()
            np.testing.assert_allclose(ours[:, column], expected, atol=2e-3 * size)


def test_limits_hold_the_rim_and_the_range_of_colours(bound: BoundGaussians) -> None:
    reach = ParameterRange(color=0.4, rim_color=0.02, opacity=2.0, scale=1.5, offset=0.7)
    start = initial_parameters(bound)
    solid = np.arange(COUNT) % 2 == 0
    low, high = parameter_bounds(start, solid, np.ones(COUNT), reach)
    room = np.array([0.4, 0.4, 0.4, 2.0, np.log(1.5), np.log(1.5), 0.7, 0.7, 0.7])
    np.testing.assert_allclose(low[solid, 3:], (start - room)[solid, 3:], atol=1e-5)
    np.testing.assert_allclose(high[:, 3:], (start + room)[:, 3:], atol=1e-5)
    np.testing.assert_allclose(low[solid, COLORS], np.maximum(start[solid, COLORS] - 0.4, 0))
    np.testing.assert_allclose(high[~solid, COLORS], np.minimum(start[~solid, COLORS] + 0.02, 1))
    assert (low <= start).all()
    assert (start <= high).all()
    low, high = parameter_bounds(start, solid, np.zeros(COUNT), reach)
    np.testing.assert_array_equal(low[:, COLORS], start[:, COLORS])
    np.testing.assert_array_equal(high[:, COLORS], start[:, COLORS])


def test_a_photo_says_nothing_about_splats_that_it_grazes_but_hair(body: Body) -> None:
    camera = photo_camera(300.0, 100, 100)
    angles = np.radians([0.0, 40.0, 85.0, 180.0])
    means = np.tile([0.1, 0.0, -2.0], (4, 1))
    ahead = -means[0] / np.linalg.norm(means[0])
    side = np.cross([0.0, 1.0, 0.0], ahead)
    normals = np.cos(angles)[:, None] * ahead + np.sin(angles)[:, None] * side
    np.testing.assert_allclose(cosine_to_camera(means, normals), np.cos(angles), atol=1e-12)
    flat = surfels_on_plane(means, normals, np.full(4, 0.01), np.full((4, 3), 0.5), np.ones(4))
    plain = replace(body, part_names=["torso"], face_part=np.zeros(len(body.f), int))
    at = np.zeros(4, int)
    np.testing.assert_array_equal(photo_trust(flat, camera, at, plain), [1, 1, 0, 1])
    hair = replace(plain, part_names=["scalp"])
    np.testing.assert_array_equal(photo_trust(flat, camera, at, hair), 1.0)


def step_once(
    numbers: np.ndarray,
    gradient: np.ndarray,
    moments: tuple[np.ndarray, np.ndarray],
    step: int,
    free: np.ndarray,
    rates: np.ndarray,
    floors: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    adam_step(numbers, gradient, *moments, free, rates, floors, low, high, step, 0.85, 0.95)


@pytest.mark.parametrize("floor", [1e-8, 0.3])
def test_steps_are_adams(floor: float) -> None:
    """With every splat free, no limit near and one floor, they are torch's."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(50, COLUMNS)).astype(np.float32)
    rates = rng.uniform(0.01, 0.2, COLUMNS).astype(np.float32)
    columns = [torch.tensor(numbers[:, k].copy(), requires_grad=True) for k in range(COLUMNS)]
    truth = torch.optim.Adam(
        [{"params": [p], "lr": float(rate)} for p, rate in zip(columns, rates, strict=True)],
        betas=(0.85, 0.95),
        eps=floor,
    )
    moments = np.zeros_like(numbers), np.zeros_like(numbers)
    wide, free = np.full_like(numbers, 1e6), np.ones_like(numbers)
    floors = np.full(COLUMNS, floor, np.float32)
    for step in range(1, 13):
        gradient = rng.normal(size=numbers.shape).astype(np.float32) * 10.0 ** -(step % 3)
        for k, p in enumerate(columns):
            p.grad = torch.tensor(np.ascontiguousarray(gradient[:, k]))
        truth.step()
        step_once(numbers, gradient, moments, step, free, rates, floors, -wide, wide)
    expected = torch.stack(columns, 1).detach().numpy()
    np.testing.assert_allclose(numbers, expected, rtol=1e-5, atol=3e-6)


def test_what_is_held_never_moves_and_limits_are_never_passed() -> None:
    rng = np.random.default_rng(1)
    start = rng.normal(size=(60, COLUMNS)).astype(np.float32)
    numbers, room = start.copy(), rng.uniform(0.01, 0.3, (60, COLUMNS)).astype(np.float32)
    low, high = start - room, start + room
    free = np.repeat((np.arange(60) % 3 / 2).astype(np.float32)[:, None], COLUMNS, 1)
    moments = np.zeros_like(start), np.zeros_like(start)
    rates, floors = np.full(COLUMNS, 0.1, np.float32), np.full(COLUMNS, 1e-20, np.float32)
    for step in range(1, 9):
        gradient = (rng.normal(size=start.shape) * 1e3).astype(np.float32)
        step_once(numbers, gradient, moments, step, free, rates, floors, low, high)
        assert (numbers >= low).all()
        assert (numbers <= high).all()
    np.testing.assert_array_equal(numbers[free == 0], start[free == 0])
    assert (np.abs(numbers - start)[free > 0] > 0).mean() > 0.9
