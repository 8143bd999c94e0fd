"""Photos and results at addresses: of a store in memory, which has no folders, and of the disk."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files import stores
from likeness.engine.files.stores import Address, RemoteStore
from likeness.engine.workflows.batch.batch_folder import HIDDEN, RESULT_FILE, BatchPart
from likeness.engine.workflows.batch.batch_run import BatchOptions, BatchRun
from likeness.engine.workflows.batch.batch_summary import write_summary
from likeness.engine.workflows.batch.inputs import find_portraits
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.remote_folder import make_remote, open_batch_output
from likeness.engine.workflows.batch.report_page import write_batch_report
from likeness.engine.workflows.batch.result_names import assign_names
from likeness.engine.workflows.batch.tables import read_table
from likeness.engine.workflows.batch.units import plan_units
from likeness.engine.workflows.executor import FatalWorkerError, Unit

from .bench import Bench, contents, photos, quick
from .bench import ran as ran_here

fsspec = pytest.importorskip("fsspec")
THREE = {"a": "anna", "b": "hands", "c": "cat"}


@pytest.fixture(params=["memory", "file"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """A place with three photos in ``in``."""
    if request.param == "memory":
        yield from filled(Address("memory://bucket"))
    else:
        yield from filled(Address((tmp_path / "bucket").as_uri()))


def filled(bucket: Address) -> Iterator[Address]:
    store = RemoteStore(bucket)
    for name, text in THREE.items():
        store.write(f"in/{name}.jpg", text.encode())
    store.write("in/.trash/d.jpg", b"no")
    store.write("in/notes.txt", b"no")
    yield bucket
    store.remove_folder("in")
    store.remove_folder("out")


def worker(unit: Unit) -> Mapping[str, Any]:
    return make_remote(unit, lambda own, progress: quick(own))


def ran(
    bucket: Address,
    maker: Callable[[Unit], Mapping[str, Any]] = worker,
    part: BatchPart | None = None,
    **wanted: Any,
) -> tuple[BatchRun, list[str]]:
    out, bench = bucket / "out", Bench(maker)
    with open_batch_output(out, part) as folder:
        asked = assign_names(find_portraits([bucket / "in"], out), out)
        units = plan_units(asked[part.number - 1 :: part.of] if part else asked)
        folder.begin(units, {})
        batch = BatchRun(folder, units, BatchOptions(**wanted))
        batch.run(lambda: bench)
        folder.close()
        write_summary(batch, "likeness batch")
        if part is None:
            write_batch_report(batch, "likeness batch")
    return batch, bench.made


def stored(bucket: Address) -> dict[str, bytes]:
    """All files of the results."""
    store = RemoteStore(bucket / "out")
    names = [name for name in store.sizes() if name[0] in "abc"]
    return {name: store.read(name, 1 << 20) for name in names}


def statuses(batch: BatchRun) -> str:
    return " ".join(f"{name}:{item.status}" for name, item in batch.items.items())


def test_examples() -> None:
    assert doctest.testmod(stores).attempted


def test_results_are_those_of_a_folder(bucket: Address, tmp_path: Path) -> None:
    batch, made = ran(bucket, formats=("ply",))
    assert (made, statuses(batch)) == (["a", "b", "c"], "a:done b:done c:failed")
    assert batch.items["c"].reason == f"'{bucket}/in/c.jpg' is a cat."
    ran_here(tmp_path / "out", photos(tmp_path / "in", **THREE), formats=("ply",))
    here = {k: v for k, v in contents(tmp_path / "out").items() if k[0] in "ab"}
    assert stored(bucket) == here
    left = RemoteStore(bucket / "out").sizes()
    assert not [name for name in left if "work/" in name or ".part" in name]
    assert {"report/index.html", "summary.json", "items.jsonl"} <= set(left)
    page = RemoteStore(bucket / "out").read("report/index.html", 1 << 20).decode()
    assert "pictures/00000_input.jpg" in page
    assert "pictures/00002_input.jpg" in page  # of the photo that failed


def test_what_is_complete_is_kept_and_all_else_made(bucket: Address) -> None:
    ran(bucket)
    assert ran(bucket)[1] == ["c"]
    store = RemoteStore(bucket / "out")
    store.write("a/mine.blend", b"my own")
    batch, made = ran(bucket, formats=("ply",))
    assert made == ["a", "b", "c"]
    assert batch.items["b"].warnings == ["no hands"]
    RemoteStore(bucket).write("in/a.jpg", b"another anna")
    assert ran(bucket)[1] == ["a", "c"]
    assert "a/avatar.ply" not in store.sizes()  # of the photo before
    assert store.read("a/mine.blend", 100) == b"my own"
    store.remove(["b/report.json"])
    assert ran(bucket)[1] == ["b", "c"]
    store.write(f"b/{RESULT_FILE}", b'{"files": {"../../x": {"size": 3}}, "digest": "x"}')
    assert ran(bucket)[1] == ["b", "c"]
    store.remove([f"b/{RESULT_FILE}"])
    with pytest.raises(LikenessError, match="no batch has made it"):
        ran(bucket)


def test_a_run_that_is_stopped_at_any_file_is_gone_on_with(
    bucket: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(bucket)
    whole = stored(bucket)
    RemoteStore(bucket).remove_folder("out")
    move, write, stops = RemoteStore.move, RemoteStore.write, 0
    seen: set[tuple[str, int]] = set()

    def stopping(kind: str, number: int) -> None:
        nonlocal stops
        if (kind, number) not in seen:
            seen.add((kind, number))
            stops += 1
            raise KeyboardInterrupt

    counts = {"move": 0, "write": 0}

    def moved(self: RemoteStore, old: str, new: str) -> None:
        counts["move"] += 1
        stopping("move", counts["move"])
        move(self, old, new)

    def written(self: RemoteStore, name: str, content: bytes) -> None:
        counts["write"] += 1
        stopping("write", counts["write"])
        write(self, name, content)

    monkeypatch.setattr(RemoteStore, "move", moved)
    monkeypatch.setattr(RemoteStore, "write", written)
    for _ in range(60):
        counts.update(move=0, write=0)
        try:
            ran(bucket)
        except KeyboardInterrupt:
            continue
        break
    assert stops >= 8
    assert stored(bucket) == whole


def test_parts_and_tables(bucket: Address, tmp_path: Path) -> None:
    assert ran(bucket, part=BatchPart(1, 2))[1] == ["a", "c"]
    assert f"{HIDDEN}/part-1-of-2/summary.json" in RemoteStore(bucket / "out").sizes()
    assert ran(bucket, part=BatchPart(2, 2))[1] == ["b"]
    table = tmp_path / "jobs.csv"
    table.write_text(f"photo,back\n{bucket}/in/a.jpg,{bucket}/in/b.jpg\nc.jpg,\n")
    asked = read_table(table)
    assert asked[0].photo == bucket / "in/a.jpg"
    assert asked[0].views == (("back", bucket / "in/b.jpg"),)
    assert asked[1].photo == tmp_path / "c.jpg"
    named = find_portraits([bucket / "in/*.jpg", bucket / "in/a.jpg"], tmp_path)
    assert [one.name for one in named] == ["a", "b", "c"]


def test_what_cannot_be_reached_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, said in (
        ("ftp://x/y", "not a supported address"),
        ("memory://nothing", "does not exist"),
    ):
        with pytest.raises(LikenessError, match=said):
            find_portraits([Address(address)], tmp_path)
    units = plan_units([PortraitSpec(Address("memory://nothing/a.jpg"), name="a")])
    assert "does not exist" in str(units[0].trouble)
    unit = {
        "key": "a",
        "photo": str(tmp_path / "a.jpg"),
        "views": [],
        "avatar": "",
        "formats": [],
        "work": "nowhere://x/work",
        "preview": False,
        "digest": "d",
    }
    (tmp_path / "a.jpg").write_text("anna")
    with pytest.raises(FatalWorkerError, match="not a supported address"):
        worker(unit)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(LikenessError, match=r"pip install -e '\.\[cluster\]'"):
        RemoteStore(Address("memory://x"))
