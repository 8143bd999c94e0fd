"""Runs of a batch with stand-ins: what is kept, made again, failed, and what a broken disk does."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.batch.batch_folder import (
    HIDDEN,
    RESULT_FILE,
    BatchPart,
    open_batch_folder,
    result_files,
)
from likeness.engine.workflows.batch.batch_run import BatchItem, BatchOptions, BatchRun
from likeness.engine.workflows.batch.batch_summary import write_summary
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.result_names import assign_names
from likeness.engine.workflows.batch.units import plan_units
from likeness.engine.workflows.executor import Unit

from .bench import Bench, contents, journal, photos, quick, ran

THREE = {"a": "anna", "b": "hands", "c": "cat"}


@pytest.fixture
def asked(tmp_path: Path) -> list[PortraitSpec]:
    return photos(tmp_path / "in", **THREE)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results" / "out"


def statuses(items: Mapping[str, BatchItem]) -> str:
    return " ".join(f"{name}:{item.status}" for name, item in items.items())


def test_what_is_made_kept_and_failed(asked: list[PortraitSpec], out: Path) -> None:
    batch, made = ran(out, asked)
    assert (made, statuses(batch.items)) == (["a", "b", "c"], "a:done b:done c:failed")
    assert batch.items["b"].warnings == ["no hands"]
    assert batch.items["c"].reason.endswith("is a cat.")
    assert batch.items["c"].remedy == "Take a person."
    assert batch.folder.failed_picture("c").read_bytes() == b"picture of cat"
    assert not (out / "c").exists()
    events = [(line["event"], line.get("name")) for line in journal(out)]
    assert events == [("run", None), ("done", "a"), ("done", "b"), ("failed", "c")]
    before = {path: path.stat().st_mtime_ns for path in (out / "a").rglob("*")}
    batch, made = ran(out, asked)
    assert (made, statuses(batch.items)) == (["c"], "a:done b:done c:failed")
    assert batch.items["b"].warnings == ["no hands"]
    assert {path: path.stat().st_mtime_ns for path in (out / "a").rglob("*")} == before
    assert ran(out, asked, force=True)[1] == ["a", "b", "c"]


def test_what_has_changed_is_made_again_and_files_of_the_users_stay(
    asked: list[PortraitSpec], out: Path
) -> None:
    ran(out, asked, formats=("ply",))
    (out / "a" / "mine.blend").write_text("my own work")
    asked[0].photo.write_text("another anna")
    _, made = ran(out, asked[:2])
    assert made == ["a"]
    files = result_files(out / "a")
    assert files
    assert "avatar.ply" not in files[1]  # of the photo before
    assert not (out / "a" / "avatar.ply").exists()
    assert (out / "a" / "mine.blend").read_text() == "my own work"
    (out / "b" / "views" / "front.jpg").unlink()
    assert ran(out, asked[:2])[1] == ["b"]
    (out / "b" / "avatar.safetensors").write_text("cut off")
    assert ran(out, asked[:2])[1] == ["b"]
    (out / "b" / RESULT_FILE).write_text('{"files": {"../../x": {"size": 3}}, "digest": "x"}')
    assert ran(out, asked[:2])[1] == ["b"]


def test_another_format_is_exported_from_what_is_there(
    asked: list[PortraitSpec], out: Path
) -> None:
    ran(out, asked[:1], formats=("ply",))
    before = (out / "a" / "avatar.safetensors").stat().st_mtime_ns
    units: list[Unit] = []

    def spying(unit: Unit) -> Mapping[str, Any]:
        units.append(unit)
        return quick(unit)

    assert ran(out, asked[:1], Bench(spying), formats=("ply", "glb"))[1] == ["a"]
    assert units[0]["formats"] == ["glb"]
    assert units[0]["avatar"] == str(out / "a" / "avatar.safetensors")
    assert (out / "a" / "avatar.safetensors").stat().st_mtime_ns == before
    assert ran(out, asked[:1], formats=("ply", "glb"))[1] == []
    assert ran(out, asked[:1])[1] == []


@pytest.mark.parametrize("harm", ["removed", "cut off"])
def test_an_export_that_was_taken_away_is_no_part_of_the_result_any_more(
    asked: list[PortraitSpec], out: Path, harm: str
) -> None:
    ran(out, asked[:1], formats=("ply", "glb"))
    if harm == "removed":
        (out / "a" / "avatar.glb").unlink()
    else:
        (out / "a" / "avatar.glb").write_text("cut")
    assert ran(out, asked[:1], formats=("ply",))[1] == ["a"]
    assert ran(out, asked[:1], formats=("ply",))[1] == []  # and not for ever
    files = result_files(out / "a")
    assert files
    assert "avatar.glb" not in files[1]
    assert not (out / "a" / "avatar.glb").exists()


def test_the_avatar_is_kept_where_an_export_fails(asked: list[PortraitSpec], out: Path) -> None:
    def failing(unit: Unit) -> Mapping[str, Any]:
        quick({**unit, "formats": []})
        raise LikenessError("Blender stopped.")

    batch, _ = ran(out, asked[:1], Bench(failing), formats=("blend",))
    assert statuses(batch.items) == "a:failed"
    assert (out / "a" / "avatar.safetensors").exists()
    batch, _ = ran(out, asked[:1])
    assert statuses(batch.items) == "a:done"


def test_faults_are_tried_again_and_told(asked: list[PortraitSpec], out: Path) -> None:
    tries: list[str] = []

    def failing(unit: Unit) -> Mapping[str, Any]:
        tries.append(unit["key"])
        if tries.count(unit["key"]) < 3:
            raise ZeroDivisionError("nothing")
        return quick(unit)

    batch, _ = ran(out, asked[:1], Bench(failing), tries=2)
    assert statuses(batch.items) == "a:failed"
    assert batch.items["a"].tries == 2
    assert [line["event"] for line in journal(out)] == ["run", "again", "failed"]
    assert ran(out, asked[:1], Bench(failing))[1] == ["a"]


def test_photos_that_are_not_there_fail_alone(asked: list[PortraitSpec], out: Path) -> None:
    asked[0].photo.unlink()
    batch, made = ran(out, asked[:2])
    assert (made, statuses(batch.items)) == (["b"], "a:failed b:done")
    assert "cannot be read" in batch.items["a"].reason


def test_places_of_others_are_not_touched(
    asked: list[PortraitSpec], out: Path, tmp_path: Path
) -> None:
    (out / "b").mkdir(parents=True)
    (out / "b" / "mine.txt").write_text("mine")
    with pytest.raises(LikenessError, match="no batch has made it"):
        ran(out, asked)
    assert sorted(path.name for path in out.rglob("*")) == ["b", "mine.txt"]
    shutil.rmtree(out)
    out.mkdir()
    (out / "a").symlink_to(tmp_path)
    with pytest.raises(LikenessError, match="not lie inside"):
        ran(out, asked)
    with pytest.raises(LikenessError, match="file, not a folder"):
        ran(asked[0].photo / "out", asked)


@pytest.mark.parametrize("name", ["summary.json", "items.jsonl", "report/index.html"])
def test_a_report_of_somebody_else_is_not_touched(
    asked: list[PortraitSpec], out: Path, name: str
) -> None:
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text('{"mine": 1}')
    with pytest.raises(LikenessError, match="no batch has made it"):
        ran(out, asked)
    assert (out / name).read_text() == '{"mine": 1}'
    (out / name).unlink()
    if name.startswith("report"):
        (out / "report").rmdir()
    batch, _ = ran(out, asked)
    write_summary(batch, "")
    shutil.rmtree(out / ".likeness-batch")  # the user tidies up
    ran(out, asked)


def test_a_file_where_a_folder_must_be_ends_it_before_the_work(
    asked: list[PortraitSpec], out: Path
) -> None:
    out.mkdir(parents=True)
    (out / "cast").write_text("mine")
    bench = Bench()
    with pytest.raises(LikenessError, match=r"cast' .*folder.*'cast/anna'"):
        ran(out, [replace(asked[0], name="cast/anna")], bench)
    assert not bench.made
    assert (out / "cast").read_text() == "mine"


def test_two_batches_in_a_folder_are_refused(asked: list[PortraitSpec], out: Path) -> None:
    with open_batch_folder(out), pytest.raises(LikenessError, match="Another batch"):
        ran(out, asked)
    assert not out.parent.exists()  # nothing was begun
    ran(out, asked)


def test_what_a_kill_left_complete_is_taken_up(asked: list[PortraitSpec], out: Path) -> None:
    """Killed after a worker's answer and before the result was in its place."""
    ran(out, asked[:2], formats=("ply",))
    work = out / HIDDEN / "work"
    work.mkdir()
    (out / "a").rename(work / "one")
    shutil.copytree(out / "b", work / "again")  # is in its place as well
    shutil.copytree(out / "b", work / "half")
    (work / "half" / "avatar.ply").unlink()
    (work / "half" / "rest").mkdir()
    (work / "note").write_text("a file")
    batch, made = ran(out, asked[:2], formats=("ply",))
    assert (made, statuses(batch.items)) == ([], "a:done b:done")
    assert not work.exists()
    assert [line.get("taken_up") for line in journal(out)][-1] is None
    assert sum(line.get("taken_up", False) for line in journal(out)) == 1


def test_a_torn_journal_is_gone_on_with(asked: list[PortraitSpec], out: Path) -> None:
    ran(out, asked)
    path = out / HIDDEN / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    ran(out, asked)
    lines = path.read_bytes().split(b"\n")
    assert [line["event"] for line in journal(out)] == ["run", "done", "done", "run", "failed"]
    torn = [line for line in lines if line and line not in map(json_bytes, journal(out))]
    assert len(torn) == 1


def json_bytes(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode()


@pytest.mark.parametrize("at", range(1, 8))
def test_a_disk_that_fills_at_any_moment(
    asked: list[PortraitSpec], out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The journal stays readable, and the next run makes what is missing."""
    ran(tmp_path / "whole", asked[:2])
    kept, calls = os.fsync, [0]

    def full(file: int) -> None:
        calls[0] += 1
        if calls[0] >= 2 * at:
            raise OSError(errno.ENOSPC, "No space left on device")
        kept(file)

    def maker(unit: Unit) -> Mapping[str, Any]:
        try:
            return quick(unit)
        except OSError as error:  # as make.make does
            raise RuntimeError("the worker says so, and ends") from error

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((LikenessError, RuntimeError), match=r"No space left|the worker says"):
        ran(out, asked[:2], Bench(maker))
    monkeypatch.setattr(os, "fsync", kept)
    assert all("event" in line for line in journal(out))
    batch, _ = ran(out, asked[:2])
    assert statuses(batch.items) == "a:done b:done"
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("what", ["out", "journal"])
def test_an_output_that_is_removed_meanwhile(
    asked: list[PortraitSpec], out: Path, tmp_path: Path, what: str
) -> None:
    made: list[str] = []

    def removing(unit: Unit) -> Mapping[str, Any]:
        answer = quick(unit)
        made.append(unit["key"])
        if len(made) == 2:
            shutil.rmtree(out) if what == "out" else (out / HIDDEN / "journal.jsonl").unlink()
        return answer

    with pytest.raises(LikenessError, match="was removed or emptied"):
        ran(out, asked[:2], Bench(removing))
    batch, again = ran(out, asked[:2])
    assert statuses(batch.items) == "a:done b:done"
    assert again == (["a", "b"] if what == "out" else [])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where the tests may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_real_full_disk_and_a_real_read_only_one(small_disk: Path, tmp_path: Path) -> None:
    asked = photos(tmp_path / "in", **{name: name for name in "abcdef"})
    out = small_disk / "out"
    ballast = small_disk / "ballast"

    def maker(unit: Unit) -> Mapping[str, Any]:
        try:
            return quick(unit)
        except OSError as error:
            raise LikenessError("Cannot write: No space left on device.") from error

    said = ""
    try:  # the worker's disk is full, and the journal's perhaps
        said = " ".join(item.reason for item in ran(out, asked, Bench(maker))[0].items.values())
    except LikenessError as error:
        said = str(error)
    assert "No space left on device" in said
    assert all("event" in line for line in journal(out))
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    ballast.write_bytes(b"")
    batch, made = ran(out, asked)
    assert statuses(batch.items) == " ".join(f"{name}:done" for name in "abcdef")
    assert 0 < len(made) < 6
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(LikenessError, match=r"Cannot write to .*out"):
        ran(out, asked)
    with pytest.raises(LikenessError, match="Cannot write to"):
        ran(small_disk / "new", asked)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert ran(out, asked)[1] == []


def test_parts_of_a_batch_share_a_folder(
    asked: list[PortraitSpec], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, but not with a run of all, nor with parts of another number."""
    monkeypatch.setattr("likeness.engine.workflows.batch.batch_folder.PARTS_WAIT_SECONDS", 0.1)
    with (
        open_batch_folder(out, BatchPart(1, 2)) as first,
        open_batch_folder(out, BatchPart(2, 2)) as second,
    ):
        for folder, few in ((first, asked[:1]), (second, asked[1:2])):
            units = plan_units(assign_names(few, out))
            folder.begin(units, {})
            BatchRun(folder, units, BatchOptions()).run(Bench)
            assert folder.told == out / HIDDEN / f"part-{1 + (folder is second)}-of-2"
        for part, said in (
            (BatchPart(1, 2), "being made in"),
            (None, "part-1-of-2"),
            (BatchPart(1, 3), "part-1-of"),
        ):
            with pytest.raises(LikenessError, match=said), open_batch_folder(out, part):
                pass
        shutil.copytree(out / "a", out / HIDDEN / "part-1-of-2" / "work" / "left")
        shutil.rmtree(out / "a")  # killed before it was put in its place
    batch, made = ran(out, asked)
    assert (made, statuses(batch.items)) == (["c"], "a:done b:done c:failed")
    with (
        open_batch_folder(out),
        pytest.raises(LikenessError, match="Another batch"),
        open_batch_folder(out, BatchPart(1, 2)),
    ):
        pass
