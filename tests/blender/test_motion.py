"""Motions in and out of Blender."""

from __future__ import annotations

from pathlib import Path

import pytest

MOTION = "motion_checks"


def test_a_motion_plays_as_in_its_file_and_comes_back(blender, tmp_path: Path) -> None:
    out = blender(MOTION, "there_and_back", folder=str(tmp_path))
    assert out["range"] == [1, 31]
    assert out["now"] == 1
    assert out["keyed"]["name"] == "wave"
    assert out["keyed"]["slots"] == 1
    assert out["keyed"]["bound"]
    assert out["keyed"]["keys"] == [31]
    assert out["keyed"]["cosine"] > 0.9  # no flips, though the pelvis turns more than once
    assert out["keyed"]["kinds"] == ["LINEAR"]
    assert 'pose.bones["face"]["jawOpen"]' in out["keyed"]["paths"]
    assert out["played"]["turn"] < 1e-4
    assert out["played"]["transl"] < 1e-5
    assert out["played"]["expression"] < 1e-5
    assert out["body"] < 1e-4
    assert out["rate"] == 30
    assert max(out["again"].values()) < 1e-4
    assert {"poses", "trans", "betas", "gender", "mocap_frame_rate", "pelvis"} <= set(out["keys"])
    assert out["step"] == [3, 7.5]
    assert out["z_up"] < 1e-5
    assert out["pose"][0] == 1
    assert out["pose"][1] < 1e-4
    assert out["scenes"] == ["Scene"]


def test_what_is_written_is_what_one_sees(blender_lts, tmp_path: Path) -> None:
    out = blender_lts(MOTION, "with_ik", folder=str(tmp_path))
    assert out["moved"] > 0.05
    assert out["error"] < 1e-4


def test_where_and_how_a_motion_lands(blender, tmp_path: Path) -> None:
    out = blender(MOTION, "options", folder=str(tmp_path))
    assert out["keyed"]["keys"] in ([61], [62])  # twice the frame rate
    assert out["range"] == [101, 400]  # the user's own
    assert out["moved"] < 1e-4
    assert out["front"] < 0.1
    assert abs(out["floor"][0]) < 0.06
    assert out["path"] > 1
    assert out["loop"]["modifiers"] == out["loop"]["curves"]
    assert out["loop_rate"] == pytest.approx(30)
    assert out["loop_range"] == [11, 40]
    assert max(out["loop_gap"]) < 1e-3
    assert out["loop_way"] < 1e-5
    assert out["nla"]["action"]
    assert out["nla"]["strips"] == [["wave", 5.0, True]]
    assert all(out["nla"]["users"])
    assert out["nla_moves"] > 0.1
    assert out["mode"] == "QUATERNION"


def test_bad_files_are_refused_and_change_nothing(blender_lts, tmp_path: Path) -> None:
    said = blender_lts(MOTION, "bad_files", folder=str(tmp_path))
    words = {
        "truncated.npz": "truncated.npz", "pickle.pkl": "pickle", "empty.bvh": "line",
        "note.npz": "note.npz", "frames.bvh": "no frames", "bones.bvh": "Cube",
        "broken.fbx": "broken.fbx", "pickled.npz": "pickled.npz", "shapes.npz": "3 x 100",
        "nan.npz": "no numbers", "lengths.npz": "differ in length", "other.npz": "no pose",
        "columns.npy": "5 x 17", "missing.bvh": "does not exist", "export": "where.npz",
        "armature": "no such armature",
    }  # fmt: skip
    for name, word in words.items():
        assert word in said[name], name
        assert "CHANGED" not in said[name], name


def test_other_armatures_fbx_and_other_avatars(blender, tmp_path: Path) -> None:
    out = blender(MOTION, "from_armatures", folder=str(tmp_path))
    for kind in ("armature", "fbx"):
        assert out[kind]["degrees"] < 1.0, kind
        assert out[kind]["reach"] < 0.01, kind
        assert out[kind]["way"] < 0.01, kind
    assert not any("jaw" in path or "pinky" in path for path in out["keyed"])
    assert out["left"] == [True, True, ["Scene"]]
    assert max(out["copy"]) < 1e-3


def test_rigifys_metarig(blender_lts) -> None:
    assert blender_lts(MOTION, "rigify")["degrees"] < 1.0


def test_smoothing(blender_lts, tmp_path: Path) -> None:
    out = blender_lts(MOTION, "smoothing", folder=str(tmp_path))
    assert out["after"] < 0.5 * out["before"]
    assert out["keyed"]["cosine"] > 0.9
    assert out["length"] < 1e-3
    assert out["stood"] < 0.7 * out["slid"]
    assert out["switch"] == [0, 0, 1, 1]
