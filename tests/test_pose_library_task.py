"""The task that makes the library of pose assets."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from likeness.engine.poses import named_expressions, named_poses
from likeness.engine.poses.thumbnails import FOLDER, SIZE, read_thumbnail

ROOT = Path(__file__).resolve().parents[1]


def task() -> ModuleType:
    """``tasks/library.py``, which is no part of the installed package."""
    for name in ("tasks", "tasks.library"):
        if name not in sys.modules:
            file = "__init__.py" if name == "tasks" else "library.py"
            spec = importlib.util.spec_from_file_location(
                name, ROOT / "tasks" / file, submodule_search_locations=[str(ROOT / "tasks")]
            )
            assert spec
            assert spec.loader
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    return sys.modules["tasks.library"]


def test_the_library_is_made_once_and_whenever_it_is_out_of_date(tmp_path, monkeypatch) -> None:
    library = task()
    made = []

    def run(*command: object) -> None:
        made.append(command)
        path = Path(str(command[-1]))
        for name in library.FILES:
            (path.parent / name).write_bytes(b"x" * 10)

    monkeypatch.setattr(library, "run_command", run)
    monkeypatch.setattr(library, "assets_digest", lambda python: "digest")
    assets = tmp_path / "assets"
    assets.mkdir()
    folder = library.ensure_library(Path("python"), assets)
    assert folder == assets / "poses"
    assert {p.name for p in folder.iterdir()} == {*library.FILES, "stamp.json"}
    library.ensure_library(Path("python"), assets)
    assert len(made) == 1
    (folder / "stamp.json").write_text(json.dumps({"made_of": "something else"}))
    library.ensure_library(Path("python"), assets)
    (folder / library.FILES[1]).unlink()
    library.ensure_library(Path("python"), assets)
    assert len(made) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["assets"], "nothing is left beside it"


def test_a_library_that_is_too_large_is_refused(tmp_path, monkeypatch) -> None:
    library = task()
    monkeypatch.setattr(library, "MAX_BYTES", 5)
    monkeypatch.setattr(library, "assets_digest", lambda python: "digest")
    monkeypatch.setattr(
        library, "run_command", lambda *command: Path(str(command[-1])).write_bytes(b"x" * 10)
    )
    (tmp_path / "assets").mkdir()
    with pytest.raises(library.BuildError, match="MB"):
        library.ensure_library(Path("python"), tmp_path / "assets")
    assert not (tmp_path / "assets" / "poses").exists()


def test_every_entry_has_a_picture_and_no_other_lies_there() -> None:
    names = {*named_poses(), *named_expressions()}
    assert {path.stem for path in FOLDER.glob("*.webp")} == names
    for name in names:
        picture = read_thumbnail(name)
        assert picture.shape == (SIZE, SIZE, 3)
        assert picture.std() > 0.05
    assert sum(path.stat().st_size for path in FOLDER.glob("*.webp")) < 300_000
