"""The run of ``likeness synth`` with a quick stand-in for its people: nobody lost, none twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from likeness.addon.synth.staging import RUN_FILE, STAGING, SynthFolder
from likeness.addon.synth.synth_run import SynthJob, SynthOutcome, run_synth
from likeness.addon.workers.pool import pool_worker_command
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.shards import INDEX_FILE, read_subjects, shard_files
from likeness.engine.dataset.stored_subjects import read_stored_subjects
from likeness.engine.dataset.subjects import person_key

from tests.forks import open_forks
from tests.soaked import if_asked

STAND_IN = Path(__file__).with_name("synth_stand_in.py")
COMMAND = [sys.executable, str(STAND_IN)]
"""Of a worker; the tests' are forks."""
SEED = {"seed": 3}
on_linux = pytest.mark.skipif(
    not Path("/proc/self/stat").is_file(), reason="a run's workers are looked up in /proc"
)


@pytest.fixture(scope="module", autouse=True)
def quick_workers() -> Iterator[None]:
    """Importing the package takes longer than all that a worker does."""
    with open_forks("import likeness.addon.synth.subject_worker") as fork:
        own, COMMAND[:] = list(COMMAND), fork(COMMAND)
        yield
        COMMAND[:] = own


def made(data: Path, subjects: int, options: Mapping[str, Any] = SEED, **more: Any) -> SynthOutcome:
    job = SynthJob(data, subjects, options, **{"per_shard": 4, "threads": 1, **more})
    return run_synth(job, command=COMMAND)


def keys(data: Path) -> list[str]:
    return [stored.key for file in shard_files(data) for stored in read_stored_subjects(Path(file))]


def contents(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*data.glob("*.tar"), data / INDEX_FILE]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty subjects, four a shard, made by one worker that nobody disturbs."""
    data = tmp_path_factory.mktemp("synth") / "data"
    assert made(data, 20).made == 20
    return data


def test_all_subjects_are_there_in_order(whole: Path) -> None:
    assert keys(whole) == [person_key(number) for number in range(20)]
    assert len(shard_files(whole)) == 5
    assert not (whole / STAGING).exists()
    told: list[Any] = []
    read = [
        s
        for file in shard_files(whole, told.append)
        for s in read_subjects(file, 3, 2, told.append)
    ]
    assert len({subject.identity for subject in read}) == 20
    assert not told


def test_two_workers_that_are_replaced_make_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    outcome = made(tmp_path, 20, workers=2, recycle=8)
    assert contents(tmp_path) == contents(whole)
    assert outcome.made == 20
    assert (outcome.seconds["looks"], outcome.seconds["render"]) == (5.0, 10.0)
    assert outcome.seconds["writing"] > 0


def test_what_could_not_begin_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "a" / "new"
    with pytest.raises(LikenessError, match="The library is closed"):
        made(data, 2, {"seed": 3, "closed": True})
    assert not data.exists()
    assert made(data, 2).made == 2  # mended: other options than those that failed
    before = sorted(path.name for path in data.rglob("*"))
    with pytest.raises(LikenessError, match="begun with other options"):
        made(data, 2, {"seed": 4})
    assert sorted(path.name for path in data.rglob("*")) == before
    other = tmp_path / "photos"
    other.mkdir()
    (other / "mine.tar").write_bytes(b"")
    with pytest.raises(LikenessError, match="shards"):
        made(other, 2)
    assert [path.name for path in other.iterdir()] == ["mine.tar"]


def test_nothing_is_made_twice(whole: Path) -> None:
    before = contents(whole)
    assert made(whole, 20).made == 0
    assert contents(whole) == before


def test_a_set_is_extended(whole: Path, tmp_path: Path) -> None:
    """Also where the last shard was not full, or a later one is there already."""
    assert made(tmp_path, 6).made == 6
    assert [len(list(read_stored_subjects(Path(f)))) for f in shard_files(tmp_path)] == [4, 2]
    assert made(tmp_path, 20).made == 14
    assert contents(tmp_path) == contents(whole)
    with pytest.raises(LikenessError, match="6 are fewer"):
        made(tmp_path, 6)


def test_a_shard_that_is_lost_is_made_again(whole: Path, tmp_path: Path) -> None:
    for name, data in contents(whole).items():
        if name != "shard-000002.tar":
            (tmp_path / name).write_bytes(data)
    (tmp_path / RUN_FILE).write_bytes((whole / RUN_FILE).read_bytes())
    assert made(tmp_path, 20).made == 4
    assert contents(tmp_path) == contents(whole)


def test_what_a_kill_leaves_is_used_and_tidied(whole: Path, tmp_path: Path) -> None:
    """Killed between the shard and its index, and while subjects were unstaged."""
    made(tmp_path, 8, SEED | {"fail": [5]})
    staging = tmp_path / STAGING
    staging.mkdir()
    again = tmp_path / "again"
    made(again, 2)
    (staging / ".person_000001-abc.part.tar").write_bytes(b"half")
    (staging / f"{person_key(1)}.tar").write_bytes(b"packed already")
    (tmp_path / INDEX_FILE).unlink()
    run_file = json.loads((tmp_path / RUN_FILE).read_text())
    del run_file["options"]["fail"]
    (tmp_path / RUN_FILE).write_text(json.dumps(run_file))
    assert made(tmp_path, 8).made == 1
    expected = contents(whole)
    for name in ("shard-000000.tar", "shard-000001.tar"):
        assert (tmp_path / name).read_bytes() == expected[name]
    assert not staging.exists()


def _state(pid: int) -> list[str]:
    """A process's state and parent; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return []


def children(pid: int) -> list[int]:
    everybody = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [one for one in everybody if _state(one)[1:] == [str(pid)]]


RUNNER = """
import sys
from pathlib import Path
from likeness.addon.synth.synth_run import SynthJob, run_synth
options = {"seed": 3, "seconds": 0.02}
job = SynthJob(Path(sys.argv[1]), 20, options, per_shard=4, workers=2, threads=1)
outcome = run_synth(job, command=sys.argv[2:])
sys.exit(3 if outcome.given_up else 0)
"""


@on_linux
@pytest.mark.parametrize("most", [4, *if_asked(10)])
def test_killed_again_and_again_all_are_there_once(whole: Path, tmp_path: Path, most: int) -> None:
    """The coordinator or one of its workers, at random moments from start to packing."""
    chance = random.Random(7)
    command = [sys.executable, "-c", RUNNER, str(tmp_path), *COMMAND]
    kills = 0
    while kills < most:
        process = subprocess.Popen(command)
        while kills < most and process.poll() is None:
            time.sleep(chance.uniform(0.1, 0.9))
            workers = children(process.pid)
            if process.poll() is None:
                whom = chance.choice([process.pid, *workers])
                os.kill(whom, signal.SIGKILL)
                kills += 1
        if kills < most:
            process.wait()
            if process.returncode == 0:  # too quick for so many kills: begin again
                for path in tmp_path.glob("shard-00000[0-3].tar"):
                    path.unlink()
    process.wait()
    assert subprocess.run(command, check=False).returncode == 0
    assert keys(tmp_path) == [person_key(number) for number in range(20)]
    assert contents(tmp_path) == contents(whole)
    assert not (tmp_path / STAGING).exists()


@on_linux
def test_workers_end_with_who_gave_them_work(tmp_path: Path) -> None:
    code = RUNNER.replace('"seconds": 0.02', '"seconds": 60.0')
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), *COMMAND])
    workers: list[int] = []
    until = time.monotonic() + 300
    while len(workers) < 2 and time.monotonic() < until:
        time.sleep(0.1)
        workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    alive = set(workers)
    while alive and time.monotonic() < until:
        time.sleep(0.1)
        alive = {pid for pid in alive if _state(pid)[:1] not in ([], ["Z"])}
    assert not alive


def test_who_fails_for_good_is_given_up_and_holds_nobody_back(tmp_path: Path) -> None:
    told: list[str] = []
    job = SynthJob(
        tmp_path, 8, SEED | {"crash": [1, 7], "fail": [2]}, per_shard=4, threads=1, workers=2
    )
    outcome = run_synth(job, lambda *what: told.append(what[2]), COMMAND)
    assert sorted(outcome.given_up) == [1, 2, 7]
    assert outcome.given_up[1] == "The worker ended with exit code 9: it is too dark in here."
    fault = outcome.given_up[2]
    assert fault.startswith("An unexpected error: ValueError: there is no such number. ")
    assert keys(tmp_path) == [person_key(number) for number in (0, 3, 4, 5, 6)]
    assert outcome.made == 5
    assert told[-1].startswith("5 of 8, ")
    assert "3 given up" in told[-1]


def test_an_idle_worker_takes_what_another_died_of(tmp_path: Path) -> None:
    """The first has nothing left to do when the second comes to grief."""
    outcome = made(tmp_path, 2, SEED | {"crash": [1], "slow": {"1": 1.5}}, workers=2)
    assert list(outcome.given_up) == [1]
    assert keys(tmp_path) == [person_key(0)]


def test_assets_that_are_left_out_are_told(tmp_path: Path) -> None:
    outcome = made(tmp_path, 2, SEED | {"broken": True})
    assert outcome.skipped == {str(Path("hats/fedora.mhclo")): "it has no vertices"}


def test_other_options_are_refused_by_name(whole: Path) -> None:
    before = contents(whole)
    with pytest.raises(LikenessError, match="seed was 3, is 4") as caught:
        made(whole, 20, {"seed": 4})
    assert str(whole) in caught.value.message
    with pytest.raises(LikenessError, match="per_shard was 4, is 5"):
        made(whole, 20, per_shard=5)
    assert contents(whole) == before


def test_a_set_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    folder = SynthFolder(tmp_path / "data")
    folder.folder.mkdir()
    earlier = {"seed": 3}  # before families
    assert folder.begin(earlier, 2)
    assert not folder.begin({"seed": 3, "attributes": 0, "between": 0}, 2)
    again = SynthFolder(tmp_path / "again")
    again.folder.mkdir()
    again.begin(earlier, 2)
    with pytest.raises(LikenessError, match="attributes was 0, is 4"):
        again.begin({"seed": 3, "attributes": 4, "between": 0}, 2)


def test_shards_of_others_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "shard-000000.tar").write_bytes(b"somebody else's")
    with pytest.raises(LikenessError, match="shards"):
        made(tmp_path, 1)
    assert (tmp_path / "shard-000000.tar").read_bytes() == b"somebody else's"


def test_a_damaged_run_file_says_so(tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text("{")
    with pytest.raises(LikenessError, match=RUN_FILE):
        SynthFolder(tmp_path).begin({}, 1)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with SynthFolder(tmp_path).hold(""), pytest.raises(LikenessError, match="Another run"):
        made(tmp_path, 1)
    assert made(tmp_path, 1).made == 1


def test_a_worker_that_cannot_open_its_assets_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="library is closed"):
        made(tmp_path, 2, SEED | {"closed": True})


def test_a_worker_that_cannot_start_ends_the_run(tmp_path: Path) -> None:
    job = SynthJob(tmp_path, 2, SEED, threads=1)
    with pytest.raises(LikenessError, match=r"exit code 5: no luck"):
        run_synth(
            job,
            command=[
                sys.executable,
                "-c",
                "import sys; print('no luck', file=sys.stderr); sys.exit(5)",
            ],
        )


def test_how_workers_are_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bpy = SimpleNamespace(app=SimpleNamespace(binary_path="/opt/blender"))
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    blender = ["/opt/blender", "--background", "--command", "likeness", "synth-worker"]
    assert pool_worker_command("synth-worker") == blender
    bpy.app.binary_path = ""  # bpy as a module
    as_module = pool_worker_command("synth-worker")
    monkeypatch.delitem(sys.modules, "bpy")
    assert pool_worker_command("synth-worker") == as_module
    # From elsewhere, where no 'likeness' is to be found by name, it still is this package.
    missing = str(tmp_path / "gone")
    request = {"data": missing, "threads": 1, "options": {"engine": "raster", "assets": missing}}
    with subprocess.Popen(
        as_module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        answer = json.loads(worker.stdout.readline())
    assert answer["type"] == "error"
    assert missing in answer["message"]


def test_what_is_no_answer_is_kept_as_its_last_words(tmp_path: Path) -> None:
    job = SynthJob(tmp_path, 2, SEED, threads=1)
    code = "print('4'); print('[1]'); print('Blender 4.5'); import sys; sys.exit(5)"
    with pytest.raises(LikenessError, match=r"exit code 5: Blender 4\.5"):
        run_synth(job, command=[sys.executable, "-c", code])


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LikenessError, match="file"):
        made(tmp_path / "file" / "data", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker says of a disk without room ends the run; what was staged stays."""
    code = (
        "import sys, errno\n"
        "from likeness.addon.synth import subject_worker\n"
        f"sys.path.insert(0, {str(STAND_IN.parent)!r})\n"
        "import synth_stand_in\n"
        "from likeness.engine.dataset import shards\n"
        "kept = shards._tar\n"
        "def full(path):\n"
        "    if 'person_000002' in str(path):\n"
        "        open('/dev/full', 'wb', buffering=0).write(b'x')\n"
        "    return kept(path)\n"
        "shards._tar = full\n"
        "sys.exit(subject_worker.serve_subjects(synth_stand_in.open_maker))\n"
    )
    with pytest.raises(LikenessError, match="No space left"):
        run_synth(SynthJob(tmp_path, 4, SEED, threads=1), command=[sys.executable, "-c", code])
    assert len(list((tmp_path / STAGING).glob("person_*.tar"))) == 2
    assert made(tmp_path, 4, per_shard=64).made == 2
