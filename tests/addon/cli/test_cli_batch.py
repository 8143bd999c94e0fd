"""``likeness batch`` from outside, with a quick stand-in for the avatars that it makes.

``pytest -m soak tests/addon/cli/test_cli_batch.py`` kills it fifty times, which CI does not.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from likeness.addon.cli.main import main
from likeness.engine.workflows.batch.batch_folder import RESULT_FILE, open_batch_folder

from tests.forks import open_forks

STAND_IN = Path(__file__).parents[2] / "batch_stand_in.py"
Call = Callable[..., int]
Fork = Callable[[Sequence[str]], list[str]]


@pytest.fixture(scope="module")
def fork() -> Iterator[Fork]:
    """Importing the package takes longer than all that a worker does."""
    with open_forks("import likeness.engine.workflows.batch.remote_folder") as make:
        yield make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three portraits, one of them a cat."""
    for name, text in (("a", "anna"), ("b", "bob"), ("c", "cat")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.jpg").write_text(text)
    return tmp_path / "in"


@pytest.fixture
def batch(tmp_path: Path, fork: Fork, monkeypatch: pytest.MonkeyPatch) -> Call:
    def call(*words: object, **also: Any) -> int:
        command = fork([sys.executable, str(STAND_IN), json.dumps(also)])
        monkeypatch.setattr(
            "likeness.addon.workers.executors.pool_worker_command", lambda name: command
        )
        return main(["batch", "-o", str(tmp_path / "out"), *map(str, words)])

    return call


def items(out: Path) -> dict[str, dict[str, Any]]:
    lines = (out / "items.jsonl").read_text().splitlines()
    return {said["name"]: said for said in map(json.loads, lines)}


def results(out: Path) -> dict[str, bytes]:
    names = ("avatar.safetensors", "report.json", RESULT_FILE)
    return {str(p.relative_to(out)): p.read_bytes() for n in names for p in out.rglob(f"*/{n}")}


def test_some_fail_and_all_is_told(
    batch: Call, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert batch(folder, "--workers", "2", "--format", "ply,glb") == 3
    said = capsys.readouterr()
    assert said.out == f"{out / 'report' / 'index.html'}\n"
    assert "2 of 3 are done, 2 of them now" in said.err
    assert f"  c: FAILED: '{folder / 'c.jpg'}' is a cat. Take a person." in said.err
    assert said.err.count("is a cat") == 1
    assert "  a: done in" in said.err
    told = json.loads((out / "summary.json").read_text())
    assert told["command"] == (f"likeness batch {folder} --out {out} --format ply,glb --workers 2")
    assert (told["done"], told["failed"]) == (2, 1)
    assert (out / "a" / "avatar.ply").exists()
    assert (out / "report" / "index.html").exists()
    (folder / "c.jpg").write_text("carol")
    assert batch(folder, "--format", "ply", "--no-report", "--json") == 0
    said = capsys.readouterr()
    assert [json.loads(line)["name"] for line in said.out.splitlines()] == ["c"]
    (folder / "c.jpg").write_text("carla")
    assert batch(folder, "--json") == 0  # with the page's path on stderr
    said = capsys.readouterr()
    assert [json.loads(line)["name"] for line in said.out.splitlines()] == ["c"]
    assert f"{out / 'report' / 'index.html'}\n" in said.err
    assert items(out)["a"]["made_now"] is False
    assert batch(folder, "--force") == 0
    assert all(item["made_now"] for item in items(out).values())


def test_a_table_and_more(batch: Call, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text(
        '[[portrait]]\nphoto = "in/a.jpg"\nname = "cast/anna"\nviews = {back = "in/b.jpg"}\n'
        'refine = "off"\n'
    )
    assert batch("--job", tmp_path / "jobs.toml", folder / "b.jpg", "--refine", "full") == 0
    found = items(tmp_path / "out")
    assert list(found) == ["cast/anna", "b"]
    assert found["cast/anna"]["options"] == {"refine": "off"}
    assert found["cast/anna"]["views"] == [["back", str(folder / "b.jpg")]]
    assert found["b"]["options"] == {"refine": "full"}


def test_parts_and_then_all(
    batch: Call, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (folder / "c.jpg").write_text("carol")
    for part, made in (("1/2", ["a", "c"]), ("2/2", ["b"])):
        assert batch(folder, "--part", part, "--json") == 0
        said = capsys.readouterr().out.splitlines()
        assert [json.loads(line)["name"] for line in said] == made
        assert not (out / "report").exists()
    told = items(out / ".likeness-batch" / "part-1-of-2")
    assert list(told) == ["a", "c"]
    assert batch(folder, "--json") == 0
    assert capsys.readouterr().out == ""
    assert not any(item["made_now"] for item in items(out).values())
    assert batch(folder / "a.jpg", "--part", "2/2") == 0  # nothing for it
    for wrong in ("0/2", "3/2", "1", "a/b"):
        assert batch(folder, "--part", wrong) == 2


def test_addresses(
    batch: Call, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Photos and results through a store, by the workers and by the command."""
    pytest.importorskip("fsspec")
    place = (tmp_path / "store").as_uri()
    assert batch(folder.as_uri(), "-o", place, "--json") == 3
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {item["name"]: item["status"] for item in told} == {
        "a": "done",
        "b": "done",
        "c": "failed",
    }
    assert told[0]["photo"] == f"{folder.as_uri()}/a.jpg"
    assert next(t for t in told if t["name"] == "c")["reason"] == f"'{told[2]['photo']}' is a cat."
    assert set(items(tmp_path / "store")) == {"a", "b", "c"}
    assert (tmp_path / "store" / "report" / "index.html").exists()
    assert main(["batch", str(folder), "-o", str(tmp_path / "local"), "--job", "s3://x"]) == 2
    assert main(["synth", "-o", "s3://bucket/people", "--subjects", "1"]) == 2
    assert "this command writes to a folder" in capsys.readouterr().err
    assert main(["batch", "", "-o", str(tmp_path / "local")]) == 2
    assert "the name is empty" in capsys.readouterr().err
    for words in ([str(folder), "-o", "memory://out"], ["memory://in", "-o", str(tmp_path)]):
        assert main(["batch", *words]) == 2
        assert "in one program's memory" in capsys.readouterr().err


def test_what_a_worker_dies_of(
    batch: Call, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "c.jpg").write_text("crash")
    assert batch(folder, "--retries", "2") == 3
    said = items(tmp_path / "out")["c"]
    assert said["reason"] == "The worker ended with exit code 9: it is too dark in here."
    assert said["tries"] == 3
    late = folder / "a.jpg", "--time-limit", "1", "--retries", "0", "--force"
    assert batch(*late, seconds=20) == 3
    assert items(tmp_path / "out")["a"]["reason"] == "It took longer than 1 s."
    (folder / "c.jpg").write_text("full")
    capsys.readouterr()
    assert batch(folder) == 2
    assert "likeness: The disk is full. Make room." in capsys.readouterr().err
    assert items(tmp_path / "out")["c"]["status"] == "left"


def test_errors_are_one_line_with_exit_code_2(
    batch: Call, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jobs.csv").write_text("photo,colour\na.jpg,red\n")
    for words, message in (
        ((), "Nothing to build"),
        ((tmp_path / "gone",), "does not exist"),
        (("--job", tmp_path / "jobs.csv"), "line 2 has the unknown field 'colour'"),
        ((folder, "--format", "fbx"), "'fbx'"),
        ((folder, "--body", tmp_path / "gone.npz"), "gone.npz"),
    ):
        assert batch(*words) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("likeness: ")
        assert message in said
        assert not (tmp_path / "out").exists()
    with open_batch_folder(tmp_path / "out"):
        assert batch(folder) == 2
    assert "Another batch" in capsys.readouterr().err
    assert batch(folder, "--workers", "0") == 2


def test_the_worker_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "batch " in said
    assert "batch-worker" not in said


RUNNER = """
import json, signal, sys
from likeness.addon.cli import main as cli
from likeness.addon.workers import executors
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells switch it off in background jobs
executors.pool_worker_command = lambda name: json.loads(sys.argv[1])
sys.exit(cli.main(["batch", *sys.argv[2:]]))
"""


def started(
    fork: Fork, folder: Path, out: Path, seconds: float, *words: str
) -> subprocess.Popen[str]:
    worker = fork([sys.executable, str(STAND_IN), json.dumps({"seconds": seconds})])
    command = [
        sys.executable,
        "-c",
        RUNNER,
        json.dumps(worker),
        str(folder),
        "-o",
        str(out),
        *words,
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def test_ctrl_c_stops_and_says_how_to_go_on(fork: Fork, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(fork, folder, out, 1.0)
    assert process.stderr is not None
    while "portraits" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=3000)[1]
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert items(out)["b"]["status"] == "left"
    assert "left" in (out / "report" / "index.html").read_text(encoding="utf-8")
    again = started(fork, folder, out, 0.0)
    again.communicate(timeout=300)
    assert again.returncode == 3
    assert items(out)["b"]["status"] == "done"


def kill_at_random(fork: Fork, tmp_path: Path, kills: int, seed: int) -> None:
    """Twenty portraits; the coordinator or a worker is killed at random moments, and what is there
    afterwards is what an undisturbed run makes, nothing of it put in its place twice."""
    folder, whole, out = tmp_path / "in", tmp_path / "whole", tmp_path / "out"
    folder.mkdir()
    for k in range(20):
        (folder / f"p{k:02d}.jpg").write_text(f"person {k}")
    process = started(fork, folder, whole, 0.0, "--workers", "2", "--no-report")
    process.communicate(timeout=300)
    assert process.returncode == 0
    chance = random.Random(seed)
    words = ("--workers", "2", "--no-report", "--retries", "100")
    placed: dict[str, int] = {}
    killed = 0
    while killed < kills:
        process = started(fork, folder, out, 0.1, *words)
        while killed < kills and process.poll() is None:
            time.sleep(chance.uniform(0.05, 1.5))
            try:
                workers = psutil.Process(process.pid).children()
                victim = chance.choice([process.pid, *(worker.pid for worker in workers)])
                os.kill(victim, signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
            killed += 1
            look(out, placed)
            print(f"kill {killed}: {len(placed)} are there")
        if killed < kills and process.wait() == 0:  # too quick for so many kills: some anew
            for name in chance.sample(sorted(placed), min(5, len(placed))):
                shutil.rmtree(out / name)
                del placed[name]
        process.communicate()
    process = started(fork, folder, out, 0.0, *words)
    process.communicate(timeout=300)
    assert process.returncode == 0
    look(out, placed)
    assert len(placed) == 20
    assert results(out) == results(whole)
    assert not (out / ".likeness-batch" / "work").exists()
    assert {item["status"] for item in items(out).values()} == {"done"}


def look(out: Path, placed: dict[str, int]) -> None:
    """Every result that was seen complete is still the same file."""
    for path in out.glob(f"p*/{RESULT_FILE}"):
        number = path.stat().st_ino
        assert placed.setdefault(path.parent.name, number) == number


needs_signals = pytest.mark.skipif(os.name == "nt", reason="kills as POSIX systems do")


@needs_signals
def test_killed_at_random_nothing_is_lost_or_made_twice(fork: Fork, tmp_path: Path) -> None:
    kill_at_random(fork, tmp_path, 3, 11)


@needs_signals
@pytest.mark.soak
def test_killed_fifty_times(fork: Fork, tmp_path: Path) -> None:
    kill_at_random(fork, tmp_path, 50, 7)
