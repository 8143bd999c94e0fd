"""The fit's derivatives against finite differences, and its points against the skinned mesh."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.body.synthetic import make_bare_body
from likeness.engine.core.cameras import camera_tilt, photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS
from likeness.engine.tracking.body_points import BodyPoints
from likeness.engine.tracking.fit_state import FitState, PosedJoints, Unknowns
from likeness.engine.tracking.residuals import (
    DepthTerm,
    DirectionTerm,
    KeepOutTerm,
    LandmarkTerm,
    LevelTerm,
    MaskTerm,
    PriorTerm,
)
from likeness.engine.tracking.skin_map import PixelMap
from likeness.engine.tracking.solver import NormalEquations

CAMERA = photo_camera(600.0, 480, 640)
UNKNOWNS = Unknowns(np.array([0, 3, 12, 13, 15, 16, 18, 23]), np.arange(5), np.arange(1, 4), 5)


def random_body(rng: np.random.Generator) -> Body:
    """Triangles scattered around plausible joints, with random blends of joints and shapes."""
    from likeness.engine.core.types import PARENTS

    joints = np.zeros((NUM_JOINTS, 3))
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            joints[j] = joints[parent] + rng.normal(0, 0.15, 3)
    v = joints[rng.integers(0, NUM_JOINTS, 120)] + rng.normal(0, 0.05, (120, 3))
    weights = np.zeros((120, NUM_JOINTS))
    for row in weights:
        row[rng.choice(NUM_JOINTS, 3, replace=False)] = rng.dirichlet(np.ones(3))
    f = rng.permutation(120).reshape(40, 3)
    return make_bare_body(
        v,
        f,
        weights,
        shapedirs=rng.normal(0, 0.02, (120, 3, 5)),
        exprdirs=rng.normal(0, 0.02, (120, 3, 4)),
        expression_names=("a", "b", "c", "d"),
        J_template=joints,
        J_shapedirs=rng.normal(0, 0.02, (NUM_JOINTS, 3, 5)),
        num_body_betas=3,
    )


def random_state(body: Body, rng: np.random.Generator) -> FitState:
    pose = rng.normal(0, 0.5, (NUM_JOINTS, 3))
    pose[JOINT_INDEX["jaw"]] = 0
    return FitState(np.array([0.1, 0.2, -5.0]), pose, rng.normal(0, 1, 5), rng.uniform(0, 1, 4))


@pytest.fixture
def setting() -> tuple[Body, FitState, np.random.Generator]:
    rng = np.random.default_rng(7)
    body = random_body(rng)
    return body, random_state(body, rng), rng


def surface_points(body: Body, rng: np.random.Generator, count: int = 12) -> BodyPoints:
    triangle = rng.choice(len(body.f), count, replace=False)
    return BodyPoints.on_surface(body, triangle, rng.dirichlet(np.ones(3), count))


def test_surface_points_are_on_the_skinned_mesh(setting) -> None:
    body, state, rng = setting
    triangle = rng.choice(40, 12, replace=False)
    bary = rng.dirichlet(np.ones(3), 12)
    points = BodyPoints.on_surface(body, triangle, bary)
    vertices, joints = body.vertices(state.pose, state.betas)
    posed = PosedJoints(body, state)
    expected = (vertices[body.f[triangle]] * bary[..., None]).sum(1)
    np.testing.assert_allclose(points.positions(posed), expected, atol=1e-4)
    np.testing.assert_allclose(posed.p, joints, atol=1e-9)
    picked = points.take(np.array([7, 2, 5]))
    np.testing.assert_allclose(picked.positions(posed), expected[[7, 2, 5]], atol=1e-4)


def test_moved_points_are_points_made_there(setting) -> None:
    body, state, rng = setting
    triangle, bary = rng.choice(40, 12, replace=False), rng.dirichlet(np.ones(3), 12)
    first, second = rng.normal(0, 0.02, (2, 12, 3))
    made = BodyPoints.on_surface(body, triangle, bary, first + second)
    moved = BodyPoints.on_surface(body, triangle, bary, first).moved(second)
    posed = PosedJoints(body, state)
    np.testing.assert_allclose(moved.positions(posed), made.positions(posed), atol=1e-12)
    rows = rng.normal(0, 1, (12, 2, 3))
    np.testing.assert_allclose(
        moved.jacobian(posed, rows, UNKNOWNS), made.jacobian(posed, rows, UNKNOWNS), atol=1e-12
    )
    # And in the rest pose they stand just that much elsewhere.
    rest = PosedJoints(body, FitState.rest(body))
    plain = BodyPoints.on_surface(body, triangle, bary)
    np.testing.assert_allclose(
        plain.moved(first).positions(rest) - plain.positions(rest), first, atol=1e-3
    )


def test_a_common_size_of_landmarks_costs_what_the_cheapest_one_does(setting) -> None:
    body, state, rng = setting
    posed, points = PosedJoints(body, state), surface_points(body, rng)
    shown = project(points.positions(posed), CAMERA)[0]
    weight, noise = rng.uniform(5.0, 20.0, 12), 0.2
    target = shown + 0.3 * (shown - shown.mean(0)) + rng.normal(0.0, 4.0, (12, 2))
    middle = np.average(target, axis=0, weights=weight)

    def cost_at(growth: float) -> float:
        shrunk = target - growth * (target - middle)
        error = (((shown - shrunk) / 50.0) ** 2).sum(1)
        return 0.5 * float(weight @ error) + 0.5 * (growth / noise) ** 2

    # A radius of no effect.
    found = LandmarkTerm(points, target, weight, CAMERA, 50.0, 1e5, noise).add(posed, None)
    assert found == pytest.approx(min(cost_at(g) for g in np.linspace(-1, 1, 20001)), rel=1e-4)
    assert found < 0.7 * cost_at(0.0)


def test_level_term_is_of_heights_only(setting) -> None:
    body, state, _ = setting
    ends = [BodyPoints.on_joints(body, np.array([j]), np.zeros((1, 3))) for j in (7, 8)]
    posed = PosedJoints(body, state)
    height = posed.p[7, 1] - posed.p[8, 1]
    cost = LevelTerm(*ends, np.array([4.0]), 1e6, np.array([0.0, 1.0, 0.0])).add(
        posed, None
    )  # a radius of no effect
    assert cost == pytest.approx(0.5 * 4.0 * height**2, rel=1e-4)


def test_depth_costs_nothing_within_its_slack(setting) -> None:
    body, state, _ = setting
    ends = [BodyPoints.on_joints(body, np.array([j]), np.zeros((1, 3))) for j in (20, 9)]
    posed = PosedJoints(body, state)
    gap = abs(posed.p[20, 2] - posed.p[9, 2])
    wide, narrow = (
        DepthTerm(*ends, 0.0, np.array([4.0]), slack) for slack in (1.01 * gap, 0.25 * gap)
    )
    assert wide.add(posed, None) == 0.0
    assert narrow.add(posed, None) == pytest.approx(0.5 * 4.0 * (0.75 * gap) ** 2, rel=1e-4)


def make_term(kind: str, body: Body, state: FitState, rng: np.random.Generator):
    posed = PosedJoints(body, state)
    surface = surface_points(body, rng)
    joints = np.array([4, 16, 20, 24, 15, 30])
    attached = BodyPoints.on_joints(body, joints, rng.normal(0, 0.05, (6, 3)))
    if kind == "surface":
        target = project(surface.positions(posed), CAMERA)[0] + rng.normal(0, 20, (12, 2))
        return LandmarkTerm(surface, target, rng.uniform(0.5, 2, 12), CAMERA, 50.0, 0.6)
    if kind == "size":
        target = project(surface.positions(posed), CAMERA)[0] + rng.normal(0, 20, (12, 2))
        return LandmarkTerm(surface, target, rng.uniform(5, 20, 12), CAMERA, 50.0, 0.6, 0.2)
    if kind == "attached":
        target = project(attached.positions(posed), CAMERA)[0] + rng.normal(0, 20, (6, 2))
        return LandmarkTerm(attached, target, rng.uniform(0.5, 2, 6), CAMERA, 50.0, 0.6)
    if kind == "direction":
        goal = rng.normal(0, 1, (3, 3))
        goal /= np.linalg.norm(goal, axis=1, keepdims=True)
        start, end = attached.take(np.arange(3)), attached.take(np.arange(3, 6))
        return DirectionTerm(
            start, end, goal, rng.uniform(0.5, 2, (3, 3)), 0.8, camera_tilt(20.0, 5.0)
        )
    if kind == "depth":
        return DepthTerm(surface.take(np.arange(6)), attached, 0.1, rng.uniform(1, 2, 6))
    if kind == "depth_slack":
        return DepthTerm(surface.take(np.arange(6)), attached, 0.1, rng.uniform(1, 2, 6), 0.1)
    if kind == "level":
        start, end = attached.take(np.arange(3)), attached.take(np.arange(3, 6))
        return LevelTerm(start, end, rng.uniform(1, 2, 3), 0.3, camera_tilt(20.0, 5.0)[:, 1])
    if kind == "prior":
        n = len(state.vector)
        A = rng.normal(0, 1, (n, n))
        limit = rng.normal(0, 0.3, n)
        return PriorTerm(
            rng.normal(0, 1, n),
            A @ A.T / n,
            limit - 0.2,
            limit + 0.2,
            3.0,
            rng.uniform(0, 1, n),
            rng.normal(0, 1, n),
        )
    if kind == "keep_out":
        return KeepOutTerm(
            attached,
            np.full(6, 9),
            rng.normal(0, 0.02, (6, 3)),
            np.full((6, 3), [3.0, 2.7, 2.5]),
            5.0,
            np.arange(6) % 2 == 0,
        )
    distance = PixelMap(rng.uniform(1, 5, (40, 30)), np.zeros(2), np.array([30 / 480, 40 / 640]))
    return MaskTerm(attached, distance, np.ones(6), CAMERA, 3.0, 1.5)


@pytest.mark.parametrize(
    "kind",
    [
        "surface",
        "size",
        "attached",
        "direction",
        "depth",
        "depth_slack",
        "level",
        "prior",
        "keep_out",
        "mask",
    ],
)
def test_gradient_agrees_with_finite_differences(kind: str, setting) -> None:
    body, state, rng = setting
    term = make_term(kind, body, state, rng)
    system = NormalEquations.empty(UNKNOWNS)
    cost = term.add(PosedJoints(body, state), system)
    assert cost > 0
    assert cost == pytest.approx(term.add(PosedJoints(body, state), None))
    step = 1e-6
    numeric = np.zeros(UNKNOWNS.size)
    for i, column in enumerate(UNKNOWNS.columns):
        costs = []
        for sign in (1, -1):
            vector = state.vector
            vector[column] += sign * step
            costs.append(term.add(PosedJoints(body, state.with_vector(vector)), None))
        numeric[i] = (costs[0] - costs[1]) / (2 * step)
    scale = np.abs(numeric).max()
    np.testing.assert_allclose(system.gradient, numeric, atol=1e-5 * scale)
    eigenvalues = np.linalg.eigvalsh(system.matrix)
    assert eigenvalues.min() > -1e-8 * max(eigenvalues.max(), 1)
