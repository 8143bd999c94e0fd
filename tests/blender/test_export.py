"""File > Export, read again: splats by the engine, meshes by Blender's own importers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soaked import if_asked

EXPORT = "export_checks"


@pytest.fixture
def sculpted(blender) -> bool:
    """In one Blender the avatar is sculpted, in the others it is as it was built."""
    return blender.version == "4.5"


def test_splats_and_avatars(blender, sculpted: bool, tmp_path: Path) -> None:
    """Drawn as in Blender; a sculpted avatar is far from the other, in dB."""
    found = blender(EXPORT, "splats", folder=str(tmp_path), sculpted=float(sculpted))
    assert (found["sculpted"] < 35) == sculpted
    assert found[".ply"] > 55
    assert found[".spz"] > 40
    assert min(found["first"], found["last"]) > 55
    assert found["sequence"] == [f"s_{k:04d}.ply" for k in (1, 2, 3)]
    assert found["pose"] < 1e-5
    assert found["photo_pose"] < 1e-5
    assert found["splats"] == 3000
    assert found["unchanged"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("glb", 0.5),
        pytest.param("usda", 1.0, marks=pytest.mark.soak),  # test_retouch.py reads one
        pytest.param("usdz", 0.0, marks=pytest.mark.soak),
    ],
)
def test_rigged_mesh(blender_lts, kind: str, value: float, tmp_path: Path) -> None:
    """Sculpted or not, at the value at which the shape key stands."""
    check_mesh(blender_lts, kind, tmp_path, sculpted=value)


def test_rigged_mesh_by_blenders_exporter(blender, sculpted: bool, tmp_path: Path) -> None:
    check_mesh(blender, "fbx", tmp_path, "UNITY", sculpted=0.5 * sculpted)


@pytest.mark.parametrize("program", if_asked("", "UNREAL"))
def test_rigged_mesh_for_other_programs(blender_lts, program: str, tmp_path: Path) -> None:
    check_mesh(blender_lts, "fbx", tmp_path, program)


def test_animation_is_on_but_nothing_moves_a_still_avatar(blender_lts) -> None:
    said = blender_lts(EXPORT, "dialogs")
    assert said["defaults"] == ["mesh", True, True]
    assert said["still"] == [False, False]
    assert said["moving"] == [True, True, True]


def check_mesh(blender, kind: str, folder: Path, program: str = "", sculpted: float = 0.0) -> None:
    """Every frame where Blender had it, and drawn with its texture in place; a sculpted mesh is
    centimetres from the other."""
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
    assert found["sculpted"] > 0.05 * sculpted


def test_vrm(blender, sculpted: bool, tmp_path: Path) -> None:
    """Whole and on the floor; a sculpted avatar is centimetres taller."""
    found = blender(EXPORT, "vrm", folder=str(tmp_path), sculpted=float(sculpted))
    assert (found["sculpted"] > 0.04) == sculpted
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


@pytest.mark.parametrize("kind", ["glb", *if_asked("fbx")])
def test_albedo(blender_lts, kind: str, tmp_path: Path) -> None:
    found, expected = blender_lts("export_checks", "albedo", folder=str(tmp_path), kind=kind)
    assert found == pytest.approx(expected, abs=0.01)
