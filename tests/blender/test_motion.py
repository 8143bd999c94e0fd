"""Motions in and out of Blender."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_INDEX

from tests.soaked import if_asked

from ..engine.tracking.estimates import (
    HEIGHT,
    REST,
    WIDTH,
    angle,
    bend_mhr,
    dump_mhr,
    joints_by_hand,
    save,
)

MOTION = "motion_checks"
SAM_POSES = [bend_mhr(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def motion(blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the checks find that are worth every version, in one process."""
    checks = ["there_and_back", "options", "from_armatures"]
    return _answers(blender, checks, tmp_path_factory)


@pytest.fixture(scope="module")
def motion_lts(blender_lts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    checks = ["with_ik", "bad_files", "rigify", "smoothing", "leftovers", "sam_3d_body"]
    return _answers(blender_lts, checks, tmp_path_factory)


def _answers(check: Any, checks: list[str], folders: pytest.TempPathFactory) -> dict[str, Any]:
    folder = folders.mktemp("motion")
    frames = [
        dump_mhr(pose, np.array([0.1 * k, 0.0, -3.0]), [0.0, 0.0, 3.0])[2]
        for k, pose in enumerate(SAM_POSES)
    ]
    stacked = {key: np.stack([one[key] for one in frames]) for key in frames[0]}
    save(folder / "sam.npz", **stacked, focal_length=700.0, img_size=[WIDTH, HEIGHT], fps=30.0)
    answers: dict[str, Any] = check(MOTION, "several", checks=checks, folder=str(folder))
    return answers


def found(answers: dict[str, Any], name: str) -> Any:
    """The answer of a check that did not fail."""
    assert not isinstance(answers[name], str), answers[name]
    return answers[name]


def test_a_motion_plays_as_in_its_file_and_comes_back(motion) -> None:
    out = found(motion, "there_and_back")
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


def test_what_is_written_is_what_one_sees(motion_lts) -> None:
    out = found(motion_lts, "with_ik")
    assert out["moved"] > 0.05
    assert out["error"] < 1e-4


def test_a_second_motion_leaves_nothing_of_the_first(motion_lts) -> None:
    out = found(motion_lts, "leftovers")
    assert out["first"] == 31
    assert [out[how]["end"] for how in ("keep", "ease", "rest")] == [47] * 3
    assert out["own"] == 99, "the user's own range"
    assert out["keep"]["kept"] < 1e-4
    assert out["keep"]["face"] > 0.1
    assert out["ease"]["eased"] < 1e-4
    assert out["ease"]["kept"] > 0.05
    assert out["rest"]["turned"] < 1e-4
    for how in ("ease", "rest"):
        assert out[how]["jaw"] < 1e-4
        assert out[how]["face"] < 1e-6


def test_where_and_how_a_motion_lands(motion) -> None:
    out = found(motion, "options")
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


@pytest.mark.parametrize("every", [False, *if_asked(True)])
def test_bad_files_are_refused_and_change_nothing(
    every: bool, blender_lts, motion_lts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if every:
        motion_lts = _answers(blender_lts, ["more_bad_files"], tmp_path_factory)
    said = found(motion_lts, "more_bad_files" if every else "bad_files")
    words = {
        "truncated.npz": "truncated.npz",
        "pickle.pkl": "pickle.pkl",
        "empty.bvh": "empty.bvh",
        "note.npz": "note.npz",
        "frames.bvh": "frames.bvh",
        "bones.bvh": "Cube",
        "broken.fbx": "broken.fbx",
        "pickled.npz": "pickled.npz",
        "shapes.npz": "3 x 100",
        "nan.npz": "global_orient",
        "lengths.npz": "lengths.npz",
        "other.npz": "other.npz",
        "columns.npy": "5 x 17",
        "missing.bvh": "missing.bvh",
        "export": "where.npz",
        "armature": "source armature",
    }
    assert len(said) == (len(words) if every else 7)
    for name, word in words.items():
        if name not in said:
            continue
        assert word in " ".join(said[name].split()), name
        assert "CHANGED" not in said[name], name


def test_other_armatures_fbx_and_other_avatars(motion) -> None:
    out = found(motion, "from_armatures")
    for kind in ("armature", "fbx"):
        assert out[kind]["degrees"] < 1.0, kind
        assert out[kind]["reach"] < 0.01, kind
        assert out[kind]["way"] < 0.01, kind
    assert not any("jaw" in path or "pinky" in path for path in out["moving"])
    assert out["left"] == [True, True, ["Scene"]]
    assert max(out["copy"]) < 1e-3


def test_rigifys_metarig(motion_lts) -> None:
    assert found(motion_lts, "rigify")["degrees"] < 1.0


def test_smoothing(motion_lts) -> None:
    out = found(motion_lts, "smoothing")
    assert out["after"] < 0.5 * out["before"]
    assert out["keyed"]["cosine"] > 0.9
    assert out["length"] < 1e-3
    assert out["stood"] < 0.7 * out["slid"]
    assert out["switch"] == [0, 0, 1, 1]


def test_frames_of_sam_3d_body_become_an_action(motion_lts) -> None:
    out = found(motion_lts, "sam_3d_body")
    assert out["keyed"]["name"] == "sam"
    assert out["keyed"]["keys"][-1] == len(SAM_POSES)
    bones = ("shoulder", "elbow", "wrist"), ("hip", "knee")
    for pose, seen in zip(SAM_POSES, out["full_pose"], strict=True):
        true, _ = joints_by_hand(pose, REST, np.zeros(3))
        shown, _ = joints_by_hand(np.array(seen), REST, np.zeros(3))
        for parts, most in zip(bones, (2.0, 9.0), strict=True):
            for name in (f"{side}_{part}" for side in ("left", "right") for part in parts):
                j = JOINT_INDEX[name]
                # Of the trunk: the world is turned to gravity, and where the motion lands.
                relative = [R[0].T @ R[j] for R in (true, shown)]
                assert angle(*relative) < most, name
    steps = np.linalg.norm(np.diff(out["transl"], axis=0), axis=1)
    assert steps == pytest.approx(0.1, abs=0.03)
