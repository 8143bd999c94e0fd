"""``likeness speak`` from outside, and the same in Python."""

from __future__ import annotations

import json
from pathlib import Path

import likeness
import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.body import Body, save_body
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, LikenessError
from likeness.engine.motion.io import jaw_from_expression, load_motion
from likeness.engine.motion.motion_source import read_motion
from likeness.engine.motion.pose_file import load_pose

from ...engine.motion.test_cue_files import GOOD
from ...engine.motion.test_speech_audio import make_vowel, write_wav

NAMES = list(ARKIT_EXPRESSIONS)


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="module")
def folder(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    save_body(body, folder / "body.npz")
    parts = [make_vowel((750.0, 1250.0), 0.5), np.zeros(8000), make_vowel((320.0, 2350.0), 0.5)]
    write_wav(folder / "voice.wav", np.concatenate(parts), 16000, 2)
    for name, text in GOOD.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def speak(folder: Path, *arguments: str) -> int:
    return main(["speak", *arguments, "--body", str(folder / "body.npz")])


@pytest.mark.parametrize("name", sorted(GOOD))
def test_lip_sync_becomes_a_motion_of_the_face(
    folder: Path, body: Body, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "m.npz"
    assert speak(folder, str(folder / name), "-o", str(out)) == 0
    source = read_motion(out, body.num_expression, names=body.expression_names)
    assert source.face
    known = {joint for joint, k in JOINT_INDEX.items() if source.known[k]}
    assert known == {"neck", "head", "jaw"}
    assert source.motion.frame_rate == 30.0
    opened = source.motion.expression[:, body.expression_names.index("jawOpen")]
    assert opened.max() > 0.2
    # The jaw's own joint stays still: the action opens the mouth.
    assert np.abs(source.motion.full_pose[:, JOINT_INDEX["jaw"]]).max() < 1e-6


def test_other_languages_and_the_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.npz"
    voice = str(folder / "voice.wav")
    assert speak(folder, voice, "-o", str(out), "--language", "fr", "--fps", "25", "-v") == 0
    said = capsys.readouterr()
    assert "'fr'" in said.err
    assert "energy and formants" in said.out
    report = json.loads(said.out[: said.out.rindex("}") + 1])
    assert report["method"] == "acoustics"
    assert report["frames"] == 39
    with np.load(out) as arrays:
        assert str(arrays["mouth_from"]) == "acoustics"
        assert str(arrays["source"]) == "voice.wav"
        assert len(arrays["expression"]) == 39


def test_python_gives_the_same(folder: Path, tmp_path: Path) -> None:
    options = likeness.SpeakOptions(language="fr", seed=4, head=0.5)
    files = likeness.speak(
        folder / "voice.wav", tmp_path / "a.npz", options, body=folder / "body.npz"
    )
    assert isinstance(files, likeness.SpeakFiles)
    arguments = ("-o", str(tmp_path / "b.npz"), "--language", "fr", "--seed", "4", "--head", "0.5")
    assert speak(folder, str(folder / "voice.wav"), *arguments) == 0
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert set(a) == set(b)
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    assert files.report["seconds"] == pytest.approx(1.5)


def test_bodies_with_other_expressions_take_those_that_they_share(
    folder: Path, body: Body, tmp_path: Path
) -> None:
    """By name, whatever their order; without the jaw's action its joint opens the mouth."""
    out = tmp_path / "m.npz"
    assert speak(folder, str(folder / "a.tsv"), "-o", str(out)) == 0
    whole = load_motion(out, 52)
    names = ("own", "mouthPressLeft", "jawOpen")
    pose = load_pose(out, 3, 22, names)
    assert pose.expression[0] == 0
    for k, name in enumerate(names[1:], 1):
        assert pose.expression[k] == pytest.approx(
            whole.expression[22, body.expression_names.index(name)], abs=1e-6
        )
    without = load_pose(out, 2, 27, ("own", "mouthPressLeft"))
    assert without.full_pose.shape == (NUM_JOINTS, 3)
    share = jaw_from_expression(body)[body.expression_names.index("jawOpen"), 0]
    opened = share * whole.expression[27, body.expression_names.index("jawOpen")]
    assert without.full_pose[JOINT_INDEX["jaw"], 0] == pytest.approx(opened, rel=1e-3)
    assert opened > 0.003


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.wav", "-o", "m.npz"], "does not exist"),
        (["voice.wav", "-o", "m.mp4"], "not a motion file"),
        (["voice.wav", "-o", "m.npz", "--text", "a", "--text-file", "t.txt"], "twice"),
        (["voice.wav", "-o", "m.npz", "--text-file", "t.txt"], "t.txt' does not exist"),
        (["voice.wav", "-o", "m.npz", "--fps", "1"], "fps"),
        (["body.npz", "-o", "m.npz"], "not a recording"),
    ],
)
def test_mistakes_write_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    paths = [str(folder / a) if "." in a and a[0] != "-" else a for a in arguments]
    assert speak(folder, *paths) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "m.npz").exists()


def test_the_options_are_checked() -> None:
    with pytest.raises(LikenessError, match="strength"):
        likeness.SpeakOptions(strength=5.0)
