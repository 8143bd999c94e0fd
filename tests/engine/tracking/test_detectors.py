"""The detectors: geometry against plain algebra, networks against a photograph's symmetries."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import ASSETS, cache_assets_dir
from likeness.engine.imaging.load import load_portrait
from likeness.engine.imaging.resize import resize
from likeness.engine.tracking import extract_detectors
from likeness.engine.tracking.detectors import DetectedPerson, Detectors, Roi
from likeness.engine.tracking.detectors.eye_contours import LEFT_EYE, RIGHT_EYE
from likeness.engine.tracking.detectors.person_mask import person_mask
from likeness.engine.tracking.detectors.roi import bounding_roi, invert_affine, transform_points
from likeness.engine.tracking.detectors.ssd import (
    Detection,
    box_iou,
    decode_boxes,
    make_anchors,
    map_detection,
    weighted_nms,
)


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors(cache_assets_dir() / "detectors")


@pytest.fixture(scope="module")
def photo(sample_portrait: Path) -> np.ndarray:
    return np.asarray(load_portrait(sample_portrait).rgb)


@pytest.fixture(scope="module")
def person(detectors: Detectors, photo: np.ndarray) -> DetectedPerson:
    people = detectors.people(photo)
    assert len(people) == 1
    return people[0]


def test_anchor_counts_are_those_of_the_networks() -> None:
    assert make_anchors(128, (8, 16, 16, 16)).shape == (896, 2)
    assert make_anchors(192, (8, 16, 16, 16)).shape == (2016, 2)
    assert make_anchors(192, (4,), per_cell=1).shape == (2304, 2)
    assert make_anchors(224, (8, 16, 32, 32, 32)).shape == (2254, 2)


def test_decode_undoes_the_encoding() -> None:
    anchors = make_anchors(64, (16,))
    box, keypoints = np.array([10.0, 12.0, 30.0, 44.0]), np.array([[12.0, 20.0], [25.0, 33.0]])
    row = 5
    raw = np.zeros((len(anchors), 8))
    anchor = anchors[row] * 64
    raw[row] = [
        *((box[:2] + box[2:]) / 2 - anchor),
        *(box[2:] - box[:2]),
        *(keypoints - anchor).ravel(),
    ]
    logits = np.full(len(anchors), -5.0)
    logits[row] = 2.0
    (found,) = decode_boxes(raw, logits, anchors, 64, threshold=0.5)
    np.testing.assert_allclose(found.box * 64, box)
    np.testing.assert_allclose(found.keypoints * 64, keypoints)
    assert found.score == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_merge_joins_what_overlaps_and_keeps_the_rest() -> None:
    def at(x: float, score: float) -> Detection:
        return Detection(np.array([x, 0.0, x + 1, 1.0]), np.array([[x, 0.5]]), score)

    merged = weighted_nms([at(0.1, 0.6), at(0.0, 0.9), at(5.0, 0.7)])
    assert [round(d.score, 2) for d in merged] == [0.9, 0.7]
    assert merged[0].box[0] == pytest.approx(0.1 * 0.6 / 1.5)
    assert box_iou(at(0, 1).box, at(0.5, 1).box) == pytest.approx(1 / 3)
    assert box_iou(at(0, 1).box, at(2, 1).box) == 0


def test_roi_maps_there_and_back() -> None:
    roi = Roi((50.0, 40.0), 20.0, 0.6)
    points = np.random.default_rng(0).random((7, 2)) * 90
    for mirrored in (False, True):
        matrix = roi.matrix(64, mirrored)
        np.testing.assert_allclose(
            transform_points(invert_affine(matrix), transform_points(matrix, points)), points
        )
        np.testing.assert_allclose(transform_points(matrix, np.array([32.0, 32.0])), roi.center)
    # The crop's right is the direction (cos, sin) of the angle in the picture.
    right = transform_points(roi.matrix(64), np.array([64.0, 32.0])) - np.array(roi.center)
    np.testing.assert_allclose(right, 10 * np.array([np.cos(0.6), np.sin(0.6)]))
    moved_roi = roi.shifted(0.5, 0.0)
    np.testing.assert_allclose(np.array(moved_roi.center) - roi.center, right)


def test_bounding_roi_holds_all_points_in_the_turned_square() -> None:
    points = np.random.default_rng(1).random((20, 2)) * 30
    roi = bounding_roi(points, 0.4, 1.0)
    inside = transform_points(invert_affine(roi.matrix(100)), points)
    assert inside.min() > -1e-6
    assert inside.max() < 100 + 1e-6
    assert np.ptp(inside, axis=0).max() == pytest.approx(100)


def test_detections_move_with_their_crop() -> None:
    roi = Roi((30.0, 20.0), 40.0)
    whole = Detection(np.array([0.0, 0.0, 1.0, 1.0]), np.array([[0.5, 0.5]]), 1.0)
    out = map_detection(whole, roi.matrix(128), 128)
    np.testing.assert_allclose(out.box, [10, 0, 50, 40])
    np.testing.assert_allclose(out.keypoints, [[30, 20]])


def test_face_is_found_in_the_photo(detectors: Detectors, photo: np.ndarray) -> None:
    faces = detectors.faces(photo)
    assert len(faces) == 1
    x0, y0, x1, y1 = faces[0].box
    assert 150 < x0 < x1 < 300
    assert 50 < y0 < y1 < 200


def test_right_eye_comes_first(detectors: Detectors, photo: np.ndarray) -> None:
    """Points 33 and 133 are the person's right eye, on the left of the picture; iris 468 in it."""
    found = detectors.face_landmarks(photo)
    assert found is not None
    points = found.landmarks
    assert points.shape == (478, 2)
    assert found.z.shape == (478,)
    assert found.score > 0.9
    assert points[33, 0] < points[133, 0] < points[362, 0] < points[263, 0]
    for iris, (a, b) in ((slice(468, 473), (33, 133)), (slice(473, 478), (362, 263))):
        assert points[a, 0] < points[iris][0, 0] < points[b, 0]
        # Four points of the iris lie around its centre.
        np.testing.assert_allclose(points[iris][1:].mean(0), points[iris][0], atol=1.0)
    assert found.z[1] < found.z[234]


def test_face_landmarks_follow_size_and_mirror(detectors: Detectors, photo: np.ndarray) -> None:
    found = detectors.face_landmarks(photo)
    half = detectors.face_landmarks(resize(photo, 256, 256))
    mirror = detectors.face_landmarks(np.ascontiguousarray(photo[:, ::-1]))
    assert found is not None
    assert half is not None
    assert mirror is not None
    eyes = np.hypot(*(found.landmarks[33] - found.landmarks[263]))
    apart = np.hypot(*(2 * half.landmarks - found.landmarks).T)
    assert apart.mean() < 0.02 * eyes
    flipped = mirror.landmarks * [-1, 1] + [photo.shape[1], 0]
    for right, left in zip(RIGHT_EYE[:16], LEFT_EYE[:16]):
        assert np.hypot(*(flipped[right] - found.landmarks[left])) < 0.05 * eyes


def test_no_face_no_person_no_hand(detectors: Detectors) -> None:
    noise = np.random.default_rng(0).random((120, 160, 3)).astype(np.float32)
    assert detectors.faces(noise) == []
    assert detectors.face_landmarks(noise) is None
    assert detectors.people(noise) == []
    assert detectors.hands(noise) == []


def test_body_in_engine_axes(person: DetectedPerson, photo: np.ndarray) -> None:
    """The person's left is +x, up is +y, the viewer is at +z; she faces the viewer."""
    left_shoulder, right_shoulder, nose = person.world[11], person.world[12], person.world[0]
    hips = person.world[[23, 24]].mean(0)
    assert left_shoulder[0] > 0.1 > -0.1 > right_shoulder[0]
    assert nose[1] > left_shoulder[1] > hips[1] + 0.2
    assert nose[2] > person.world[[7, 8], 2].mean() + 0.03
    assert person.landmarks[11, 0] > person.landmarks[12, 0]
    assert person.mask.shape == photo.shape[:2]


def test_what_lies_outside_the_picture_is_not_visible(
    person: DetectedPerson, photo: np.ndarray
) -> None:
    outside = (person.landmarks < 0).any(1) | (person.landmarks > photo.shape[1]).any(1)
    assert outside[25:].all()
    assert (person.visibility[outside] == 0).all()
    assert (person.visibility[[0, 2, 5, 11, 12]] > 0.7).all()


def test_masks_know_face_from_wall(
    detectors: Detectors, photo: np.ndarray, person: DetectedPerson
) -> None:
    mask = detectors.person_mask(photo, person, [])
    for soft in (detectors.selfie_mask(photo), person.mask, mask):
        assert soft.shape == photo.shape[:2]
        assert soft[130, 220] > 0.9
        assert soft[60, 400] < 0.1
    # The helmet beside her is held, not worn.
    assert mask[440, 400] < 0.5


def test_a_pixel_that_both_bodies_claim_is_the_nearer_ones(person: DetectedPerson) -> None:
    """Two people side by side, of which the body network shows one mask."""
    width, height = 400, 300
    points = np.zeros((33, 2))
    points[:11] = np.stack([np.linspace(88.0, 112.0, 11), np.full(11, 45.0)], 1)
    points[[11, 13, 15]] = [[120.0, 90.0], [125.0, 140.0], [125.0, 190.0]]
    points[[12, 14, 16]] = [[80.0, 90.0], [75.0, 140.0], [75.0, 190.0]]
    points[[23, 25, 27]] = [[112.0, 190.0], [112.0, 240.0], [112.0, 290.0]]
    points[[24, 26, 28]] = [[88.0, 190.0], [88.0, 240.0], [88.0, 290.0]]
    both = np.zeros((height, width), np.float32)
    both[30:, 60:260] = 1.0
    left = replace(person, landmarks=points, mask=both, roi=Roi((200.0, 150.0), 400.0))
    right = replace(left, landmarks=points + np.array([120.0, 0.0]))
    selfie = SimpleNamespace(look=lambda rgb, roi: np.ones((256, 256), np.float32))
    picture = np.zeros((height, width, 3), np.float32)
    alone = person_mask(picture, left, [], selfie)  # type: ignore[arg-type]
    parted = person_mask(picture, left, [right], selfie)  # type: ignore[arg-type]
    for row in (110, 180):
        assert alone[row, 220] > 0.9
        assert parted[row, 100] > 0.9
        assert parted[row, 220] < 0.1


def test_missing_and_broken_models_name_the_command(tmp_path: Path, photo: np.ndarray) -> None:
    with pytest.raises(LikenessError, match="likeness assets"):
        Detectors(tmp_path).faces(photo)
    for name in ("face_detection_short", "face_detection_full"):
        (tmp_path / Path(ASSETS[name]).name).write_bytes(b"no model")
    with pytest.raises(LikenessError, match="likeness assets"):
        Detectors(tmp_path).faces(photo)


@pytest.fixture
def small_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    content = b"model"
    members = {"iris_landmark": ("inner/iris.tflite", extract_detectors._sha256(content))}
    monkeypatch.setattr(extract_detectors, "DETECTOR_MEMBERS", members)
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("inner/iris.tflite", content)
    return wheel


def test_models_come_out_of_the_wheel(small_wheel: Path, tmp_path: Path) -> None:
    (path,) = extract_detectors.extract_detectors(small_wheel, tmp_path / "out")
    assert path == tmp_path / "out" / "detectors" / "iris_landmark.tflite"
    assert path.read_bytes() == b"model"
    assert [p.name for p in path.parent.iterdir()] == ["iris_landmark.tflite"]


def test_another_model_in_the_wheel_is_refused(small_wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(small_wheel, "w") as archive:
        archive.writestr("inner/iris.tflite", b"another model")
    with pytest.raises(LikenessError, match=r"not the expected one"):
        extract_detectors.extract_detectors(small_wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wheels_that_are_none(small_wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="does not exist"):
        extract_detectors.extract_detectors(tmp_path / "none.whl", tmp_path)
    with zipfile.ZipFile(small_wheel, "w") as archive:
        archive.writestr("readme", b"empty")
    with pytest.raises(LikenessError, match="lacks a detector"):
        extract_detectors.extract_detectors(small_wheel, tmp_path)
    small_wheel.write_bytes(b"not a zip")
    with pytest.raises(LikenessError, match="not a wheel"):
        extract_detectors.extract_detectors(small_wheel, tmp_path)
