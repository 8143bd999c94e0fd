"""The filter: each check refuses what it is for, and lets through what is well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Matte,
    Motion,
    Observation,
    Pose,
    Track,
)
from likeness.engine.generative.quality_filters import (
    FilterLimits,
    RejectedSampleError,
    check_azimuth,
    check_colours,
    check_errors,
    check_face,
    check_hands,
    check_matte,
    check_motion,
    check_people,
    colour_distance,
)
from likeness.engine.imaging.matte_check import BodyMap
from scipy import ndimage

LIMITS = FilterLimits()
CAMERA = photo_camera(300.0, 200, 300)
TRACK = Track(
    np.zeros(3), Pose.rest(2), CAMERA, "half", np.ones(NUM_JOINTS), face_error=2.0, pose_error=4.0
)
SEEN = Observation(
    pose=np.zeros((33, 2)),
    pose_visibility=np.ones(33),
    pose_world=np.zeros((33, 3)),
    person_mask=np.zeros((300, 200)),
    face=np.zeros((478, 2)),
)


def reason_of(check, *arguments) -> str:
    with pytest.raises(RejectedSampleError) as error:
        check(*arguments)
    assert str(error.value) == f"{error.value.reason}: {error.value.detail}"
    return error.value.reason


def motion(states: list[int], shots: list[int]) -> Motion:
    still = replace(TRACK)
    one = Motion.of_track(still)
    count = len(states)
    return replace(
        one,
        frame_state=np.array(states, np.uint8),
        shot=np.array(shots, np.int32),
        transl=np.zeros((count, 3)),
    )


def test_clips() -> None:
    check_motion(motion([0, 0, 0, 0, 1], [0] * 5), LIMITS)
    assert reason_of(check_motion, motion([0, 0, 1], [0] * 3), LIMITS) == "lost"
    assert reason_of(check_motion, motion([0, 0, 0], [0, 0, 1]), LIMITS) == "cut"


def test_people_and_faces() -> None:
    check_people(SEEN)
    check_face(SEEN)
    assert reason_of(check_people, replace(SEEN, num_people=2)) == "people"
    assert reason_of(check_face, replace(SEEN, face=None)) == "no face"


def test_the_tracker_s_errors() -> None:
    check_errors(TRACK, LIMITS)
    assert reason_of(check_errors, replace(TRACK, face_error=9.0), LIMITS) == "face error"
    check_errors(replace(TRACK, face_error=9.0), LIMITS, True)
    assert reason_of(check_errors, replace(TRACK, pose_error=20.0), LIMITS) == "pose error"
    check_errors(replace(TRACK, pose_error=20.0), LIMITS, True)
    assert reason_of(check_errors, replace(TRACK, pose_error=None), LIMITS, True) == "pose error"


def test_hands() -> None:
    joints = np.full((NUM_JOINTS, 3), [0.0, 0.0, -2.0])
    check_hands(TRACK, joints, LIMITS)
    unsure = np.ones(NUM_JOINTS)
    unsure[JOINT_INDEX["left_middle1"]] = 0.1
    check_hands(replace(TRACK, joint_confidence=unsure), joints, LIMITS)
    unsure[JOINT_INDEX["right_middle1"]] = 0.1
    nobody = replace(TRACK, joint_confidence=unsure)
    assert reason_of(check_hands, nobody, joints, LIMITS) == "hands"
    check_hands(nobody, joints - np.array([0.0, 5.0, 0.0]), LIMITS)  # below the picture


def body_in(rows: slice, columns: slice) -> BodyMap:
    drawn = np.zeros((300, 200), bool)
    drawn[rows, columns] = True
    inside = np.where(
        drawn, ndimage.distance_transform_edt(drawn), -ndimage.distance_transform_edt(~drawn)
    )
    part = np.where(drawn, 0, -1).astype(np.int8)
    return BodyMap(part, np.zeros_like(drawn), inside, 2.0)


def matte_of(alpha: np.ndarray) -> Matte:
    return Matte(alpha.astype(np.float32), np.zeros((*alpha.shape, 3), np.float32))


def test_mattes() -> None:
    body = body_in(slice(60, 300), slice(60, 140))
    alpha = np.zeros((300, 200))
    alpha[50:, 50:150] = 1.0
    check_matte(matte_of(alpha), body, body, LIMITS)
    assert reason_of(check_matte, matte_of(alpha * 0), body, body, LIMITS) == "matte"
    veil = np.where(alpha > 0, alpha, 0.4)
    assert reason_of(check_matte, matte_of(veil), body, body, LIMITS) == "matte"
    half = alpha.copy()
    half[180:] = 0.0
    assert reason_of(check_matte, matte_of(half), body, body, LIMITS) == "matte"
    wall = alpha.copy()
    wall[:, 140:] = 1.0
    wall[:, :20] = 1.0
    assert reason_of(check_matte, matte_of(wall), body, body, LIMITS) == "matte"
    assert reason_of(check_matte, matte_of(alpha), None, None, LIMITS) == "matte"


def test_azimuths() -> None:
    check_azimuth("left", 70.0, LIMITS)
    check_azimuth("back", -160.0, LIMITS)
    check_azimuth("right", -100.0, LIMITS)
    for side, azimuth in (("left", -90.0), ("right", 40.0), ("back", 90.0), ("left", 180.0)):
        assert reason_of(check_azimuth, side, azimuth, LIMITS) == "azimuth"


def test_colours() -> None:
    rng = np.random.default_rng(0)

    def person(coat: list[float]) -> np.ndarray:
        rgba = np.zeros((80, 60, 4))
        rgba[10:30, 20:40] = [0.75, 0.55, 0.45, 1.0]
        rgba[30:, 10:50] = [*coat, 1.0]
        rgba[..., :3] += 0.02 * rng.standard_normal((80, 60, 3))
        return rgba

    blue, red = person([0.15, 0.25, 0.7]), person([0.75, 0.1, 0.1])
    check_colours(person([0.15, 0.25, 0.7]) * [0.85, 0.85, 0.85, 1.0], blue, LIMITS)  # in shade
    check_colours(blue[:, ::-1], blue, LIMITS)
    assert reason_of(check_colours, red, blue, LIMITS) == "colours"
    assert colour_distance(blue * 0.0, blue) == 1.0


def test_reasons_are_told_in_words(tmp_path: Path) -> None:
    error = RejectedSampleError("hands", "none of 2")
    assert (error.reason, str(error)) == ("hands", "hands: none of 2")
