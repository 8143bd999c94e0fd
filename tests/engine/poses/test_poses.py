"""The library of poses and expressions: complete, possible, and what the names say."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import joint_transforms
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES, PARENTS, LikenessError, Pose
from likeness.engine.poses import (
    FACE_JOINTS,
    REGIONS,
    build_pose,
    find_expression,
    named_expressions,
    named_poses,
)
from likeness.engine.synth.balance import imbalance
from likeness.engine.synth.intersection import self_intersection
from likeness.engine.tracking.joint_limits import clamp_pose, limit_violations

BODY = SimpleNamespace(num_expression=3)
WHOLE = [name for name, pose in named_poses().items() if pose.catalog == "Body"]
HANDS = [name for name, pose in named_poses().items() if pose.catalog == "Hands"]

LIMBER = {"sit_cross_legged"}
"""Its thighs turn out further than the tracker's limits of a whole cone allow."""

IN_THE_AIR = {"jump", "run", "walk_passing", "dance"}
NOT_STANDING = {"sit_floor", "sit_cross_legged", "sit", "walk", "lunge"}
"""On the floor, on a chair, or on a heel and the other foot's toes."""


def full_pose(name: str) -> np.ndarray:
    return build_pose(name, BODY).full_pose


def test_the_library_is_large_enough_and_well_kept():
    assert len(WHOLE) >= 24
    assert len(HANDS) >= 8
    shown = [e for e in named_expressions().values() if e.catalog == "Expressions"]
    assert len(shown) >= 20
    assert sum(e.catalog == "Visemes" for e in named_expressions().values()) == 15
    for entry in [*named_poses().values(), *named_expressions().values()]:
        assert re.fullmatch(r"[a-zA-Z_]+", entry.name), "a word on a command line"
        assert entry.label
        assert entry.tags
        assert entry.description.endswith(".")
    labels = [e.label for e in [*named_poses().values(), *named_expressions().values()]]
    assert len(set(labels)) == len(labels), "the names of assets"


@pytest.mark.parametrize("name", named_poses())
def test_poses_are_possible(name):
    pose = full_pose(name)
    beyond = limit_violations(pose)
    if name in LIMBER:
        assert np.degrees(beyond).max() < 50
    else:
        assert not beyond.any()
        np.testing.assert_array_equal(clamp_pose(pose), pose)


def test_whole_poses_set_every_joint_and_hands_only_theirs():
    for name in WHOLE:
        assert set(named_poses()[name].joints) >= set(JOINT_NAMES) - set(FACE_JOINTS), name
    fingers = re.compile(r"(left|right)_(index|middle|ring|pinky|thumb)[123]")
    for name in HANDS:
        assert len(named_poses()[name].joints) == 30
        assert all(fingers.fullmatch(joint) for joint in named_poses()[name].joints)


@pytest.mark.parametrize("name", [n for n in WHOLE if n not in IN_THE_AIR])
def test_feet_stand_on_the_floor_and_carry(name, default_body):
    """Both legs reach the floor with something, and the middle is above what stands there."""
    v, _ = default_body.vertices(build_pose(name, default_body))
    strongest = default_body.weights.argmax(1)
    low = v[:, 1].min()
    for side in ("left", "right"):
        own = [JOINT_INDEX[f"{side}_{joint}"] for joint in ("foot", "ankle", "knee")]
        assert v[np.isin(strongest, own), 1].min() < low + 0.035
    if name not in NOT_STANDING:
        assert imbalance(default_body, v) < 0.02


@pytest.mark.parametrize("name", WHOLE)
def test_no_limb_is_inside_the_body(name, default_body):
    """Arms that lie against one another give way a little."""
    most = 0.55 if name == "arms_crossed" else 0.2
    assert (
        self_intersection(default_body, default_body.vertices(build_pose(name, default_body))[0])
        < most
    )


def skeleton(name: str) -> dict[str, np.ndarray]:
    """Joint positions of a plain skeleton, arms along x and legs along -y, in a named pose."""
    rest = np.zeros((55, 3))
    step = {
        "hip": [0.1, -0.05, 0],
        "knee": [0, -0.4, 0],
        "ankle": [0, -0.4, 0],
        "collar": [0.05, 0.1, 0],
        "shoulder": [0.12, 0, 0],
        "elbow": [0.28, 0, 0],
        "wrist": [0.26, 0, 0],
        "spine": [0, 0.12, 0],
        "neck": [0, 0.2, 0],
        "head": [0, 0.1, 0],
    }
    for joint, index in JOINT_INDEX.items():
        if index == 0:
            continue
        move = next((np.array(v) for k, v in step.items() if k in joint), np.array([0.02, 0, 0]))
        side = [-1, 1, 1] if joint.startswith("right") else [1, 1, 1]
        rest[index] = rest[PARENTS[index]] + move * side
    posed = joint_transforms(axis_angle_to_matrix(full_pose(name)), rest, PARENTS)[2]
    return {joint: posed[index] for joint, index in JOINT_INDEX.items()}


def test_named_poses_do_what_their_names_say():
    j = skeleton("tpose")
    assert j["left_wrist"][0] > 0.6
    for name in ("relaxed", "look_left", "contrapposto"):
        j = skeleton(name)
        for side in ("left", "right"):
            assert j[f"{side}_wrist"][1] < j[f"{side}_shoulder"][1] - 0.4
    j = skeleton("apose")
    slope = j["left_wrist"] - j["left_shoulder"]
    assert 35 < np.degrees(np.arctan2(-slope[1], slope[0])) < 55
    for name, sides in (
        ("arm_raised", ["right"]),
        ("reach_up", ["left"]),
        ("cheer", ["left", "right"]),
    ):
        j = skeleton(name)
        for side in sides:
            assert j[f"{side}_wrist"][1] > j["head"][1] + 0.15, name
    j = skeleton("wave")
    assert j["right_wrist"][1] > j["right_elbow"][1] + 0.2
    assert j["right_wrist"][0] < j["right_shoulder"][0]
    j = skeleton("hands_on_hips")
    for side in ("left", "right"):
        assert abs(j[f"{side}_elbow"][0]) > abs(j[f"{side}_wrist"][0]) + 0.1
        assert np.linalg.norm(j[f"{side}_wrist"] - j[f"{side}_hip"]) < 0.25
    j = skeleton("arms_crossed")
    assert j["left_wrist"][0] < 0 < j["right_wrist"][0]
    j = skeleton("arms_forward")
    assert min(j["left_wrist"][2], j["right_wrist"][2]) > 0.45
    j = skeleton("sit")
    assert j["left_knee"][2] > 0.3
    assert j["left_ankle"][1] < j["left_knee"][1] - 0.3
    j = skeleton("walk")
    assert j["right_ankle"][2] > 0.1 > -0.1 > j["left_ankle"][2]
    # Arms swing against the legs.
    assert j["left_wrist"][2] > j["right_wrist"][2] + 0.2
    j = skeleton("look_over_shoulder")
    turned = joint_transforms(
        axis_angle_to_matrix(full_pose("look_over_shoulder")), np.zeros((55, 3)), PARENTS
    )[0][JOINT_INDEX["head"]]
    assert (turned @ [0, 0, 1])[0] > 0.9


@pytest.mark.parametrize(
    ("name", "side", "palm"),
    [
        ("wave", "right", [0, 0, 1]),
        ("shrug", "left", [0, 1, 0]),
        ("shrug", "right", [0, 1, 0]),
        ("relaxed", "left", [-1, 0, 0]),
        ("relaxed", "right", [1, 0, 0]),
        ("arms_forward", "left", [0, -1, 0]),
        ("phone", "right", [1, 0, 0]),
        ("sit", "left", [0, -1, 0]),
        ("arms_crossed", "left", [0, 0, -1]),
    ],
)
def test_palms_look_where_they_should(name, side, palm):
    """At rest palms look down."""
    R = joint_transforms(axis_angle_to_matrix(full_pose(name)), np.zeros((55, 3)), PARENTS)[0]
    assert (R[JOINT_INDEX[f"{side}_wrist"]] @ [0, -1, 0]) @ palm > 0.8


@pytest.mark.parametrize(
    ("lying", "facing"),
    [
        ([0.3, 0, 0], [0, 0, 1]),  # leans forward
        ([0, 0, 0.4], [0, 0, 1]),  # leans to the side
        ([-np.pi / 2, 0, 0], [0, 0, 1]),  # on the back, feet towards +z
        ([np.pi / 2, 0, 0], [0, 0, 1]),  # on the front, head towards +z
    ],
)
def test_a_named_pose_is_upright_whoever_leaned(lying, facing):
    place = Pose.rest(3).with_joints(pelvis=lying)
    stands = axis_angle_to_matrix(build_pose("tpose", BODY, place).full_pose[0])
    np.testing.assert_allclose(stands @ [0, 1, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(stands @ [0, 0, 1], facing, atol=1e-9)


def test_a_named_pose_can_stand_where_another_stands():
    place = Pose.rest(3).with_joints(pelvis=[0, 1, 0], left_knee=[1, 0, 0])
    place = Pose(place.full_pose, np.array([1.0, 2, 3]), np.array([0.5, 0, 0]))
    posed = build_pose("wave", BODY, place)
    np.testing.assert_allclose(posed.full_pose[0], [0, 1, 0], atol=1e-12)
    np.testing.assert_array_equal(posed.transl, [1, 2, 3])
    np.testing.assert_array_equal(posed.expression, [0.5, 0, 0])
    bent = build_pose("bow", BODY, place).full_pose[0]
    expected = axis_angle_to_matrix(np.array([0, 1.0, 0])) @ axis_angle_to_matrix(
        named_poses()["bow"].joints["pelvis"]
    )
    np.testing.assert_allclose(bent, matrix_to_axis_angle(expected), atol=1e-12)
    with pytest.raises(LikenessError, match="hands_on_hips"):
        build_pose("handstand", BODY)


def test_expressions_weigh_what_they_are_about():
    body = make_synthetic_body()
    for entry in named_expressions().values():
        weights = body.expression(**entry.weights)
        assert weights.min() >= 0
        assert weights.max() <= 1
        named = {n for n, w in zip(body.expression_names, weights) if w}
        about = entry.all_weights()
        assert named <= set(about), f"{entry.name} weighs what it is not about"
        assert not any(name.startswith("eyeLook") for name in about)
        assert bool(named) == (entry.name not in ("neutral", "viseme_sil"))
    assert len(named_expressions()["smile"].all_weights()) == len(ARKIT_EXPRESSIONS) - 8
    mouth = set(named_expressions()["viseme_aa"].all_weights())
    assert mouth == {n for n in ARKIT_EXPRESSIONS if n.startswith(REGIONS["mouth"])}
    with pytest.raises(LikenessError, match="surprised"):
        find_expression("bliss")


def test_expressions_are_a_little_uneven_and_winks_are_not_blinks():
    smile = named_expressions()["smile"].weights
    assert smile["mouthSmileLeft"] != smile["mouthSmileRight"]
    assert named_expressions()["blink"].weights == {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    for side, other in (("left", "Right"), ("right", "Left")):
        weights = named_expressions()[f"wink_{side}"].weights
        assert weights[f"eyeBlink{side.title()}"] == 1
        assert f"eyeBlink{other}" not in weights
