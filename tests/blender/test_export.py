"""File > Export, read again: splats by the engine, meshes by Blender's own importers."""

from __future__ import annotations

from pathlib import Path

import pytest

EXPORT = "export_checks"


def test_splats_and_avatars(blender, tmp_path: Path) -> None:
    check_splats(blender, tmp_path)


def test_splats_of_a_sculpted_avatar(blender_lts, tmp_path: Path) -> None:
    assert check_splats(blender_lts, tmp_path, 1.0) < 35


def check_splats(blender, folder: Path, sculpted: float = 0.0) -> float:
    """Drawn as in Blender; the answer is how far the sculpted avatar is from the other, in dB."""
    found = blender(EXPORT, "splats", folder=str(folder), sculpted=sculpted)
    assert found[".ply"] > 55
    assert found[".spz"] > 40
    assert min(found["first"], found["last"]) > 55
    assert found["sequence"] == [f"s_{k:04d}.ply" for k in (1, 2, 3)]
    assert found["pose"] < 1e-5
    assert found["photo_pose"] < 1e-5
    assert found["splats"] == 3000
    assert found["unchanged"]
    return float(found["sculpted"])


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


@pytest.mark.parametrize(("kind", "value"), [("fbx", 0.5), ("usda", 1.0), ("glb", 0.5)])
def test_rigged_mesh_of_a_sculpted_avatar(
    blender_lts, kind: str, value: float, tmp_path: Path
) -> None:
    """At the value at which its shape key stands."""
    assert check_mesh(blender_lts, kind, tmp_path, sculpted=value) > 0.05 * value


def check_mesh(blender, kind: str, folder: Path, program: str = "", sculpted: float = 0.0) -> float:
    """Every frame where Blender had it, and drawn with its texture in place; the answer is how far
    the sculpted mesh is from the other, metres."""
    found = blender(
        EXPORT, "mesh", kind=kind, folder=str(folder), program=program, sculpted=sculpted
    )
    assert found["unchanged"]
    assert found["bones"] == 55
    assert len(found["keys"]) >= 2
    assert found["texture"] == 1024
    assert max(found["off"]) < 1e-4
    assert found["moved"] > 0.05
    assert found["psnr"] > 30
    if kind != "glb":
        assert found["colors"] == 1
    assert "Sculpt" not in found["keys"]
    return float(found["sculpted"])


def test_vrm(blender, tmp_path: Path) -> None:
    check_vrm(blender, tmp_path)


def test_vrm_of_a_sculpted_avatar(blender_lts, tmp_path: Path) -> None:
    assert check_vrm(blender_lts, tmp_path, 1.0) > 0.04


def check_vrm(blender, folder: Path, sculpted: float = 0.0) -> float:
    """Whole and on the floor; the answer is by how much it is taller, metres."""
    found = blender(EXPORT, "vrm", folder=str(folder), sculpted=sculpted)
    assert "needs an author" in " ".join(found["nameless"].split())
    assert found["nothing"]
    assert found["unchanged"]
    assert found["bones"] == 55
    assert found["keys"] == found["names"]
    assert abs(found["low"]) < 1e-4
    assert abs(found["height"]) < 1e-3
    return float(found["sculpted"])


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
