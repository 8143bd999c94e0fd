"""The paper's terms: their gradient against differences of energies written out splat by splat."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import LAYERS, BoundGaussians
from likeness.engine.gaussians.refine.parameters import COLUMNS, initial_parameters
from likeness.engine.gaussians.refine.regularisers import (
    MAX_RATIO,
    OPACITY_TARGET,
    PATCHES,
    Regularisers,
    RegulariserWeights,
)

NO_WEIGHTS = RegulariserWeights(**{field.name: 0.0 for field in fields(RegulariserWeights)})
CORE = LAYERS.index("core")
SKIN = np.array([0.8, 0.6, 0.5])


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body().personalised(np.zeros(4))


@pytest.fixture(scope="module")
def fingers(body: Body) -> np.ndarray:
    """Triangles that only finger joints hold."""
    return np.flatnonzero((body.weights[:, 25:].sum(1) > 0.99)[body.f].all(1))


@pytest.fixture(scope="module")
def bound(body: Body, fingers: np.ndarray) -> BoundGaussians:
    """Splats all over; the first 60 on a few fingers, the next 60 on the landmarks of the face."""
    rng = np.random.default_rng(8)
    count = 400
    triangle = rng.integers(len(body.f), size=count)
    triangle[:60] = rng.choice(fingers[:6], 60)
    triangle[60:120] = rng.choice(body.landmarks.face_triangle[:468], 60)
    colors = rng.uniform(0.2, 0.8, (count, 3))
    colors[:120] = SKIN + rng.normal(scale=0.03, size=(120, 3))
    scales = rng.uniform(0.002, 0.03, (count, 3))
    scales[:, 2] = 0.1 * scales[:, :2].min(1)
    layer = rng.integers(3, size=count)
    layer[:60] = CORE
    return BoundGaussians(
        triangle.astype(np.int32),
        rng.dirichlet(np.ones(3), count).astype(np.float32),
        np.zeros((count, 3), np.float32),
        np.tile([1, 0, 0, 0], (count, 1)).astype(np.float32),
        scales.astype(np.float32),
        rng.uniform(0.1, 0.98, count).astype(np.float32),
        colors.astype(np.float32),
        layer.astype(np.uint8),
    )


@pytest.fixture(scope="module")
def free(bound: BoundGaussians) -> np.ndarray:
    """How much the photo shows: the face, and nothing of the first 60."""
    out = (np.arange(len(bound)) % 3 / 2).astype(np.float32)
    out[:60], out[60:120] = 0.0, 1.0
    return out


def by_patch(bound: BoundGaussians, body: Body) -> dict[tuple[int, int, int], list[int]]:
    """Rows of the splats in each cell of the atlas and layer."""
    out = defaultdict(list)
    for i, (triangle, bary) in enumerate(zip(bound.triangle, bound.bary, strict=True)):
        uv = bary.astype(np.float64) @ body.atlas_vt[body.atlas_ft[triangle]]
        out[int(bound.layer[i]), int(uv[0] * PATCHES), int(uv[1] * PATCHES)].append(i)
    return out


def moved(bound: BoundGaussians, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return initial_parameters(bound) + rng.normal(scale=0.4, size=(len(bound), COLUMNS))


def slopes(energy, numbers: np.ndarray, rows: range, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of all numbers, by those of some rows."""
    out = np.zeros((len(rows), COLUMNS))
    for k, row in enumerate(rows):
        for column in range(COLUMNS):
            sides = []
            for sign in (1, -1):
                pushed = numbers.copy()
                pushed[row, column] += sign * step
                sides.append(energy(pushed))
            out[k, column] = (sides[0] - sides[1]) / (2 * step)
    return out


def check(found: np.ndarray, energy, numbers: np.ndarray, rows: range, pixels: float) -> None:
    expected = slopes(energy, numbers, rows)
    assert np.abs(expected).max() > 0
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found[rows] * pixels, expected, atol=1e-4 * scale)


def test_distance_from_the_lift(body: Body, bound: BoundGaussians, free: np.ndarray) -> None:
    """Equations 8 and 9, counted from the lift."""
    weights = replace(NO_WEIGHTS, color=0.3, opacity=0.2, scale=0.7, offset=1.1, depth=1.7)
    start, numbers = initial_parameters(bound), moved(bound, 0)
    by_column = np.array([0.3, 0.3, 0.3, 0.2, 0.7, 0.7, 1.1, 1.1, 1.7])

    def energy(at: np.ndarray) -> float:
        return float((by_column * (at - start) ** 2).sum())

    terms = Regularisers(bound, start, free, body, weights)
    check(terms.gradient(numbers, 50.0), energy, numbers, range(0, 400, 40), 50.0)
    assert not terms.gradient(start, 50.0).any()


def test_long_splats_are_pulled_back(body: Body, bound: BoundGaussians, free: np.ndarray) -> None:
    """Equation 10: beyond the ratio, or the lift's own where that is longer."""
    start, numbers = initial_parameters(bound), moved(bound, 1)
    numbers[:, 4] += 0.5
    lifted = np.log(bound.scales[:, 0].astype(np.float64) / bound.scales[:, 1])
    most = np.maximum(np.abs(lifted), np.log(MAX_RATIO))

    def energy(at: np.ndarray) -> float:
        ratio = np.abs(lifted + at[:, 4] - at[:, 5])
        return float((0.8 * np.maximum(ratio - most, 0) ** 2).sum())

    terms = Regularisers(bound, start, free, body, replace(NO_WEIGHTS, isotropy=0.8))
    found = terms.gradient(numbers, 20.0)
    check(found, energy, numbers, range(0, 400, 9), 20.0)
    round_enough = np.abs(lifted + numbers[:, 4] - numbers[:, 5]) < np.log(MAX_RATIO)
    assert round_enough.sum() > 20
    assert not found[round_enough].any()
    assert not terms.gradient(start, 20.0).any()


def test_patches_are_pulled_up_to_the_papers_opacity(
    body: Body, bound: BoundGaussians, free: np.ndarray
) -> None:
    """Equation 13, from below only."""
    start, numbers = initial_parameters(bound), moved(bound, 2)
    patches = by_patch(bound, body)

    def energy(at: np.ndarray) -> float:
        opacity = 1 / (1 + np.exp(-at[:, 3]))
        means = [opacity[rows].mean() for rows in patches.values()]
        return 3.0 * sum(min(mean - OPACITY_TARGET, 0) ** 2 for mean in means)

    terms = Regularisers(bound, start, free, body, replace(NO_WEIGHTS, patches=3.0))
    found = terms.gradient(numbers, 10.0)
    check(found, energy, numbers, range(0, 400, 25), 10.0)
    assert (found[:, 3] <= 0).all(), "nothing is made thinner"
    numbers[:, 3] = 3.0
    assert not terms.gradient(numbers, 10.0).any()


def nearest_face(bound: BoundGaussians, body: Body, free: np.ndarray, rows: list[int]):
    """What equation 12 compares: the mean colour of the face's patch nearest to a hand's."""
    on_face = set(body.landmarks.face_triangle.tolist())
    faces = []
    for members in by_patch(bound, body).values():
        shown = [i for i in members if bound.triangle[i] in on_face and free[i] > 0.5]
        if shown:
            faces.append(bound.colors[shown].astype(np.float64).mean(0))
    own = bound.colors[rows].astype(np.float64).mean(0)
    return min(faces, key=lambda face: np.linalg.norm(face - own))


def test_unseen_hands_take_the_colour_of_the_nearest_patch_of_the_face(
    body: Body, bound: BoundGaussians, free: np.ndarray
) -> None:
    """Equation 12, each patch counted by its splats; the face itself stays."""
    start, numbers = initial_parameters(bound), moved(bound, 3)
    terms = Regularisers(bound, start, free, body, replace(NO_WEIGHTS, hands=0.5))
    hands = set(terms.unseen_hands.tolist())
    assert set(range(60)) <= hands
    patches = [rows for rows in by_patch(bound, body).values() if set(rows) & set(range(60))]
    wanted = [nearest_face(bound, body, free, rows) for rows in patches]

    def energy(at: np.ndarray) -> float:
        return 0.5 * sum(
            len(rows) * ((at[rows, :3].mean(0) - face) ** 2).sum()
            for rows, face in zip(patches, wanted, strict=True)
        )

    found = terms.gradient(numbers, 40.0)
    check(found, energy, numbers, range(0, 60, 5), 40.0)
    others = np.setdiff1d(np.arange(len(bound)), terms.unseen_hands)
    assert not found[others].any()
    assert not found[:, 3:].any()


def test_gloves_and_hands_in_sight_are_left_alone(
    body: Body, bound: BoundGaussians, free: np.ndarray
) -> None:
    gloves = bound.colors.copy()
    gloves[:60] = (0.1, 0.2, 0.9)
    dressed = replace(bound, colors=gloves)
    terms = Regularisers(dressed, initial_parameters(dressed), free, body)
    assert not set(range(60)) & set(terms.unseen_hands.tolist())
    seen = free.copy()
    seen[:60] = 1.0
    terms = Regularisers(bound, initial_parameters(bound), seen, body)
    assert not set(range(60)) & set(terms.unseen_hands.tolist())
    sleeves = replace(bound, layer=np.where(np.arange(400) < 60, CORE + 1, bound.layer))
    terms = Regularisers(sleeves, initial_parameters(bound), free, body)
    assert not set(range(60)) & set(terms.unseen_hands.tolist())


@pytest.mark.parametrize("missing", ["landmarks", "face in sight", "hands", "splats"])
def test_what_is_missing_takes_its_term_along(
    body: Body, bound: BoundGaussians, free: np.ndarray, missing: str
) -> None:
    if missing == "landmarks":
        body = replace(body, landmarks=None)
    elif missing == "face in sight":
        free = np.zeros_like(free)
    elif missing == "hands":
        # Everything at the first of the body's triangles, a part of the trunk.
        bound = replace(bound, triangle=np.zeros(len(bound), np.int32))
    else:
        bound, free = bound.take(slice(0, 0)), free[:0]
    terms = Regularisers(bound, initial_parameters(bound), free, body)
    assert len(terms.unseen_hands) == 0
    gradient = terms.gradient(moved(bound, 4), 30.0)
    assert gradient.shape == (len(bound), COLUMNS)
    assert np.isfinite(gradient).all()
