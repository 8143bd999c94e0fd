"""Where upper and lower wear part, and what is of one piece."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.gaussians.lift.pixels.garment_borders import (
    measure_border,
    order_garments,
    part_garments,
)
from likeness.engine.gaussians.lift.pixels.labels_parser import PARSED
from likeness.engine.gaussians.lift.surface.labels import LOWER, NONE, SKIN, UPPER


def test_two_garments_with_a_shaded_hem_are_two() -> None:
    """A soft step of colours counts, steep folds and a pattern alike on both sides do not."""
    names = np.where(np.arange(120)[:, None] < 60, UPPER, LOWER) + np.zeros((120, 80), int)
    legs = np.zeros((120, 80))
    rng = np.random.default_rng(0)
    lab = np.array([60.0, 5.0, 5.0]) + rng.normal(0.0, 4.0, (120, 80, 3))
    lab[..., 0] += 15.0 * np.sign(np.sin(np.arange(80)))  # stripes
    one = measure_border(names, lab)
    assert one is not None
    assert one < 1.0
    assert (part_garments(names, None, lab, legs) == UPPER).all()
    # The parser may say where they part; without a step of colours there it is not heard.
    parsed = np.zeros((120, 80, len(PARSED)))
    parsed[:70, :, PARSED.index("upper")] = 1.0
    parsed[70:, :, PARSED.index("lower")] = 1.0
    assert (part_garments(names, parsed, lab, legs) == UPPER).all()
    parsed[..., PARSED.index("lower")] = 2.0
    assert (part_garments(names, parsed, lab, legs) == UPPER).all()  # all of it: nothing to compare
    lab[..., 0] -= 25.0 * np.clip((np.arange(120)[:, None] - 50) / 20.0, 0.0, 1.0)
    two = measure_border(names, lab)
    assert two is not None
    assert two > 1.0
    np.testing.assert_array_equal(part_garments(names, None, lab, legs), names)
    assert measure_border(np.full((9, 9), UPPER), lab[:9, :9]) is None


def test_high_trousers_are_no_shirt() -> None:
    """Rules and parser both part them too low; the colours change above, along a slant."""
    rows, cols = np.mgrid[:120, :80]
    waist = 40.0 + 0.05 * cols
    truth = np.where(rows < waist, UPPER, LOWER)
    rng = np.random.default_rng(1)
    lab = np.where((rows < waist)[..., None], (12.0, 0.0, -1.0), (55.0, -3.0, -25.0))
    lab = lab + rng.normal(0.0, 3.0, lab.shape)
    low, legs = np.where(rows < 55, UPPER, LOWER), np.zeros((120, 80))
    parsed = np.zeros((120, 80, len(PARSED)))
    parsed[..., PARSED.index("upper")] = rows < 60
    parsed[..., PARSED.index("lower")] = rows >= 60
    assert (part_garments(low, parsed, lab, legs) != truth).mean() < 0.01
    dress = np.full((120, 80, 3), 40.0) + rng.normal(0.0, 3.0, lab.shape)
    assert (part_garments(low, parsed, dress, legs) == UPPER).all()


@pytest.mark.parametrize("known", [True, False])
def test_a_coat_ends_where_trousers_show_below_it(known: bool) -> None:
    """The rules take all of it for one piece, or part it at the hips, as the parser does."""
    rows, _ = np.mgrid[:160, :80]
    hem = 110
    rng = np.random.default_rng(2)
    lab = np.where((rows < hem)[..., None], (38.0, -6.0, 14.0), (8.0, 0.0, 0.0))
    lab = lab + rng.normal(0.0, 3.0, lab.shape)
    label = np.where((rows < 70) | (not known), UPPER, LOWER)
    parsed = np.zeros((160, 80, len(PARSED)))
    parsed[..., PARSED.index("upper")] = rows < 64
    parsed[..., PARSED.index("lower")] = rows >= 64
    out = part_garments(label, parsed, lab, np.zeros((160, 80)))
    assert (out != np.where(rows < hem, UPPER, LOWER)).mean() < 0.01


def test_a_speck_called_trousers_is_no_border() -> None:
    rows, _ = np.mgrid[:160, :80]
    rng = np.random.default_rng(3)
    lab = np.where((rows < 60)[..., None], (38.0, -6.0, 14.0), (8.0, 0.0, 0.0))
    lab = lab + rng.normal(0.0, 3.0, lab.shape)
    label = np.full((160, 80), UPPER)
    label[120, 40] = LOWER
    assert measure_border(label, lab) is None
    parsed = np.zeros((160, 80, len(PARSED)))
    parsed[..., PARSED.index("upper")] = rows < 64
    parsed[..., PARSED.index("lower")] = rows >= 64
    out = part_garments(label, parsed, lab, np.zeros((160, 80)))
    assert (out != np.where(rows < 60, UPPER, LOWER)).mean() < 0.03


def test_a_stripe_is_no_lower_wear() -> None:
    """The parser takes it for that, and a sleeve's end before the belly is where colours change."""
    rows, _ = np.mgrid[:120, :80]
    stripe = (rows > 100) & (rows < 108)
    lab = np.where(stripe[..., None], (15.0, 5.0, -20.0), (45.0, 60.0, 40.0))
    lab = lab + np.random.default_rng(4).normal(0.0, 3.0, lab.shape)
    names = np.full((120, 80), UPPER)
    parsed = np.zeros((120, 80, len(PARSED)))
    parsed[..., PARSED.index("upper")] = ~stripe
    parsed[..., PARSED.index("lower")] = stripe
    assert (part_garments(names, parsed, lab, np.zeros((120, 80))) == UPPER).all()
    shaded = np.where((rows < 70)[..., None], (60.0, 0.0, 0.0), (40.0, 0.0, 0.0))
    shaded = shaded + np.random.default_rng(5).normal(0.0, 3.0, lab.shape)
    corner = (rows > 110) & (np.arange(80) < 20)  # all that the parser calls lower wear
    parsed[..., PARSED.index("upper")] = ~corner
    parsed[..., PARSED.index("lower")] = corner
    rules = np.where(rows < 75, UPPER, LOWER)
    shaded[75:] += np.array([6.0, 0.0, 0.0])  # at the rules' border less than at the shade's
    out = part_garments(rules, parsed, shaded, np.zeros((120, 80)))
    assert (out[rows < 110] == UPPER).mean() > 0.99


@pytest.mark.parametrize("known", [True, False])
def test_a_suit_has_trousers(known: bool) -> None:
    """Of one colour, but with background between the legs, with and without the parser's word."""
    rows, cols = np.mgrid[:120, :80]
    lab = np.full((120, 80, 3), 30.0) + np.random.default_rng(2).normal(0.0, 3.0, (120, 80, 3))
    names = np.full((120, 80), UPPER)
    side = np.where(rows < 60, 0.0, np.where(cols < 40, -1.0, 1.0))
    parsed = np.zeros((120, 80, len(PARSED)))
    parsed[..., PARSED.index("upper")] = rows < 50
    parsed[..., PARSED.index("lower")] = rows >= 50
    said = parsed if known else None
    assert (part_garments(names, said, lab, side) == UPPER).all()  # a dress
    slit = np.where((rows > 102) & (abs(cols - 40) < 3), NONE, names)
    assert (part_garments(slit, said, lab, side) != LOWER).all()  # a coat that opens below
    names[(rows > 70) & (abs(cols - 40) < 3)] = NONE
    found = part_garments(names, said, lab, side)
    worn = names == UPPER
    np.testing.assert_array_equal(found[worn] == LOWER, (rows >= (50 if known else 60))[worn])
    assert (found[~worn] == NONE).all()
    bare_chest = np.where(rows < 60, SKIN, LOWER)
    np.testing.assert_array_equal(part_garments(bare_chest, said, lab, 0.0 * side), bare_chest)


def test_a_hem_parts_black_from_black() -> None:
    """Folds of either's black lie in the other; an open coat ends lower at its sides."""
    rows, cols = np.mgrid[:120, :80]
    rest = np.stack([0.005 * (cols - 40), 0.3 - 0.005 * rows, np.zeros(rows.shape)], -1)
    coat = np.where(np.abs(cols - 40) > 24, 88, 48)
    truth = np.where(rows < coat, UPPER, LOWER)
    truth[:, 0] = SKIN
    body, black = np.ones(rows.shape, bool), np.full((*rows.shape, 3), 10.0)
    black[..., 0] += 4.0 * (truth == UPPER)
    folds = (np.sin(0.7 * rows + 0.3 * cols) > 0.6) & (np.abs(rows - coat) < 25)
    mixed = np.where(folds & (truth != SKIN), UPPER + LOWER - truth, truth)
    assert (mixed != truth).mean() > 0.08
    assert (order_garments(mixed, black, rest, body) != truth).mean() < 0.03
    # Those of an arm before the trunk are not of its garments.
    np.testing.assert_array_equal(order_garments(mixed, black, rest, rows > 200), mixed)
    np.testing.assert_array_equal(order_garments(truth, black, rest, body), truth)
    tie = np.where((abs(cols - 40) < 2) & (abs(rows - 30) < 12), LOWER, truth)
    np.testing.assert_array_equal(order_garments(tie, black, rest, body), tie)  # hardly any
    for one in (UPPER, LOWER):
        alone = np.full(rows.shape, one)
        np.testing.assert_array_equal(order_garments(alone, black, rest, body), alone)


def test_a_jacket_around_the_hips_and_a_bib_stay() -> None:
    rows, cols = np.mgrid[:120, :80]
    rest = np.stack([0.005 * (cols - 40), 0.3 - 0.005 * rows, np.zeros(rows.shape)], -1)
    body = np.ones(rows.shape, bool)
    shirt = np.where(rows < 50, UPPER, LOWER)
    tied = np.where((rows > 56) & (rows < 80), UPPER, shirt)
    bib = np.where((abs(cols - 40) < 16) & (rows > 20), LOWER, shirt)
    for label in (tied, bib):
        lab = np.where((label == LOWER)[..., None], [30.0, 0.0, -25.0], [70.0, 40.0, 30.0])
        np.testing.assert_array_equal(order_garments(label, lab, rest, body), label)
