"""Grades against colorsys, one colour at a time."""

from __future__ import annotations

import colorsys

import numpy as np
from likeness.engine.core.grading import GRADED, Grade, grade_colors
from likeness.engine.core.types import PARTS


def test_grades_are_those_of_the_colour_circle() -> None:
    rng = np.random.default_rng(0)
    colors = np.concatenate([rng.random((40, 3)), [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5]]])
    part = np.full(len(colors), PARTS.index("hair"), np.uint8)
    grade = Grade(exposure=-1.0, hue=0.4, saturation=1.5)
    expected = []
    for color in colors:
        h, s, v = colorsys.rgb_to_hsv(*color)
        expected.append(colorsys.hsv_to_rgb((h + 0.4) % 1.0, min(1.5 * s, 1.0), 0.5 * v))
    np.testing.assert_allclose(grade_colors(colors, part, {"Hair": grade}), expected, atol=1e-9)


def test_only_the_part_changes() -> None:
    part = np.arange(len(PARTS))
    colors = np.tile([0.2, 0.4, 0.6], (len(PARTS), 1))
    for name, members in GRADED.items():
        out = grade_colors(colors, part, {name: Grade(exposure=1.0)})
        changed = {PARTS[k] for k in np.flatnonzero((out != colors).any(1))}
        assert changed == set(members)
    np.testing.assert_array_equal(grade_colors(colors, part, {"Skin": Grade()}), colors)
