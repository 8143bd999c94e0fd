"""Workers on a Ray cluster, started on this machine: one for all tests of this file."""

from __future__ import annotations

import doctest
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from likeness.addon.cli.main import main
from likeness.addon.workers import ray_pool, ray_session
from likeness.addon.workers.plan import ClusterConfig, PoolConfig, WorkerLimits
from likeness.addon.workers.pool import WorkerPool
from likeness.addon.workers.ray_pool import RayWorkerPool
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.batch.batch_folder import open_batch_folder
from likeness.engine.workflows.batch.batch_run import BatchOptions, BatchRun
from likeness.engine.workflows.batch.result_names import assign_names
from likeness.engine.workflows.batch.units import plan_units
from likeness.engine.workflows.executor import Executor, Unit, WorkerEvent, as_completed

from ...engine.workflows.batch.bench import photos

HERE = Path(__file__).parent
MARK = f"asked-by-{os.getpid()}"
"""Tells the workers of these tests from those of other tests that run at the same time."""
COMMAND = [sys.executable, str(HERE / "pool_stand_in.py"), MARK]
PORTRAITS = [sys.executable, str(HERE.parents[1] / "batch_stand_in.py")]
AUTO = ClusterConfig("auto")
TWO = PoolConfig(workers=2, threads=1)

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the package ray (the extra 'cluster')"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, which the crews of the tests then use as it is."""
    os.environ.pop("RAY_ADDRESS", None)
    session = ray_session.RaySession(AUTO, PoolConfig(workers=2, threads=1))
    folder = session._folder
    assert folder is not None
    assert folder.is_dir()
    assert programs(str(folder))
    yield
    session.close()
    assert not programs(str(folder))
    assert not folder.exists()


def said_of(
    units: Sequence[Unit], shape: PoolConfig = TWO, tries: int = 2, **request: Any
) -> list[WorkerEvent]:
    crew = RayWorkerPool(AUTO, request, shape, "", [], COMMAND)
    try:
        return list(as_completed(crew, units, tries))
    finally:
        crew.end()


def ends(said: Sequence[WorkerEvent]) -> dict[str, WorkerEvent]:
    return {one.key: one for one in said if one.kind in ("done", "failed")}


def programs(words: str) -> list[psutil.Process]:
    """Those of this user's processes whose command line has all these words."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if words in " ".join(one.info["cmdline"] or ()):
            found.append(one)
    return found


def left_over(words: str) -> list[psutil.Process]:
    """Those that are still there after half a minute: a loaded machine reaps them late."""
    until = time.monotonic() + 30.0
    while (found := programs(words)) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def test_examples() -> None:
    assert doctest.testmod(ray_pool).attempted


@needs_ray
def test_units_fail_and_are_tried_as_on_the_pool(cluster: None) -> None:
    units: list[Unit] = [
        {"key": "good"},
        {"key": "wrong", "wrong": True},
        {"key": "crash", "crash": 7},
        {"key": "other"},
    ]
    said = said_of(units)
    found = ends(said)
    assert {key: (one.kind, one.content["tries"]) for key, one in found.items()} == {
        "good": ("done", 1),
        "wrong": ("failed", 1),
        "crash": ("failed", 2),
        "other": ("done", 1),
    }
    assert found["wrong"].content["remedy"] == "Take a person."
    assert found["crash"].content["reason"].startswith("The worker ended with exit code 7")
    assert found["good"].content["threads"] == "1"
    assert next(one for one in said if one.kind == "progress").content == {"fraction": 0.5}
    assert not left_over(MARK)


@needs_ray
def test_limits_hold_on_every_machine(cluster: None) -> None:
    units: list[Unit] = [{"key": "fat", "waste": 500}, {"key": "good"}]
    limits = WorkerLimits(memory_mb=300)
    found = ends(said_of(units, PoolConfig(1, 1, limits=limits), tries=1))
    assert found["fat"].content["reason"] == "It took more than 300 MB of memory."
    assert found["good"].kind == "done"
    assert not left_over(MARK)


@needs_ray
def test_an_actor_that_is_killed_gives_its_unit_to_another(cluster: None, tmp_path: Path) -> None:
    """In the middle of a unit; the worker that it had goes, too."""
    crew = RayWorkerPool(AUTO, {}, PoolConfig(workers=1, threads=1), "", [], COMMAND)
    renewed: list[str] = []

    def renew(unit: Unit) -> Unit:
        renewed.append(unit["key"])
        return {**unit, "seconds": 0.0}

    found: list[WorkerEvent] = []
    try:
        for one in as_completed(crew, [{"key": "a", "seconds": 60}], renew=renew):
            found.append(one)
            if one.kind == "progress" and not renewed:
                worker = programs(MARK)[0]
                actor = worker.parent()
                assert actor is not None
                os.kill(actor.pid, signal.SIGKILL)
                worker.wait(300)
    finally:
        crew.end()
    assert [one.kind for one in found] == ["progress", "again", "progress", "done"]
    assert "lost" in found[1].content["reason"]
    assert (renewed, found[-1].content["tries"]) == (["a"], 2)


@needs_ray
def test_what_ends_it_all(cluster: None, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="The disk is full") as caught:
        said_of([{"key": "a", "full": True}])
    assert caught.value.remedy == "Make room."
    with pytest.raises(LikenessError, match="No machine of the cluster has 999 cores"):
        said_of([{"key": "a"}], PoolConfig(1, 999))
    crew = RayWorkerPool(AUTO, {}, TWO, "", [tmp_path / "unseen"], COMMAND)
    with pytest.raises(LikenessError, match="unseen' is not there") as caught:
        list(as_completed(crew, [{"key": "a"}]))
    crew.end()
    assert "all machines see" in caught.value.remedy


@needs_ray
def test_end_stops_what_is_at_work(cluster: None) -> None:
    crew = RayWorkerPool(AUTO, {}, TWO, "", [], COMMAND)
    for key in "abc":
        crew.submit({"key": key, "seconds": 60})
    while crew.take(1.0) is None:
        pass
    crew.end()
    assert not left_over(MARK)


def ran(out: Path, folder: Path, executor: Executor, until: int | None = None) -> None:
    """A batch of stand-ins, stopped after so many that are done."""
    asked = photos(folder, **{name: f"person {name}" for name in "abcdef"})
    done: list[str] = []

    def tell(item: Any) -> None:
        done.append(item.unit.name)
        if len(done) == until:
            raise KeyboardInterrupt

    with open_batch_folder(out) as batch:
        units = plan_units(assign_names(asked, out))
        batch.begin(units, {})
        BatchRun(batch, units, BatchOptions()).run(lambda: executor, tell)
        batch.close()


@pytest.mark.soak
@needs_ray
def test_a_batch_goes_on_from_the_pool_to_ray_and_back(cluster: None, tmp_path: Path) -> None:
    whole, mixed, folder = tmp_path / "whole", tmp_path / "mixed", tmp_path / "in"
    crew = WorkerPool({}, TWO, PORTRAITS)
    ran(whole, folder, crew)
    with pytest.raises(KeyboardInterrupt):
        ran(mixed, folder, WorkerPool({}, TWO, PORTRAITS), until=2)
    with pytest.raises(KeyboardInterrupt):
        ran(mixed, folder, RayWorkerPool(AUTO, {}, TWO, "", [mixed], PORTRAITS), until=2)
    before = {path: path.stat().st_ino for path in mixed.glob("?/batch.json")}
    assert 4 <= len(before) < 6
    ran(mixed, folder, WorkerPool({}, TWO, PORTRAITS))
    assert {path: path.stat().st_ino for path in before} == before  # none made twice
    files = [path.relative_to(whole) for path in whole.glob("?/*")]
    assert len(files) == 18
    for path in files:
        assert (mixed / path).read_bytes() == (whole / path).read_bytes()


def test_a_cluster_that_does_not_answer_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:  # it does not listen
        bound.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", where)
        begun = time.monotonic()
        for address in (where, f"ray://{where}", "auto", "nowhere.invalid:1", "localhost:99999"):
            with pytest.raises(LikenessError, match="There is no cluster of Ray at") as caught:
                ray_session.check_answers(address)
            assert (where if address == "auto" else address) in caught.value.message
        assert time.monotonic() - begun < 60
        bound.listen()
        ray_session.check_answers(where)
    ray_session.check_answers("local")


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.jpg").write_text("a")
    out = ("-o", str(tmp_path / "out"), "--cluster", "auto")
    for words in (["batch", str(tmp_path)], ["synth", "--subjects", "1"]):
        assert main([*words, *out]) == 2
        assert "pip install -e '.[cluster]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["batch", str(tmp_path), "-o", str(tmp_path / "out"), "--gpu-share", "0.5"]) == 2
    assert "--gpu-share is for workers on a cluster" in capsys.readouterr().err


NODES = """
import json, os, sys, time
from pathlib import Path
from likeness.addon.workers.plan import ClusterConfig, PoolConfig
from likeness.addon.workers.ray_pool import RayWorkerPool
from likeness.engine.workflows.executor import as_completed
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
other = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
where = ClusterConfig(cluster.address)
crew = RayWorkerPool(where, {}, PoolConfig(2, 1), "", [], json.loads(sys.argv[1]))
kinds = []
for said in as_completed(crew, [{"key": "a", "seconds": 8}, {"key": "b", "seconds": 8}]):
    kinds.append(said.kind)
    if kinds.count("progress") == 2 and other is not None:
        cluster.remove_node(other, allow_graceful=False)
        other = None
crew.end()
import ray
ray.init(address=cluster.address, log_to_driver=False)
alive = sum(node["Alive"] for node in ray.nodes())
ray.shutdown()
cluster.shutdown()
print(json.dumps({"kinds": kinds, "alive": alive}))
"""


@needs_ray
@pytest.mark.soak
def test_a_machine_that_goes_away_gives_its_unit_to_another(tmp_path: Path) -> None:
    """A cluster of two by its address, which is still there when the run has ended."""
    done = subprocess.run(
        [sys.executable, "-c", NODES, json.dumps(COMMAND)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["alive"] == 1
    assert sorted(kind for kind in said["kinds"] if kind != "progress") == ["again", "done", "done"]
