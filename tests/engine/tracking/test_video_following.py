"""Following a person with the detectors: a photograph that is moved, hidden, swapped, mirrored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.benchmarks.figures.motion_metrics import count_flips, find_still_frames, jitter_mm
from likeness.engine.core.types import FloatArray
from likeness.engine.files.weights import cache_assets_dir
from likeness.engine.imaging.load import load_portrait
from likeness.engine.imaging.resize import affine_crop
from likeness.engine.imaging.video import VideoFrame
from likeness.engine.tracking.cuts import FrameSignature
from likeness.engine.tracking.cuts import S as CUTS
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.person_follower import Follower
from likeness.engine.tracking.person_match import keep_sides

SIDE = 320


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors(cache_assets_dir() / "detectors")


@pytest.fixture(scope="module")
def photo(sample_portrait: Path) -> FloatArray:
    return load_portrait(sample_portrait).rgb


def view(photo: FloatArray, right: float = 0.0, size: float = 1.0) -> FloatArray:
    """The photo through a window that moves ``right`` (share of its width)."""
    scale = photo.shape[1] * size / SIDE
    matrix = np.array([[scale, 0, right * photo.shape[1]], [0, scale, 0]])
    return affine_crop(photo, matrix, SIDE, SIDE, edge=True)


def test_a_moving_person_is_followed(detectors: Detectors, photo: FloatArray) -> None:
    eye = Follower(detectors, 30.0)
    noses = []
    for k in range(6):
        sighting = eye.see(VideoFrame(k, k / 30, view(photo, 0.02 * k)))
        assert sighting.observation is not None
        assert not sighting.cut
        assert sighting.observation.face is not None
        noses.append(sighting.observation.face[1])
    steps = np.diff(np.array(noses), axis=0)
    np.testing.assert_allclose(steps.mean(0), [-0.02 * SIDE, 0.0], atol=0.6)


def test_following_agrees_with_a_thorough_look(detectors: Detectors, photo: FloatArray) -> None:
    eye = Follower(detectors, 30.0)
    for k in range(3):
        sighting = eye.see(VideoFrame(k, k / 30, view(photo, 0.01 * k)))
    still = eye.photo(VideoFrame(2, 0.1, view(photo, 0.02)))
    assert sighting.observation is not None
    assert still is not None
    face = np.hypot(*(sighting.observation.face - still.face).T)
    assert face.mean() < 0.02 * SIDE
    sure = still.pose_visibility > 0.8
    pose = np.hypot(*(sighting.observation.pose - still.pose)[sure].T)
    assert pose.mean() < 0.02 * SIDE


def test_hidden_and_back_is_no_cut(detectors: Detectors, photo: FloatArray) -> None:
    eye = Follower(detectors, 30.0)
    grey = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    pictures = [view(photo), view(photo), grey, grey, grey, view(photo, 0.01), view(photo, 0.02)]
    seen = [eye.see(VideoFrame(k, k / 30, p)) for k, p in enumerate(pictures)]
    assert [s.observation is not None for s in seen] == [True] * 2 + [False] * 3 + [True] * 2
    assert not any(s.cut for s in seen)


def test_another_picture_is_a_cut(detectors: Detectors, photo: FloatArray) -> None:
    eye = Follower(detectors, 30.0)
    other = np.ascontiguousarray(view(photo, -0.3, 1.4)[:, ::-1])
    other = np.where(np.indices((SIDE, SIDE))[1][..., None] > 0.75 * SIDE, [0.9, 0.2, 0.1], other)
    other = (other * [0.6, 0.9, 0.5]).astype(np.float32)
    pictures = [view(photo), view(photo, 0.01), other, other]
    seen = [eye.see(VideoFrame(k, k / 30, p)) for k, p in enumerate(pictures)]
    assert all(s.observation is not None for s in seen)
    assert [s.cut for s in seen] == [False, False, True, False]


def test_a_snapshot_sees_the_same(detectors: Detectors, photo: FloatArray) -> None:
    eye, again = Follower(detectors, 30.0), Follower(detectors, 30.0)
    for k in range(3):
        eye.see(VideoFrame(k, k / 30, view(photo, 0.01 * k)))
    saved = eye.snapshot()
    frame = VideoFrame(3, 0.1, view(photo, 0.03))
    first = eye.see(frame).observation
    again.restore(saved)
    second = again.see(frame).observation
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.pose, second.pose)
    np.testing.assert_array_equal(first.face, second.face)
    assert len(first.hands) == len(second.hands)
    for name, value in eye.snapshot().items():
        np.testing.assert_array_equal(value, again.snapshot()[name], err_msg=name)


def test_exchanged_sides_are_put_right(detectors: Detectors, photo: FloatArray) -> None:
    person = detectors.people(view(photo))[0]
    swap = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(k + 1 if k % 2 else k - 1 for k in range(11, 33))]
    flipped = replace(
        person,
        landmarks=person.landmarks[swap],
        world=person.world[swap],
        visibility=person.visibility[swap],
    )
    restored = keep_sides(flipped, person)
    np.testing.assert_array_equal(restored.landmarks, person.landmarks)
    np.testing.assert_array_equal(restored.world, person.world)
    assert keep_sides(person, person) is person


def test_changes_of_pictures(photo: FloatArray) -> None:
    look = FrameSignature.of(view(photo))
    assert look.change(look) == pytest.approx(0, abs=1e-6)
    assert look.change(FrameSignature.of(view(photo, 0.03))) < CUTS.candidate
    assert (
        look.change(FrameSignature.of(np.clip(view(photo) * 1.4, 0, 1))) < CUTS.candidate
    )  # a light goes on
    rng = np.random.default_rng(0)
    noise = np.repeat(np.repeat(rng.uniform(0, 1, (8, 8, 3)), 40, 0), 40, 1).astype(np.float32)
    assert look.change(FrameSignature.of(noise)) > CUTS.certain


def test_figures_of_a_motion() -> None:
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.core.cameras import photo_camera
    from likeness.engine.core.types import Motion

    body = make_synthetic_body()
    pose = np.zeros((8, 55, 3))
    transl = np.zeros((8, 3))
    transl[4, 0] = 0.01  # one frame stands out by a centimetre
    motion = Motion(
        np.zeros(body.num_betas),
        pose,
        transl,
        np.zeros((8, body.num_expression)),
        np.ones((8, 55)),
        np.zeros(8, np.uint8),
        np.zeros(8, np.int32),
        photo_camera(500, 64, 64),
        30.0,
        "full",
        "front",
        np.zeros(8),
        np.zeros(8),
    )
    assert jitter_mm(motion, body) == pytest.approx((10 + 20 + 10) / 6)
    still = np.arange(8) < 3
    assert jitter_mm(motion, body, still) == pytest.approx(0.0)
    assert np.isnan(jitter_mm(motion, body, np.zeros(8, bool)))
    assert count_flips(motion) == 0
    turned = pose.copy()
    turned[5:, 0, 1] = 2.5
    assert count_flips(replace(motion, full_pose=turned)) == 1
    cut = np.array([0] * 5 + [1] * 3, np.int32)
    assert count_flips(replace(motion, full_pose=turned, shot=cut)) == 0
    points = [np.zeros((4, 2)), np.full((4, 2), 0.1), np.full((4, 2), 0.2), None, np.zeros((4, 2))]
    assert find_still_frames(points).tolist() == [False, True, False, False, False]
