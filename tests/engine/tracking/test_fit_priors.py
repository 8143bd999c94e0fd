"""Arms from directions, mirrored tables, cameras, framing and the bounded solver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.model import Body, Landmarks
from likeness.engine.body.skinning import joint_transforms
from likeness.engine.core.cameras import DEFAULT_FOCAL_FACTOR, photo_camera
from likeness.engine.core.rotations import MIRROR, axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, Hand, Observation, Portrait
from likeness.engine.tracking import landmark_trust
from likeness.engine.tracking.face_bias import face_shift, load_shifts
from likeness.engine.tracking.fit import choose_camera
from likeness.engine.tracking.landmark_trust import S as EVIDENCE
from likeness.engine.tracking.landmark_trust import choose_framing, face_turn
from likeness.engine.tracking.priors import (
    ARM_POSITIONS,
    LEG_POSITIONS,
    LIMITS,
    SPREAD,
    arm_rotations,
    both_sides,
    leg_rotations,
    limb_starts,
    mirror_name,
)
from scipy.spatial.transform import Rotation


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("name", ARM_POSITIONS)
def test_arm_rotations_point_where_they_should(name: str, left: bool) -> None:
    side = np.array([1.0 if left else -1.0, 1.0, 1.0])
    upper, forearm = (np.array(d) * side / np.linalg.norm(d) for d in ARM_POSITIONS[name])
    shoulder, elbow = arm_rotations(upper, forearm, left)
    R_shoulder = axis_angle_to_matrix(shoulder)
    rest = np.array([side[0], 0.0, 0.0])  # arms along x in the T-pose
    np.testing.assert_allclose(R_shoulder @ rest, upper, atol=1e-9)
    bent = R_shoulder @ axis_angle_to_matrix(elbow) @ rest
    # Nearly straight arms may bend a little towards the front instead.
    assert bent @ forearm > np.cos(np.radians(8.0))
    assert elbow[1] * side[0] <= 0  # elbows bend forwards only


def test_right_side_is_the_mirror_image() -> None:
    left, right = arm_rotations(np.array([0.3, -0.8, 0.2]), np.array([-0.5, 0.3, 0.6]), True)
    other_left, other_right = arm_rotations(
        np.array([-0.3, -0.8, 0.2]), np.array([0.5, 0.3, 0.6]), False
    )
    np.testing.assert_allclose(other_left, left * MIRROR)
    np.testing.assert_allclose(other_right, right * MIRROR)
    # Mirroring the axis-angle mirrors the motion: x flips, y and z stay.
    M = np.diag([-1.0, 1.0, 1.0])
    v = np.array([0.2, -0.7, 0.4])
    np.testing.assert_allclose(
        axis_angle_to_matrix(v * MIRROR), M @ axis_angle_to_matrix(v) @ M, atol=1e-12
    )


@pytest.mark.parametrize("table", [ARM_POSITIONS, LEG_POSITIONS])
def test_limb_starts_mirror_the_left_side(table: dict) -> None:
    left, right = limb_starts(table, True), limb_starts(table, False)
    assert len(left) == len(right) == len(table)
    for entry, ours, other in zip(table.values(), left, right):
        for direction, one, two in zip(entry, ours, other):
            np.testing.assert_array_equal(one, direction)
            np.testing.assert_array_equal(two, [-direction[0], direction[1], direction[2]])


def bent(rest: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where both bones of a limb point that lies along ``rest`` in the T-pose (by scipy)."""
    first = Rotation.from_rotvec(upper)
    return first.apply(rest), (first * Rotation.from_rotvec(lower)).apply(rest)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("arm", [True, False])
def test_limbs_turn_into_any_directions(arm: bool, left: bool) -> None:
    rng = np.random.default_rng(5)
    rest = np.array([1.0 if left else -1.0, 0.0, 0.0]) if arm else np.array([0.0, -1.0, 0.0])
    for _ in range(40):
        upper, lower = rng.normal(0, 1, (2, 3))
        upper, lower = upper / np.linalg.norm(upper), lower / np.linalg.norm(lower)
        if np.linalg.norm(np.cross(upper, lower)) < 0.55:
            continue  # nearly straight limbs lean to the front instead, see below
        turns = (arm_rotations if arm else leg_rotations)(3.0 * upper, 0.5 * lower, left)
        found = bent(rest, *turns)
        np.testing.assert_allclose(found[0], upper, atol=1e-9)
        np.testing.assert_allclose(found[1], lower, atol=1e-9)
        hinge = turns[1] * ([1, 1, 1] if left else MIRROR)
        # Elbows bend to the front about -y, knees to the back about +x, and about nothing else.
        if arm:
            assert hinge[1] <= 0
            np.testing.assert_allclose(hinge[[0, 2]], 0.0, atol=1e-12)
        else:
            assert hinge[0] >= 0
            np.testing.assert_allclose(hinge[1:], 0.0, atol=1e-12)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("name", LEG_POSITIONS)
def test_typical_legs_point_where_they_should(name: str, left: bool) -> None:
    index = list(LEG_POSITIONS).index(name)
    thigh, shin = limb_starts(LEG_POSITIONS, left)[index]
    turns = leg_rotations(thigh, shin, left)
    found = bent(np.array([0.0, -1.0, 0.0]), *turns)
    np.testing.assert_allclose(found[0], thigh / np.linalg.norm(thigh), atol=1e-9)
    assert found[1] @ shin / np.linalg.norm(shin) > np.cos(np.radians(8.0))


def test_straight_legs_look_to_the_front() -> None:
    for left in (True, False):
        hip, knee = leg_rotations(np.array([0.0, -1.0, 0.0]), np.array([0.0, -1.0, 0.0]), left)
        np.testing.assert_allclose(np.r_[hip, knee], 0.0, atol=1e-9)


def test_tables_name_joints_and_cover_both_sides() -> None:
    assert LIMITS.keys() <= JOINT_INDEX.keys()
    spread = both_sides(SPREAD, np.ones(3))
    free = [name for name, j in JOINT_INDEX.items() if not spread[j].any()]
    assert free == ["pelvis"]
    for name in SPREAD:
        np.testing.assert_array_equal(
            spread[JOINT_INDEX[name]], spread[JOINT_INDEX[mirror_name(name)]]
        )
    for low_high in LIMITS.values():
        assert all(low <= 0 <= high for low, high in low_high)


def test_knees_and_elbows_bend_one_way() -> None:
    joints = np.zeros((NUM_JOINTS, 3))
    joints[JOINT_INDEX["left_knee"]] = 0.1, -0.4, 0
    joints[JOINT_INDEX["left_ankle"]] = 0.1, -0.8, 0
    joints[JOINT_INDEX["left_elbow"]] = 0.4, 0.4, 0
    joints[JOINT_INDEX["left_wrist"]] = 0.7, 0.4, 0
    rotations = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    rotations[JOINT_INDEX["left_knee"]] = axis_angle_to_matrix([LIMITS["left_knee"][0][1], 0, 0])
    rotations[JOINT_INDEX["left_elbow"]] = axis_angle_to_matrix([0, LIMITS["left_elbow"][1][0], 0])
    posed = joint_transforms(rotations, joints, PARENTS)[2]
    assert posed[JOINT_INDEX["left_ankle"], 2] < 0  # the heel goes backwards
    assert posed[JOINT_INDEX["left_wrist"], 2] > 0  # the hand comes forwards


def portrait(width: int, height: int, focal: float | None) -> Portrait:
    return Portrait(np.zeros((height, width, 3), np.float32), None, Path("x.jpg"), focal)


def test_camera_from_field_of_view_exif_or_default() -> None:
    wide = choose_camera(portrait(400, 300, 50.0), fov=90.0)
    assert wide.K[0, 0] == pytest.approx(200.0)  # half of the longer side at 45 degrees
    # A 35 mm frame is 36 x 24 mm: 36 mm of focal length see 53.13 degrees across 36 mm.
    full_frame = choose_camera(portrait(360, 240, 36.0), fov=None)
    assert full_frame.K[0, 0] == pytest.approx(360.0, rel=1e-3)
    for focal in (None, 2.0):
        plain = choose_camera(portrait(300, 400, focal), fov=None)
        assert plain.K[0, 0] == pytest.approx(DEFAULT_FOCAL_FACTOR * 400)


def test_large_face_is_seen_from_afar() -> None:
    """A close portrait with an unknown lens is a part of a photo, and not taken from 0.4 m."""
    rng = np.random.default_rng(0)
    shape = rng.uniform(-1.0, 1.0, (478, 2))
    shape[468], shape[473] = (-0.5, 0.0), (0.5, 0.0)  # irises

    def observe(eyes: float) -> Observation:
        blank = np.zeros((400, 400), np.float32)
        return Observation(
            np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), blank, face=200 + eyes * shape
        )

    def distance(focal: float, eyes: float) -> float:
        return focal * 0.0625 / eyes  # an adult's eyes are 62.5 mm apart

    unknown = portrait(400, 400, None)
    near = choose_camera(unknown, None, observe(100.0))
    assert distance(near.K[0, 0], 100.0) == pytest.approx(1.2)
    far = choose_camera(unknown, None, observe(20.0))
    assert far.K[0, 0] == pytest.approx(DEFAULT_FOCAL_FACTOR * 400)
    known = portrait(400, 400, 30.0)
    for fov, photo in ((60.0, unknown), (None, known)):  # a known lens is used as it is
        expected = choose_camera(photo, fov).K
        np.testing.assert_allclose(choose_camera(photo, fov, observe(100.0)).K, expected)


def test_framing_by_what_is_seen() -> None:
    camera = photo_camera(800.0, 400, 600)
    pose = np.full((33, 2), -50.0)
    pose[11:13] = [[260.0, 200.0], [140.0, 200.0]]
    visibility = np.ones(33)
    observation = Observation(pose, visibility, np.zeros((33, 3)), np.zeros((600, 400)))
    assert choose_framing(observation, camera) == "head"
    pose[13] = 280.0, 320.0
    assert choose_framing(observation, camera) == "half"
    pose[25] = 240.0, 560.0
    assert choose_framing(observation, camera) == "full"
    # Shoulders at the bottom of a close portrait leave no room for elbows, unless a hand is seen.
    close = pose.copy()
    close[11:13], close[13], close[25] = [[380.0, 560.0], [20.0, 560.0]], [390.0, 100.0], -50.0
    near = replace(observation, pose=close)
    assert choose_framing(near, camera) == "head"
    hand = Hand(True, np.full((21, 2), 300.0), np.zeros((21, 3)), 1.0)
    assert choose_framing(replace(near, hands=(hand,)), camera) == "half"


def test_face_shift_is_symmetric_and_small() -> None:
    rest = np.random.default_rng(0).normal(0, 0.05, (478, 3))
    for right, left in load_shifts():
        rest[left] = rest[right] * [-1 if right != left else 0, 1, 1]
    shift = face_shift(rest)
    for right, left in load_shifts():
        np.testing.assert_allclose(shift[left], shift[right] * [-1, 1, 1], atol=1e-12)
    assert np.abs(shift[:, :2]).max() <= 0.01
    assert not shift[468:].any()


def turning_body() -> Body:
    """A body of which only the head's place and the table of turns matter."""
    marks = Landmarks(
        np.zeros(478, np.int64),
        np.zeros((478, 3)),
        np.ones(478),
        np.zeros(33, np.int64),
        np.zeros((33, 3)),
        np.zeros(21, np.int64),
        np.zeros((21, 3)),
        turn_yaws=np.array([-60.0, 0.0, 30.0]),
        turn_shifts=np.stack([np.full((478, 3), v) for v in (-0.006, 0.0, 0.002)]),
        turn_spread=np.array([2.0, 1.0, 1.25]),
    )
    body = object.__new__(Body)
    object.__setattr__(body, "landmarks", marks)
    object.__setattr__(body, "J_template", np.zeros((NUM_JOINTS, 3)))
    object.__setattr__(body, "v_template", np.zeros((3, 3)))
    object.__setattr__(body, "f", np.array([[0, 1, 2]]))
    return body


@pytest.mark.parametrize(
    ("yaw", "shift", "spread"),
    [
        (0.0, 0.0, 1.0),
        (15.0, 0.001, 1.125),
        (30.0, 0.002, 1.25),
        (80.0, 0.002, 1.25),
        (-20.0, -0.002, 4 / 3),
        (-60.0, -0.006, 2.0),
        (-100.0, -0.006, 2.0),
    ],
)
def test_face_turn_between_and_beyond_its_knots(yaw: float, shift: float, spread: float) -> None:
    # The camera stands at this yaw to the head's left: the head itself turns the other way.
    R = Rotation.from_euler("y", -yaw, degrees=True).as_matrix()
    found, trust = face_turn(turning_body(), np.array([5, 400]), R, np.array([0.0, 0.0, -2.0]))
    np.testing.assert_allclose(found, np.full((2, 3), shift), atol=1e-9)
    assert trust == pytest.approx(1 / spread**2)


@pytest.mark.parametrize("yaw", [-50.0, -20.0, 0.0, 35.0])
def test_faces_show_less_of_a_turn(yaw: float) -> None:
    """Seen from ``yaw``, the moved points look as the others do at a share of that turn."""
    rng = np.random.default_rng(7)
    body = turning_body()
    corners, bary = rng.normal(size=(3, 3)), rng.dirichlet(np.ones(3), 478)
    object.__setattr__(body, "v_template", corners)
    still = replace(body.landmarks, face_bary=bary, turn_shifts=np.zeros((3, 478, 3)))
    object.__setattr__(body, "landmarks", still)
    points, rows = bary @ corners, np.arange(0, 478, 5)

    def seen_from(yaw: float) -> Rotation:
        return Rotation.from_euler("y", -yaw, degrees=True)

    R = seen_from(yaw).as_matrix()
    found, _ = face_turn(body, rows, R, np.array([0.0, 0.0, -2.0]))
    shown = seen_from(yaw).apply(points[rows] + found)
    expected = seen_from(EVIDENCE.seen_turn * yaw).apply(points[rows])
    middle = points.mean(0)
    expected += seen_from(yaw).apply(middle) - seen_from(EVIDENCE.seen_turn * yaw).apply(middle)
    np.testing.assert_allclose(shown, expected, atol=1e-9)


def test_face_turn_of_the_default_body_mirrors(
    monkeypatch: pytest.MonkeyPatch, default_body: Body
) -> None:
    # The table mirrors exactly; the points themselves, which turn besides, nearly do.
    monkeypatch.setattr(landmark_trust, "S", replace(EVIDENCE, seen_turn=1.0))
    # Right and left landmarks of the same kind.
    right = np.array([right for right, _ in load_shifts()])
    left = np.array([left for _, left in load_shifts()])
    head = default_body.J_template[JOINT_INDEX["head"]]

    def seen_from(yaw: float, index: np.ndarray) -> tuple[np.ndarray, float]:
        R = Rotation.from_euler("y", -yaw, degrees=True).as_matrix()
        return face_turn(default_body, index, R, np.array([0.0, 0.0, -1.0]) - R @ head)

    front, trust = seen_from(0.0, right)
    assert np.abs(front).max() < 1e-6
    assert trust == pytest.approx(1.0, abs=1e-6)
    for yaw in (12.0, 40.0, 75.0):
        one, trust = seen_from(yaw, right)
        other, mirrored_trust = seen_from(-yaw, left)
        np.testing.assert_allclose(other, one * [-1.0, 1.0, 1.0], atol=1e-6)
        assert trust == pytest.approx(mirrored_trust)
        assert 0.0 < trust <= 1.0
