"""Pose files in SMPL-X's and AMASS's keys, and the poses that have names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import joint_transforms
from likeness.engine.formats.pose import NAMED_POSES, load_pose, named_pose, save_pose
from likeness.engine.rotations import axis_angle_to_matrix
from likeness.engine.types import JOINT_INDEX, PARENTS, LikenessError, Pose

BODY = SimpleNamespace(num_expression=3)


@pytest.fixture
def pose() -> Pose:
    rng = np.random.default_rng(1)
    return Pose(rng.normal(size=(55, 3)), rng.normal(size=3), rng.uniform(size=3))


def assert_same(a: Pose, b: Pose) -> None:
    for name in ("full_pose", "transl", "expression"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6)


def test_round_trip(pose, tmp_path: Path):
    save_pose(pose, tmp_path / "p.npz")
    assert_same(load_pose(tmp_path / "p.npz", 3), pose)
    with np.load(tmp_path / "p.npz") as file:
        assert file["body_pose"].shape == (1, 63)
        assert file["left_hand_pose"].shape == (1, 45)
        elbow = pose.full_pose[JOINT_INDEX["left_elbow"]]
        np.testing.assert_allclose(file["body_pose"][0, 3 * 17 : 3 * 18], elbow, rtol=1e-6)
        right = pose.full_pose[JOINT_INDEX["right_index1"]]
        np.testing.assert_allclose(file["right_hand_pose"][0, :3], right, rtol=1e-6)


def test_amass_frames(pose, tmp_path: Path):
    poses = np.stack([np.zeros(165), pose.full_pose.ravel()])
    trans = np.stack([np.zeros(3), pose.transl])
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans, mocap_frame_rate=30, gender="neutral")
    second = load_pose(tmp_path / "a.npz", 0, frame=1)
    np.testing.assert_allclose(second.full_pose, pose.full_pose)
    np.testing.assert_allclose(second.transl, pose.transl)
    assert not load_pose(tmp_path / "a.npz", 0).full_pose.any()
    with pytest.raises(LikenessError, match="no frame 2"):
        load_pose(tmp_path / "a.npz", 0, frame=2)


@pytest.mark.parametrize("shape", [(63,), (1, 63), (21, 3), (1, 21, 3)])
def test_missing_keys_and_shapes(pose, tmp_path: Path, shape):
    np.savez(tmp_path / "a.npz", body_pose=pose.full_pose[1:22].reshape(shape))
    out = load_pose(tmp_path / "a.npz", 2)
    np.testing.assert_array_equal(out.full_pose[1:22], pose.full_pose[1:22])
    assert not out.full_pose[0].any()
    assert not out.full_pose[22:].any()
    assert out.expression.shape == (2,)


def test_an_expression_of_another_basis_is_left_out_with_a_warning(tmp_path: Path):
    np.savez(tmp_path / "a.npz", jaw_pose=np.zeros(3), expression=np.ones((1, 10)))
    with pytest.warns(UserWarning, match="10 weights"):
        assert not load_pose(tmp_path / "a.npz", 52).expression.any()


def test_bad_files_are_named(tmp_path: Path):
    path = tmp_path / "a.npz"
    with pytest.raises(LikenessError, match=r"a\.npz"):
        load_pose(path, 0)
    path.write_bytes(b"nothing")
    with pytest.raises(LikenessError, match=r"a\.npz"):
        load_pose(path, 0)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(LikenessError, match="holds no pose"):
        load_pose(path, 0)
    np.savez(path, left_hand_pose=np.zeros(6))
    with pytest.raises(LikenessError, match="PCA"):
        load_pose(path, 0)
    np.savez(path, body_pose=np.full(63, np.nan))
    with pytest.raises(LikenessError, match="no numbers"):
        load_pose(path, 0)
    np.savez(path, body_pose=np.array([{"a": 1}], dtype=object))
    with pytest.raises(LikenessError, match=r"a\.npz"):
        load_pose(path, 0)


def skeleton(name: str) -> dict[str, np.ndarray]:
    """Joint positions of a plain skeleton, arms along x and legs along -y, in a named pose."""
    rest = np.zeros((55, 3))
    step = {"hip": [0.1, -0.05, 0], "knee": [0, -0.4, 0], "ankle": [0, -0.4, 0],
            "collar": [0.05, 0.1, 0], "shoulder": [0.12, 0, 0], "elbow": [0.28, 0, 0],
            "wrist": [0.26, 0, 0], "spine": [0, 0.12, 0], "neck": [0, 0.2, 0],
            "head": [0, 0.1, 0]}  # fmt: skip
    for joint, index in JOINT_INDEX.items():
        if index == 0:
            continue
        move = next((np.array(v) for k, v in step.items() if k in joint), np.array([0.02, 0, 0]))
        side = [-1, 1, 1] if joint.startswith("right") else [1, 1, 1]
        rest[index] = rest[PARENTS[index]] + move * side
    pose = named_pose(name, BODY)
    posed = joint_transforms(axis_angle_to_matrix(pose.full_pose), rest, PARENTS)[2]
    return {joint: posed[index] for joint, index in JOINT_INDEX.items()}


def test_named_poses_do_what_their_names_say():
    j = skeleton("tpose")
    assert j["left_wrist"][0] > 0.6
    for name in ("relaxed", "look_left"):
        j = skeleton(name)
        for side in ("left", "right"):
            assert j[f"{side}_wrist"][1] < j[f"{side}_shoulder"][1] - 0.4
    j = skeleton("apose")
    slope = j["left_wrist"] - j["left_shoulder"]
    assert 35 < np.degrees(np.arctan2(-slope[1], slope[0])) < 55
    j = skeleton("arm_raised")
    assert j["right_wrist"][1] > j["head"][1] + 0.15
    assert j["left_wrist"][1] < j["left_shoulder"][1] - 0.4
    j = skeleton("wave")
    assert j["right_wrist"][1] > j["right_elbow"][1] + 0.2
    assert j["right_wrist"][0] < j["right_shoulder"][0]
    j = skeleton("hands_on_hips")
    for side in ("left", "right"):
        assert abs(j[f"{side}_elbow"][0]) > abs(j[f"{side}_wrist"][0]) + 0.1
        assert np.linalg.norm(j[f"{side}_wrist"] - j[f"{side}_hip"]) < 0.25
    j = skeleton("arms_forward")
    assert min(j["left_wrist"][2], j["right_wrist"][2]) > 0.45
    j = skeleton("sit")
    assert j["left_knee"][2] > 0.3
    assert j["left_ankle"][1] < j["left_knee"][1] - 0.3
    j = skeleton("walk")
    assert j["right_ankle"][2] > 0.1 > -0.1 > j["left_ankle"][2]
    # Arms swing against the legs; a bent elbow brings the rear hand back under the shoulder.
    assert j["left_elbow"][2] > 0.08 > -0.08 > j["right_elbow"][2]


def test_no_named_pose_breaks_a_joint():
    for name, joints in NAMED_POSES.items():
        for joint, value in joints.items():
            assert np.degrees(np.linalg.norm(value)) < 125, (name, joint)


def test_a_named_pose_can_stand_where_another_stands():
    place = Pose.rest(3).with_joints(pelvis=[0, 1, 0], left_knee=[1, 0, 0])
    place = Pose(place.full_pose, np.array([1.0, 2, 3]), np.array([0.5, 0, 0]))
    posed = named_pose("wave", BODY, place)
    np.testing.assert_array_equal(posed.full_pose[0], [0, 1, 0])
    np.testing.assert_array_equal(posed.transl, [1, 2, 3])
    np.testing.assert_array_equal(posed.expression, [0.5, 0, 0])
    assert not posed.full_pose[JOINT_INDEX["left_knee"]].any()
    with pytest.raises(LikenessError, match="hands_on_hips"):
        named_pose("handstand", BODY)
