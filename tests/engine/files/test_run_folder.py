"""Runs that hold, resume and record a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.run_folder import Journal, RunFolder


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "data", "run.json", ".lock")
    with run.hold(""), pytest.raises(LikenessError, match="busy"), run.hold("busy"):
        pytest.fail("held twice")
    assert not run.folder.exists()  # nothing was begun
    with run.hold("busy"):
        assert not run.is_begun()
        run.write({"options": {"seed": 1}})
    assert run.is_begun()
    assert run.read() == {"options": {"seed": 1}}


def test_a_resumed_run_has_the_options_that_it_was_begun_with(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, "run.json", ".lock")
    run.check_options({"seed": 1}, {"seed": 1})
    with pytest.raises(LikenessError, match="seed was 1, is 2; size was None, is 3"):
        run.check_options({"seed": 1}, {"seed": 2, "size": 3})


@pytest.mark.parametrize("content", [None, "{", "[1, 2]"])
def test_a_damaged_marker_is_reported(tmp_path: Path, content: str | None) -> None:
    run = RunFolder(tmp_path, "run.json", ".lock")
    if content is not None:
        run.marker_path.write_text(content)
    with pytest.raises(LikenessError, match=r"run\.json"):
        run.read()


def test_a_journal_survives_a_torn_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read() == []
    with pytest.raises(FileNotFoundError):
        journal.append("begun")
    journal.path.touch()
    journal.append("begun", seed=1)
    with journal.path.open("ab") as file:
        file.write(b'{"event": "do')
    journal.append("done", name="a")
    assert [(line["event"], line.get("name")) for line in journal.read()] == [
        *(("begun", None), ("done", "a"))
    ]
