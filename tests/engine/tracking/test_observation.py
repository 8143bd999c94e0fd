"""Choosing the person, checking the face, giving hands to sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError, Portrait
from likeness.engine.files.weights import cache_assets_dir
from likeness.engine.imaging.load import load_portrait
from likeness.engine.imaging.resize import resize
from likeness.engine.tracking.detectors import DetectedPerson, Detectors, HandLandmarks, Roi
from likeness.engine.tracking.detectors.face_mesh import FaceBox, FaceLandmarks
from likeness.engine.tracking.observation import (
    assign_hands,
    eye_distance,
    find_candidates,
    observe,
)


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors(cache_assets_dir() / "detectors")


@pytest.fixture(scope="module")
def rgb(sample_portrait: Path) -> np.ndarray:
    return np.asarray(load_portrait(sample_portrait).rgb)


@pytest.fixture(scope="module")
def pair(rgb: np.ndarray) -> Portrait:
    """Two people: a small one on the left, a large one on the right, a wall between them."""
    small = resize(rgb[:, 20:330], 155, 256)
    wide = np.full((512, 155 + 60 + 330, 3), rgb[20, 330], np.float32)
    wide[256:, :155] = small
    wide[:, 215:] = rgb[:, :330]
    return Portrait(wide, None, Path("pair.png"))


def test_one_person(detectors: Detectors, rgb: np.ndarray) -> None:
    seen = observe(Portrait(rgb, None, Path("one.png")), detectors)
    assert (seen.person_index, seen.num_people) == (0, 1)
    assert seen.warnings == ()
    assert seen.face is not None
    assert seen.face.shape == (478, 2)
    assert seen.face_score > 0.9
    assert seen.person_mask.shape == rgb.shape[:2]
    # Nose and eyes of the body are those of the mesh.
    np.testing.assert_allclose(seen.pose[0], seen.face[1])
    assert np.hypot(*(seen.pose[2] - seen.face[473])) < 0.2 * eye_distance(seen.face)


def test_a_mesh_that_slipped_does_not_win_by_its_score(
    detectors: Detectors, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, made = detectors.face_landmarks, []

    def twice(picture: np.ndarray, box: FaceBox) -> FaceLandmarks:
        face = look(picture, box)
        assert face is not None
        up = np.array([0.0, 0.3 * np.ptp(face.landmarks[:, 1])])
        slipped = face._replace(landmarks=face.landmarks - up, score=1.0)
        made.extend([slipped, face._replace(score=0.9)])
        return made[-2 if len(made) == 2 else -1]

    boxes, people = detectors.detect_faces_and_people(rgb)
    monkeypatch.setattr(detectors, "detect_faces_and_people", lambda rgb: (boxes * 2, people))
    monkeypatch.setattr(detectors, "face_landmarks", twice)
    (candidate,) = find_candidates(rgb, detectors)
    assert candidate.face is made[-1]


def test_the_largest_of_two_with_a_warning(detectors: Detectors, pair: Portrait) -> None:
    seen = observe(pair, detectors)
    assert (seen.person_index, seen.num_people) == (1, 2)
    assert any("2 people" in w and "number 2 from the left" in w for w in seen.warnings)
    assert seen.face is not None
    assert seen.face[:, 0].min() > 215
    assert seen.person_mask[:, :150].max() < 0.1
    assert seen.person_mask[:, 400].max() > 0.9


def test_the_other_one_when_asked(detectors: Detectors, pair: Portrait) -> None:
    seen = observe(pair, detectors, person=0)
    assert seen.person_index == 0
    assert seen.face is not None
    assert seen.face[:, 0].max() < 155
    assert seen.person_mask[:, 230:].max() < 0.1


def test_nobody_has_that_number(detectors: Detectors, pair: Portrait) -> None:
    for person in (2, -1):
        with pytest.raises(
            LikenessError, match=rf"pair\.png.*person {person + 1}.*2 people"
        ) as caught:
            observe(pair, detectors, person=person)
        assert "from 1 (leftmost) to 2 (rightmost)" in caught.value.remedy


def test_one_person_has_the_number_1(detectors: Detectors, rgb: np.ndarray) -> None:
    with pytest.raises(LikenessError, match=r"one\.png.*person 3.*1 person") as caught:
        observe(Portrait(rgb, None, Path("one.png")), detectors, person=2)
    assert "give 1." in caught.value.remedy


def test_nobody_at_all(detectors: Detectors) -> None:
    y, x = np.mgrid[:200, :300] / 300
    hills = np.stack([y, 0.5 + 0.3 * np.sin(9 * x), x], -1).astype(np.float32)
    with pytest.raises(LikenessError, match=r"No person.*hills\.png"):
        observe(Portrait(hills, None, Path("hills.png")), detectors)


def test_small_faces_say_which_size_is_needed(detectors: Detectors, rgb: np.ndarray) -> None:
    tiny = Portrait(resize(rgb, 88, 88), None, Path("tiny.png"))
    seen = observe(tiny, detectors)
    assert seen.face is not None  # small, but it tells where the head looks
    (warning,) = seen.warnings
    size = next(int(word) for word in warning.split() if word.isdigit() and int(word) > 80)
    again = observe(Portrait(resize(rgb, size, size), None, Path("small.png")), detectors)
    assert again.face is not None
    assert not again.warnings


def test_a_face_of_a_few_pixels_turns_the_head(detectors: Detectors, rgb: np.ndarray) -> None:
    """Eyes under 8 pixels apart are looked at in an enlarged crop."""
    large = observe(Portrait(rgb, None, Path("large.png")), detectors)
    small = observe(Portrait(resize(rgb, 72, 72), None, Path("small.png")), detectors)
    assert large.face is not None
    assert small.face is not None
    eyes = eye_distance(small.face)
    assert eyes < 8
    expected = large.face[:468] * 72 / rgb.shape[0]
    assert np.linalg.norm(small.face[:468] - expected, axis=1).mean() < 0.12 * eyes


def _person(left_wrist: tuple[float, float], right_wrist: tuple[float, float]) -> DetectedPerson:
    landmarks = np.zeros((33, 2))
    landmarks[[11, 12, 15, 16]] = [[140, 50], [60, 50], left_wrist, right_wrist]
    return DetectedPerson(
        landmarks,
        np.ones(33),
        np.zeros((33, 3)),
        np.zeros((2, 2)),
        1.0,
        np.zeros(4),
        Roi((100.0, 100.0), 300.0),
    )


def _hand(x: float, y: float, left: float, score: float = 0.9) -> HandLandmarks:
    points = np.tile([x, y], (21, 1)) + np.linspace(0, 20, 21)[:, None]
    return HandLandmarks(points, np.zeros((21, 3)), left, score)


def test_hands_go_to_the_nearest_wrist() -> None:
    near_left, near_right = _hand(155, 200, left=0.4), _hand(48, 200, left=0.6)
    hands = assign_hands([near_right, near_left], _person((160, 200), (50, 200)))
    assert [hand.left for hand in hands] == [True, False]
    assert hands[0].landmarks[0, 0] == 155


def test_handedness_decides_where_wrists_are_close() -> None:
    crossed = [_hand(100, 200, left=0.1), _hand(104, 200, left=0.9)]
    hands = assign_hands(crossed, _person((101, 200), (103, 200)))
    assert {hand.left: hand.landmarks[0, 0] for hand in hands} == {True: 104, False: 100}


def test_hands_of_others_are_left_out() -> None:
    assert assign_hands([_hand(300, 20, left=0.9)], _person((160, 200), (50, 200))) == ()
    unsure = _hand(160, 200, left=0.9, score=0.15)
    assert assign_hands([unsure], _person((160, 200), (50, 200))) == ()
