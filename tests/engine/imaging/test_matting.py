"""Guided filter, colour models and the matte, on pictures whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import Matte, Observation, Portrait
from likeness.engine.imaging import matting
from likeness.engine.imaging.color_model import fit_colors
from likeness.engine.imaging.guided import guided_filter
from likeness.engine.imaging.matting import make_matte
from scipy import ndimage
from scipy.stats import multivariate_normal

SIZE = 200


def test_guided_filter_keeps_what_is_linear_in_the_guide() -> None:
    guide = np.random.default_rng(0).random((30, 40, 3))
    values = guide @ np.array([0.5, -0.2, 0.3]) + 0.1
    np.testing.assert_allclose(guided_filter(values, guide, 3, 1e-9), values, atol=1e-4)


def test_guided_filter_without_edges_is_a_mean() -> None:
    values = np.random.default_rng(0).random((30, 40))
    expected = ndimage.uniform_filter(ndimage.uniform_filter(values, 5), 5)
    smoothed = guided_filter(values, np.full((30, 40, 3), 0.4), 2, 1e-4)
    np.testing.assert_allclose(smoothed, expected, atol=1e-5)


def test_one_component_is_the_normal_distribution() -> None:
    rng = np.random.default_rng(3)
    data = rng.multivariate_normal([0.2, 0.5, 0.7], np.diag([0.02, 0.01, 0.03]), 4000)
    model = fit_colors(data, components=1)
    expected = multivariate_normal(data.mean(0), np.cov(data.T) + 2e-4 * np.eye(3)).logpdf(data)
    np.testing.assert_allclose(model.log_density(data), expected, atol=0.02)


def test_two_colours_have_their_shares() -> None:
    rng = np.random.default_rng(5)
    often, seldom = rng.normal(0.2, 0.02, (900, 3)), rng.normal(0.8, 0.02, (100, 3))
    model = fit_colors(np.concatenate([often, seldom]), components=2)
    which = model.posterior(np.concatenate([often, seldom]))
    np.testing.assert_allclose(which.sum(1), 1.0)
    first = which[:900].mean(0).argmax()
    assert which[:900, first].min() > 0.99
    assert which[900:, first].max() < 0.01
    for colours, share in ((often, 0.9), (seldom, 0.1)):
        fair, own = model.log_density(colours), model.log_density(colours, equal=False)
        np.testing.assert_allclose(own - fair, np.log(share / 0.5), atol=1e-3)


def test_colour_models_tell_colours_apart() -> None:
    rng = np.random.default_rng(4)
    centres = rng.random((6, 3))
    first = np.concatenate([rng.normal(c, 0.02, (300, 3)) for c in centres[:3]])
    second = np.concatenate([rng.normal(c, 0.02, (300, 3)) for c in centres[3:]])
    a, b = fit_colors(first), fit_colors(second)
    assert (a.log_density(first) > b.log_density(first)).mean() > 0.98
    assert (b.log_density(second) > a.log_density(second)).mean() > 0.98


class Scene:
    """A head and a body with one arm away from it, before a patterned wall."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        y, x = np.mgrid[:SIZE, :SIZE] + 0.5
        head = np.hypot(x - 100, (y - 55) * 0.8) - 28
        body = np.maximum(np.abs(x - 100) - 38, 90 - y)
        neck = np.maximum(np.abs(x - 100) - 12, np.abs(y - 85) - 15)
        arm = np.maximum(np.abs(x - 158) - 7, np.abs(y - 145) - 55)
        shoulder = np.maximum(np.abs(x - 130) - 34, np.abs(y - 98) - 8)
        distance = np.minimum.reduce([head, body, neck, arm, shoulder])
        self.alpha = np.clip(0.5 - distance / 2, 0, 1)
        self.gap = (x > 141) & (x < 149) & (y > 112) & (y < 190)
        skin, cloth = np.array([0.8, 0.6, 0.5]), np.array([0.2, 0.25, 0.6])
        person = np.where((y < 92)[..., None], skin, cloth) + rng.normal(0, 0.01, (SIZE, SIZE, 3))
        wall = np.array([0.35, 0.6, 0.4]) + 0.08 * np.sin(x / 9)[..., None]
        wall = wall + rng.normal(0, 0.01, (SIZE, SIZE, 3))
        self.person, self.wall = np.clip(person, 0, 1), np.clip(wall, 0, 1)
        a = self.alpha[..., None]
        self.rgb = (a * self.person + (1 - a) * self.wall).astype(np.float32)
        # The networks' mask: coarse, a little shifted, blind for the gap under the arm.
        mask = np.where(self.gap, 0.7, ndimage.shift(self.alpha, (1, 2), mode="nearest"))
        self.mask = ndimage.gaussian_filter(mask, 2.5).astype(np.float32)

    def observation(self) -> Observation:
        pose = np.tile([100.0, 120.0], (33, 1))
        pose[:11] = [100.0, 55.0] + 10 * np.random.default_rng(0).standard_normal((11, 2))
        return Observation(pose, np.ones(33), np.zeros((33, 3)), self.mask)

    def portrait(self, alpha: np.ndarray | None = None) -> Portrait:
        return Portrait(self.rgb, alpha, Path("scene.png"))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def result(scene: Scene) -> Matte:
    return make_matte(scene.portrait(), scene.observation())


def test_alpha_finds_the_true_outline(scene: Scene, result: Matte) -> None:
    alpha = result.alpha
    assert alpha.shape == (SIZE, SIZE)
    assert alpha.dtype == np.float32
    assert np.abs(alpha - scene.alpha).mean() < 0.01
    assert np.abs(scene.mask - scene.alpha).mean() > 2 * np.abs(alpha - scene.alpha).mean()


def test_alpha_is_exact_away_from_the_outline(scene: Scene, result: Matte) -> None:
    alpha = result.alpha
    deep = ndimage.distance_transform_edt(scene.alpha > 0.5) > 14
    far = ndimage.distance_transform_edt(scene.alpha < 0.5) > 14
    assert (alpha[deep] == 1).all()
    assert (alpha[far] == 0).all()


def test_background_between_arm_and_body_goes(scene: Scene, result: Matte) -> None:
    assert scene.mask[scene.gap].mean() > 0.5
    assert result.alpha[scene.gap].mean() < 0.15


def test_foreground_has_no_background_in_it(scene: Scene, result: Matte) -> None:
    rim = (scene.alpha > 0.2) & (scene.alpha < 0.8)
    cleaned = np.abs(result.foreground - scene.person)[rim].mean()
    mixed = np.abs(scene.rgb - scene.person)[rim].mean()
    assert cleaned < 0.5 * mixed
    solid = result.alpha == 1
    np.testing.assert_array_equal(result.foreground[solid], scene.rgb[solid])


def test_the_files_own_alpha_is_used(scene: Scene) -> None:
    stranger = scene.alpha.astype(np.float32)
    stranger[5:15, 5:15] = 1
    result = make_matte(scene.portrait(stranger), scene.observation())
    np.testing.assert_allclose(result.alpha[20:], scene.alpha[20:], atol=0.021)
    assert not result.alpha[:16, :16].any()


def test_an_alpha_that_cuts_nothing_out_is_ignored(scene: Scene) -> None:
    useless = np.full((SIZE, SIZE), 0.98, np.float32)
    alpha = make_matte(scene.portrait(useless), scene.observation()).alpha
    assert np.abs(alpha - scene.alpha).mean() < 0.01


def test_a_half_seen_hem_is_kept_and_a_thing_in_the_colour_of_the_face_is_not(scene: Scene) -> None:
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    hem = (np.abs(x - 100) < 36) & (y > SIZE - 30)
    thing = (x > 40) & (x < 60) & (y > 130) & (y < 160)
    rgb = scene.rgb.copy()
    rgb[thing] = [0.8, 0.6, 0.5]
    half_seen = ndimage.gaussian_filter(np.where(hem, 0.35, scene.mask), 1.5)
    half_seen = np.maximum(half_seen, ndimage.gaussian_filter(0.4 * thing, 1.5))
    observation = replace(scene.observation(), person_mask=half_seen.astype(np.float32))
    alpha = make_matte(Portrait(rgb, None, Path("hem.png")), observation).alpha
    assert alpha[ndimage.binary_erosion(hem, iterations=3)].mean() > 0.95
    assert alpha[thing].mean() < 0.1


def test_continuity_counts_pixels_and_not_the_place_in_the_picture() -> None:
    """The outline is less certain around the head; that does not bring the rest nearer."""
    columns = np.indices((60, 120))[1]
    reach = np.where(columns < 40, 12.0, 3.0)
    prior = np.where(columns < 40, 0.95, 0.4)
    plain = np.full((60, 120, 3), 0.5)
    shown = matting._measure_continuity(plain, prior, reach)
    away = np.exp(-0.5 * ((columns - 39.0) / (3.0 * matting._NEARBY)) ** 2)
    np.testing.assert_allclose(shown[columns >= 40], away[columns >= 40], atol=1e-6)
    flat = matting._measure_continuity(plain[:, ::-1], prior[:, ::-1], reach[:, ::-1])
    np.testing.assert_allclose(flat[:, ::-1], shown, atol=1e-9)


def test_ears_in_the_colours_of_the_wall_stay(scene: Scene) -> None:
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    ears = np.hypot((np.abs(x - 100) - 29) / 7, (y - 57) / 11) < 1
    curtain = (np.abs(x - 100) > 26) & (np.abs(x - 100) < 60) & (y < 85)
    rgb, mask = scene.rgb.copy(), scene.mask.copy()
    skin = [0.8, 0.6, 0.5]
    rgb[curtain & (scene.alpha < 0.5) | ears] = skin
    rgb += np.random.default_rng(2).normal(0, 0.01, rgb.shape).astype(np.float32)
    soft = ndimage.gaussian_filter(0.65 * ears, 1.5)
    observation = replace(scene.observation(), person_mask=np.maximum(mask, soft))
    face = np.tile([100.0, 60.0], (478, 1))
    for side, landmarks in ((-1, (127, 234, 93)), (1, (356, 454, 323))):
        face[list(landmarks)] = [[100 + side * 28, height] for height in (50, 57, 64)]
    face[[10, 152]] = [[100.0, 35.0], [100.0, 82.0]]
    inner = (np.abs(np.abs(x - 100) - 30) < 2) & (np.abs(y - 57) < 5)
    without, found = (
        make_matte(Portrait(rgb, None, Path("ears.png")), replace(observation, face=points)).alpha
        for points in (None, face)
    )
    assert found[inner].min() > 0.95
    assert np.mean(without[inner] < 0.9) > 0.2
    assert found[curtain & (np.abs(x - 100) > 45)].mean() < 0.05


def test_small_doubts_make_no_haze_before_a_busy_background() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :80] + 0.5
    away = np.hypot(y - 40, x - 40) - 20
    busy = rng.uniform(0, 1, (80, 80, 3))
    image = np.where(away[..., None] < 0, [0.6, 0.4, 0.3], busy).astype(np.float32)
    refined = np.where(away < 0, 0.99, 0.25 * (away < 8)).astype(np.float32)
    reach = np.full(away.shape, 10.0, np.float32)
    alpha = matting._solve_band(image, refined, matting._band(refined, reach), reach)
    shown = np.clip((alpha - matting.HAZE) / (1.0 - 2.0 * matting.HAZE), 0.0, 1.0)
    assert shown[(away > 5) & (away < 8)].mean() < 0.05
    assert shown[away < -2].min() > 0.85
