"""Which cloth counts as a print, whose pattern is carried on with all its colours."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.gaussians.lift.colors.cloth_materials import judge_material, weigh_channels
from likeness.engine.gaussians.lift.photo.photo_light import S as LIGHT
from likeness.engine.gaussians.lift.surface.labels import LOWER


def test_light_on_strong_colours_is_not_a_print() -> None:
    """The same deviation in hue: flowers on a grey shirt, highlights on shiny teal trousers."""
    rng = np.random.default_rng(0)
    shown = rng.normal(0.0, 0.1, (500, 1)) * np.ones(3)
    hue = rng.normal(0.0, [9.0, 5.5], (500, 2))
    grey = np.full(3, 1.0 / 3.0)
    assert judge_material(shown, hue, 4.0, grey, LOWER, False).print
    assert not judge_material(shown, hue, 35.0, grey, LOWER, False).print
    assert judge_material(shown, 2.0 * hue, 35.0, grey, LOWER, False).print


def test_folds_of_a_strong_colour_are_as_deep_as_its_light() -> None:
    """Pink has hardly any green, whose logarithm varies with the camera's noise."""
    rng = np.random.default_rng(0)
    pink = np.array([0.93, 0.05, 0.42])
    light = rng.normal(0.0, 0.05, 4000)
    seen = pink * np.exp(light)[:, None] + rng.normal(0.0, 0.03, (4000, 3))
    shown = np.log((seen.clip(0.0) + LIGHT.floor) / (pink + LIGHT.floor))
    weights = weigh_channels(seen)
    assert weights.sum() == pytest.approx(1.0)
    found = float((shown @ weights).std())
    assert found == pytest.approx(float(light.std()), rel=0.25)
    assert float(shown.mean(1).std()) > 2.0 * found  # what the mean of the channels said
