"""Which cloth counts as a print, whose pattern is carried on with all its colours."""

from __future__ import annotations

import numpy as np
from likeness.engine.gaussians.lift.colors_detail import _judge
from likeness.engine.gaussians.lift.labels import LOWER


def test_light_on_strong_colours_is_not_a_print() -> None:
    """The same deviation in hue: flowers on a grey shirt, highlights on shiny teal trousers."""
    rng = np.random.default_rng(0)
    shown = rng.normal(0.0, 0.1, (500, 1)) * np.ones(3)
    hue = rng.normal(0.0, [9.0, 5.5], (500, 2))
    assert _judge(shown, hue, 4.0, LOWER, False).print
    assert not _judge(shown, hue, 35.0, LOWER, False).print
    assert _judge(shown, 2.0 * hue, 35.0, LOWER, False).print
