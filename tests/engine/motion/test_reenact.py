"""Motions on other bodies: timing, axes and place against geometry done by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import (
    JOINT_INDEX,
    Avatar,
    BoundGaussians,
    LikenessError,
    Motion,
    Pose,
)
from likeness.engine.motion import reenact

CAMERA = photo_camera(600.0, 480, 640)
BODY = make_synthetic_body()


def motion(count: int = 10, rate: float = 10.0) -> Motion:
    """Ten frames: the left elbow bends by 0.1 rad a frame, the pelvis walks 0.2 m a frame."""
    full_pose = np.zeros((count, 55, 3))
    full_pose[:, JOINT_INDEX["left_elbow"], 1] = -0.1 * np.arange(count)
    transl = np.stack([0.2 * np.arange(count), np.zeros(count), np.full(count, -4.0)], -1)
    expression = np.linspace(0, 1, count)[:, None] * np.ones(BODY.num_expression)
    return Motion(
        betas=np.zeros(BODY.num_betas),
        full_pose=full_pose,
        transl=transl,
        expression=expression,
        joint_confidence=np.ones((count, 55)),
        frame_state=np.zeros(count, np.uint8),
        shot=np.zeros(count, np.int32),
        camera=CAMERA,
        frame_rate=rate,
        framing="full",
        view="front",
        face_error=np.full(count, np.nan),
        pose_error=np.full(count, np.nan),
    )


def grown(body: Body, factor: float) -> Body:
    """A personalised body of another size."""
    one = body.personalised(np.zeros(body.num_betas))
    return replace(
        one, v_template=one.v_template * np.float32(factor), J_template=one.J_template * factor
    )


def avatar(factor: float = 1.0, framing: str = "full") -> Avatar:
    turn = matrix_to_axis_angle(axis_angle_to_matrix(np.array([0.0, 0.4, 0.0])))
    pose = Pose(np.zeros((55, 3)), np.array([0.1, -0.2, -3.0]), np.zeros(BODY.num_expression))
    nothing = BoundGaussians(*(np.zeros((0, n)) for n in (1, 3, 3, 4, 3, 1, 3, 1)))
    pose = pose.with_joints(pelvis=list(turn), neck=[0.3, 0, 0])
    return Avatar(grown(BODY, factor), nothing, pose, CAMERA, framing)


# Time ---------------------------------------------------------------------------------------


def elbow(cut: Motion) -> np.ndarray:
    """Which frames of the motion these are, read from the elbow."""
    return -cut.full_pose[:, JOINT_INDEX["left_elbow"], 1] / 0.1


def test_a_part_in_seconds() -> None:
    cut = reenact.trim(motion(), 0.2, 0.6)
    np.testing.assert_allclose(elbow(cut), [2, 3, 4, 5])
    assert cut.frame_rate == 10
    np.testing.assert_allclose(elbow(reenact.trim(motion(), every=3)), [0, 3, 6, 9])
    assert reenact.trim(motion(), every=3).frame_rate == pytest.approx(10 / 3)
    assert len(reenact.trim(motion(), end=99.0)) == 10


@pytest.mark.parametrize("part", [(1.0, None), (0.5, 0.5), (0.6, 0.5), (0.51, 0.55), (3.0, 4.0)])
def test_a_part_without_frames(part: tuple[float, float | None]) -> None:
    with pytest.raises(LikenessError, match="lasts 1 s"):
        reenact.trim(motion(), *part)


def test_another_frame_rate_keeps_the_speed() -> None:
    cut = reenact.trim(motion(), fps=25.0)
    assert (len(cut), cut.frame_rate) == (25, 25.0)
    np.testing.assert_allclose(elbow(cut), np.minimum(np.arange(25) * 0.4, 9), atol=1e-9)
    np.testing.assert_allclose(cut.transl[:, 0], 0.2 * elbow(cut), atol=1e-9)
    np.testing.assert_allclose(cut.expression[:, 3], elbow(cut) / 9, atol=1e-9)
    slow = reenact.trim(motion(), fps=25.0, speed=0.5)
    np.testing.assert_allclose(elbow(slow)[:6], [0, 0.2, 0.4, 0.6, 0.8, 1.0], atol=1e-9)
    assert len(slow) == 50
    assert reenact.trim(motion(), speed=2.0).frame_rate == 20


def test_the_same_rate_changes_nothing() -> None:
    cut = reenact.trim(motion(), fps=10.0)
    np.testing.assert_array_equal(cut.full_pose, motion().full_pose)


def test_rotations_take_the_shorter_way_and_cuts_are_kept() -> None:
    one = motion(2)
    one.full_pose[0, 0], one.full_pose[1, 0] = [0, 3.0, 0], [0, -3.0, 0]  # 16 degrees apart
    middle = reenact.trim(one, fps=20.0).full_pose[1, 0]
    facing = axis_angle_to_matrix(middle)[:, 2]
    np.testing.assert_allclose(facing, [0, 0, -1], atol=1e-9)
    one = replace(one, shot=np.array([0, 1], np.int32))
    np.testing.assert_array_equal(reenact.trim(one, fps=40.0).full_pose[1], one.full_pose[0])


# Place --------------------------------------------------------------------------------------


def test_leg_length() -> None:
    J = BODY.J_template
    thigh = np.linalg.norm(J[JOINT_INDEX["left_knee"]] - J[JOINT_INDEX["left_hip"]])
    shin = np.linalg.norm(J[JOINT_INDEX["left_ankle"]] - J[JOINT_INDEX["left_knee"]])
    assert reenact.leg_length(J) == pytest.approx(thigh + shin)


def test_its_own_camera_sees_feet_and_pelvis_where_the_person_had_them() -> None:
    """A giant twice as far away looks the same."""
    driver, giant = BODY, avatar(2.0)
    placed = reenact.align_to_camera(motion(), giant, driver.J_template[0], 2.0)
    for k in (0, 9):
        seen = project(reenact.posed_joints(driver, motion().pose(k)), CAMERA)[0]
        drawn = project(reenact.posed_joints(giant.body, placed.pose(k)), CAMERA)[0]
        np.testing.assert_allclose(drawn, seen, atol=1e-6)


def test_feet_that_stand_still_stand_still_on_longer_legs() -> None:
    """A squat: the knees bend and the pelvis sinks by what keeps the ankles where they are."""
    one = motion(5)
    for side in ("left", "right"):
        for joint, sign in (("hip", -1), ("knee", 2), ("ankle", -1)):
            one.full_pose[:, JOINT_INDEX[f"{side}_{joint}"], 0] = sign * 0.2 * np.arange(5)
    ankles = [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]
    one = replace(one, transl=np.zeros((5, 3)))
    sunk = np.array([reenact.posed_joints(BODY, one.pose(k))[ankles].mean(0) for k in range(5)])
    one = replace(one, transl=sunk[0] - sunk)
    small = avatar(0.5)
    placed = reenact.place_on_avatar(one, small, BODY.J_template[0], 0.5, np.zeros(3))
    feet = [reenact.posed_joints(small.body, placed.pose(k))[ankles] for k in range(5)]
    np.testing.assert_allclose(feet, np.broadcast_to(feet[0], np.shape(feet)), atol=1e-6)


@pytest.mark.parametrize("frame", [0, 4])
@pytest.mark.parametrize(("framing", "joint"), [("head", "head"), ("full", "pelvis")])
def test_it_begins_where_the_photo_is(framing: str, joint: str, frame: int) -> None:
    person = avatar(1.1, framing)
    placed = reenact.align_to_photo(motion(), person, frame)
    at = [
        reenact.posed_joints(person.body, pose)[JOINT_INDEX[joint]]
        for pose in (person.pose, placed.pose(frame))
    ]
    np.testing.assert_allclose(at[0], at[1], atol=1e-9)
    np.testing.assert_allclose(np.diff(placed.transl, axis=0), np.diff(motion().transl, axis=0))


def test_captures_with_z_up_are_set_upright() -> None:
    """A walker along +x in a world with z up, who faces along +x."""
    R = axis_angle_to_matrix(np.array([0, 0, np.pi / 2])) @ axis_angle_to_matrix(
        np.array([np.pi / 2, 0, 0])
    )
    np.testing.assert_allclose(R @ [0, 0, 1], [1, 0, 0], atol=1e-9)  # faces +x
    np.testing.assert_allclose(R @ [0, 1, 0], [0, 0, 1], atol=1e-9)  # head up
    one = motion(6)
    one.full_pose[:, 0] = matrix_to_axis_angle(R)
    pelvis = np.array([0.01, -0.35, 0.02])
    one = replace(one, transl=np.stack([np.arange(6.0), np.zeros(6), np.ones(6)], -1) - pelvis)
    assert (reenact.up_axis(one), reenact.up_axis(motion())) == ("z", "y")
    up = reenact.make_upright(one, pelvis, "z")
    assert reenact.up_axis(up) == "y"
    np.testing.assert_allclose(up.transl[3] + pelvis, [3, 1, 0], atol=1e-9)
    np.testing.assert_allclose(reenact.facing_direction(up.pose(0)), [1, 0, 0], atol=1e-9)
    turned = reenact.turn_to_heading(up, pelvis, np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(reenact.facing_direction(turned.pose(0)), [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(np.diff(turned.transl, axis=0), [[0, 0, 1]] * 5, atol=1e-9)


def test_bodies_in_camera_space_are_turned_over() -> None:
    """y down, z forward: somebody 4 m away who looks at the camera, his left on the right."""
    one = motion(3)
    one.full_pose[:, 0] = [np.pi, 0, 0]
    one = replace(one, transl=np.tile([0.5, 0.2, 4.0], (3, 1)))
    assert reenact.up_axis(one) == "-y"
    up = reenact.make_upright(one, np.zeros(3), "-y")
    R = axis_angle_to_matrix(up.full_pose[0, 0])
    np.testing.assert_allclose(R, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(up.transl[0], [0.5, -0.2, -4.0])
