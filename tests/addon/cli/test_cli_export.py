"""likeness export on the command line: choices, errors in one line, files."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.types import PARTS
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.formats.ply import read_ply
from likeness.engine.motion.io import save_motion
from likeness.engine.workflows.export_files import poses_to_motion

from ...blender.hair import with_hair

_spec = importlib.util.spec_from_file_location(
    "exported", Path(__file__).parents[2] / "engine/formats/exported.py"
)
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)


@pytest.fixture(scope="module")
def avatar(tmp_path_factory):
    person = exported.painted_avatar(count=2000)
    path = tmp_path_factory.mktemp("avatar") / "me.safetensors"
    save_avatar(person, path)
    poses = [person.pose.with_joints(left_elbow=[0, -0.3 * k, 0]) for k in range(4)]
    save_motion(poses_to_motion(person, poses, 30.0), path.with_suffix(".npz"), person.body)
    return path


@pytest.mark.parametrize(
    ("out", "options", "files"),
    [
        ("me.ply", ["--up", "y", "--max-gaussians", "500"], ["me.ply"]),
        ("me.spz", ["--pose", "relaxed"], ["me.spz"]),
        ("me.glb", ["--content", "mesh", "--texture", "64"], ["me.glb"]),
        ("me.usda", ["--texture", "64"], ["me.usda", "me_texture.png"]),
        ("me.vrm", ["--author", "Ann", "--credit", "unnecessary", "--texture", "64"], ["me.vrm"]),
        ("me_##.ply", ["--motion", "MOTION", "--frames", "1:3"], ["me_00.ply", "me_01.ply"]),
        ("me.glb", ["--motion", "MOTION", "--texture", "64", "--fps", "15"], ["me.glb"]),
    ],
)
def test_files(avatar: Path, tmp_path: Path, out: str, options, files) -> None:
    motion = str(avatar.with_suffix(".npz"))
    options = [motion if word == "MOTION" else word for word in options]
    assert main(["export", str(avatar), "-o", str(tmp_path / out), *options]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    if "500" in options:
        splats = read_ply(tmp_path / out)
        assert len(splats) == 500
        assert np.median(splats.means[:, 1]) > 0.3  # stands on the floor, upright


@pytest.mark.parametrize(
    ("out", "options", "word"),
    [
        ("me.obj", [], ".usda"),
        ("me.fbx", [], "Blender"),
        ("me.ply", ["--content", "both"], "mesh"),
        ("me.ply", ["--motion", "m.npz"], "%04d"),
        ("me_%d.ply", ["--motion", "none.npz"], "none.npz"),
        ("me.glb", ["--frames", "0:3"], "--motion"),
        ("me.glb", ["--motion", "m.npz", "--pose", "wave"], "--pose"),
        ("me_%d.ply", ["--motion", "m.npz", "--frames", "5"], "0:100"),
        ("me.glb", ["--texture", "7"], "--texture"),
        ("me.vrm", [], "needs an author"),
        ("me.vrm", ["--author", "Ann", "--pose", "wave"], "T-pose"),
        ("me.vrm", ["--author", "Ann", "--motion", "m.npz"], "cannot hold a motion"),
        ("me.vrm", ["--author", "Ann", "--content", "splats"], "cannot hold splats"),
        ("me.glb", ["--author", "Ann"], "--author belongs to .vrm"),
        ("me.ply", ["--swing", "1"], "cannot swing"),
        ("me.glb", ["--motion", "m.npz", "--swing", "1"], "me_%04d.ply"),
    ],
)
def test_errors(avatar: Path, tmp_path: Path, capsys, out: str, options, word: str) -> None:
    assert main(["export", str(avatar), "-o", str(tmp_path / out), *options]) == 2
    assert word in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_hair_swings_in_splats_of_a_motion(avatar: Path, tmp_path: Path) -> None:
    person = with_hair(load_avatar(avatar))
    hairy = tmp_path / "hairy.safetensors"
    save_avatar(person, hairy)
    poses = [
        replace(person.pose, transl=np.array([0.01 * k**2, 0.0, 0.0]) + person.pose.transl)
        for k in range(8)
    ]
    save_motion(poses_to_motion(person, poses, 30.0), tmp_path / "start.npz", person.body)
    frames = []
    for swing in ("0", "1"):
        out = tmp_path / f"{swing}_%d.ply"
        command = ["export", str(hairy), "-o", str(out), "--motion", str(tmp_path / "start.npz")]
        assert main([*command, "--swing", swing]) == 0
        frames.append([read_ply(tmp_path / f"{swing}_{k}.ply").means for k in (0, 7)])
    hair = person.gaussians.part == PARTS.index("hair")
    moved = np.linalg.norm(frames[1][1] - frames[0][1], axis=1)
    assert moved[hair].max() > 0.02
    assert moved[~hair].max() < 1e-5
