"""Other programs' motion files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, FloatArray, LikenessError
from likeness.engine.motion.io import load_motion, read_arrays, read_hand_model
from likeness.engine.motion.motion_source import read_motion
from likeness.engine.motion.smplx_keys import COLUMNS

FRAMES = 5


@pytest.fixture
def poses() -> FloatArray:
    return 0.2 * np.random.default_rng(0).normal(size=(FRAMES, 55, 3))


def same(a: FloatArray, b: FloatArray) -> None:
    np.testing.assert_allclose(axis_angle_to_matrix(a), axis_angle_to_matrix(b), atol=1e-6)


@pytest.mark.parametrize("shape", ["rows", "joints"])
def test_smpl_smplh_and_smplx_poses(poses: FloatArray, tmp_path: Path, shape: str) -> None:
    smplh = np.concatenate([poses[:, :22], poses[:, 25:]], 1)  # 52 joints
    smpl = np.concatenate([poses[:, :22], np.ones((FRAMES, 2, 3))], 1)  # 24, two in the hands
    for name, rows, count in (("x", poses, 55), ("h", smplh, 52), ("s", smpl, 22)):
        array = rows.reshape(FRAMES, -1) if shape == "rows" else rows
        np.savez(tmp_path / f"{name}.npz", poses=array, trans=np.ones((FRAMES, 3)))
        source = read_motion(tmp_path / f"{name}.npz", 52)
        assert source.known.sum() == count
        known = np.flatnonzero(source.known)
        same(source.motion.full_pose[:, known], poses[:, known])
        assert not source.face
        assert source.motion.transl.max() == 1


@pytest.mark.parametrize(
    "key", ["mocap_framerate", "mocap_frame_rate", "fps", "frame_rate", "mocap_fps"]
)
def test_frame_rates_in_every_spelling(poses: FloatArray, tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "m.npz", poses=poses, **{key: 120})
    source = read_motion(tmp_path / "m.npz", 0)
    assert source.motion.frame_rate == 120
    assert not any("frame rate" in note for note in source.notes)


def test_a_file_without_a_rate_says_so(poses: FloatArray, tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", poses=poses)
    assert any("30 is assumed" in note for note in read_motion(tmp_path / "m.npz", 0).notes)


def test_other_names_of_the_same(poses: FloatArray, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "m.npz",
        root_orient=poses[:, 0],
        pose_body=poses[:, 1:22].reshape(FRAMES, 63),
        pose_hand=poses[:, 25:].reshape(FRAMES, 90),
        pose_jaw=poses[:, 22],
        pose_eye=poses[:, 23:25].reshape(FRAMES, 6),
        translation=np.ones((FRAMES, 3)),
        gender="female",
        betas=np.zeros(16),
    )
    source = read_motion(tmp_path / "m.npz", 0)
    assert source.known.all()
    same(source.motion.full_pose, poses)


def test_up_is_found_and_told(poses: FloatArray, tmp_path: Path) -> None:
    poses[:, 0] = [np.pi / 2, 0, 0]  # as AMASS: z up
    np.savez(tmp_path / "m.npz", poses=poses, trans=np.tile([0.0, 0.0, 0.9], (FRAMES, 1)))
    source = read_motion(tmp_path / "m.npz", 0)
    assert any("z up" in note for note in source.notes)
    np.testing.assert_allclose(source.motion.transl[0], [0, 0.9, 0], atol=1e-9)
    up = axis_angle_to_matrix(source.motion.full_pose[0, 0])[:, 1]
    np.testing.assert_allclose(up, [0, 1, 0], atol=1e-6)
    kept = read_motion(tmp_path / "m.npz", 0, up="y")
    np.testing.assert_allclose(kept.motion.transl[0], [0, 0, 0.9])


def test_arrays_of_known_columns(poses: FloatArray, tmp_path: Path) -> None:
    flat = poses.reshape(FRAMES, 165).astype(np.float32)
    parts = {
        "jaw_pose": flat[:, 66:69],
        "leye_pose": flat[:, 69:72],
        "reye_pose": flat[:, 72:75],
        "global_orient": flat[:, :3],
        "body_pose": flat[:, 3:66],
        "left_hand_pose": flat[:, 75:120],
        "right_hand_pose": flat[:, 120:],
    }
    for size in (265, 322):
        array = np.zeros((FRAMES, size), np.float32)
        for key, columns in COLUMNS[size].items():
            array[:, columns] = parts.get(key, 0.5)
        np.save(tmp_path / "m.npy", array)
        source = read_motion(tmp_path / "m.npy", 100 if size == 265 else 50)
        rows = np.flatnonzero(source.known)
        same(source.motion.full_pose[:, rows], poses[:, rows])
        assert source.face
        assert JOINT_INDEX["left_index1"] in rows
    np.save(tmp_path / "m.npy", flat)
    same(read_motion(tmp_path / "m.npy", 0).motion.full_pose, poses)


def test_hands_from_the_mean_and_as_components(poses: FloatArray, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    mean, components = 0.3 * rng.normal(size=(2, 45)), rng.normal(size=(2, 45, 45))
    np.savez(
        tmp_path / "model.npz",
        hands_meanl=mean[0],
        hands_meanr=mean[1],
        hands_componentsl=components[0],
        hands_componentsr=components[1],
    )
    hands = read_hand_model(tmp_path / "model.npz")
    np.savez(tmp_path / "m.npz", poses=poses)
    moved = read_motion(tmp_path / "m.npz", 0, hands=hands, mean_hands=True).motion.full_pose
    same(moved[:, 25:40], poses[:, 25:40] + mean[0].reshape(15, 3))
    same(moved[:, :22], poses[:, :22])
    weights = 0.1 * rng.normal(size=(FRAMES, 12))
    np.savez(tmp_path / "pca.npz", body_pose=np.zeros((FRAMES, 63)), right_hand_pose=weights)
    moved = read_motion(tmp_path / "pca.npz", 0, hands=hands).motion.full_pose
    same(moved[:, 40:], (weights @ components[1, :12] + mean[1]).reshape(FRAMES, 15, 3))
    source = read_motion(tmp_path / "pca.npz", 0)
    assert not source.known[40:].any()
    assert any("components" in note for note in source.notes)
    with pytest.raises(LikenessError, match="mean hand"):
        read_motion(tmp_path / "m.npz", 0, mean_hands=True)
    with pytest.raises(LikenessError, match=r"m\.npz"):
        read_hand_model(tmp_path / "m.npz")


def test_bad_arrays(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(LikenessError, match="pickle") as caught:
        read_arrays(tmp_path / "m.pkl")
    assert "numpy.savez" in caught.value.remedy
    for array, word in (
        (np.zeros((3, 17)), "3 x 17"),
        (np.array(["a"]), "not an array of numbers"),
        (np.zeros((0, 265)), "no"),
        (np.full((2, 165), np.nan), "not numbers"),
    ):
        np.save(tmp_path / "m.npy", array)
        with pytest.raises(LikenessError, match=word):
            load_motion(tmp_path / "m.npy", 0)
    np.save(tmp_path / "m.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(LikenessError, match=r"m\.npy"):
        load_motion(tmp_path / "m.npy", 0)
    np.savez(tmp_path / "m.npz", poses=np.zeros((3, 100)))
    with pytest.raises(LikenessError, match="100"):
        load_motion(tmp_path / "m.npz", 0)


def test_huge_files_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likeness.engine.motion import io

    np.savez(tmp_path / "m.npz", poses=np.zeros((50, 165)))
    monkeypatch.setattr(io, "MAX_BYTES", 1000)
    with pytest.raises(LikenessError, match="GiB"):
        load_motion(tmp_path / "m.npz", 0)
    monkeypatch.setattr(io, "MAX_BYTES", 1 << 30)
    monkeypatch.setattr(io, "MAX_FRAMES", 10)
    with pytest.raises(LikenessError, match="50 frames"):
        load_motion(tmp_path / "m.npz", 0)
