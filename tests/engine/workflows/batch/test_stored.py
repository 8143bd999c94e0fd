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
from likeness.engine.files.stores import Address, Store
from likeness.engine.workflows.batch.asked import Asked
from likeness.engine.workflows.batch.folder import HIDDEN, RESULT_FILE, Part
from likeness.engine.workflows.batch.inputs import portraits_in
from likeness.engine.workflows.batch.names import with_names
from likeness.engine.workflows.batch.page import write_report
from likeness.engine.workflows.batch.run import Batch, Wanted
from likeness.engine.workflows.batch.stored import batch_place, made_at
from likeness.engine.workflows.batch.summary import write_summary
from likeness.engine.workflows.batch.tables import read_table
from likeness.engine.workflows.batch.units import units_of
from likeness.engine.workflows.executor import NoMoreError, Unit

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
    store = Store(bucket)
    for name, text in THREE.items():
        store.write(f"in/{name}.jpg", text.encode())
    store.write("in/.trash/d.jpg", b"no")
    store.write("in/notes.txt", b"no")
    yield bucket
    store.remove_folder("in")
    store.remove_folder("out")


def worker(unit: Unit) -> Mapping[str, Any]:
    return made_at(unit, lambda own, progress: quick(own))


def ran(
    bucket: Address,
    maker: Callable[[Unit], Mapping[str, Any]] = worker,
    part: Part | None = None,
    **wanted: Any,
) -> tuple[Batch, list[str]]:
    out, bench = bucket / "out", Bench(maker)
    with batch_place(out, part) as folder:
        asked = with_names(portraits_in([bucket / "in"], out), out)
        units = units_of(asked[part.number - 1 :: part.of] if part else asked)
        folder.begin(units, {})
        batch = Batch(folder, units, Wanted(**wanted))
        batch.run(lambda: bench)
        folder.close()
        write_summary(batch, "likeness batch")
        if part is None:
            write_report(batch, "likeness batch")
    return batch, bench.made


def stored(bucket: Address) -> dict[str, bytes]:
    """All files of the results."""
    store = Store(bucket / "out")
    names = [name for name in store.sizes() if name[0] in "abc"]
    return {name: store.read(name, 1 << 20) for name in names}


def statuses(batch: Batch) -> str:
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
    left = Store(bucket / "out").sizes()
    assert not [name for name in left if "work/" in name or ".part" in name]
    assert {"report/index.html", "summary.json", "items.jsonl"} <= set(left)
    page = Store(bucket / "out").read("report/index.html", 1 << 20).decode()
    assert "pictures/00000_input.jpg" in page
    assert "pictures/00002_input.jpg" in page  # of the photo that failed


def test_what_is_complete_is_kept_and_all_else_made(bucket: Address) -> None:
    ran(bucket)
    assert ran(bucket)[1] == ["c"]
    store = Store(bucket / "out")
    store.write("a/mine.blend", b"my own")
    batch, made = ran(bucket, formats=("ply",))
    assert made == ["a", "b", "c"]
    assert batch.items["b"].warnings == ["no hands"]
    Store(bucket).write("in/a.jpg", b"another anna")
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
    Store(bucket).remove_folder("out")
    move, write, stops = Store.move, Store.write, 0
    seen: set[tuple[str, int]] = set()

    def stopping(kind: str, number: int) -> None:
        nonlocal stops
        if (kind, number) not in seen:
            seen.add((kind, number))
            stops += 1
            raise KeyboardInterrupt

    counts = {"move": 0, "write": 0}

    def moved(self: Store, old: str, new: str) -> None:
        counts["move"] += 1
        stopping("move", counts["move"])
        move(self, old, new)

    def written(self: Store, name: str, content: bytes) -> None:
        counts["write"] += 1
        stopping("write", counts["write"])
        write(self, name, content)

    monkeypatch.setattr(Store, "move", moved)
    monkeypatch.setattr(Store, "write", written)
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
    assert ran(bucket, part=Part(1, 2))[1] == ["a", "c"]
    assert f"{HIDDEN}/part-1-of-2/summary.json" in Store(bucket / "out").sizes()
    assert ran(bucket, part=Part(2, 2))[1] == ["b"]
    table = tmp_path / "jobs.csv"
    table.write_text(f"photo,back\n{bucket}/in/a.jpg,{bucket}/in/b.jpg\nc.jpg,\n")
    asked = read_table(table)
    assert asked[0].photo == bucket / "in/a.jpg"
    assert asked[0].views == (("back", bucket / "in/b.jpg"),)
    assert asked[1].photo == tmp_path / "c.jpg"
    named = portraits_in([bucket / "in/*.jpg", bucket / "in/a.jpg"], tmp_path)
    assert [one.name for one in named] == ["a", "b", "c"]


def test_what_cannot_be_reached_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, said in (
        ("ftp://x/y", "no address that is read"),
        ("memory://nothing", "does not exist"),
    ):
        with pytest.raises(LikenessError, match=said):
            portraits_in([Address(address)], tmp_path)
    units = units_of([Asked(Address("memory://nothing/a.jpg"), name="a")])
    assert "is not there" in str(units[0].trouble)
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
    with pytest.raises(NoMoreError, match="no address that is read"):
        worker(unit)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(LikenessError, match=r"pip install -e '\.\[cluster\]'"):
        Store(Address("memory://x"))
