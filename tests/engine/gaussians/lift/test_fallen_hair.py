"""Long hair over clothes is followed down to its ends, and no farther."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.gaussians.lift.pixels.fallen_hair import follow_fallen_hair
from likeness.engine.gaussians.lift.pixels.labels_pixels import COLOUR_SCALE
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER

UNIT = 12.0
GOLD, BLACK, WHITE = (60.0, 8.0, 30.0), (12.0, 0.0, 0.0), (92.0, 0.0, 2.0)


@pytest.mark.parametrize(
    ("hair", "cloth", "follows"),
    [
        (GOLD, BLACK, True),
        (BLACK, BLACK, False),  # a jacket in the hair's colour
        (BLACK, WHITE, True),
        (WHITE, WHITE, False),
    ],
)
def test_hair_goes_on_where_the_cloth_is_of_another_color(
    hair: tuple[float, ...], cloth: tuple[float, ...], follows: bool
) -> None:
    label = np.full((90, 80), UPPER)
    label[:30, 20:60] = SKIN
    label[:40, 10:20] = label[:40, 60:70] = HAIR
    locks = np.zeros(label.shape, bool)
    locks[40:70, 10:20] = locks[40:64, 60:70] = True
    lab = np.where((locks | (label == HAIR))[..., None], hair, cloth)
    lab = lab + np.random.default_rng(0).normal(0.0, 1.5, lab.shape)
    below = np.zeros(label.shape, bool)
    below[20:] = True
    found = follow_fallen_hair(label, lab / COLOUR_SCALE, lab, below, UNIT)
    changed = found != label
    assert (found[changed] == HAIR).all()
    if not follows:
        assert not changed.any()
        return
    assert changed[locks].mean() > 0.93
    assert changed[~locks].mean() < 0.01


def test_short_hair_is_left_alone() -> None:
    label = np.full((40, 40), UPPER)
    label[:12] = HAIR
    lab = np.full((40, 40, 3), 20.0)
    below = np.zeros((40, 40), bool)
    below[14:] = True
    assert follow_fallen_hair(label, lab / COLOUR_SCALE, lab, below, UNIT) is label
