"""Exports by suffix: sequences, places, what is refused, and what stays when it fails."""

from __future__ import annotations

import importlib.util
import json
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import LikenessError
from likeness.engine.formats.ply import read_ply
from likeness.engine.formats.spz import read_spz
from likeness.engine.formats.usd import texture_path
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.gaussians.relight.albedo import use_albedo
from likeness.engine.motion.io import save_motion
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import psnr
from likeness.engine.workflows import export_files
from likeness.engine.workflows.export_files import (
    ExportOptions,
    apply_object_motion,
    export_avatar,
    load_export_motion,
    make_mesh,
    poses_to_motion,
)
from likeness.engine.workflows.options import VrmOptions
from PIL import Image

_spec = importlib.util.spec_from_file_location(
    "exported", Path(__file__).parents[1] / "formats" / "exported.py"
)
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)

SMALL = ExportOptions(texture=64)
IN_PLACE = ExportOptions(texture=64, place="photo", up="y")


@pytest.fixture(scope="module")
def avatar():
    return exported.painted_avatar(count=3000)


@pytest.fixture(scope="module")
def motion(avatar):
    turned = [avatar.pose.with_joints(right_shoulder=[0, 0.2 * k, 0]) for k in range(3)]
    return poses_to_motion(avatar, turned, 25.0)


@pytest.mark.parametrize(("suffix", "read"), [(".ply", read_ply), (".spz", read_spz)])
def test_splats_still_and_moving(avatar, motion, tmp_path: Path, suffix: str, read) -> None:
    (still,) = export_avatar(avatar, tmp_path / f"a{suffix}", avatar.pose, IN_PLACE)
    files = export_avatar(avatar, tmp_path / f"m_%03d{suffix}", motion, IN_PLACE)
    assert [f.name for f in files] == [f"m_{k:03d}{suffix}" for k in range(3)]
    for file, pose in ((still, avatar.pose), (files[2], motion.pose(2))):
        expected = render_camera(pose_avatar(avatar, pose), avatar.camera).rgb
        assert psnr(render_camera(read(file), avatar.camera).rgb, expected) > 40


def options_of(suffix: str) -> ExportOptions:
    """Small files; a VRM has an author."""
    return replace(SMALL, vrm=VrmOptions(("Ann",))) if suffix == ".vrm" else SMALL


@pytest.mark.parametrize("suffix", export_files.SUFFIXES)
def test_the_same_bytes_twice(avatar, tmp_path: Path, suffix: str) -> None:
    for folder in ("a", "b"):
        out = tmp_path / folder / f"me{suffix}"
        export_avatar(avatar, out, avatar.pose, options_of(suffix))
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_on_the_floor_at_the_origin(avatar, motion, tmp_path: Path) -> None:
    placed = export_files.place_pose(avatar, motion, "floor")
    vertices, joints = avatar.body.vertices(placed.pose(0))
    assert vertices[:, 1].min() == pytest.approx(0, abs=1e-9)
    assert joints[0][[0, 2]] == pytest.approx([0, 0], abs=1e-9)
    np.testing.assert_allclose(np.diff(placed.transl, axis=0), np.diff(motion.transl, axis=0))


@pytest.mark.parametrize(
    ("name", "moving", "options", "words"),
    [
        ("a.xyz", False, {}, r"\.ply, \.spz, \.glb, \.usda"),
        ("a.fbx", False, {}, "Blender"),
        ("a", False, {}, "format"),
        ("a.ply", True, {}, r"a_%04d\.ply"),
        ("a.spz", False, {"content": "mesh"}, "mesh"),
        ("a.glb", False, {"content": "all"}, "'all'"),
        ("a.ply", False, {"up": "x"}, "'x'"),
    ],
)
def test_refused_before_the_work(avatar, motion, tmp_path, name, moving, options, words) -> None:
    pose = motion if moving else avatar.pose
    with pytest.raises(LikenessError, match=words):
        export_avatar(avatar, tmp_path / name, pose, ExportOptions(**options))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", export_files.SUFFIXES)
def test_a_failure_leaves_what_was_there(avatar, tmp_path: Path, monkeypatch, suffix) -> None:
    """Half of it written when the disk is full: the old file stays, nothing else is left."""
    out = tmp_path / f"me{suffix}"
    out.write_text("mine")

    def full(scratch: Path, *_: object, **__: object) -> None:
        if isinstance(scratch, Path):
            scratch.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for module, name in (("ply", "_write_rows"), ("spz.gsply", "write_spz")):
        monkeypatch.setattr(f"likeness.engine.formats.{module}.{name}", full)
    for module in ("glb", "usd"):
        monkeypatch.setattr(f"likeness.engine.formats.{module}.encode_png", full)
    with pytest.raises(LikenessError, match="No space") as caught:
        export_avatar(avatar, out, avatar.pose, options_of(suffix))
    assert ".likeness-" not in str(caught.value)
    assert out.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_a_longer_sequence_is_not_mixed_with(avatar, motion, tmp_path: Path) -> None:
    old = tmp_path / "m_0003.ply"
    old.write_text("mine")
    with pytest.raises(LikenessError, match="m_0003"):
        export_avatar(avatar, tmp_path / "m_%04d.ply", motion, SMALL)
    assert list(tmp_path.iterdir()) == [old]


def test_motion_files(avatar, motion, tmp_path: Path) -> None:
    save_motion(motion, tmp_path / "m.npz", avatar.body)
    name = avatar.body.expression_names[0]
    taken, _ = load_export_motion(avatar, tmp_path / "m.npz", None, (1, 3), {name: 0.75})
    assert len(taken) == 2
    assert taken.frame_rate == 25
    assert taken.expression[:, 0] == pytest.approx(0.75)
    np.testing.assert_allclose(taken.full_pose[:, 17], motion.full_pose[1:, 17], atol=1e-5)
    with pytest.raises(LikenessError, match="no frame 8"):
        load_export_motion(avatar, tmp_path / "m.npz", stretch=(0, 9))


def test_an_armature_that_moves_itself(avatar, motion) -> None:
    """In the world it is the same, whoever moves: the armature, or the root joint."""
    places = np.tile(np.eye(4), (3, 1, 1))
    for t in range(3):
        places[t, :3, :3] = axis_angle_to_matrix(np.array([0.1, 0.3 * t + 0.2, 0]))
        places[t, :3, 3] = [t, 1, 2]
    moving = apply_object_motion(motion, places, avatar.body.J_template)
    for t in range(3):
        expected, _ = avatar.body.vertices(motion.pose(t))
        expected = expected @ places[t, :3, :3].T + places[t, :3, 3]
        found, _ = avatar.body.vertices(moving.pose(t))
        np.testing.assert_allclose(
            found @ places[0, :3, :3].T + places[0, :3, 3], expected, atol=1e-6
        )


def test_usd_is_what_its_own_library_reads(avatar, motion, tmp_path: Path) -> None:
    """Joints, blend shapes, time samples, and both looks. Without the library: the text."""
    out = tmp_path / "me.usda"
    options = replace(SMALL, name="1 me")
    export_avatar(avatar, out, motion, options)
    assert texture_path(out).read_bytes().startswith(b"\x89PNG")
    text = out.read_text(encoding="utf-8")
    assert text.startswith("#usda 1.0\n")
    assert text.count("{") == text.count("}")
    assert 'def ParticleField3DGaussianSplat "Splats"' in text
    assert 'defaultPrim = "_1_me"' in text
    pxr = pytest.importorskip("pxr", reason="usd-core is not installed")
    from pxr import Usd, UsdSkel

    assert pxr
    stage = Usd.Stage.Open(str(out))
    root = UsdSkel.Root(stage.GetPrimAtPath("/_1_me/Body"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath("/_1_me/Body/Skeleton")))
    placed = export_files.place_pose(avatar, motion, "floor")
    _, joints = avatar.body.vertices(placed.pose(2))
    found = np.array([m.ExtractTranslation() for m in query.ComputeJointSkelTransforms(2)])
    np.testing.assert_allclose(found, joints, atol=1e-4)
    stage.GetDefaultPrim().GetVariantSets().SetSelection("look", "splats")
    splats = stage.GetPrimAtPath("/_1_me/Splats")
    assert len(splats.GetAttribute("positions").Get()) == len(avatar.gaussians)


def test_usdz_is_the_usd_and_its_texture_in_one_file(avatar, motion, tmp_path: Path) -> None:
    """Stored, not compressed, the layer first, each file's bytes from a multiple of 64."""
    out, layer = tmp_path / "me.usdz", tmp_path / "me.usda"
    export_avatar(avatar, out, motion, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["me.usdz"]
    export_avatar(avatar, layer, motion, SMALL)
    whole = out.read_bytes()
    with zipfile.ZipFile(out) as package:
        assert package.namelist() == ["me.usda", "me_texture.png"]
        assert package.testzip() is None
        for info, file in zip(package.infolist(), (layer, texture_path(layer))):
            assert info.compress_type == zipfile.ZIP_STORED
            head = whole[info.header_offset : info.header_offset + 30]
            name, extra = struct.unpack("<HH", head[26:30])
            start = info.header_offset + 30 + name + extra
            assert start % 64 == 0
            assert whole[start : start + info.file_size] == file.read_bytes()


def glb_json(path: Path) -> dict:
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])


def test_albedo_replaces_the_photos_light(avatar, tmp_path: Path) -> None:
    """Splats and texture have it, and the mesh is lit by the program that shows it."""
    found = use_albedo(avatar)
    assert np.abs(found.gaussians.colors - avatar.gaussians.colors).max() > 0.02
    bare = replace(IN_PLACE, albedo=True)
    (splats,) = export_avatar(avatar, tmp_path / "a.ply", avatar.pose, bare)
    expected = render_camera(pose_avatar(found), avatar.camera).rgb
    assert psnr(render_camera(read_ply(splats), avatar.camera).rgb, expected) > 40
    materials = []
    for name, options in (("photo", SMALL), ("albedo", replace(SMALL, albedo=True))):
        options = replace(options, content="mesh")
        (file,) = export_avatar(avatar, tmp_path / f"{name}.glb", avatar.pose, options)
        materials.append(glb_json(file)["materials"][0])
    assert "KHR_materials_unlit" in materials[0]["extensions"]
    assert "extensions" not in materials[1]
    licensed = replace(SMALL, albedo=True, vrm=VrmOptions(("Ann",)))
    (file,) = export_avatar(avatar, tmp_path / "albedo.vrm", avatar.pose, licensed)
    assert "extensions" not in glb_json(file)["materials"][0]
    textures = [make_mesh(one, SMALL).texture for one in (avatar, found)]
    assert np.abs(textures[0] - textures[1]).max() > 0.02


def test_albedo_in_usd(avatar, tmp_path: Path) -> None:
    """Splats, texture, and both of the packed form; the material is lit either way."""
    found = use_albedo(avatar)
    files = {}
    for name, options in (("photo", SMALL), ("albedo", replace(SMALL, albedo=True))):
        files[name] = tmp_path / f"{name}.usda"
        export_avatar(avatar, files[name], avatar.pose, options)
    for name, one in (("photo", avatar), ("albedo", found)):
        expected = pose_avatar(one).colors
        np.testing.assert_allclose(exported.usd_colors(files[name]), expected, atol=1e-4)
        texture = np.asarray(Image.open(texture_path(files[name])).convert("RGB"), float) / 255
        np.testing.assert_allclose(texture, make_mesh(one, SMALL).texture[..., :3], atol=3 / 255)
        assert "inputs:diffuseColor.connect" in files[name].read_text()
    packed = tmp_path / "albedo.usdz"
    export_avatar(avatar, packed, avatar.pose, replace(SMALL, albedo=True))
    with zipfile.ZipFile(packed) as package:
        assert package.read("albedo.usda") == files["albedo"].read_bytes()
        assert package.read("albedo_texture.png") == texture_path(files["albedo"]).read_bytes()
