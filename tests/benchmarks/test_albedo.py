"""The figure of albedo: medians by area, and of people."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.benchmarks.figures.albedo import AlbedoScore, summarize_albedo, weighted_median


def test_medians_count_area() -> None:
    values = np.array([5.0, 1.0, 9.0])
    assert weighted_median(values, np.array([1.0, 1.0, 1.0])) == 5.0
    assert weighted_median(values, np.array([1.0, 1.0, 9.0])) == 9.0
    assert np.isnan(weighted_median(values[:0], values[:0]))


def test_people_are_summed_up() -> None:
    scores = [AlbedoScore(k, 2.0 * k, 9.0, float("nan")) for k in (1.0, 2.0, 6.0)]
    found = summarize_albedo([*scores[:2], scores[2]._replace(exposed_de=3.0)])
    assert found == pytest.approx(
        {"albedo_de": 2.0, "seen_de": 4.0, "photo_de": 9.0, "exposed_de": 3.0}
    )
    assert summarize_albedo([]) == dict.fromkeys(AlbedoScore._fields)
