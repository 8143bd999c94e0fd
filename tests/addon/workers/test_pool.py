"""Worker processes: limits, retries, replacement, GPUs. Kills: tests/addon/test_synth_run.py."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from likeness.addon.workers import plan, process
from likeness.addon.workers.plan import PoolConfig, WorkerLimits
from likeness.addon.workers.pool import WorkerPool
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.executor import Unit, WorkerEvent, as_completed

COMMAND = [sys.executable, str(Path(__file__).with_name("pool_stand_in.py"))]
ONE = PoolConfig(threads=1)


def said_of(units: Sequence[Unit], shape: PoolConfig = ONE, **request: Any) -> list[WorkerEvent]:
    workers = WorkerPool(request, shape, COMMAND)
    try:
        return list(as_completed(workers, units))
    finally:
        workers.end()


def ends(said: Sequence[WorkerEvent]) -> dict[str, WorkerEvent]:
    return {one.key: one for one in said if one.kind in ("done", "failed")}


def test_examples() -> None:
    assert doctest.testmod(process).attempted


def test_what_a_user_can_mend_is_tried_once_and_all_else_twice() -> None:
    units: list[Unit] = [
        {"key": "good"},
        {"key": "wrong", "wrong": True},
        {"key": "fault", "fault": True},
        {"key": "crash", "crash": 7},
        {"key": "memory", "memory": True},
    ]
    said = said_of(units)
    found = ends(said)
    assert {key: (one.kind, one.content["tries"]) for key, one in found.items()} == {
        "good": ("done", 1),
        "wrong": ("failed", 1),
        "fault": ("failed", 2),
        "crash": ("failed", 2),
        "memory": ("failed", 2),
    }
    assert found["wrong"].content["reason"] == "It is a cat."
    assert found["wrong"].content["remedy"] == "Take a person."
    assert found["fault"].content["reason"] == (
        "An unexpected error: ZeroDivisionError: nothing to share."
    )
    assert "report it" in found["fault"].content["remedy"]
    assert found["crash"].content["reason"].startswith("The worker ended with exit code 7")
    assert "memory" in found["memory"].content["reason"]
    assert [one.key for one in said if one.kind == "again"] == ["fault", "crash", "memory"]
    assert next(one for one in said if one.kind == "progress").content == {"fraction": 0.5}


@pytest.mark.parametrize(
    ("limits", "unit", "reason", "remedy"),
    [
        (
            WorkerLimits(seconds=1.5),
            {"key": "slow", "seconds": 60},
            "It took longer than 2 s.",
            "Allow more than 1.5 seconds with --time-limit.",
        ),
        (
            WorkerLimits(memory_mb=300),
            {"key": "fat", "waste": 500},
            "It took more than 300 MB of memory.",
            "--memory-limit",
        ),
    ],
    ids=["too long", "too much"],
)
def test_a_limit_ends_the_worker_and_what_it_started(
    limits: WorkerLimits, unit: Unit, reason: str, remedy: str
) -> None:
    workers = WorkerPool({}, PoolConfig(threads=1, limits=limits), COMMAND)
    try:
        found = ends(list(as_completed(workers, [unit, {"key": "good"}], tries=1)))
        left = []
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                left.append(one.as_dict(["cmdline"])["cmdline"])
        # None: it has ended, and its parent, another test's server of forks, has yet to look.
        assert not [words for words in left if "kept = bytearray" in " ".join(words or [])]
    finally:
        workers.end()
    failed = found[unit["key"]].content
    assert failed["reason"] == reason
    assert remedy in failed["remedy"]
    assert found["good"].kind == "done"


def test_a_start_may_take_longer_than_a_unit() -> None:
    shape = PoolConfig(threads=1, limits=WorkerLimits(seconds=1.0))
    assert said_of([{"key": "a"}], shape, opening=2.5)[-1].kind == "done"


def test_a_start_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likeness.addon.workers.pool.START_SECONDS", 0.2)
    shape = PoolConfig(threads=1, limits=WorkerLimits(seconds=0.1))
    with pytest.raises(LikenessError, match="No worker could start: the worker's start took"):
        said_of([{"key": "a"}], shape, opening=60)


def test_a_full_disk_ends_it_all() -> None:
    with pytest.raises(LikenessError, match="The disk is full") as caught:
        said_of([{"key": "a", "full": True}, {"key": "b"}])
    assert caught.value.remedy == "Make room."


def test_workers_are_replaced_and_share_cores_and_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, GPU-b")
    monkeypatch.setattr("likeness.addon.workers.plan.count_cores", lambda: 4)
    units = [{"key": str(k), "seconds": 0.3} for k in range(4)]
    found = [one.content for one in ends(said_of(units, PoolConfig(workers=2, recycle=1))).values()]
    assert len({one["pid"] for one in found}) == 4
    assert {one["nth"] for one in found} == {1}
    assert {one["threads"] for one in found} == {"2"}
    assert {one["gpu"] for one in found} == {"GPU-a", "GPU-b"}


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("likeness.addon.workers.plan.shutil.which", lambda name: None)
    assert plan.list_gpus() == []
