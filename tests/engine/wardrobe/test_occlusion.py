"""How much of the sky a surface sees, against what geometry says of planes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from likeness.engine.core.settings import override_settings
from likeness.engine.wardrobe import occlusion
from likeness.engine.wardrobe.occlusion import measure_openness

CORNERS = np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]])
QUAD = np.array([[0, 1, 2], [0, 2, 3]])
AT, UP = np.array([[0.0, 0, 0], [0.2, 0, 0.1]]), np.array([[0.0, 1, 0], [0, 1, 0]])


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(occlusion, "_kept", type(occlusion._kept)())
    before = occlusion.S.sky
    yield
    override_settings({"wardrobe.occlusion.sky": before})


def test_a_roof_takes_the_sky_away() -> None:
    floor = measure_openness(AT, UP, CORNERS, QUAD)
    roof = 4.0 * CORNERS + [0, 0.5, 0]
    below = measure_openness(AT, UP, np.concatenate([CORNERS, roof]), np.vstack([QUAD, QUAD + 4]))
    assert (floor > 1.0).all()  # the sky is brightest above
    assert (below < 0.2 * floor).all()


def test_what_is_kept_is_what_would_be_measured() -> None:
    first = measure_openness(AT, UP, CORNERS, QUAD)
    first_again = measure_openness(AT.copy(), UP, CORNERS, QUAD)
    np.testing.assert_array_equal(first, first_again)
    first_again[:] = 7.0  # the caller's own
    np.testing.assert_array_equal(measure_openness(AT, UP, CORNERS, QUAD), first)
    aside = UP * [1.0, 0.6, 1.0] + [0.8, 0, 0]
    assert (measure_openness(AT, aside, CORNERS, QUAD) != first).all()
    override_settings({"wardrobe.occlusion.sky": 0.0})
    without = measure_openness(AT, UP, CORNERS, QUAD)
    assert (without < first).all()
    np.testing.assert_allclose(without, 1.0)


def test_old_results_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion, "MAX_KEPT", 2)
    for k in range(4):
        measure_openness(AT + np.array([0.01 * k, 0, 0]), UP, CORNERS, QUAD)
    assert len(occlusion._kept) == 2
