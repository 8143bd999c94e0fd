"""Colours on clothes that are not theirs: bare or shaded skin, fallen hair."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.gaussians.lift.colors.stray_colors import find_fallen_hair, find_shaded_skin
from likeness.engine.gaussians.lift.grids.pixel_smoother import PixelSmoother
from likeness.engine.gaussians.lift.pixels.bare_skin import label_bare_skin
from likeness.engine.gaussians.lift.pixels.labels_pixels import COLOUR_SCALE
from likeness.engine.gaussians.lift.splats.calibrate import match_monochrome
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import LEFT_ARM, RIGHT_ARM, TORSO

TAN, WHITE, BLACK = (0.72, 0.50, 0.40), (0.93, 0.93, 0.92), (0.10, 0.08, 0.08)
SIZE = (120, 80)
UNIT = 16.0  # pixels between the eyes
FACE, CHEST, TOP, BELLY = (slice(a, b) for a, b in ((0, 25), (25, 40), (40, 70), (70, 90)))


def settle(
    colors: np.ndarray, label: np.ndarray, skin: np.ndarray, part: str = "torso"
) -> np.ndarray:
    """Labels after the colours had their say; the parser's other word is cloth."""
    noise = np.random.default_rng(0).normal(0.0, 0.02, (*SIZE, 3))
    lab = rgb_to_lab(np.clip(colors + noise, 0.0, 1.0))
    mask = np.ones(SIZE, bool)
    every = np.ones(mask.size, bool)
    said = skin.ravel()
    names = np.full(mask.size, part)
    names[: mask.size // 4] = "arm"
    smoother = PixelSmoother(lab, mask)
    scaled = lab.reshape(-1, 3) / COLOUR_SCALE
    return label_bare_skin(label, scaled, said, 0.98 - said, every, names, mask, smoother, UNIT)


def strapped_top(below: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours, labels that dress the whole trunk, and the parser's doubtful word of skin."""
    colors = np.full((*SIZE, 3), TAN)
    colors[TOP], colors[BELLY.stop :] = WHITE, below
    label = np.full(SIZE, UPPER)
    label[FACE] = SKIN
    skin = np.full(SIZE, 0.01)
    skin[FACE], skin[CHEST], skin[BELLY] = 0.97, 0.2, 0.4
    return colors, label, skin


def test_a_chest_and_a_belly_in_the_skins_colours_are_bare() -> None:
    colors, label, skin = strapped_top(WHITE)
    out = settle(colors, label, skin)
    assert (out[CHEST][2:-2] == SKIN).mean() > 0.98
    assert (out[BELLY][2:-2] == SKIN).mean() > 0.98
    assert (out[TOP][2:-2] == UPPER).mean() > 0.98
    assert (out[BELLY.stop + 2 :] == UPPER).mean() > 0.98


def test_a_coat_in_the_skins_colours_stays_a_coat() -> None:
    """The parser is sure that its sleeves are cloth."""
    colors, label, skin = strapped_top(TAN)
    np.testing.assert_array_equal(settle(colors, label, skin), label)


@pytest.mark.parametrize("part", ["torso", "leg"])
def test_between_sleeves_a_beige_top_is_cloth(part: str) -> None:
    """A large bare patch of a trunk has bare arms beside it; legs may be bare below a jacket."""
    colors, label, skin = strapped_top(WHITE)
    label[10:25], skin[10:25], colors[10:25] = UPPER, 0.01, WHITE  # sleeves
    colors[FACE.stop : TOP.start] = WHITE
    out = settle(colors, label, skin, part)
    assert (out[BELLY][2:-2] == (UPPER if part == "torso" else SKIN)).mean() > 0.98


@pytest.mark.parametrize("said", [0.01, 0.3])
def test_a_print_in_the_skins_colours_stays_one(said: float) -> None:
    """Where the parser sees skin as well, it is a window in the cloth."""
    colors, label, skin = strapped_top(WHITE)
    colors[25:], skin[25:] = WHITE, 0.01
    colors[60:75, 30:50], skin[60:75, 30:50] = TAN, said
    out = settle(colors, label, skin)
    assert (out[62:73, 32:48] == (SKIN if said > 0.1 else UPPER)).mean() > 0.98


def test_a_shaded_rim_of_cloth_stays_cloth() -> None:
    colors, label, skin = strapped_top(WHITE)
    colors[25:], skin[25:] = WHITE, 0.01
    colors[25:27] = TAN
    np.testing.assert_array_equal(settle(colors, label, skin), label)


def test_without_sure_skin_nothing_changes() -> None:
    colors, label, skin = strapped_top(WHITE)
    np.testing.assert_array_equal(settle(colors, label, 0.5 * skin), label)


def chest(sleeves: tuple[float, float, float]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Texels of a shirt below dark hair, and those that hair fell on."""
    rng = np.random.default_rng(1)
    count = 1200
    group = rng.choice([TORSO, LEFT_ARM, RIGHT_ARM], count)
    rest = rng.uniform([-0.15, -0.1, -0.1], [0.15, 0.45, 0.1], (count, 3))
    arms = group != TORSO
    rest[arms, 0] = rng.uniform(0.2, 0.6, arms.sum()) * np.where(group[arms] == LEFT_ARM, 1, -1)
    fallen = ~arms & (rest[:, 1] > 0.2) & (rest[:, 0] > 0.0)
    albedo = np.where(fallen[:, None], BLACK, WHITE)
    albedo = np.where(arms[:, None], sleeves, albedo) + rng.normal(0.0, 0.01, (count, 3))
    hair = BLACK + rng.normal(0.0, 0.01, (300, 3))
    return {
        "albedo": albedo,
        "seen": np.ones(count),
        "rest": rest,
        "group": group,
        "hair": hair,
    }, fallen


def test_hair_on_the_chest_is_not_cloth() -> None:
    texels, fallen = chest(WHITE)
    found = find_fallen_hair(**texels)
    assert found[fallen].mean() > 0.75
    assert not found[~fallen].any()
    assert not find_fallen_hair(**(texels | {"hair": texels["hair"][:10]})).any()


def test_a_black_jacket_is_cloth() -> None:
    texels, _ = chest(BLACK)
    assert not find_fallen_hair(**texels).any()


def test_few_colours_of_the_skins_hue_are_its_shade() -> None:
    skin = np.array([0.8, 0.55, 0.42])
    albedo = np.concatenate([np.full((90, 3), 0.05), np.tile(0.4 * skin, (10, 1))])
    seen = np.ones(100)
    np.testing.assert_array_equal(find_shaded_skin(albedo, seen, skin), np.arange(100) >= 90)
    seen[20:90] = 0.0  # a third in brown is a brown print
    assert not find_shaded_skin(albedo, seen, skin).any()


@pytest.mark.parametrize("hue", [0.0, 0.2])
def test_people_of_black_and_white_photos_are_black_and_white(hue: float) -> None:
    """Gums, lips and clothes that they do not show have no colours of their own."""
    rng = np.random.default_rng(0)
    shown = np.repeat(rng.uniform(0.1, 0.9, (500, 1)), 3, axis=1) + rng.normal(0, 0.003, (500, 3))
    shown[:50, 0] += hue
    gums = np.array([[0.62, 0.34, 0.33], [0.35, 0.36, 0.40]])
    found = match_monochrome(gums, shown)
    if hue:
        np.testing.assert_array_equal(found, gums)
    else:
        assert np.ptp(found, axis=1).max() < 0.002
        np.testing.assert_allclose(rgb_to_lab(found)[:, 0], rgb_to_lab(gums)[:, 0], atol=0.2)
    np.testing.assert_array_equal(match_monochrome(gums, shown[:0]), gums)
