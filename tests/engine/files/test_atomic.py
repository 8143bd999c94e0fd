"""Files and folders appear atomically, on any disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.atomic import atomic_folder, atomic_write_files, atomic_write_json
from likeness.engine.files.folders import check_output_folder, make_parents


def write_two(folder: Path) -> None:
    with atomic_write_files(folder) as scratch:
        (scratch / "a").write_text("new")
        (scratch / "b").write_text("new")


def test_files_arrive_together(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    write_two(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["a", "b"]
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full"), ValueError])
def test_an_error_leaves_what_was_there(
    error: BaseException | type[BaseException], tmp_path: Path
) -> None:
    def half() -> None:
        with atomic_write_files(tmp_path) as scratch:
            (scratch / "a").write_text("half")
            raise error

    write_two(tmp_path)
    with pytest.raises((KeyboardInterrupt, LikenessError, ValueError)):
        half()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "b": "new"}


def test_a_folder_on_a_disk_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a volume that is mounted into a container: files cannot be moved into it from outside."""
    disk = tmp_path / "volume"
    disk.mkdir()
    replace = Path.replace

    def within_one_disk(path: Path, target: Path) -> Path:
        if (disk in path.parents) != (disk in Path(target).parents):
            raise OSError(18, os.strerror(18))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", within_one_disk)
    write_two(disk)
    assert sorted(p.name for p in disk.iterdir()) == ["a", "b"]


def test_errors_name_the_folder_and_not_where_files_are_made(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(LikenessError) as caught, atomic_write_files(folder) as scratch:
        raise LikenessError(f"Cannot write '{scratch / 'a'}'.", "Make room.")
    assert caught.value.message == f"Cannot write '{folder / 'a'}'."
    assert list(tmp_path.iterdir()) == []


def test_empty_folders_go_and_others_stay(tmp_path: Path) -> None:
    with make_parents(tmp_path / "a" / "b" / "x", tmp_path / "c" / "y"):
        (tmp_path / "c" / "y").write_text("here")
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "deep"):
        with pytest.raises(LikenessError, match="is a file"):
            write_two(folder)
        with pytest.raises(LikenessError, match="is a file"), make_parents(folder / "x"):
            pass
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_folder_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(LikenessError, match="Cannot write"):
        check_output_folder(tmp_path / "new")


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in ({"name": "Zoë"}, {"name": "\udcff"}):
        atomic_write_json(path, content)
        assert json.loads(path.read_text()) == content
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_folder_leaves_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "network"
    with atomic_folder(folder) as scratch:
        (scratch / "a").write_text("first")

    def half() -> None:
        with atomic_folder(folder) as scratch:
            (scratch / "b").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == [
        *("deep", "deep/network", "deep/network/a")
    ]


def test_a_folder_that_cannot_take_its_place_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "network"
    with atomic_folder(folder) as scratch:
        (scratch / "a").write_text("first")
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if path.name == ".network.part":
            raise OSError(28, os.strerror(28))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(LikenessError, match="network"), atomic_folder(folder) as scratch:
        (scratch / "b").write_text("second")
    assert [p.name for p in tmp_path.rglob("*")] == ["network", "a"]
