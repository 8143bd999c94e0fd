"""What an open jacket shows goes on below the frame."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, FloatArray, IntArray
from likeness.engine.gaussians.lift.photo.open_fronts import OpenFront, find_open_front
from likeness.engine.gaussians.lift.surface.labels import SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HEAD, TORSO

SIDE, UNIT = 200, 30.0
ROWS, COLS = np.mgrid[:SIDE, :SIDE] + 0.5
JACKET, SHIRT, TIE = [0.1, 0.12, 0.2], [0.9, 0.9, 0.92], [0.6, 0.1, 0.1]
NECK = 100  # row at which clothes begin
HALF = 40.0 - 0.15 * (ROWS - NECK)  # columns from the middle to each lapel
OPENING = (np.abs(COLS - 100) < HALF) & (ROWS >= NECK)


def _photo(opening: BoolArray) -> FloatArray:
    colors = np.where(opening[..., None], SHIRT, JACKET)
    colors = np.where((opening & (np.abs(COLS - 100) < 6))[..., None], TIE, colors)
    return np.where((ROWS < NECK)[..., None], [0.8, 0.6, 0.5], colors)


def _find(colors: FloatArray) -> OpenFront | None:
    noise = np.random.default_rng(0).normal(0.0, 0.01, colors.shape)
    label: IntArray = np.where(ROWS < NECK, SKIN, UPPER)
    group = np.where(ROWS < NECK, HEAD, TORSO)
    return find_open_front(np.clip(colors + noise, 0, 1), label, group, UNIT)


def test_the_edges_of_an_opening_are_found_and_meet_below_the_frame() -> None:
    front = _find(_photo(OPENING))
    assert front is not None
    for edge, wanted in ((front.left, [75.0, 0.15]), (front.right, [125.0, -0.15])):
        assert (np.abs(edge - wanted) < [1.0, 0.03]).all()
    left, right = front.edges(np.array([SIDE - 50.0, SIDE + front.length, SIDE + 400.0]))
    assert right[0] - left[0] == pytest.approx(65.0, abs=4.0)
    np.testing.assert_allclose(left[1:], right[1:], atol=1e-6)


def test_shirt_and_tie_go_on_between_the_lapels() -> None:
    front = _find(_photo(OPENING))
    assert front is not None
    painted, within = front.paint_below(_photo(OPENING), ROWS >= NECK, 100)
    for down in (5, 40, 90):
        half = 25.0 - 0.15 * down
        away = np.abs(COLS[0] - 100)
        assert np.ptp(painted[down][away < 0.15 * half], axis=0).max() < 0.1
        np.testing.assert_allclose(painted[down, 100], TIE, atol=0.05)
        shirt = (away > 0.4 * half) & (away < 0.85 * half)
        np.testing.assert_allclose(np.median(painted[down][shirt], axis=0), SHIRT, atol=0.05)
        beside = (away > half + 3) & (away < half + 40)
        np.testing.assert_allclose(np.median(painted[down][beside], axis=0), JACKET, atol=0.05)
        assert abs(within[down].sum() - 2.0 * half) < 4.0


def test_prints_and_plain_shirts_have_no_opening() -> None:
    print_below = OPENING & (ROWS > 150)
    for opening in (print_below, np.zeros_like(OPENING)):
        assert _find(_photo(opening)) is None
    halves = np.where((COLS < 100)[..., None], JACKET, [0.7, 0.3, 0.2])
    assert _find(np.where(OPENING[..., None], SHIRT, halves)) is None
    stripes = np.where((COLS % 8 < 4)[..., None], SHIRT, [0.1, 0.5, 0.1])
    assert _find(np.where(OPENING[..., None], stripes, JACKET)) is None


def test_a_throat_between_unequal_parts_of_a_shirt_does_not_widen_its_opening() -> None:
    """A frame that ends at the collar: skin between two pieces, the left one half as high."""
    throat = np.abs(COLS - 100) < 0.6 * (206 - ROWS)
    jacket_to = np.where(COLS < 100, 178, 160)
    opening = (np.abs(COLS - 100) < HALF) & (jacket_to <= ROWS) & ~throat
    noise = np.random.default_rng(0).normal(0.0, 0.01, (SIDE, SIDE, 3))
    colors = np.where(opening[..., None], SHIRT, JACKET)
    colors = np.clip(np.where(throat[..., None], [0.8, 0.6, 0.5], colors) + noise, 0, 1)
    label: IntArray = np.where((ROWS < 140) | throat, SKIN, UPPER)
    front = find_open_front(colors, label, np.where(ROWS < 140, HEAD, TORSO), UNIT)
    assert front is not None
    assert front.left[0] == pytest.approx(75.0, abs=1.5)
    assert front.right[0] == pytest.approx(125.0, abs=1.5)


def test_an_opening_closes_within_what_can_be_mirrored() -> None:
    low = OPENING[-90:]
    noise = np.random.default_rng(0).normal(0.0, 0.01, (90, SIDE, 3))
    colors = np.clip(_photo(OPENING)[-90:] + noise, 0, 1)
    label: IntArray = np.where(np.arange(90)[:, None] < 8, SKIN, UPPER) * np.ones_like(low)
    group = np.where(np.arange(90)[:, None] < 8, HEAD, TORSO) * np.ones_like(low)
    front = find_open_front(colors, label, group, UNIT)
    assert front is not None
    assert front.length < 90
