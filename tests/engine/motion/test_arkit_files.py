"""Face captures of Live Link Face and other apps, written as they write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, FloatArray, LikenessError
from likeness.engine.motion.motion_source import MotionSource, read_motion
from likeness.engine.motion.placing import TargetAvatar
from likeness.engine.motion.pose_file import load_pose
from likeness.engine.motion.prepare_motion import MotionOptions, load_retargeted

NAMES = list(ARKIT_EXPRESSIONS)
ANGLES = [f"{p}{a}" for p in ("Head", "LeftEye", "RightEye") for a in ("Yaw", "Pitch", "Roll")]
T = 90


def make_weights() -> FloatArray:
    """[T, 52] smooth weights."""
    time = np.arange(T)[:, None] / 30
    return 0.5 + 0.4 * np.sin(time * np.linspace(1, 4, 52) + np.arange(52))


def timecode(k: int, rate: int = 60, start: int = 45_296) -> str:
    """Of frame k from 12:34:56, with a fraction of a frame as the app has it."""
    second, frame = divmod(k, rate)
    second += start
    clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{clock}:{frame:02d}.{137:03d}"


def live_link(
    weights: FloatArray, angles: FloatArray | None = None, codes: list[str] | None = None
) -> str:
    angles = np.zeros((len(weights), 9)) if angles is None else angles
    header = ["Timecode", "BlendshapeCount", *(n[0].upper() + n[1:] for n in NAMES), *ANGLES]
    lines = [",".join(header)]
    for k, row in enumerate(weights):
        code = timecode(k) if codes is None else codes[k]
        lines.append(",".join([code, "61", *(f"{v:.8f}" for v in (*row, *angles[k]))]))
    return "\n".join(lines) + "\n"


def read(folder: Path, name: str, content: Any) -> MotionSource:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_motion(path, 52, names=NAMES)


def test_live_link_face(tmp_path: Path) -> None:
    weights = make_weights()
    source = read(tmp_path, "a.csv", live_link(weights))
    assert source.motion.frame_rate == 60.0
    assert source.face
    np.testing.assert_allclose(source.motion.expression, weights, atol=1e-6)
    known = {name for name, k in JOINT_INDEX.items() if source.known[k]}
    assert known == {"neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf"}
    assert not source.notes


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_the_timecode_tells_the_rate_and_dropped_frames_are_filled_in(
    tmp_path: Path, rate: int
) -> None:
    weights = make_weights()
    codes = [timecode(k, rate) for k in range(T)]
    kept = [k for k in range(T) if k not in (10, 11, 40)]
    source = read(tmp_path, "a.csv", live_link(weights[kept], codes=[codes[k] for k in kept]))
    assert source.motion.frame_rate == rate
    assert len(source.motion) == T
    np.testing.assert_allclose(source.motion.expression, weights, atol=0.01)


def test_midnight_and_a_cut_off_row(tmp_path: Path) -> None:
    codes = [timecode(k, 60, 86_399) for k in range(T)]
    text = live_link(make_weights(), codes=codes)
    source = read(tmp_path, "a.csv", text[: text.rindex(",", 0, -200)])
    assert source.motion.frame_rate == 60.0
    assert len(source.motion) == T - 1


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_head_and_eyes_turn_as_the_actions_of_the_eyes_say(
    tmp_path: Path, signs: tuple[int, int]
) -> None:
    """In whichever direction the app counts yaw and pitch."""
    weights = np.zeros((T, 52))
    left = 0.3 * np.sin(np.arange(T) / 9)  # the eyes' turn to the person's left, radians
    down = 0.2 * np.cos(np.arange(T) / 7)
    for side, out in (("Left", 1), ("Right", -1)):
        weights[:, NAMES.index(f"eyeLookOut{side}")] = np.maximum(out * left, 0) / 0.52
        weights[:, NAMES.index(f"eyeLookIn{side}")] = np.maximum(-out * left, 0) / 0.52
        weights[:, NAMES.index(f"eyeLookDown{side}")] = np.maximum(down, 0) / 0.52
        weights[:, NAMES.index(f"eyeLookUp{side}")] = np.maximum(-down, 0) / 0.52
    angles = np.zeros((T, 9))
    angles[:, [3, 6]], angles[:, [4, 7]] = signs[0] * left[:, None], signs[1] * down[:, None]
    angles[:, 0], angles[:, 1] = signs[0] * 0.4, signs[1] * 0.1
    pose = read(tmp_path, "a.csv", live_link(weights, angles)).motion.full_pose
    head = axis_angle_to_matrix(pose[5, JOINT_INDEX["neck"]]) @ axis_angle_to_matrix(
        pose[5, JOINT_INDEX["head"]]
    )
    looks = head @ [0.0, 0.0, 1.0]
    assert looks[0] == pytest.approx(np.sin(0.4) * np.cos(0.1), abs=1e-3)  # +x: its own left
    assert looks[1] == pytest.approx(-np.sin(0.1), abs=1e-3)
    for joint in ("left_eye_smplhf", "right_eye_smplhf"):
        gaze = axis_angle_to_matrix(pose[:, JOINT_INDEX[joint]]) @ [0.0, 0.0, 1.0]
        np.testing.assert_allclose(gaze[:, 0], np.sin(left) * np.cos(down), atol=1e-3)
        np.testing.assert_allclose(gaze[:, 1], -np.sin(down), atol=1e-3)


def test_without_columns_of_the_eyes_their_actions_turn_them(tmp_path: Path) -> None:
    frames = [{"eyeLookUpLeft": 0.5, "eyeLookUpRight": 0.5, "eyeLookInLeft": 0.25}] * 3
    pose = read(tmp_path, "a.json", frames).motion.full_pose[0]
    gaze = axis_angle_to_matrix(pose[JOINT_INDEX["left_eye_smplhf"]]) @ [0.0, 0.0, 1.0]
    assert gaze[1] == pytest.approx(np.sin(0.26), abs=1e-6)
    assert gaze[0] < -0.1  # inwards: to its right


def frames_of(weights: FloatArray) -> list[dict[str, float]]:
    return [dict(zip(NAMES, map(float, row), strict=True)) for row in weights]


@pytest.mark.parametrize("form", range(6))
def test_json_of_several_apps(tmp_path: Path, form: int) -> None:
    weights = make_weights()
    rows = frames_of(weights)
    content: Any = [
        {"fps": 50, "frames": rows},
        [{"timestamp": 7.0 + k / 50, "blendShapes": row} for k, row in enumerate(rows)],
        {"data": [{"time": 20 * k, "weights": row} for k, row in enumerate(rows)]},
        {"frameRate": 50, "names": NAMES, "frames": [{"weights": r} for r in weights.tolist()]},
        {"exportFps": 50.0, "facsNames": NAMES, "weightMat": weights.tolist()},
        {
            "fps": 50,
            "frames": [
                {"blendshapes": [{"categoryName": n, "score": v} for n, v in row.items()]}
                for row in rows
            ],
        },
    ][form]
    source = read(tmp_path, "a.json", content)
    assert source.motion.frame_rate == pytest.approx(50.0)
    np.testing.assert_allclose(source.motion.expression, weights, atol=1e-6)


def test_a_rate_that_is_not_told_is_assumed_and_said(tmp_path: Path) -> None:
    source = read(tmp_path, "a.json", [{"jawOpen": 0.5}, {"jawOpen": 0.7}])
    assert source.motion.frame_rate == 30.0
    assert "30 is assumed" in source.notes[0]


def test_within_one_second_the_timecodes_rate_is_assumed_and_said(tmp_path: Path) -> None:
    """A short take at 30 frames a second became one at 60 without a word."""
    codes = [timecode(k, 30) for k in range(20)]
    source = read(tmp_path, "a.csv", live_link(make_weights()[:20], codes=codes))
    assert source.motion.frame_rate == 60.0
    assert source.notes == ("'a.csv' has no frame rate; 60 is assumed.",)


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_times_of_a_table_are_seconds_or_milliseconds(tmp_path: Path, unit: float) -> None:
    weights = make_weights()
    lines = [",".join(["Timestamp", *NAMES])]
    for k, row in enumerate(weights):
        lines.append(",".join([f"{1.7e9 + k / 50 / unit:.4f}", *(f"{v:.8f}" for v in row)]))
    source = read(tmp_path, "a.csv", "\n".join(lines))
    assert source.motion.frame_rate == pytest.approx(50.0, rel=1e-3)
    np.testing.assert_allclose(source.motion.expression, weights, atol=1e-3)


def test_every_command_takes_them(tmp_path: Path, target: TargetAvatar, body: Any) -> None:
    (tmp_path / "a.csv").write_text(live_link(make_weights()), encoding="utf-8")
    pose = load_pose(tmp_path / "a.csv", 52, 40, NAMES)
    np.testing.assert_allclose(pose.expression, make_weights()[40], atol=1e-6)
    source = load_retargeted(tmp_path / "a.csv", target, MotionOptions(frame_rate=24.0))
    assert source.motion.frame_rate == 24.0
    assert len(source.motion) == 36


GOOD = live_link(make_weights()[:5])
BAD: list[tuple[str, str, str]] = [
    ("a.csv", "", "no row"),
    ("a.csv", "Timecode,JawOpen\n", "no row"),
    ("a.csv", "frame,x,y\n0,1,2\n", "none of ARKit's blend shapes"),
    ("a.csv", GOOD.replace("0.5", "soon", 1), "row 2, column"),
    ("a.csv", GOOD.replace("12:34:56:03.137", "12-34"), "row 5, column Timecode: '12-34'"),
    ("a.csv", GOOD.replace("12:34:56:03", "12:34:40:03"), "row 5 is earlier"),
    ("a.csv", "JawOpen,jawopen\n1,2\n", "twice"),
    ("a.csv", "JawOpen,MouthClose\n1,2\n3\n4,5\n", "row 3 has 1 columns, not 2"),
    ("a.csv", "JawOpen\nnan\n", "row 2, column jawOpen: 'nan'"),
    ("a.csv", "JawOpen\n1e30\n", "out of range"),
    ("a.json", "{", "JSON"),
    ("a.json", "{}", "no list of frames"),
    ("a.json", "[3]", "frame 1"),
    ("a.json", '[{"jawOpen": "x"}]', "frame 1, jawOpen: 'x'"),
    ("a.json", '[{"jawOpen": true}]', "frame 1, jawOpen"),
    ("a.json", '{"fps": 0, "frames": [{"jawOpen": 0}]}', "frame rate is 0"),
    ("a.json", '{"frames": [{"weights": [1, 2]}]}', "frame 1 has 2 weights"),
    ("a.json", '{"facsNames": ["jawOpen"], "weightMat": [[1], [1, 2]]}', "frame 2 has 2"),
    ("a.json", '[{"x": 1}]', "none of ARKit's"),
    ("a.json", '[{"time": 2, "jawOpen": 0}, {"time": 1, "jawOpen": 0}]', "frame 2 is earlier"),
    ("a.json", '[{"time": 0, "jawOpen": 0}, {"time": 1e9, "jawOpen": 0}]', "apart"),
]


@pytest.mark.parametrize(("name", "text", "said"), BAD)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(LikenessError) as caught:
        read(tmp_path, name, text)
    assert said in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert "Live Link Face" in caught.value.remedy
