"""``likeness synth`` from outside, with a quick stand-in for the people that it makes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from likeness.addon.cli.main import main
from likeness.addon.synth.staging import SynthFolder
from PIL import Image

STAND_IN = Path(__file__).parents[1] / "synth_stand_in.py"


@pytest.fixture
def synth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command on a folder; ``also`` goes to the stand-in."""

    def call(*options: str, data: Path = tmp_path / "data", **also: object) -> int:
        command = [sys.executable, str(STAND_IN), json.dumps(also)]
        monkeypatch.setattr(
            "likeness.addon.workers.executors.pool_worker_command", lambda name: command
        )
        return main(["synth", "-o", str(data), "--engine", "raster", *options])

    return call


def test_a_set_is_made_described_and_left_alone(
    synth: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    options = "--subjects", "5", "--per-shard", "2", "--workers", "2", "--seed", "4", "--no-depth"
    assert synth(*options) == 0
    said = capsys.readouterr()
    assert said.out == f"{data}\n"
    assert "5 people, 10 views" in said.err
    assert "no two people alike" in said.err
    card = json.loads((data / "card.json").read_text())
    assert (card["subjects"], card["shards"], card["made_by"]["seed"]) == (5, 3, 4)
    assert card["made_by"]["command"] == (
        f"likeness synth --out {data} --subjects 5 --seed 4 --engine raster --no-depth "
        "--per-shard 2 --workers 2"
    )
    assert Image.open(data / "contact.jpg").size[0] > 1000
    card_before = (data / "card.json").stat().st_mtime_ns
    assert synth(*options) == 0
    assert "is complete" in capsys.readouterr().err
    assert (data / "card.json").stat().st_mtime_ns == card_before
    assert synth("--subjects", "5", "--per-shard", "2", "--seed", "5", "--no-depth") == 2
    assert "seed was 4, is 5" in capsys.readouterr().err


def test_who_is_given_up_is_told_with_exit_code_3(
    synth: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synth("--subjects", "3", fail=[1], broken=True) == 3
    said = capsys.readouterr().err
    told = "An unexpected error: ValueError: there is no such number."
    assert f"given up: person 1: {told}" in said
    assert "left out: fedora.mhclo: it has no vertices" in said
    assert list(json.loads((tmp_path / "data" / "card.json").read_text())["given_up"]) == ["1"]
    assert synth("--subjects", "3") == 0  # mended
    card = json.loads((tmp_path / "data" / "card.json").read_text())
    assert (card["subjects"], card["given_up"]) == (3, {})


def test_a_run_that_was_killed_before_its_card_gets_one(
    synth: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    assert synth("--subjects", "2", broken=True) == 0
    told = (data / "card.json").read_bytes()
    assert b"fedora.mhclo" in told
    for wrong in ('{"subjects": 1}', "{", None):  # of before the set was extended; broken; gone
        (data / "card.json").write_text(wrong) if wrong else (data / "card.json").unlink()
        assert synth("--subjects", "2") == 0
        assert (data / "card.json").read_bytes() == told
    (data / "contact.jpg").unlink()
    assert synth("--subjects", "2") == 0
    assert (data / "contact.jpg").is_file()
    assert "is complete" not in capsys.readouterr().err


def test_families_count_every_member(synth: Callable[..., int], tmp_path: Path) -> None:
    assert synth("--subjects", "2", "--attributes", "2", "--between", "1") == 0
    assert json.loads((tmp_path / "data" / "card.json").read_text())["subjects"] == 2 * 4


def test_errors_are_one_line_with_exit_code_2(
    synth: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synth("--subjects", "1", closed=True) == 2
    assert "The library is closed. Open it." in capsys.readouterr().err
    for place in ("assets", "motions", "environments", "characters"):
        assert synth("--subjects", "1", f"--{place}", str(tmp_path / "gone")) == 2
        said = capsys.readouterr().err
        assert place in said
        assert str(tmp_path / "gone") in said
    (tmp_path / "empty").mkdir()
    for place in ("motions", "environments"):
        assert synth("--subjects", "1", f"--{place}", str(tmp_path / "empty")) == 2
        assert f"holds no {place}" in capsys.readouterr().err
    assert synth("--subjects", "1", "--characters", str(tmp_path)) == 2
    assert "'likeness convert'" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    with SynthFolder(tmp_path / "data").hold("Another run is at work."):
        assert synth("--subjects", "1") == 2
    assert "Another run" in capsys.readouterr().err
    assert synth("--subjects", "0") == 2


def test_cycles_needs_blender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("likeness.addon.synth.environments.has_bpy", lambda: False)
    assert main(["synth", "-o", str(tmp_path / "data"), "--subjects", "1"]) == 2
    assert "--engine raster" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_folders_of_motions_and_environments_are_looked_through(
    synth: Callable[..., int], tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    (folder / "more").mkdir(parents=True)
    for name in ("walk.npz", "more/run.NPZ", "yard.hdr", "more/room.exr", "notes.txt"):
        (folder / name).touch()
    single = tmp_path / "sit.npz"
    single.touch()
    assert (
        synth(
            "--subjects",
            "1",
            "--motions",
            str(folder),
            "--motions",
            str(single),
            "--environments",
            str(folder),
        )
        == 0
    )
    options = json.loads((tmp_path / "data" / "synth.json").read_text())["options"]
    motions = [folder / "more" / "run.NPZ", folder / "walk.npz", single]
    assert options["motions"] == [str(path) for path in motions]
    pictures = [folder / "more" / "room.exr", folder / "yard.hdr"]
    assert options["environments"] == [str(path) for path in pictures]


def test_the_worker_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "synth " in said
    assert "synth-worker" not in said


CTRL_C = """
import json, signal, sys
from likeness.addon.cli import main as cli
from likeness.addon.workers import executors
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells switch it off in background jobs
also = json.dumps({"seconds": float(sys.argv[3])})
executors.pool_worker_command = lambda name: [sys.executable, sys.argv[2], also]
sys.exit(cli.main(
    ["synth", "-o", sys.argv[1], "--engine", "raster", "--subjects", "4", "--per-shard", "1"]))
"""


def test_ctrl_c_stops_and_says_how_to_go_on(tmp_path: Path) -> None:
    def started(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CTRL_C, str(tmp_path), str(STAND_IN), str(seconds)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    process = started(0.5)
    assert process.stderr is not None
    assert "people" in process.stderr.readline()  # somebody is there
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=3000)[1]
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert 1 <= len(list(tmp_path.glob("*.tar"))) < 4
    again = started(0.0)
    assert "4 people" in again.communicate(timeout=300)[1]
    assert len(list(tmp_path.glob("*.tar"))) == 4
