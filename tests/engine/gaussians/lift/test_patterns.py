"""Which clothes have a pattern, and whose are pale patches beside the jaw."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.gaussians.lift.photo.patterns import find_prints
from likeness.engine.gaussians.lift.pixels.collars import claim_collars
from likeness.engine.gaussians.lift.surface.labels import LOWER, NONE, SKIN, UPPER

UNIT = 20.0
SKIN_RGB, WHITE, NAVY = (0.80, 0.58, 0.47), (0.93, 0.94, 0.95), (0.08, 0.10, 0.20)


def test_checks_are_a_pattern_and_folds_are_none() -> None:
    label = np.full((80, 80), UPPER)
    label[40:] = LOWER
    rows, cols = np.mgrid[:80, :80]
    folds = 0.5 + 0.3 * np.sin(rows / 5.0)[..., None] * np.array([0.2, 0.4, 1.0])
    checks = np.where((rows // 4 + cols // 4)[..., None] % 2, [0.8, 0.2, 0.1], [0.1, 0.5, 0.2])
    colors = np.where((label == UPPER)[..., None], checks, folds)
    solid = np.ones(label.shape, bool)
    assert find_prints(colors, label, solid, UNIT / 2).patterned == {UPPER}
    assert find_prints(folds, label, solid, UNIT / 2).patterned == frozenset()
    spots = np.where((rows // 4 + cols // 4)[..., None] % 2, [0.8, 0.6, 0.4], [0.2, 0.15, 0.1])
    assert find_prints(spots, label, solid, UNIT / 2).patterned == {UPPER, LOWER}
    few = np.zeros(label.shape, bool)
    few[:10, :10] = True
    assert find_prints(colors, label, few, UNIT / 2).patterned == frozenset()


def test_dots_all_over_are_a_pattern_and_a_row_of_buttons_is_not() -> None:
    rows, cols = np.mgrid[:160, :160]
    label, solid = np.full(rows.shape, UPPER), np.ones(rows.shape, bool)
    cloth = np.full((160, 160, 3), NAVY) + 0.03 * np.sin(rows / 9.0)[..., None]
    dot = (rows % 10 < 3) & (cols % 10 < 3)
    dotted = np.where(dot[..., None], WHITE, cloth)
    assert find_prints(dotted, label, solid, UNIT).patterned == {UPPER}
    buttons = np.where((dot & (cols // 10 == 8))[..., None], WHITE, cloth)
    assert find_prints(buttons, label, solid, UNIT).patterned == frozenset()
    few = dot & (rows % 20 < 10) & (cols % 20 < 10)  # wide apart
    assert not find_prints(np.where(few[..., None], WHITE, cloth), label, solid, UNIT).patterned


def test_what_is_on_a_chest_between_bare_arms_is_letters() -> None:
    """Unless the frame cuts it, or it is large."""
    rows, cols = np.mgrid[:80, :80]
    checks = np.where((rows // 4 + cols // 4)[..., None] % 2, [0.8, 0.2, 0.1], [0.1, 0.5, 0.2])
    solid = np.ones(rows.shape, bool)
    chest = np.where((rows > 8) & (rows < 76), UPPER, NONE)
    assert find_prints(checks, chest, solid, UNIT) == (frozenset(), {UPPER})
    assert find_prints(checks, chest, solid, 0.5 * UNIT) == ({UPPER}, frozenset())
    cut = np.where(rows > 12, UPPER, NONE)
    assert find_prints(checks, cut, solid, UNIT) == ({UPPER}, frozenset())
    plain = np.full((80, 80, 3), 0.4)
    assert find_prints(plain, chest, solid, UNIT) == (frozenset(), frozenset())


def test_a_pattern_that_leaves_the_sides_bare_is_letters() -> None:
    rows, cols = np.mgrid[:160, :160]
    chest = np.where((rows > 8) & (rows < 150), UPPER, NONE)
    solid, black = np.ones(rows.shape, bool), np.full((160, 160, 3), 0.06)
    stripes = (cols // 6) % 2 == 0
    in_front = (abs(cols - 80) < 58) & (abs(rows - 70) < 58)
    letters = np.where((stripes & in_front)[..., None], WHITE, black)
    assert find_prints(letters, chest, solid, UNIT / 2) == (frozenset(), {UPPER})
    striped = np.where(stripes[..., None], WHITE, black)
    assert find_prints(striped, chest, solid, UNIT / 2) == ({UPPER}, frozenset())


@pytest.fixture
def neck() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face above a suit, with a white collar labelled as skin: label, colours and face."""
    label = np.full((60, 60), NONE)
    label[5:40, 15:45], label[40:] = SKIN, UPPER
    rgb = np.empty((60, 60, 3))
    rgb[:], rgb[40:] = SKIN_RGB, NAVY
    rgb[32:40, 15:22] = WHITE
    face = np.zeros(label.shape, bool)
    face[10:28, 20:40] = True
    return label, rgb, face


def test_a_white_collar_is_cloth(neck: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    label, rgb, face = neck
    tone = rgb_to_lab(np.array(SKIN_RGB))
    out = claim_collars(label, rgb_to_lab(rgb), tone, label != NONE, face, UNIT)
    assert (out[32:40, 15:22] == UPPER).all()
    assert (out[5:31, 15:45] == SKIN).all()
    assert (out[32:40, 24:45] == SKIN).all()


def test_white_beards_and_highlights_are_none(
    neck: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    label, rgb, face = neck
    tone = rgb_to_lab(np.array(SKIN_RGB))
    rgb[22:40, 22:38] = WHITE  # a beard that reaches from the face to the collar
    rgb[32:40, 15:22] = SKIN_RGB
    rgb[12:16, 42:45] = WHITE  # a highlight, of which no cloth is beside it
    out = claim_collars(label, rgb_to_lab(rgb), tone, label != NONE, face, UNIT)
    np.testing.assert_array_equal(out, label)


def test_grey_photos_have_no_collars(neck: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Nothing in them has the skin's hue; a throat below the chin's shadow is a patch of skin."""
    label, rgb, face = neck
    grey = np.repeat(rgb.mean(-1, keepdims=True), 3, axis=-1)
    grey[30:32, 15:45] *= 0.4
    lab = rgb_to_lab(grey)
    out = claim_collars(label, lab, lab[20, 30], label != NONE, face, UNIT)
    np.testing.assert_array_equal(out, label)
