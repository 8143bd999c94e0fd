"""Estimates in the fit: the start they give, the pull of the term, and our own estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    LikenessError,
    Motion,
    Observation,
    Portrait,
    Pose,
    Track,
)
from likeness.engine.motion.io import jaw_from_expression, save_motion
from likeness.engine.tracking.estimators import (
    LandmarkLifter,
    PoseEstimate,
    init_from_estimate,
    load_estimate,
    merge_estimates,
    rotation_prior_term,
)
from likeness.engine.tracking.estimators.rotation_prior import inverse_left_jacobian
from likeness.engine.tracking.fit_state import FitState, PosedJoints, Unknowns, left_jacobian
from likeness.engine.tracking.joint_limits import clamp_pose, limit_violations
from likeness.engine.tracking.priors import relaxed_pose
from likeness.engine.tracking.solver import Bounds, NormalEquations, minimize
from scipy.spatial.transform import Rotation

BODY = make_synthetic_body()
CAMERA = photo_camera(800.0, 640, 480)


def rotation(rotvec):
    return Rotation.from_rotvec(np.asarray(rotvec)).as_matrix()


def random_state(seed=0):
    rng = np.random.default_rng(seed)
    state = FitState.rest(BODY)
    pose = clamp_pose(rng.normal(scale=0.4, size=(55, 3)))
    pose[22] = 0
    return FitState(np.array([0.1, -0.2, -3.0]), pose, state.betas, state.expression)


def everything():
    none = np.zeros(0, np.int64)
    return Unknowns(np.arange(55), none, none, BODY.num_betas)


def mixed_estimate(seed=1):
    """A body, a left hand and the head in world axes, at different confidence."""
    rng = np.random.default_rng(seed)
    estimate = PoseEstimate.nothing("test").with_rows(
        slice(0, 22), clamp_pose(rng.normal(scale=0.5, size=(55, 3)))[:22], 0.8
    )
    estimate = estimate.with_rows(JOINT_INDEX["left_wrist"], [0.3, -1.2, 0.4], 0.5, in_world=True)
    return estimate.with_rows(JOINT_INDEX["head"], [-0.1, 0.6, 0.2], 0.9, in_world=True)


# The term -----------------------------------------------------------------------------------


def test_gradient_agrees_with_finite_differences():
    term, unknowns = rotation_prior_term(mixed_estimate(), radius=0.7), everything()
    state = random_state()
    system = NormalEquations.empty(unknowns)
    cost = term.add(PosedJoints(BODY, state), system)
    assert cost == pytest.approx(term.add(PosedJoints(BODY, state), None))
    vector, step = state.vector, 1e-6
    for k, column in enumerate(unknowns.columns):
        sides = []
        for sign in (1, -1):
            moved = vector.copy()
            moved[column] += sign * step
            sides.append(term.add(PosedJoints(BODY, state.with_vector(moved)), None))
        numeric = (sides[0] - sides[1]) / (2 * step)
        assert system.gradient[k] == pytest.approx(numeric, rel=1e-4, abs=1e-4), column
    assert (np.linalg.eigvalsh(system.matrix) > -1e-8).all()


def test_cost_is_half_the_weighted_squared_angle():
    estimate = PoseEstimate.nothing("one").with_rows(JOINT_INDEX["left_elbow"], [0, -1.0, 0], 0.5)
    state = FitState.rest(BODY).with_joint(JOINT_INDEX["left_elbow"], np.array([0, -0.9, 0]))
    cost = rotation_prior_term(estimate, spread=0.2, radius=100.0).add(
        PosedJoints(BODY, state), None
    )
    assert cost == pytest.approx(0.5 * 0.5 * (0.1 / 0.2) ** 2, rel=1e-4)


def test_half_turns_are_no_cliff():
    """A back view: 179 and -179 degrees about y are 2 degrees apart."""
    estimate = PoseEstimate.nothing("back").with_rows(0, [0, np.radians(179), 0], 1.0)
    state = FitState.rest(BODY).with_joint(0, np.array([0, np.radians(-179), 0]))
    error = rotation_prior_term(estimate).errors(PosedJoints(BODY, state))
    assert np.degrees(np.linalg.norm(error)) == pytest.approx(2.0, abs=1e-6)


def test_the_solver_walks_to_the_estimate():
    estimate = mixed_estimate()
    term = rotation_prior_term(estimate, radius=50.0)
    n = len(FitState.rest(BODY).vector)
    free = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
    found = minimize(BODY, FitState.rest(BODY), [term], everything(), free, 60, 1e-9).state
    posed = PosedJoints(BODY, found)
    local = [j for j in np.flatnonzero(estimate.known) if not estimate.in_world[j]]
    for joint in local:
        got = rotation(found.full_pose[joint])
        assert Rotation.from_matrix(got.T @ rotation(estimate.full_pose[joint])).magnitude() < 0.01
    for name in ("left_wrist", "head"):
        joint = JOINT_INDEX[name]
        wanted = rotation(estimate.full_pose[joint])
        assert Rotation.from_matrix(posed.R[joint].T @ wanted).magnitude() < 0.01


def test_a_joint_that_is_far_off_lets_go():
    """Beyond the radius the pull fades: a swapped leg must not bend the body."""
    near, far = (
        PoseEstimate.nothing("x").with_rows(JOINT_INDEX["left_hip"], [angle, 0, 0], 1.0)
        for angle in (-0.3, -2.2)
    )
    slope = []
    for estimate in (near, far):
        system = NormalEquations.empty(everything())
        rotation_prior_term(estimate, radius=0.6).add(
            PosedJoints(BODY, FitState.rest(BODY)), system
        )
        slope.append(np.linalg.norm(system.gradient))
    assert slope[1] < 0.1 * slope[0]


def test_inverse_of_the_left_jacobian():
    rng = np.random.default_rng(0)
    for size in (1e-5, 1e-2, 1.0, 3.1):
        v = rng.normal(size=3)
        v *= size / np.linalg.norm(v)
        np.testing.assert_allclose(
            inverse_left_jacobian(v) @ left_jacobian(v), np.eye(3), atol=1e-9
        )


# The start ----------------------------------------------------------------------------------


def test_known_joints_are_taken_and_others_stay():
    start = random_state(3)
    estimate = PoseEstimate.nothing("arm").with_rows(JOINT_INDEX["left_elbow"], [0, -1, 0], 1.0)
    state = init_from_estimate(BODY, estimate, start)
    changed = np.flatnonzero((state.full_pose != start.full_pose).any(1))
    np.testing.assert_array_equal(changed, [JOINT_INDEX["left_elbow"]])
    np.testing.assert_array_equal(state.betas, start.betas)


def test_the_head_stays_in_place_when_held_or_when_there_is_no_position():
    start, head = random_state(3), JOINT_INDEX["head"]
    estimate = PoseEstimate.nothing("body").with_rows(slice(0, 10), np.full((10, 3), 0.3), 1.0)
    before = PosedJoints(BODY, start).p[head]
    for hold in (None, head):
        np.testing.assert_allclose(
            PosedJoints(BODY, init_from_estimate(BODY, estimate, start, hold)).p[head],
            before,
            atol=1e-12,
        )


def test_a_held_head_keeps_its_direction():
    """A regressor's body under a head that the face's landmarks turned."""
    start, head = random_state(3), JOINT_INDEX["head"]
    rows = clamp_pose(np.random.default_rng(8).normal(scale=0.3, size=(55, 3)))[:22]
    estimate = PoseEstimate.nothing("body").with_rows(slice(0, 22), rows, 0.8)
    before = PosedJoints(BODY, start)
    after = PosedJoints(BODY, init_from_estimate(BODY, estimate, start, hold=head))
    np.testing.assert_allclose(after.p[head], before.p[head], atol=1e-12)
    np.testing.assert_allclose(after.R[head], before.R[head], atol=1e-9)
    np.testing.assert_allclose(
        after.R[16], PosedJoints(BODY, init_from_estimate(BODY, estimate, start)).R[16]
    )


def test_the_position_places_the_middle_of_its_joints():
    from dataclasses import replace

    estimate = replace(
        PoseEstimate.nothing("hips").with_rows(0, [0.1, 0.4, 0], 1.0),
        position=np.array([0.5, -0.3, -4.0]),
        position_of=(1, 2),
    )
    posed = PosedJoints(BODY, init_from_estimate(BODY, estimate, random_state()))
    np.testing.assert_allclose(posed.p[[1, 2]].mean(0), [0.5, -0.3, -4.0], atol=1e-12)


def test_impossible_joints_are_brought_back():
    knee = JOINT_INDEX["left_knee"]
    estimate = PoseEstimate.nothing("net").with_rows(knee, [-0.9, 0, 0], 1.0)
    state = init_from_estimate(BODY, estimate, FitState.rest(BODY))
    assert -0.2 < state.full_pose[knee, 0] < 0
    assert not limit_violations(state.full_pose).any()
    error = rotation_prior_term(estimate).errors(PosedJoints(BODY, state))
    np.testing.assert_allclose(error, 0, atol=1e-9)


def test_a_head_in_world_axes_shares_its_turn_with_the_neck():
    start = FitState.rest(BODY).with_joint(0, np.array([0, 0.3, 0]))
    wanted = [0.1, 1.1, 0.0]
    estimate = PoseEstimate.nothing("head").with_rows(
        JOINT_INDEX["head"], wanted, 1.0, in_world=True
    )
    state = init_from_estimate(BODY, estimate, start)
    got = PosedJoints(BODY, state).R[JOINT_INDEX["head"]]
    np.testing.assert_allclose(got, rotation(wanted), atol=1e-9)
    neck = np.linalg.norm(state.full_pose[JOINT_INDEX["neck"]])
    assert 0.3 < neck / (neck + np.linalg.norm(state.full_pose[JOINT_INDEX["head"]])) < 0.5


def test_jaws_become_actions():
    share = jaw_from_expression(BODY)
    opening = BODY.expression_index["jawOpen"]
    angle = 0.5 * share[opening, 0]
    estimate = PoseEstimate.nothing("jaw").with_rows(JOINT_INDEX["jaw"], [angle, 0, 0], 1.0)
    state = init_from_estimate(BODY, estimate, FitState.rest(BODY))
    assert state.expression[opening] == pytest.approx(0.5)
    assert not state.full_pose[JOINT_INDEX["jaw"]].any()


def test_merging_takes_the_last_that_knows():
    body = PoseEstimate.nothing("body").with_rows(slice(0, 55), np.full((55, 3), 0.1), 0.8)
    hand = PoseEstimate.nothing("hand").with_rows(slice(25, 40), np.full((15, 3), 0.2), 0.9)
    hand = hand.with_rows(20, [0, 0, 1.0], 0.9, in_world=True)
    both = merge_estimates([body, hand])
    np.testing.assert_array_equal(both.full_pose[25:40], np.full((15, 3), 0.2))
    np.testing.assert_array_equal(both.full_pose[40:], np.full((15, 3), 0.1))
    assert both.in_world[20]
    assert both.confidence[20] == 0.9
    assert both.without([20]).known.sum() == 54


# Motion files and lifted landmarks ------------------------------------------------------------


def track_file(path: Path, state: FitState, fov_camera=CAMERA) -> Path:
    confidence = np.ones(55)
    confidence[40:] = 0  # the right hand was not seen
    track = Track(
        betas=state.betas,
        pose=Pose(state.full_pose, state.transl, state.expression),
        camera=fov_camera,
        framing="full",
        joint_confidence=confidence,
        face_error=None,
        pose_error=None,
    )
    save_motion(Motion.of_track(track), path, BODY)
    return path


def test_our_own_motion_file(tmp_path):
    state = random_state(5)
    weights = np.zeros(BODY.num_expression)
    weights[BODY.expression_index["jawOpen"]] = 0.4
    state = FitState(state.transl, state.full_pose, state.betas, weights)
    estimate = load_estimate(track_file(tmp_path / "m.npz", state), CAMERA)
    assert estimate.source == "m.npz"
    assert not estimate.known[40:].any()
    assert not estimate.known[JOINT_INDEX["jaw"]]
    assert estimate.expression["jawOpen"] == pytest.approx(0.4, abs=1e-6)
    again = init_from_estimate(BODY, estimate, FitState.rest(BODY))
    np.testing.assert_allclose(again.full_pose[:40], state.full_pose[:40], atol=1e-5)
    np.testing.assert_allclose(again.transl, state.transl, atol=1e-5)
    assert again.expression[BODY.expression_index["jawOpen"]] == pytest.approx(0.4, abs=1e-6)


def test_a_motion_of_another_lens_keeps_its_picture(tmp_path):
    state = random_state(6)
    path = track_file(tmp_path / "m.npz", state, photo_camera(1600.0, 1280, 960))
    wide = photo_camera(500.0, 640, 480)
    posed = PosedJoints(
        BODY, init_from_estimate(BODY, load_estimate(path, wide), FitState.rest(BODY))
    )
    theirs = project(PosedJoints(BODY, state).p, photo_camera(800.0, 640, 480))[0]
    pelvis = project(posed.p, wide)[0][0]
    np.testing.assert_allclose(pelvis, theirs[0], atol=1e-3)
    assert posed.p[0, 2] == pytest.approx(PosedJoints(BODY, state).p[0, 2] * 500 / 800, rel=1e-5)


def test_amass_counts_below_the_pelvis_only(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez(path, poses=rng.normal(scale=0.1, size=(4, 165)), trans=np.zeros((4, 3)))
    estimate = load_estimate(path, CAMERA, frame=2)
    assert not estimate.known[0]
    assert estimate.known[1:].all()
    assert estimate.position is None
    with pytest.raises(LikenessError, match="no frame 4"):
        load_estimate(path, CAMERA, frame=4)


def test_lifted_landmarks_of_a_body_in_the_room():
    """Landmarks projected from a posed body, its arms lifted again from the metric ones."""
    assert BODY.landmarks is not None
    state = FitState.rest(BODY)
    pose = relaxed_pose(BODY)
    pose[JOINT_INDEX["left_elbow"]] = [0, -1.2, 0]
    pose[JOINT_INDEX["right_shoulder"]] = [0.2, 0.6, 0.5]
    pose[0] = [0, 0.4, 0]
    state = FitState(np.array([0.1, -0.1, -3.0]), pose, state.betas, state.expression)
    posed = PosedJoints(BODY, state)
    joint = BODY.landmarks.pose_joint
    pixels, _ = project(posed.p[joint], CAMERA)
    world = posed.p[joint] - posed.p[[1, 2]].mean(0)
    observation = Observation(pixels, np.ones(33), world, np.zeros((480, 640), np.float32))
    portrait = Portrait(np.zeros((480, 640, 3), np.float32), None, Path("x.png"))
    estimate = LandmarkLifter(BODY).estimate(portrait, observation, CAMERA)
    assert estimate is not None
    for name in ("left_shoulder", "right_shoulder"):
        assert estimate.known[JOINT_INDEX[name]]
    found = PosedJoints(BODY, init_from_estimate(BODY, estimate, FitState.rest(BODY)))
    for a, b in (
        ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_wrist"),
    ):
        a, b = JOINT_INDEX[a], JOINT_INDEX[b]
        want, got = posed.p[b] - posed.p[a], found.p[b] - found.p[a]
        cosine = want @ got / np.linalg.norm(want) / np.linalg.norm(got)
        assert np.degrees(np.arccos(min(cosine, 1.0))) < 8
    nothing = Observation(pixels, np.zeros(33), world, np.zeros((480, 640), np.float32))
    assert LandmarkLifter(BODY).estimate(portrait, nothing, CAMERA) is None
