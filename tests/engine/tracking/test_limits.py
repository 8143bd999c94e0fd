"""Anatomical limits: natural poses are inside, impossible ones are not, clamping fixes them."""

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_quaternion, swing_twist
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES
from likeness.engine.tracking.fit_state import FitState, PosedJoints, Unknowns
from likeness.engine.tracking.joint_limits import (
    FREE,
    LIMITS,
    LimitTerm,
    clamp_pose,
    limit_violations,
    nearest_in_polygon,
)
from likeness.engine.tracking.priors import ARM_POSITIONS, arm_rotations, relaxed_pose
from likeness.engine.tracking.solver import Bounds, NormalEquations, minimize
from scipy.spatial.transform import Rotation

SWAP = np.array(
    [
        JOINT_INDEX[
            n.replace("left", "right") if n.startswith("left") else n.replace("right", "left")
        ]
        for n in JOINT_NAMES
    ]
)


def posed(**degrees):
    pose = np.zeros((55, 3))
    for name, value in degrees.items():
        pose[JOINT_INDEX[name]] = np.radians(value)
    return pose


def random_poses(seed=0, size=60):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=1.0, size=(size, 55, 3))


def mirrored(pose):
    return pose[..., SWAP, :] * [1, -1, -1]


def test_standing_at_ease_is_possible(default_body: Body):
    assert not limit_violations(relaxed_pose(default_body)).any()


@pytest.mark.parametrize("name", ARM_POSITIONS)
@pytest.mark.parametrize("left", [True, False])
def test_arm_positions_are_possible(name, left):
    upper, forearm = (np.array(d) * [1 if left else -1, 1, 1] for d in ARM_POSITIONS[name])
    side = "left" if left else "right"
    pose = np.zeros((55, 3))
    pose[JOINT_INDEX[f"{side}_shoulder"]], pose[JOINT_INDEX[f"{side}_elbow"]] = arm_rotations(
        upper, forearm, left
    )
    assert limit_violations(pose).max() < np.radians(1)


@pytest.mark.parametrize(
    "pose",
    [
        posed(left_knee=[100, 0, 0], left_hip=[-100, 0, 40]),
        posed(left_hip=[-80, 40, 45], right_hip=[-80, -40, -45]),  # cross-legged
        posed(right_hip=[0, 0, -45]),
        posed(left_elbow=[0, -145, 0]),
        posed(right_elbow=[0, 145, 0]),
        posed(left_shoulder=[0, -130, 0]),  # across the chest
        posed(left_shoulder=[0, 0, 95]),  # straight up
        posed(left_wrist=[0, 0, -75], left_elbow=[80, 0, 0]),
        posed(head=[0, 45, 0], neck=[0, 35, 0]),
        posed(neck=[35, 0, 0], head=[15, 0, 0]),
        posed(spine1=[30, 0, 0], spine2=[30, 0, 0], spine3=[25, 0, 0]),  # touching the toes
        posed(left_index1=[0, 0, -85], left_index2=[0, 0, -100], left_index3=[0, 0, -65]),
        posed(jaw=[28, 0, 0], left_eye_smplhf=[0, 40, 0], right_eye_smplhf=[-30, 0, 0]),
    ],
)
def test_what_people_do(pose):
    assert not limit_violations(pose).any()


@pytest.mark.parametrize(
    ("joint", "degrees"),
    [
        ("left_knee", [-40, 0, 0]),  # forwards
        ("right_knee", [-40, 0, 0]),
        ("left_knee", [0, 0, 40]),
        ("left_elbow", [0, 50, 0]),  # backwards
        ("right_elbow", [0, -50, 0]),
        ("left_elbow", [0, 0, 60]),
        ("left_elbow", [170, 0, 0]),
        ("head", [0, 150, 0]),
        ("neck", [0, -120, 0]),
        ("head", [0, 0, 80]),
        ("spine2", [-70, 0, 0]),
        ("left_hip", [90, 0, 0]),  # the thigh straight back
        ("right_hip", [0, 0, 60]),  # through the other leg
        ("left_shoulder", [0, 110, 0]),
        ("left_shoulder", [0, 0, -170]),
        ("left_wrist", [0, 80, 0]),
        ("left_ankle", [-80, 0, 0]),
        ("left_index2", [0, 0, 60]),
        ("right_index2", [0, 0, -60]),
        ("left_middle3", [0, 50, 0]),
        ("jaw", [-25, 0, 0]),
        ("left_eye_smplhf", [0, 0, 40]),
        ("right_collar", [0, 0, 60]),
        ("left_thumb2", [0, 0, 90]),
    ],
)
def test_what_nobody_does(joint, degrees):
    pose = posed(**{joint: degrees})
    beyond = limit_violations(pose)
    assert beyond[JOINT_INDEX[joint]] > np.radians(15)
    assert (beyond > 0).sum() == 1
    clamped = clamp_pose(pose)
    assert not limit_violations(clamped).any()


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hanging_arm_turns_outwards_less_than_a_raised_one(side: str) -> None:
    """Or a forearm that comes forwards could as well go backwards."""
    sign = 1 if side == "left" else -1
    name = f"{side}_shoulder"
    raised = Rotation.from_rotvec(np.radians([-110, 0, 0]))
    for down, possible in ((0, True), (85, False)):
        hangs = Rotation.from_rotvec(np.radians([0, 0, -85.0 * sign * (down > 0)]))
        pose = np.zeros((55, 3))
        pose[JOINT_INDEX[name]] = (hangs * raised).as_rotvec()
        beyond = limit_violations(pose)[JOINT_INDEX[name]]
        assert (beyond == 0) == possible
        if not possible:
            assert np.degrees(beyond) == pytest.approx(110 - (115 - 85 / 3), abs=0.1)
        assert not limit_violations(clamp_pose(pose)).any()


def test_clamping_is_final_and_moves_as_far_as_the_violation_says():
    poses = random_poses()
    beyond = limit_violations(poses)
    assert (beyond > 0).mean() > 0.3
    clamped = clamp_pose(poses)
    assert not limit_violations(clamped).any()
    np.testing.assert_array_equal(clamp_pose(clamped), clamped)
    inside = beyond == 0
    np.testing.assert_array_equal(clamped[inside], poses[inside])
    # One hinge alone: the turn that clamping takes away is the violation.
    pose = posed(left_knee=[-50, 0, 0])
    j = JOINT_INDEX["left_knee"]
    turn = Rotation.from_rotvec(pose[j]).inv() * Rotation.from_rotvec(clamp_pose(pose)[j])
    assert turn.magnitude() == pytest.approx(limit_violations(pose)[j], abs=1e-9)


def test_left_and_right_mirror_each_other():
    poses = random_poses(1)
    np.testing.assert_allclose(
        limit_violations(mirrored(poses)), limit_violations(poses)[:, SWAP], atol=1e-9
    )
    np.testing.assert_allclose(clamp_pose(mirrored(poses)), mirrored(clamp_pose(poses)), atol=1e-9)


def test_only_chosen_joints_are_clamped():
    pose = posed(left_knee=[-50, 0, 0], head=[0, 150, 0])
    chosen = np.zeros(55, bool)
    chosen[JOINT_INDEX["head"]] = True
    clamped = clamp_pose(pose, chosen)
    np.testing.assert_array_equal(clamped[JOINT_INDEX["left_knee"]], pose[JOINT_INDEX["left_knee"]])
    assert limit_violations(clamped)[JOINT_INDEX["head"]] == 0


def test_every_joint_but_the_pelvis_has_limits():
    assert FREE == ("pelvis",)


def test_tables_are_convex_and_hold_the_rest_pose():
    for limit in LIMITS.values():
        edge = np.roll(limit.swing, -1, 0) - limit.swing
        following = np.roll(edge, -1, 0)
        turn = edge[:, 0] * following[:, 1] - edge[:, 1] * following[:, 0]
        assert (turn > 0).all()
        np.testing.assert_allclose(limit.frame @ limit.frame.T, np.eye(3), atol=1e-12)
        np.testing.assert_array_equal(nearest_in_polygon(np.zeros(2), limit.swing), np.zeros(2))
        assert limit.twist[0] < 0 < limit.twist[1]


def test_nearest_in_polygon_against_a_dense_search():
    rng = np.random.default_rng(2)
    corners = LIMITS["left_shoulder"].swing
    t = np.linspace(0, 1, 400)[:, None, None]
    rim = (corners * (1 - t) + np.roll(corners, -1, 0) * t).reshape(-1, 2)
    points = rng.normal(scale=3.0, size=(50, 2))
    got = np.linalg.norm(nearest_in_polygon(points, corners) - points, axis=1)
    want = np.linalg.norm(points[:, None] - rim, axis=2).min(1)
    outside = got > 0
    assert outside.sum() > 10
    np.testing.assert_allclose(got[outside], want[outside], atol=0.01)


def test_swing_and_twist_compose_to_the_rotation():
    rng = np.random.default_rng(3)
    rotvec = rng.normal(scale=1.2, size=(200, 3))
    axis = np.array([2.0, -1.0, 0.5]) / np.linalg.norm([2.0, -1.0, 0.5])
    twist, swing = swing_twist(axis_angle_to_quaternion(rotvec), axis)
    np.testing.assert_allclose(swing @ axis, 0, atol=1e-9)
    assert (np.linalg.norm(swing, axis=1) <= np.pi + 1e-9).all()
    whole = Rotation.from_rotvec(swing) * Rotation.from_rotvec(twist[:, None] * axis)
    away = (Rotation.from_rotvec(rotvec).inv() * whole).magnitude()
    np.testing.assert_allclose(away, 0, atol=1e-7)


def unknown_joints(joints):
    none = np.zeros(0, np.int64)
    return Unknowns(np.asarray(joints), none, none, make_synthetic_body().num_betas)


def test_the_terms_slope_agrees_with_finite_differences():
    body, term = make_synthetic_body(), LimitTerm(50.0)
    rest = FitState.rest(body)
    state = FitState(rest.transl, random_poses(4, 1)[0], rest.betas, rest.expression)
    unknowns = unknown_joints(range(0, 55, 2))
    system = NormalEquations.empty(unknowns)
    cost = term.add(PosedJoints(body, state), system)
    beyond = limit_violations(state.full_pose)
    assert (beyond > 0).sum() > 15
    assert cost == pytest.approx(25.0 * (beyond**2).sum())
    for k, column in enumerate(unknowns.columns):
        sides = []
        for step in (1e-5, -1e-5):
            vector = state.vector.copy()
            vector[column] += step
            sides.append(term.add(PosedJoints(body, state.with_vector(vector)), None))
        assert system.gradient[k] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-3, abs=1e-3)


def test_the_term_brings_a_body_back():
    body = make_synthetic_body()
    rest = FitState.rest(body)
    pose = posed(left_knee=[-50, 0, 0], head=[0, 120, 0], right_elbow=[20, -70, 0])
    state = FitState(rest.transl, pose, rest.betas, rest.expression)
    n = len(state.vector)
    free = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    found = minimize(body, state, [LimitTerm(10.0)], unknown_joints(range(55)), free, 30, 1e-9)
    assert np.degrees(limit_violations(found.state.full_pose)).max() < 0.1
    inside = LimitTerm(10.0).add(PosedJoints(body, rest), None)
    assert inside == 0.0


def test_a_bent_forearm_turns_as_far_as_a_straight_one():
    """Pronated by 80 degrees and bent by 110, as a hand before the face."""
    turn = Rotation.from_rotvec(np.radians([0, -110, 0])) * Rotation.from_rotvec(
        np.radians([80, 0, 0])
    )
    pose = np.zeros((55, 3))
    pose[JOINT_INDEX["left_elbow"]] = turn.as_rotvec()
    assert np.abs(np.degrees(turn.as_rotvec()[2])) > 60  # beyond any limit of that component
    assert not limit_violations(pose).any()
