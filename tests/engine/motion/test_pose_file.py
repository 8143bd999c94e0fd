"""Pose files in SMPL-X's and AMASS's keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Pose
from likeness.engine.motion.pose_file import load_pose, save_pose


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
    with pytest.raises(LikenessError, match="pose"):
        load_pose(path, 0)
    np.savez(path, left_hand_pose=np.zeros(6))
    with pytest.raises(LikenessError, match="PCA"):
        load_pose(path, 0)
    np.savez(path, body_pose=np.full(63, np.nan))
    with pytest.raises(LikenessError, match="not numbers"):
        load_pose(path, 0)
    np.savez(path, body_pose=np.array([{"a": 1}], dtype=object))
    with pytest.raises(LikenessError, match=r"a\.npz"):
        load_pose(path, 0)


def test_a_capture_of_the_face_leaves_the_body_as_it_is(pose, tmp_path: Path):
    path = tmp_path / "take.csv"
    path.write_text("timestamp,jawOpen,headYaw\n0.0,0.5,0.5\n0.02,0.5,0.5\n")
    alone = load_pose(path, 3, names=("jawOpen", "a", "b"))
    assert not alone.full_pose[JOINT_INDEX["left_elbow"]].any()
    kept = load_pose(path, 3, names=("jawOpen", "a", "b"), base=pose)
    head = [JOINT_INDEX[name] for name in ("neck", "head")]
    np.testing.assert_array_equal(kept.full_pose[head], alone.full_pose[head])
    assert alone.full_pose[head, 1] == pytest.approx([0.2, 0.3])
    body = [k for name, k in JOINT_INDEX.items() if "eye" not in name and k not in (*head, 22)]
    np.testing.assert_array_equal(kept.full_pose[body], pose.full_pose[body])
    np.testing.assert_array_equal(kept.transl, pose.transl)
    assert kept.expression.tolist() == [0.5, 0.0, 0.0]
    save_pose(pose, tmp_path / "whole.npz")
    assert_same(load_pose(tmp_path / "whole.npz", 3, base=Pose.rest(3)), pose)
