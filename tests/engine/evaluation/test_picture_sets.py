"""FID, KID and steadiness against their definitions, written out; nothing recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.evaluation.protocols.items import MeasuredView
from likeness.engine.evaluation.protocols.picture_sets import (
    SetFigures,
    clip_consistency,
    frechet_distance,
    kernel_distance,
)
from scipy.linalg import sqrtm


def features(seed: int, count: int, shift: float = 0.0, size: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + shift


def test_frechet_distance_is_the_formula() -> None:
    a, b = features(0, 50), features(1, 70, 0.3)
    A, B = np.cov(a.T), np.cov(b.T)
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(A + B - 2 * sqrtm(A @ B).real)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_fewer_pictures_than_features_are_no_error() -> None:
    assert np.isfinite(frechet_distance(features(0, 3), features(1, 3, 5.0)))


def test_kernel_distance_is_the_formula() -> None:
    """With sets of one size, every subset is the whole set."""
    a, b = features(2, 9), features(3, 9, 0.5)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 6 + 1) ** 3)

    def within(v: np.ndarray) -> float:
        return sum(kernel(v[i], v[j]) for i in range(9) for j in range(9) if i != j) / 72

    between = sum(kernel(x, y) for x in a for y in b) / 81
    mean, spread = kernel_distance(a, b)
    assert mean == pytest.approx(within(a) + within(b) - 2 * between, rel=1e-9)
    assert spread == pytest.approx(0.0, abs=1e-9)


def test_subsets_come_from_the_seed() -> None:
    a, b = features(4, 40), features(5, 12)
    assert kernel_distance(a, b) == kernel_distance(a, b)
    assert kernel_distance(a, b)[1] > 0


def test_consistency_of_a_clip() -> None:
    still, turned = np.tile([1.0, 0.0], (4, 1)), np.array([[1.0, 0.0], [0.0, 2.0]])
    assert clip_consistency(still) == pytest.approx(1.0)
    assert clip_consistency(turned) == pytest.approx(0.0)
    assert clip_consistency(np.array([[1, 0], [0, 1], [0, 3]])) == pytest.approx(0.25)


class MeanColor:
    """The features of a picture: its mean colour."""

    def vector(self, rgb: np.ndarray) -> np.ndarray:
        return rgb.mean((0, 1))


def item(person: str, truth: float, drawn: float, counts: bool = True) -> MeasuredView:
    pictures: dict[str, Any] = {
        "truth": np.full((2, 2, 3), truth),
        "lift": np.full((2, 2, 3), drawn),
    }
    return MeasuredView("reenact", "k", person, "others", counts, {}, {}, {"lift": {}}, pictures)


def test_sets_are_collected_by_method_and_clip() -> None:
    sets = SetFigures(MeanColor(), lambda a, b: float(abs(a - b).max()), clips=True)  # type: ignore[arg-type]
    for one in (item("a", 0.1, 0.1), item("a", 0.2, 0.4), item("a", 0.3, 0.3)):
        sets.add(one)
    sets.add(item("b", 0.9, 0.9, counts=False))
    for one in (item("b", 0.5, 0.5), item("b", 0.5, 0.5)):
        sets.add(one)
    found = sets.summary()
    assert found["lift"]["pictures"] == found["truth"]["pictures"] == 5
    assert found["truth"]["path_length"] == pytest.approx(0.1)  # of 0.2 and 0
    assert found["lift"]["path_length"] == pytest.approx(0.2)  # of 0.4 and 0
    assert found["lift"]["path_variance"] == pytest.approx(0.5 * np.var([0.3, 0.1]))
    assert found["lift"]["consistency"] == pytest.approx(1.0)  # greys point one way
    assert found["lift"]["fid"] >= 0.0
    assert "fid" not in found["truth"]


def test_clips_without_truth_have_their_own_figures() -> None:
    """Two clips of one person are two clips; nothing is compared with a truth."""
    sets = SetFigures(MeanColor(), lambda a, b: float(abs(a - b).max()), clips=True)  # type: ignore[arg-type]
    for kind, values in (("one", (0.1, 0.3)), ("two", (0.9, 0.8))):
        for value in values:
            shown = item("a", 0.0, value)
            pictures = {"lift": shown.pictures["lift"]}
            sets.add(replace(shown, kind=kind, pictures=pictures))
    found = sets.summary()
    assert list(found) == ["lift"]
    assert found["lift"]["pictures"] == 4
    assert found["lift"]["path_length"] == pytest.approx(0.15)
    assert "fid" not in found["lift"]
