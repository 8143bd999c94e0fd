"""Grades against colorsys, one colour at a time."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
from likeness.engine.core.color import srgb_to_linear
from likeness.engine.core.grading import GRADED, Grade, grade_colors, grade_gaussians
from likeness.engine.core.retouch import SHIFT, get_retouch, set_retouch
from likeness.engine.core.types import PARTS

from tests.engine.formats.test_avatar_file import make_avatar


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


def test_edits_by_hand_are_graded_like_what_they_edit() -> None:
    bound = make_avatar(200).gaussians
    bound = replace(bound, part=np.full(len(bound), PARTS.index("face"), np.uint8))
    edits = get_retouch(bound)
    edits[:5, SHIFT] = [0.1, -0.05, 0.0]
    bound = set_retouch(bound, edits)
    out = grade_gaussians(bound, {"Skin": Grade(exposure=-1.0), "Hair": Grade(hue=0.2)})
    for before, after in (
        (bound.colors, out.colors),
        (bound.colors + edits[:, SHIFT], out.colors + out.retouch[:, SHIFT]),
    ):
        dark = srgb_to_linear(np.clip(before, 0, 1).astype(np.float64)) / 2
        np.testing.assert_allclose(srgb_to_linear(after.astype(np.float64)), dark, atol=1e-6)
    assert not out.retouch[5:].any()
    assert grade_gaussians(bound, {"Skin": Grade()}) is bound
