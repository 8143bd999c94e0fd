"""Folds painted on cloth that the photo does not show."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.gaussians.lift.colors.folds import S as FOLDS
from likeness.engine.gaussians.lift.colors.folds import (
    _stroke,
    match_folds,
    paint_folds,
    part_folds,
)
from likeness.engine.gaussians.lift.surface.limb_grid import LimbGrid
from likeness.engine.gaussians.lift.surface.limbs import ARMS, HEAD, TORSO
from scipy import stats

STEP = 0.005
CALM = 0.05


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
    assert np.median([light.std() for light in lights]) == pytest.approx(1.0, abs=0.5)
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


@pytest.mark.parametrize(("group", "name"), [(TORSO, "spine3"), (ARMS[0], "left_elbow")])
@pytest.mark.parametrize("soft", [False, True])
def test_painted_folds_have_the_contrast_of_seen_ones(
    body: Body, group: int, name: str, soft: bool
) -> None:
    """Of every size: soft cloth has no sharp edges. Broad light does not count."""
    along = 0 if group in ARMS else 1
    made = grid(-abs(body.J_template[JOINT_INDEX[name], along]) - 0.1, 60, 80)
    if group in ARMS:
        made, _ = sleeve(body)
    seen = 0.07 * np.array([0.26, 0.41, 0.55, 0.68] if soft else [0.7, 0.5, 0.4, 0.3])
    light = match_folds(paint_folds(group, body, made, 0), seen, CALM, made)
    shown = [band.std() for band in part_folds(light, CALM, made)]
    np.testing.assert_allclose(shown, FOLDS.regain * seen, rtol=0.35)


def test_bands_of_folds_add_up_without_broad_light() -> None:
    light = np.random.default_rng(0).normal(size=(50, 60))
    made = grid(0.0, 50, 60)
    bands = part_folds(light, CALM, made)
    np.testing.assert_allclose(part_folds(light, CALM, made, np.ones(light.shape, bool)), bands)
    np.testing.assert_allclose(sum(bands), light - made.blur(light, CALM), atol=1e-9)
    wave = np.broadcast_to(np.sin(2.0 * np.pi * np.arange(60) / 60), (50, 60))  # 30 cm long
    assert max(band.std() for band in part_folds(wave, 0.03, made)[:2]) < 0.02


def test_a_stroke_or_two_are_not_made_glaring(body: Body) -> None:
    made, _ = sleeve(body)
    painted, seen = paint_folds(ARMS[0], body, made, 0), np.full(4, 0.035)
    faint = match_folds(1e-3 * painted, seen, CALM, made)
    broad = made.blur(painted, CALM)
    most = 0.035 * FOLDS.regain * FOLDS.most_gain
    np.testing.assert_allclose(faint, 1e-3 * most * (painted - broad), atol=1e-9)


def test_folds_shade_more_than_they_shine(body: Body) -> None:
    """Cloth that shines as much as it shades looks like satin."""
    made, _ = sleeve(body)
    lights = np.stack([paint_folds(ARMS[0], body, made, seed) for seed in range(12)])
    assert stats.skew(lights, axis=None) < -0.8
    assert np.quantile(lights, 0.99) < -0.5 * np.quantile(lights, 0.01)


def test_a_fold_is_steep_on_one_side_only() -> None:
    """Light passes into shade within millimetres, and the shade fades over centimetres."""
    light = np.zeros((80, 80))
    rng = np.random.default_rng(0)
    _stroke(light, STEP, 0.2, 0.2, 0.0, 0.2, 0.03, rng)
    line = light[:, 40]
    darkest = int(line.argmin())
    assert line.max() > 0.0
    above = darkest - int(line.argmax())
    below = int((line[darkest:] > 0.3 * line.min()).argmax())
    assert 0 < above <= 3
    assert below >= 2 * above


def test_no_two_people_have_the_same_folds(body: Body) -> None:
    taller = make_synthetic_body().personalised(np.array([2.0, 0.0, 0.0, 0.0]))
    made, _ = sleeve(body)
    assert not np.allclose(
        paint_folds(ARMS[0], body, made, 0), paint_folds(ARMS[0], taller, made, 0), atol=0.3
    )
