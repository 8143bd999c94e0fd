"""What a worker does with a unit; the build itself is tests/engine/pipeline/test_pipeline.py's."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.cameras import look_at, orbit, photo_camera
from likeness.engine.core.types import LikenessError, Pose
from likeness.engine.files.cache import get_or_load
from likeness.engine.workflows.batch import make as module
from likeness.engine.workflows.batch.batch_folder import RESULT_FILE, result_files
from likeness.engine.workflows.batch.make import OutputError, make_unit, trunk_yaw
from safetensors import SafetensorError


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / ".hidden" / "work"
    folder.mkdir(parents=True)
    return folder / "one"


@pytest.fixture
def unit(work: Path) -> dict[str, Any]:
    return {
        "key": "cast/a",
        "digest": "d",
        "photos": [],
        "photo": "a.jpg",
        "views": [],
        "options": {},
        "formats": ["glb", "blend"],
        "preview": False,
        "avatar": "",
        "work": str(work),
    }


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, work: Path) -> list[str]:
    """Builds and exports that have been made, by stand-ins."""
    made: list[str] = []

    def built(unit: Mapping[str, Any], work: Path, progress: Any) -> Any:
        made.append("build")
        (work / "avatar.safetensors").write_text("avatar")
        return SimpleNamespace()

    def export(avatar: Any, file: Path, name: str, unit: Any, work: Path, blend: Any) -> None:
        made.append(name)
        (work / f"avatar.{name}").write_text("half")
        if name == "blend":
            blend(file, work / "avatar.blend", Path(unit["photo"]))

    monkeypatch.setattr(module, "_built", built)
    monkeypatch.setattr(module, "_export", export)
    monkeypatch.setattr(module, "load_avatar", lambda path: made.append(f"load {path.name}"))
    return made


def write(avatar: Path, target: Path, photo: Path) -> None:
    target.write_text("blend")


def raising(error: Exception) -> Callable[[Path, Path, Path], None]:
    def fail(avatar: Path, target: Path, photo: Path) -> None:
        raise error

    return fail


def test_a_try_that_failed_at_an_export_is_gone_on_with(
    unit: dict[str, Any], work: Path, builds: list[str]
) -> None:
    with pytest.raises(ZeroDivisionError):
        make_unit(unit, raising(ZeroDivisionError()))
    found = result_files(work)
    assert found
    assert list(found[1]) == ["avatar.safetensors"]
    make_unit(unit, write)
    assert builds == ["build", "glb", "blend", "load avatar.safetensors", "glb", "blend"]
    found = result_files(work)
    assert found
    assert list(found[1]) == ["avatar.blend", "avatar.glb", "avatar.safetensors"]
    assert json.loads((work / RESULT_FILE).read_text())["name"] == "cast/a"
    make_unit({**unit, "digest": "other"}, write)  # not of this one
    assert builds[6:] == ["build", "glb", "blend"]


def test_only_other_formats(
    unit: dict[str, Any], work: Path, tmp_path: Path, builds: list[str]
) -> None:
    make_unit({**unit, "formats": ["ply"], "avatar": str(tmp_path / "there.safetensors")}, write)
    assert builds == ["load there.safetensors", "ply"]
    found = result_files(work)
    assert found
    assert list(found[1]) == ["avatar.ply"]


def test_what_the_disk_refuses_is_told_from_what_a_photo_is(
    unit: dict[str, Any], work: Path, builds: list[str]
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    chained = LikenessError("Cannot write 'x'.", "Choose another.")
    chained.__cause__ = PermissionError(errno.EACCES, "Permission denied", str(work / "x"))
    for error in (
        full,
        chained,
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ):
        if isinstance(error, SafetensorError):
            error, cause = LikenessError("Cannot write."), error
            error.__cause__ = cause
        with pytest.raises(OutputError, match=r"Cannot write to .*out'") as caught:
            make_unit(unit, raising(error))
        assert "the same command" in caught.value.remedy
    cat = LikenessError("'No space left (os error 28).jpg' is a cat.")
    cat.__cause__ = OSError(errno.EIO, "Input/output error", "a.jpg")
    with pytest.raises(LikenessError, match="is a cat") as said:
        make_unit(unit, raising(cat))
    assert not isinstance(said.value, OutputError)


def test_an_output_that_is_gone(unit: dict[str, Any], work: Path, builds: list[str]) -> None:
    work.parent.rmdir()
    with pytest.raises(OutputError, match="was removed or emptied"):
        make_unit(unit, write)
    assert builds == []


def test_the_front_is_where_the_trunk_looks() -> None:
    camera = replace(photo_camera(100.0, 64, 64), viewmat=look_at(np.zeros(3), 2.0, 0.0, 0.0))
    for degrees in (-120.0, -40.0, 10.0, 60.0, 170.0):
        pose = Pose.rest(0).with_joints(pelvis=[0.0, np.radians(degrees), 0.0])
        turned = trunk_yaw(SimpleNamespace(pose=pose))  # type: ignore[arg-type]
        assert turned == pytest.approx(degrees if abs(degrees) > 25 else 0.0)
        swung = orbit(camera, np.zeros(3), turned)
        eye = -swung.viewmat[:3, :3].T @ swung.viewmat[:3, 3]
        if turned:
            ahead = [np.sin(np.radians(degrees)), 0.0, np.cos(np.radians(degrees))]
            np.testing.assert_allclose(eye / np.linalg.norm(eye), ahead, atol=1e-6)


def test_what_is_kept_follows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("one")
    loads: list[str] = []

    def load() -> str:
        loads.append(path.read_text())
        return loads[-1]

    assert [get_or_load("test", path, load) for _ in range(3)] == ["one"] * 3
    path.write_text("three")
    assert get_or_load("test", path, load) == "three"
    body, other = object(), object()
    assert [get_or_load("test", path, load, of=one) for one in (body, body, other)] == ["three"] * 3
    assert loads == ["one", "three", "three", "three"]


@pytest.mark.soak
def test_two_real_portraits(small_portrait: Path, tmp_path: Path) -> None:
    """One worker makes both; its second has everything open already."""
    (tmp_path / "jobs.csv").write_text(
        f"photo,name,fov\n{small_portrait},a,\n{small_portrait},b,30\n"
    )
    out = tmp_path / "out"
    command = [
        "batch",
        "-o",
        str(out),
        "--job",
        str(tmp_path / "jobs.csv"),
        "--refine",
        "off",
        "--max-gaussians",
        "20000",
        "--format",
        "ply,spz,glb,usda",
    ]
    assert main(command) == 0
    for name in ("a", "b"):
        files = {path.name for path in (out / name).iterdir()}
        assert {
            "avatar.safetensors",
            "avatar.ply",
            "avatar.spz",
            "avatar.glb",
            "avatar.usda",
            "report.json",
            "preview.png",
        } <= files
        assert len(list((out / name / "views").glob("*.jpg"))) == 5
    assert main(command) == 0
    assert json.loads((out / "summary.json").read_text())["made_now"] == 0
