"""Rims of mattes: the background's colour goes, the person's stays."""

from __future__ import annotations

import numpy as np
from likeness.engine.imaging.rims import tighten_rim

SKIN, RED = np.array([0.85, 0.65, 0.55]), np.array([0.7, 0.1, 0.12])
ROWS, COLUMNS = np.mgrid[:80, :80] + 0.5
AWAY = np.hypot(ROWS - 40.0, COLUMNS - 40.0)
DISC, MATTE = AWAY < 24.0, (AWAY < 26.0).astype(np.float32)  # two pixels too wide


def picture(background: np.ndarray) -> np.ndarray:
    return np.where(DISC[..., None], SKIN, background)


def test_a_seam_of_the_backdrop_goes() -> None:
    found = tighten_rim(picture(RED), MATTE)
    assert (found[DISC] == 1.0).all()
    assert found[~DISC].max() < 0.01


def test_what_only_resembles_the_backdrop_stays() -> None:
    """A strap in a third colour, and a sleeve as red as the wall and wider than a rim."""
    shown = picture(RED)
    strap = (AWAY < 26.0) & (ROWS < 40.0)
    shown[strap & ~DISC] = [0.1, 0.2, 0.6]
    assert (tighten_rim(shown, MATTE)[strap] == 1.0).all()
    shown = np.where((MATTE > 0)[..., None] & (COLUMNS < 40.0)[..., None], RED, picture(RED))
    sleeve = (MATTE > 0) & (COLUMNS < 35.0)
    assert (tighten_rim(shown, MATTE)[sleeve] == 1.0).all()


def test_busy_and_similar_backgrounds_are_left_alone() -> None:
    busy = np.random.default_rng(0).uniform(0.0, 1.0, (80, 80, 3))
    np.testing.assert_array_equal(tighten_rim(picture(busy), MATTE), MATTE)
    np.testing.assert_array_equal(tighten_rim(picture(SKIN - 0.1), MATTE), MATTE)


def test_nobody_and_everybody() -> None:
    for alpha in (np.zeros((80, 80), np.float32), np.ones((80, 80), np.float32)):
        np.testing.assert_array_equal(tighten_rim(picture(RED), alpha), alpha)
