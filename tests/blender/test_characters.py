"""Characters in users' files: what is read of them, and the body that is found in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from likeness.addon.cli.convert import convert
from likeness.engine.body.body_file import load_body
from likeness.engine.core.types import FloatArray, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.characters import surface_scan
from likeness.engine.synth.characters.character import load_character
from likeness.engine.synth.characters.conversion import load_subject
from likeness.engine.wardrobe.mesh_parts import LABEL

CHECKS = "character_checks"
BODY = load_body(asset_path("body"))


def truth(seed: int, posed: bool) -> FloatArray:
    """The vertices that ``character_checks.make`` gave the character, made here again."""
    rng = np.random.default_rng(seed)
    betas = np.concatenate([rng.normal(0, 1.0, 50), rng.normal(0, 0.7, BODY.num_betas - 50)])
    smile = BODY.expression(mouthSmileLeft=0.5, mouthSmileRight=0.5)
    pose = Pose(np.zeros((55, 3)), np.array([0.1, 1.0, 0.2]), smile)
    if posed:
        pose = pose.with_joints(
            left_shoulder=[0.1, 0.1, -0.9],
            right_shoulder=[0.0, 0.2, 0.7],
            left_elbow=[0.0, -0.5, 0.0],
            right_elbow=[0.0, 0.9, 0.0],
            left_hip=[-0.3, 0.0, 0.1],
            left_knee=[0.4, 0.0, 0.0],
            head=[0.1, 0.2, 0.0],
        )
    return BODY.vertices(pose, betas)[0]


@pytest.fixture(scope="module")
def figures(blender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a character's files, and of each what is read of it."""
    folder = tmp_path_factory.mktemp("figures")
    found = blender(
        CHECKS,
        "write_and_read",
        files=[str(folder / f"person.{suffix}") for suffix in ("blend", "glb")],
        seed=3,
    )
    assert [one["error"] for one in found.values()] == [None, None]
    return folder


@pytest.mark.parametrize("suffix", ["blend", "glb"])
def test_reads_meshes_as_shown_and_the_rig(figures: Path, suffix: str) -> None:
    file = figures / f"person.{suffix}"
    character = load_character(figures / f"{file.name}-out", file.name)
    assert character.rig is not None
    assert "mixamorig:LeftForeArm" in character.rig.names
    clothes = [p for p in character.parts if (p.label == LABEL["clothes"]).all()]
    assert len(clothes) == 1
    np.testing.assert_allclose(clothes[0].material.color[0, 0], [64, 97, 170, 255], atol=2)
    # Every vertex of the body, posed and with its smile, is there.
    from scipy.spatial import cKDTree

    away, _ = cKDTree(character.vertices).query(truth(3, posed=True))
    # glTF keeps four weights of a vertex.
    assert away.max() < (0.01 if suffix == "glb" else 1e-4)
    assert np.percentile(away, 90) < 1e-4


def test_bad_files_say_so_and_leave_nothing(blender_lts, tmp_path: Path) -> None:
    (tmp_path / "empty.glb").write_bytes(b"")
    (tmp_path / "noise.glb").write_bytes(b"glTF not at all")
    (tmp_path / "noise.blend").write_bytes(b"BLENDER not at all")
    (tmp_path / "notes.txt").write_text("hello")
    words = {
        "none.glb": "no mesh",
        "empty.glb": "is empty",
        "noise.glb": "cannot be opened",
        "noise.blend": "cannot be opened",
        "notes.txt": "not a supported",
        "nowhere.glb": "does not exist",
    }
    files = [str(tmp_path / name) for name in words]
    for path, found in blender_lts(CHECKS, "read_bad", files=files).items():
        assert words[Path(path).name] in found["error"]
        assert found["remedy"]
        assert found["files"] == []


def run(file: Path, out: Path) -> dict:
    result = CliRunner().invoke(convert, [str(file), "-o", str(out)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads((out / "subject.json").read_text())


def rms_mm(out: Path, vertices: FloatArray) -> float:
    figure, betas, pose = load_subject(out)
    assert figure.posed is not None
    found, _ = BODY.vertices(pose, betas)
    return 1e3 * float(np.sqrt(((found - vertices) ** 2).sum(1).mean()))


@pytest.mark.soak
def test_converts_a_rigged_dressed_character(blender_lts, tmp_path: Path) -> None:
    file, out = tmp_path / "person.glb", tmp_path / "subject"
    blender_lts(CHECKS, "write", path=str(file), seed=3)
    report = run(file, out)
    assert sorted(p.name for p in out.iterdir()) == [
        "body.npz",
        "parts.npz",
        "preview.png",
        "subject.json",
        "textures",
    ]
    assert len(report["rig"]["joints"]) == 49
    assert report["fits"]
    assert report["outside_clothes"] < 0.03
    assert rms_mm(out, truth(3, posed=True)) < 8.0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(LikenessError, match="not empty"):
        CliRunner().invoke(
            convert, [str(file), "-o", str(tmp_path / "full")], catch_exceptions=False
        )


@pytest.mark.soak
def test_converts_an_unrigged_turned_one_in_centimetres(blender_lts, tmp_path: Path) -> None:
    file, out = tmp_path / "person.obj", tmp_path / "subject"
    blender_lts(CHECKS, "write", path=str(file), seed=4, posed=False, size=100.0, yaw=90.0)
    report = run(file, out)
    assert report["rig"]["bones"] == 0
    assert report["scale"] == 0.01
    quarter = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    assert rms_mm(out, truth(4, posed=False) @ quarter.T) < 15.0


@pytest.mark.slow
def test_a_cube_is_nobody(blender_lts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_scan, "YAWS", surface_scan.YAWS[::6])  # its sides are alike
    blender_lts(CHECKS, "write_cube", path=str(tmp_path / "cube.glb"))
    with pytest.raises(LikenessError, match="No person was found") as error:
        run(tmp_path / "cube.glb", tmp_path / "subject")
    assert error.value.remedy
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cube.glb") == []
