"""Bodies looked for under a face: where the looks go, and whose body is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.load import load_portrait
from likeness.engine.tracking.detectors import Detectors, Roi
from likeness.engine.tracking.detectors.blazepose import PoseDetector, S, _Raw

PICTURE = np.zeros((8, 8, 3), np.float32)
PIXELS = 400.0  # of a metre
# Metres from the middle of the eyes, x to the right in the picture, y down: the person's right eye
# and left eye, nose, mouth, and the ears.
FACE = np.array([[-0.0315, 0], [0.0315, 0], [0, 0.04], [0, 0.07], [-0.07, 0.01], [0.07, 0.01]])

Answer = tuple[FloatArray, float]
"""What a look shows: points [33, 2] and a score."""


def turned(degrees: float) -> FloatArray:
    """[2, 2] a turn in the picture, clockwise on the screen."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def place(eyes: tuple[float, float], degrees: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """The face [6, 2] and the body points [33, 2] of somebody, in pixels."""
    points = np.zeros((33, 2))
    points[:11] = np.random.default_rng(0).uniform(-0.08, 0.08, (11, 2))
    points[5], points[2], points[0] = FACE[0], FACE[1], FACE[2]
    points[11:] = [0.0, 0.5]
    points[[11, 12]] = [[0.2, 0.25], [-0.2, 0.25]]
    to_picture = PIXELS * turned(degrees).T
    return FACE @ to_picture + eyes, points @ to_picture + eyes


class Looks(PoseDetector):
    """The detector without its networks: ``answer`` says what each look shows.

    Attributes:
        rois: where it looked, without the looks in the mirror.
    """

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.rois: list[Roi] = []
        self._answer = answer

    def _look(self, rgb: FloatArray, roi: Roi, mirrored: bool = False) -> _Raw:
        if not mirrored:
            self.rois.append(roi)
        points, score = self._answer(len(self.rois) - 1)
        mask, world = np.zeros((4, 4), np.float32), np.zeros((33, 3))
        return _Raw(points, np.ones(33), world, mask, score, roi, roi.shifted(0.0, 0.1))


@pytest.mark.parametrize("degrees", [0.0, 30.0, -75.0, 180.0])
def test_looks_reach_from_the_face_to_the_feet_and_come_closer_about_the_eyes(
    degrees: float,
) -> None:
    """An adult's hips are 0.7 m below the eyes, in the middle of 2 m; the look is upright."""
    eyes = np.array([300.0, 200.0])
    face, points = place((300.0, 200.0), degrees)
    looks, found = Looks(lambda number: (points, 0.1)), []
    looks._add_under(PICTURE, face, 0.5, found)
    assert not found
    assert [roi.size for roi in looks.rois] == pytest.approx(
        [2.0 * PIXELS * closer for closer in S.closer]
    )
    np.testing.assert_allclose(looks.rois[0].center, eyes + turned(degrees) @ [0, 0.7 * PIXELS])
    for roi in looks.rois:
        right = np.array([np.cos(roi.angle), np.sin(roi.angle)])
        np.testing.assert_allclose(right, turned(degrees) @ [1, 0], atol=1e-9)
        # The eyes are at the same place of every crop, over its middle: 0.7 m of 2 m above it.
        in_crop = turned(-degrees) @ (eyes - roi.center) / roi.size
        np.testing.assert_allclose(in_crop, [0.0, -0.35], atol=1e-9)


def test_the_closer_looks_find_who_stands_among_others() -> None:
    face, own = place((300.0, 200.0))
    _, neighbour = place((460.0, 210.0))
    answers = [(neighbour, 0.9), (own, 0.2), (own, 0.8), (own, 0.9), (own, 0.7)]
    looks, found = Looks(lambda number: answers[number]), []
    looks._add_under(PICTURE, face, 0.5, found)
    assert len(looks.rois) == 5  # three from the face, and two from what was found there
    assert looks.rois[3] == looks.rois[2].shifted(0.0, 0.1)
    (raw,) = found
    np.testing.assert_array_equal(raw.landmarks, own)
    assert raw.roi == looks.rois[4]


@pytest.mark.parametrize("next_look", ["neighbour", "nobody"])
def test_the_next_look_does_not_pass_on_to_a_neighbour(next_look: str) -> None:
    face, own = place((300.0, 200.0))
    _, neighbour = place((460.0, 210.0))
    answers = [(own, 0.8), (neighbour, 0.99) if next_look == "neighbour" else (own, 0.1)]
    looks, found = Looks(lambda number: answers[number]), []
    looks._add_under(PICTURE, face, 0.5, found)
    assert len(looks.rois) == 2
    (raw,) = found
    np.testing.assert_array_equal(raw.landmarks, own)
    assert raw.roi == looks.rois[0]


def test_who_is_found_already_is_not_found_again() -> None:
    face, own = place((300.0, 200.0))
    looks, found = Looks(lambda number: (own, 0.8)), []
    looks._add_under(PICTURE, face, 0.5, found)
    looks._add_under(PICTURE, face, 0.5, found)
    assert len(found) == 1
    other_face, other = place((460.0, 210.0))
    Looks(lambda number: (other, 0.8))._add_under(PICTURE, other_face, 0.5, found)
    assert len(found) == 2


class LooksInTurn(Looks):
    """A detector that gives its looks in turn, those in the mirror as well."""

    def _look(self, rgb: FloatArray, roi: Roi, mirrored: bool = False) -> _Raw:
        self.rois.append(roi)
        points, score = self._answer(len(self.rois) - 1)
        mask, world = np.zeros((4, 4), np.float32), np.zeros((33, 3))
        world[:, 0] = points[:, 0]
        return _Raw(points, np.ones(33), world, mask, score, roi, roi)


@pytest.mark.parametrize(
    ("answers", "settled"),
    [
        pytest.param("abbbbb", "b", id="the first look alone is wrong"),
        pytest.param("abaaba", "a", id="the mirror is wrong, and two more"),
        pytest.param("ababab", None, id="as many say the one as the other"),
        pytest.param("abcdef", None, id="each look says something else"),
    ],
)
def test_more_looks_settle_what_two_contradict_each_other_about(
    answers: str, settled: str | None
) -> None:
    _, own = place((300.0, 200.0))
    roi = Roi((300.0, 400.0), 2.0 * PIXELS)
    arm = [13, 15, 17, 19, 21]

    def look(number: int) -> Answer:
        points = own.copy()
        points[arm] += [90.0 * "abcdef".index(answers[number]), 0.0]
        return points, 0.9

    looks, found = LooksInTurn(look), []
    raw = looks._look(PICTURE, roi)
    looks._keep(PICTURE, raw, 0.5, found)
    assert len(looks.rois) == len(answers)
    (both,) = found
    others = np.setdiff1d(np.arange(33), arm)
    np.testing.assert_array_equal(both.landmarks[others], own[others])
    expected = own[arm] + [90.0 * "ab".index(settled or "a"), 0.0]
    np.testing.assert_allclose(both.landmarks[arm], expected)
    np.testing.assert_allclose(both.world[arm, 0], expected[:, 0])
    sure = both.visibility[arm]
    share = answers.count(settled) / len(answers) if settled else 0.3
    np.testing.assert_allclose(sure, share)


def test_looks_that_agree_are_two() -> None:
    _, own = place((300.0, 200.0))
    looks, found = LooksInTurn(lambda number: (own + 2.0 * number, 0.9)), []
    looks._keep(PICTURE, looks._look(PICTURE, Roi((300.0, 400.0), 2.0 * PIXELS)), 0.5, found)
    assert len(looks.rois) == 2
    np.testing.assert_allclose(found[0].landmarks, own + 1.0)


def test_under_the_face_of_a_photograph_stands_its_person(sample_portrait: Path) -> None:
    try:
        detectors = Detectors(asset_path("pose_landmark").parent)
    except LikenessError as error:
        pytest.skip(str(error))
    rgb = np.asarray(load_portrait(sample_portrait).rgb)
    (person,) = detectors.people(rgb)
    face = np.stack([person.landmarks[k] for k in (5, 2, 0)])
    mouth = person.landmarks[[9, 10]].mean(0)
    keypoints = np.concatenate([face, [mouth], person.landmarks[[8, 7]]])
    found: list[_Raw] = []
    detectors._pose._add_under(rgb, keypoints, 0.5, found)
    (raw,) = found
    shown = person.visibility > 0.8
    assert shown.sum() >= 10
    apart = np.hypot(*(raw.landmarks - person.landmarks)[shown].T)
    assert np.median(apart) < 0.01 * person.roi.size
