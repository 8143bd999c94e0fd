"""Several photos of one person: names of views, mistaken fronts, one shape for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import DIRECTIONS, LikenessError, Observation, Portrait, Pose
from likeness.engine.tracking.multiview import (
    ObservedPhoto,
    camera_azimuth,
    classify_direction,
    contradicts_direction,
    fit_multiview,
    parse_direction,
)
from likeness.engine.tracking.profile_face import flip_front_back

HANGING = {"left_shoulder": [0, 0, -0.9], "right_shoulder": [0, 0, 0.9]}
LEFT_RIGHT = [(11, 12), (13, 14), (23, 24), (31, 32), (2, 5), (9, 10)]


def photo(degrees: float, betas: np.ndarray, name: str = "a.png") -> ObservedPhoto:
    """What detectors would tell of the synthetic body turned by so many degrees; no face."""
    body = make_synthetic_body()
    pose = Pose.rest(body.num_expression).with_joints(**HANGING, pelvis=[0, np.radians(degrees), 0])
    pose = replace(pose, transl=np.array([0, 0.1, -3.0]))
    _, joints = body.vertices(pose, betas)
    _, _, R, _ = body.rest_and_transforms(pose)
    landmarks = body.landmarks
    assert landmarks is not None
    held = landmarks.pose_joint
    points = joints[held] + np.einsum("nab,nb->na", R[held], landmarks.pose_offset)
    camera = photo_camera(1.6 * 240, 200, 240)
    pixels, _ = project(points, camera)
    hips = points[[23, 24]].mean(0)
    seen = Observation(
        pose=pixels,
        pose_visibility=np.ones(33),
        pose_world=points - hips,
        person_mask=np.ones((240, 200), np.float32),
    )
    return ObservedPhoto(Portrait(np.full((240, 200, 3), 0.5, np.float32), None, Path(name)), seen)


def test_names_of_views() -> None:
    assert [parse_direction(name.upper()) for name in DIRECTIONS] == list(DIRECTIONS)
    with pytest.raises(LikenessError, match="above") as caught:
        parse_direction("above")
    assert "back" in caught.value.remedy


@pytest.mark.parametrize(("turned", "shown"), [(0, 0), (-90, 90), (90, -90), (-40, 40), (180, 180)])
def test_where_the_camera_stands(turned: float, shown: float) -> None:
    """Somebody who turns to the right (-y) shows the left side."""
    pose = Pose.rest(0).with_joints(pelvis=[0, np.radians(turned), 0])
    angle = camera_azimuth(replace(pose, transl=np.array([0, 0, -2.0])))
    assert abs((angle - shown + 180) % 360 - 180) < 1e-6
    # The same from a place beside the axis: 45 degrees more of the right side are seen.
    beside = camera_azimuth(replace(pose, transl=np.array([2.0, 0, -2.0])))
    assert abs((beside - shown + 45 + 180) % 360 - 180) < 1e-6


def test_a_spine_that_turns_counts() -> None:
    pose = Pose.rest(0).with_joints(pelvis=[0, -0.5, 0], spine1=[0, -0.5, 0], spine3=[0, -0.3, 0])
    angle = camera_azimuth(replace(pose, transl=np.array([0, 0, -2.0])))
    assert angle == pytest.approx(np.degrees(1.3))


def test_contradictions_are_clear_ones() -> None:
    for name in ("front", "back", "left", "right"):
        middle = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}
        assert [n for n in middle if not contradicts_direction(name, middle[n])] == [name]
        assert classify_direction(middle[name]) == name
    assert not any(contradicts_direction("any", angle) for angle in range(-180, 181, 10))
    assert not contradicts_direction("side", 90.0)
    assert not contradicts_direction("side", -90.0)
    assert contradicts_direction("side", 0.0)
    assert contradicts_direction("side", 180.0)
    assert not contradicts_direction("front", 60.0), "people turn"


def test_the_other_side_swaps_left_and_right_near_and_far() -> None:
    """The same person from behind, as a network would see them that takes the back for a front."""
    truth = photo(180.0, np.zeros(4)).observation
    mistaken = flip_front_back(truth)
    for left, right in LEFT_RIGHT:
        np.testing.assert_array_equal(mistaken.pose[left], truth.pose[right])
        np.testing.assert_allclose(mistaken.pose_world[right], truth.pose_world[left] * [1, 1, -1])
    again = flip_front_back(mistaken)
    np.testing.assert_array_equal(again.pose, truth.pose)
    np.testing.assert_allclose(again.pose_world, truth.pose_world)


@pytest.mark.slow
def test_all_photos_get_one_shape_and_their_own_pose() -> None:
    betas = np.array([0.8, -0.5, 0.0, 0.0])
    shown = [photo(degrees, betas, f"{degrees}.png") for degrees in (0.0, -90.0, 180.0)]
    told: list[float] = []
    tracks = fit_multiview(shown, make_synthetic_body(), lambda _, f, __: told.append(f))
    assert told == sorted(told)
    assert len(told) == 6
    for track, wanted in zip(tracks, (0.0, 90.0, 180.0), strict=True):
        np.testing.assert_array_equal(track.betas, tracks[0].betas)
        assert abs((camera_azimuth(track.pose) - wanted + 180) % 360 - 180) < 15
        assert track.pose_error is not None
        assert track.pose_error < 8


@pytest.mark.slow
def test_a_back_that_was_taken_for_a_front_is_turned_by_its_name() -> None:
    right = photo(180.0, np.zeros(4))
    seen = flip_front_back(right.observation)
    unsure = replace(seen, pose_visibility=np.where(np.arange(33) < 23, 1.0, 0.1))
    mistaken = replace(right, observation=unsure)
    (plain,) = fit_multiview([mistaken], make_synthetic_body())
    assert abs(camera_azimuth(plain.pose)) < 30
    (named,) = fit_multiview([replace(mistaken, direction="back")], make_synthetic_body())
    assert abs(camera_azimuth(named.pose)) > 150
    assert not named.warnings
    # Where shoulders and hips are seen the network is believed, and the user is told.
    sure = replace(right, observation=replace(seen, pose_visibility=np.ones(33)))
    (kept,) = fit_multiview([replace(sure, direction="back")], make_synthetic_body())
    assert abs(camera_azimuth(kept.pose)) < 30
    assert any("back" in warning and "front" in warning for warning in kept.warnings)
