"""File > Export, read again: splats by the engine, meshes by Blender's own importers."""

from __future__ import annotations

from pathlib import Path

import pytest

EXPORT = "export_checks"


def test_splats_and_avatars(blender, tmp_path: Path) -> None:
    found = blender(EXPORT, "splats", folder=str(tmp_path))
    assert found[".ply"] > 55
    assert found[".spz"] > 40
    assert found["last"] > 55
    assert found["sequence"] == [f"s_{k:04d}.ply" for k in (1, 2, 3)]
    assert found["pose"] < 1e-5
    assert found["photo_pose"] < 1e-5
    assert found["splats"] == 3000
    assert found["unchanged"]


@pytest.mark.parametrize("kind", ["glb", "usda", "usdz"])
def test_rigged_mesh(blender_lts, kind: str, tmp_path: Path) -> None:
    check_mesh(blender_lts, kind, tmp_path)


def test_rigged_mesh_by_blenders_exporter(blender, tmp_path: Path) -> None:
    check_mesh(blender, "fbx", tmp_path)


@pytest.mark.parametrize("program", ["UNITY", "UNREAL"])
def test_rigged_mesh_for_other_programs(blender_lts, program: str, tmp_path: Path) -> None:
    check_mesh(blender_lts, "fbx", tmp_path, program)


def test_animation_is_on_but_nothing_moves_a_still_avatar(blender_lts) -> None:
    said = blender_lts(EXPORT, "dialogs")
    assert said["defaults"] == ["mesh", True, True]
    assert said["still"] == [False, False]
    assert said["moving"] == [True, True, True]


def check_mesh(blender, kind: str, folder: Path, program: str = "") -> None:
    """Every frame where Blender had it, and drawn with its texture in place."""
    found = blender(EXPORT, "mesh", kind=kind, folder=str(folder), program=program)
    assert found["unchanged"]
    assert found["bones"] == 55
    assert len(found["keys"]) >= 2
    assert found["texture"] == 1024
    assert max(found["off"]) < 1e-4
    assert found["moved"] > 0.05
    assert found["psnr"] > 30
    if kind != "glb":
        assert found["colors"] == 1


def test_vrm(blender, tmp_path: Path) -> None:
    found = blender(EXPORT, "vrm", folder=str(tmp_path))
    assert "needs an author" in " ".join(found["nameless"].split())
    assert found["nothing"]
    assert found["unchanged"]
    assert found["bones"] == 55
    assert found["keys"] == found["names"]
    assert abs(found["low"]) < 1e-4
    assert abs(found["height"]) < 1e-3


def test_what_is_refused(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(EXPORT, "errors", folder=str(tmp_path))
    assert "does not exist" in " ".join(found["folder"].split())
    assert "me.obj" in found["suffix"]
    assert "is a folder" in found["taken"]
    assert "file name" in found["nameless"]
    assert found["edited"] != "done"
    assert not found["no_avatar"]
    assert found["files"] == ["taken.ply"]
    assert found["scenes"]


@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_albedo(blender_lts, kind: str, tmp_path: Path) -> None:
    found, expected = blender_lts("export_checks", "albedo", folder=str(tmp_path), kind=kind)
    assert found == pytest.approx(expected, abs=0.01)
