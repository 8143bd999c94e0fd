"""Folds painted on cloth that the photo does not show."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.gaussians.lift.folds import S as FOLDS
from likeness.engine.gaussians.lift.folds import (
    match_levels,
    measure_levels,
    paint_folds,
    part_by_size,
    scale_sizes,
    usual_levels,
)
from likeness.engine.gaussians.lift.limb_grid import LimbGrid
from likeness.engine.gaussians.lift.limbs import ARMS, HEAD, TORSO
from scipy import stats

STEP = 0.005


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body().personalised(np.zeros(4))


def grid(top: float, rows: int, columns: int) -> LimbGrid:
    return LimbGrid(np.zeros(0), np.zeros(0), (rows, columns), STEP, top)


def sleeve(body: Body) -> tuple[LimbGrid, int]:
    """A grid from shoulder to wrist, and the row of the elbow."""
    shoulder, elbow, wrist = (
        abs(body.J_template[JOINT_INDEX[f"left_{j}"], 0]) for j in ("shoulder", "elbow", "wrist")
    )
    made = grid(shoulder, round((wrist - shoulder) / STEP), 70)
    return made, round((elbow - shoulder) / STEP)


def test_folds_have_unit_contrast_and_no_seam_around_the_limb(body: Body) -> None:
    made, _ = sleeve(body)
    lights = [paint_folds(ARMS[0], body, made, seed) for seed in range(12)]
    assert np.median([light.std() for light in lights]) == pytest.approx(1.0, abs=0.35)
    across = np.abs(np.stack([np.diff(x, axis=1, append=x[:, :1]) for x in lights])).mean((0, 1))
    assert across[-1] < 2.0 * np.median(across)  # no seam where the columns wrap
    np.testing.assert_array_equal(lights[3], paint_folds(ARMS[0], body, made, 3))


def test_folds_crowd_at_the_elbow(body: Body) -> None:
    made, elbow = sleeve(body)
    power = np.mean([paint_folds(ARMS[0], body, made, k) ** 2 for k in range(12)], axis=(0, 2))
    span = round(0.02 / STEP)
    between = round(0.06 / STEP)
    near = power[elbow - span : elbow + span]
    assert near.mean() > 1.3 * power[elbow + between : elbow + between + span].mean()


def test_folds_are_of_several_sizes(body: Body) -> None:
    """Fine, medium and broad wavelengths each hold at least a tenth of the light's power."""
    spine = body.J_template[JOINT_INDEX["spine3"], 1]
    light = np.stack([paint_folds(TORSO, body, grid(-spine - 0.1, 100, 180), k) for k in range(6)])
    power = np.abs(np.fft.fft(light, axis=2)) ** 2
    wave = 180 * STEP / np.maximum(np.arange(180), 1)
    share = [
        power[..., (wave > low) & (wave < high)].sum() / power[..., 1:91].sum()
        for low, high in ((0.015, 0.05), (0.05, 0.15), (0.15, 1.0))
    ]
    assert min(share) > 0.1


def test_a_hat_has_no_folds(body: Body) -> None:
    assert not paint_folds(HEAD, body, grid(0.0, 20, 40), 0).any()


def test_folds_of_each_size_get_the_contrast_that_the_photo_shows(body: Body) -> None:
    made, _ = sleeve(body)
    light = paint_folds(ARMS[0], body, made, 0)
    every = np.ones(made.shape, bool)
    parts = part_by_size(light, every, made)
    np.testing.assert_allclose(parts.sum(0), light, atol=1e-12)
    wanted = parts.std((1, 2)) * [0.5, 1.0, 2.0]
    of_much = part_by_size(scale_sizes(light, wanted, 1e6, made), every, made).std((1, 2))
    of_little = scale_sizes(light, wanted, 1e-9, made)
    change = of_much / parts.std((1, 2)) / FOLDS.regain
    assert change[0] < 0.75 < 1.3 < change[2]  # blurs part sizes softly
    as_painted = np.tensordot(np.array(FOLDS.regain), parts, 1)
    np.testing.assert_allclose(of_little, as_painted, rtol=1e-5, atol=1e-6)


def test_creases_are_darker_than_crests_are_light() -> None:
    """Where little is seen, folds are those of cloth that does not shine."""
    light = 0.1 * np.random.default_rng(0).normal(size=(200, 200))
    matt = match_levels(light, usual_levels())
    z = (matt - matt.mean()) / matt.std()
    assert abs(matt.mean()) < 2e-3
    np.testing.assert_allclose(matt.std(), 0.1, rtol=0.05)
    np.testing.assert_allclose((z**3).mean(), -6.0 * FOLDS.creases, rtol=0.3)
    order = np.argsort(light, axis=None)
    assert (np.diff(matt.ravel()[order]) >= 0.0).all()


def test_painted_folds_are_distributed_as_seen_ones(body: Body) -> None:
    """A few strong strokes on smooth cloth would look like satin."""
    made, _ = sleeve(body)
    seen = np.random.default_rng(1).uniform(-1.0, 1.0, 5000)  # nothing of it is extreme
    painted = 0.1 * paint_folds(ARMS[0], body, made, 0)
    matched = match_levels(painted, measure_levels(seen))
    kurtosis = stats.kurtosis(painted, axis=None)
    assert kurtosis > 1.0 > 0.0 > stats.kurtosis(matched, axis=None)
    np.testing.assert_allclose(matched.std(), painted.std(), rtol=0.1)
