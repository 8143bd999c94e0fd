"""Rendered people: what is said to be true is what the picture shows."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import project
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, Hand, Observation, Portrait, Pose, Track
from likeness.engine.evaluation.people.figures import (
    align_rigid,
    face_rows,
    fingertip_rows,
    measure_person,
)
from likeness.engine.evaluation.people.person import RandomPerson, random_person
from likeness.engine.evaluation.people.person_render import Truth, render_person
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.figure import SynthContext
from likeness.engine.synth.random_poses import ANCHORS, ARMS, arm_intersection, arm_joints
from likeness.engine.synth.views import heading_angle
from likeness.engine.tracking.joint_limits import limit_violations

pytestmark = pytest.mark.usefixtures("quick_people")


@pytest.fixture(scope="module")
def shots(synth_world: SynthContext) -> dict[str, tuple[RandomPerson, Portrait, Truth]]:
    """One person of each framing: from the front, from the side, from behind."""
    out = {}
    for k, (framing, yaw) in enumerate((("head", 10.0), ("half", -90.0), ("full", 175.0))):
        person = random_person(synth_world, np.random.default_rng(k), framing=framing, yaw=yaw)
        out[framing] = (person, *render_person(synth_world, person))
    return out


@pytest.mark.parametrize("framing", ["head", "half", "full"])
def test_what_is_visible_lies_on_the_person(shots: dict, framing: str) -> None:
    person, portrait, truth = shots[framing]
    assert portrait.rgb.shape == (person.camera.height, person.camera.width, 3)
    assert max(portrait.rgb.shape) >= 512
    pixels, depth = project(truth.vertices[truth.vertex_visible], person.camera)
    assert truth.vertex_visible.sum() > 100  # clothes and hair hide the rest
    assert (depth > 0.2).all()
    col, row = np.floor(pixels).astype(int).T
    assert ((col >= 0) & (col < person.camera.width)).all()
    assert (truth.alpha[row, col] > 0.0).mean() > 0.999
    joints, _ = project(truth.joints[:22][truth.joint_visible], person.camera)
    col, row = np.floor(joints).astype(int).T
    assert (truth.alpha[row, col] > 0.99).all()


@pytest.mark.parametrize("framing", ["head", "half", "full"])
def test_truth_is_the_body_in_its_pose(
    synth_world: SynthContext, shots: dict, framing: str
) -> None:
    person, _, truth = shots[framing]
    vertices, joints = synth_world.dress.body.vertices(person.pose, person.betas)
    np.testing.assert_allclose(truth.vertices, vertices, atol=1e-5)
    np.testing.assert_allclose(truth.joints, joints, atol=1e-6)
    head = truth.rotations[JOINT_INDEX["head"]]
    # Camera pitch and the head's own nod leave the heading nearly alone.
    assert abs((heading_angle(head) - person.yaw + 180) % 360 - 180) < 8.0


@pytest.mark.parametrize("framing", ["head", "half", "full"])
def test_the_alpha_covers_the_body_and_little_more(
    synth_world: SynthContext, shots: dict, framing: str
) -> None:
    person, portrait, truth = shots[framing]
    bare = rasterize_mesh(truth.vertices, synth_world.dress.body.f, person.camera).face >= 0
    assert (truth.alpha[bare] > 0.5).mean() > 0.97
    # Hair and clothes lie around the body.
    assert 0.6 < bare.sum() / (truth.alpha > 0.5).sum() < 1.0
    edge = (truth.alpha > 0) & (truth.alpha < 1)
    assert 0 < edge.sum() < 0.1 * truth.alpha.size
    assert portrait.alpha is None


def test_a_back_view_shows_no_face(synth_world: SynthContext, shots: dict) -> None:
    face = face_rows(synth_world.dress.body)
    shown = {name: truth.vertex_visible[face].mean() for name, (_, _, truth) in shots.items()}
    assert shown["head"] > 0.5
    assert 0.1 < shown["half"] < 0.6
    assert shown["full"] < 0.1


@pytest.mark.soak
def test_a_seed_draws_the_same_person_again(synth_world: SynthContext, shots: dict) -> None:
    def draw(seed: int) -> RandomPerson:
        return random_person(synth_world, np.random.default_rng(seed), framing="head", yaw=10.0)

    person, portrait, _ = shots["head"]
    again, other = draw(0), draw(6)
    np.testing.assert_array_equal(person.pose.full_pose, again.pose.full_pose)
    np.testing.assert_array_equal(person.betas, again.betas)
    np.testing.assert_array_equal(portrait.rgb, render_person(synth_world, again)[0].rgb)
    assert not np.array_equal(person.betas, other.betas)
    assert person.seed != other.seed  # clothes, hair and light follow from it
    middles = [shot[1].rgb[200:300, 150:250].mean((0, 1)) for shot in shots.values()]
    assert all(np.abs(middles[k] - middles[k - 1]).max() > 0.01 for k in range(3))


@pytest.mark.parametrize("name", ["down", "wave", "behind", "over the other", "T"])
def test_arms_point_where_the_anchor_says(name: str) -> None:
    arm = ARMS[name]
    joints = arm_joints(arm)
    R = np.eye(3)
    for joint in ("collar", "shoulder"):
        R = R @ axis_angle_to_matrix(joints[f"left_{joint}"])
    along = np.array([1.0, 0.0, 0.0])  # the left arm's direction at rest
    upper = np.array(arm.upper) / np.linalg.norm(arm.upper)
    np.testing.assert_allclose(R @ along, upper, atol=1e-6)
    fore = R @ axis_angle_to_matrix(joints["left_elbow"]) @ along
    np.testing.assert_allclose(fore, arm.fore / np.linalg.norm(arm.fore), atol=0.01)


def test_anchors_are_named_arms() -> None:
    for left, right, legs, often in ANCHORS.values():
        assert {left, right} <= ARMS.keys()
        assert legs
        assert often > 0


def test_an_arm_through_the_trunk_overlaps(synth_world: SynthContext) -> None:
    rest = Pose.rest(synth_world.dress.body.num_expression)
    body = synth_world.dress.body
    assert arm_intersection(body, body.vertices(rest)[0]) == 0.0
    # The upper arm down, the forearm bent sideways into the belly.
    through = rest.with_joints(left_shoulder=[0, 0, -1.5], left_elbow=[0, 0, -1.5])
    assert arm_intersection(body, body.vertices(through)[0]) > 0.1


def test_people_stay_within_what_joints_can_do(synth_world: SynthContext) -> None:
    beyond = []
    for seed in range(4):
        person = random_person(synth_world, np.random.default_rng(seed))
        beyond.append(limit_violations(person.pose.full_pose)[1:].max())
    assert np.degrees(np.median(beyond)) < 5.0
    assert np.degrees(max(beyond)) < 30.0


def test_the_true_pose_has_no_error(synth_world: SynthContext, shots: dict) -> None:
    person, portrait, truth = shots["head"]
    hand = Hand(True, np.zeros((21, 2)), np.zeros((21, 3)), 1.0)
    shape = portrait.rgb.shape[:2]
    observation = Observation(
        np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), np.ones(shape), hands=(hand,)
    )

    def figures(pose: Pose):
        track = Track(person.betas, pose, person.camera, "head", np.ones(55), None, None)
        return measure_person(synth_world.dress.body, person.camera, truth, observation, track)

    exact = figures(person.pose)
    assert exact.face_mm == pytest.approx(0.0, abs=1e-3)
    assert exact.joints_mm == pytest.approx(0.0, abs=1e-3)
    assert exact.head_deg == pytest.approx(0.0, abs=1e-3)
    assert exact.depth_pct == pytest.approx(0.0, abs=1e-3)
    assert exact.outside_pct < 1.0
    # A nod of 10 degrees turns the head by 10, and moves the face without bending it.
    turned = person.pose.with_joints(
        head=person.pose.full_pose[JOINT_INDEX["head"]] + np.array([np.radians(10), 0, 0])
    )
    off = figures(turned)
    assert off.head_deg == pytest.approx(10.0, abs=1.0)
    assert off.face_mm is not None
    assert off.face_mm < 1.5
    assert off.face_px > 2.0


def test_alignment_takes_rotation_and_place_but_not_size(rng_points: np.ndarray) -> None:
    R = axis_angle_to_matrix(np.array([0.3, -1.0, 0.5]))
    moved = rng_points @ R.T + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(align_rigid(moved, rng_points), rng_points, atol=1e-9)
    larger = align_rigid(1.1 * moved, rng_points)
    spread = np.linalg.norm(rng_points - rng_points.mean(0), axis=1).mean()
    assert np.linalg.norm(larger - rng_points, axis=1).mean() == pytest.approx(0.1 * spread)


@pytest.fixture
def rng_points() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (50, 3))


def test_fingertips_are_the_farthest_points_of_the_hand(synth_world: SynthContext) -> None:
    tips = fingertip_rows(synth_world.dress.body)
    v = synth_world.dress.body.v_template
    for side, sign in (("left", 1.0), ("right", -1.0)):
        points = v[tips[side]]
        assert len(np.unique(tips[side])) == 5
        # The middle finger reaches farthest sideways in the T-pose, the thumb least.
        assert (sign * points[:, 0]).argmax() == 2
        assert (sign * points[:, 0]).argmin() == 0
    np.testing.assert_allclose(v[tips["left"]], v[tips["right"]] * [-1, 1, 1], atol=5e-3)
