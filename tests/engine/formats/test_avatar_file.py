"""avatar.safetensors: what is written comes back, and damage is named."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Landmarks
from likeness.engine.body.model import Body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import NUM_JOINTS, Avatar, BoundGaussians, LikenessError, Pose
from likeness.engine.formats import avatar_versions
from likeness.engine.formats.avatar import (
    avatar_from_bytes,
    avatar_to_bytes,
    load_avatar,
    save_avatar,
)
from likeness.engine.formats.avatar_versions import VERSION, format_version
from likeness.engine.gaussians import pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import psnr
from likeness.engine.workflows.worker import prepare
from safetensors import safe_open
from safetensors.numpy import save_file


def test_the_same_avatar_is_the_same_bytes() -> None:
    """The library writes metadata in another order each time."""
    avatar = make_avatar(50)
    first = avatar_to_bytes(avatar)
    assert all(avatar_to_bytes(avatar) == first for _ in range(12))
    assert int.from_bytes(first[:8], "little") % 8 == 0
    assert avatar_from_bytes(first, "here").provenance == avatar.provenance


def make_avatar(count: int = 4000, landmarks: bool = True) -> Avatar:
    """A bumpy ball of a body with two expressions, seen by the photo's camera."""
    rng = np.random.default_rng(3)
    rows, columns = 12, 18
    u, v = np.meshgrid(np.arange(rows + 1), np.arange(columns), indexing="ij")
    polar, turn = np.pi * u / rows, 2 * np.pi * v / columns
    points = 0.4 * np.stack(
        [np.sin(polar) * np.cos(turn), np.cos(polar), -np.sin(polar) * np.sin(turn)], -1
    ).reshape(-1, 3)
    index = (u * columns + v)[:-1].ravel()
    right = (u * columns + (v + 1) % columns)[:-1].ravel()
    f = np.concatenate(
        [
            np.stack([index, index + columns, right + columns], -1),
            np.stack([index, right + columns, right], -1),
        ]
    ).astype(np.int32)
    V, F = len(points), len(f)
    exprdirs = np.zeros((V, 3, 2), np.float32)
    exprdirs[20:60] = rng.normal(scale=0.01, size=(40, 3, 2))
    weights = rng.uniform(size=(V, NUM_JOINTS)).astype(np.float32)
    body = Body(
        v_template=points.astype(np.float32),
        f=f,
        weights=weights / weights.sum(1, keepdims=True),
        shapedirs=np.zeros((V, 3, 0), np.float32),
        exprdirs=exprdirs,
        expression_names=("jawOpen", "mouthSmileLeft"),
        J_template=rng.normal(scale=0.2, size=(NUM_JOINTS, 3)),
        J_shapedirs=np.zeros((NUM_JOINTS, 3, 0)),
        num_body_betas=0,
        vt=rng.uniform(size=(V, 2)).astype(np.float32),
        ft=f,
        atlas_vt=rng.uniform(size=(V, 2)).astype(np.float32),
        atlas_ft=f,
        face_part=(np.arange(F) % 2).astype(np.uint8),
        part_names=("skin", "lips"),
        landmarks=Landmarks(
            rng.integers(F, size=478),
            rng.dirichlet(np.ones(3), 478),
            rng.uniform(size=478),
            rng.integers(NUM_JOINTS, size=33),
            rng.normal(size=(33, 3)),
            rng.integers(NUM_JOINTS, size=21),
            rng.normal(size=(21, 3)),
        )
        if landmarks
        else None,
    )
    quats = rng.normal(size=(count, 4))
    gaussians = BoundGaussians(
        triangle=rng.integers(F, size=count).astype(np.int32),
        bary=rng.dirichlet(np.ones(3), count).astype(np.float32),
        offset=rng.normal(scale=0.05, size=(count, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=(rng.uniform(0.004, 0.02, (count, 3)) * [1, 1, 0.1]).astype(np.float32),
        opacities=rng.uniform(size=count).astype(np.float32),
        colors=rng.uniform(size=(count, 3)).astype(np.float32),
        layer=rng.integers(3, size=count).astype(np.uint8),
    )
    pose = Pose.rest(2).with_joints(left_elbow=[0.1, 0.2, -0.3], pelvis=[0, 0.3, 0])
    pose = replace(pose, transl=np.array([0.05, -0.02, -1.7]), expression=np.array([0.3, -0.1]))
    provenance = {"source": "someone.jpg", "figures": {"face": 2.25}, "warnings": ["ä small face"]}
    return Avatar(body, gaussians, pose, photo_camera(220.0, 128, 96), "half", provenance)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return make_avatar()


@pytest.fixture
def saved(avatar: Avatar, tmp_path: Path) -> Path:
    path = tmp_path / "avatar.safetensors"
    save_avatar(avatar, path)
    return path


def damaged(path: Path, header: dict | None = None, metadata: dict | None = None, **tensors):
    """Writes the file again with parts replaced (None removes one)."""
    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        whole = dict(file.metadata())
    for name, value in tensors.items():
        key = name.replace("__", ".")
        arrays.pop(key)
        if value is not None:
            arrays[key] = value
    content = json.loads(whole["avatar"]) | (header or {})
    whole["avatar"] = json.dumps({k: v for k, v in content.items() if v is not None})
    save_file(arrays, path, whole | (metadata or {}))
    return path


def test_what_is_written_comes_back(avatar, saved):
    again = load_avatar(saved)
    assert again.framing == avatar.framing
    assert again.provenance == avatar.provenance
    np.testing.assert_array_equal(again.camera.K, avatar.camera.K)
    np.testing.assert_array_equal(again.camera.viewmat, avatar.camera.viewmat)
    assert (again.camera.width, again.camera.height) == (128, 96)
    for name in ("full_pose", "transl", "expression"):
        np.testing.assert_array_equal(getattr(again.pose, name), getattr(avatar.pose, name))
    exact = (
        "v_template",
        "f",
        "weights",
        "J_template",
        "vt",
        "ft",
        "atlas_vt",
        "atlas_ft",
        "face_part",
    )
    for name in exact:
        np.testing.assert_array_equal(getattr(again.body, name), getattr(avatar.body, name))
    np.testing.assert_allclose(again.body.exprdirs, avatar.body.exprdirs, atol=2e-5)
    assert again.body.expression_names == avatar.body.expression_names
    assert again.body.part_names == avatar.body.part_names
    for name in Landmarks.__dataclass_fields__:
        np.testing.assert_allclose(
            getattr(again.body.landmarks, name), getattr(avatar.body.landmarks, name), rtol=1e-6
        )
    for name in ("triangle", "layer", "offset"):
        np.testing.assert_array_equal(
            getattr(again.gaussians, name), getattr(avatar.gaussians, name)
        )
    for name in BoundGaussians.__dataclass_fields__:
        assert getattr(again.gaussians, name).dtype == getattr(avatar.gaussians, name).dtype


def test_saved_and_original_look_the_same(avatar, saved):
    before, after = pose_avatar(avatar), pose_avatar(load_avatar(saved))
    assert np.abs(before.means - after.means).max() < 1e-4  # a tenth of a millimetre
    a, b = (render_camera(g, avatar.camera) for g in (before, after))
    assert a.alpha.mean() > 0.2
    assert psnr(a.rgb, b.rgb) > 50
    assert psnr(a.alpha, b.alpha) > 50


def test_a_body_without_landmarks_and_an_empty_avatar(tmp_path):
    path = tmp_path / "a.safetensors"
    save_avatar(make_avatar(0, landmarks=False), path)
    again = load_avatar(path)
    assert len(again.gaussians) == 0
    assert again.body.landmarks is None


def test_the_order_of_importance_comes_back(avatar, tmp_path):
    path = tmp_path / "ordered.safetensors"
    start = np.linspace(10, 4000, 4000).astype(np.float32)
    save_avatar(replace(avatar, lod_start=start), path)
    np.testing.assert_array_equal(load_avatar(path).lod_start, start)
    with pytest.raises(LikenessError, match="negative levels"):
        load_avatar(damaged(path, gaussians__lod_start=-start))
    with pytest.raises(LikenessError, match="shape"):
        load_avatar(damaged(path, gaussians__lod_start=start[:-1]))
    # a file from before there was an order
    assert load_avatar(damaged(path, gaussians__lod_start=None)).lod_start is None
    with pytest.raises(ValueError, match="lod_start"):
        save_avatar(replace(avatar, lod_start=start[:-1]), path)


def test_a_file_that_is_read_and_written_again_stays_the_same():
    """Rotations and barycentric coordinates are stored in half precision, and read with measure
    one: of 20,000, some hundred would round to other numbers after a mere division."""
    rng = np.random.default_rng(0)
    made = make_avatar(20_000)
    quats = rng.normal(size=(20_000, 4)).astype(np.float32)
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    bary = rng.dirichlet([1, 1, 1], 20_000).astype(np.float32)
    bary[:3] = np.eye(3)
    quats[:4] = np.eye(4)
    bound = replace(made.gaussians, quats=quats, bary=bary)
    first = avatar_to_bytes(replace(made, gaussians=bound))
    read = avatar_from_bytes(first, "once")
    again = avatar_from_bytes(avatar_to_bytes(read), "twice")
    for name in ("quats", "bary"):
        once, twice = getattr(read.gaussians, name), getattr(again.gaussians, name)
        np.testing.assert_array_equal(once, twice)
        np.testing.assert_allclose(once, getattr(bound, name), atol=1e-3)
    np.testing.assert_allclose(read.gaussians.bary.sum(1), 1.0, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(read.gaussians.quats, axis=1), 1.0, atol=2e-5)


def test_size_of_a_gaussian(tmp_path, saved):
    empty = tmp_path / "empty.safetensors"
    save_avatar(make_avatar(0), empty)
    bytes_each = (saved.stat().st_size - empty.stat().st_size) / 4000
    assert bytes_each * 262_144 < 14e6


def test_a_failed_write_leaves_the_old_file(avatar, saved, tmp_path, monkeypatch):
    before = saved.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("likeness.engine.formats.avatar.save", full_disk)
    with pytest.raises(LikenessError, match="No space left"):
        save_avatar(avatar, saved)
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]
    with pytest.raises(LikenessError, match="Cannot write"):
        save_avatar(avatar, tmp_path / "nowhere" / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"not an avatar at all", b"\x80\x04\x95pickle"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(LikenessError, match=r"other\.safetensors"):
        load_avatar(path)


def test_a_header_without_metadata_is_refused(saved):
    data = saved.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    for nothing in (None, {}):
        text = json.dumps(header | {"__metadata__": nothing}).encode()
        with pytest.raises(LikenessError, match="not an avatar file"):
            avatar_from_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :], "x")


def test_missing_truncated_and_foreign_files(saved, tmp_path):
    with pytest.raises(LikenessError, match=r"nobody\.safetensors"):
        load_avatar(tmp_path / "nobody.safetensors")
    foreign = tmp_path / "weights.safetensors"
    save_file({"x": np.zeros(3)}, foreign)
    with pytest.raises(LikenessError, match="not an avatar file"):
        load_avatar(foreign)
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(LikenessError, match="not a whole safetensors file"):
        load_avatar(saved)


@pytest.mark.parametrize("version", ["2", "2.0", "99.1"])
def test_a_newer_major_version_says_update(saved, version):
    with pytest.raises(LikenessError, match=f"version {version.partition('.')[0]}") as caught:
        load_avatar(damaged(saved, metadata={"version": version}))
    assert "Update" in caught.value.remedy


@pytest.mark.parametrize("version", ["", "1.", "1.1.1", "1.-1", "one", "1.01", " 1", "1\n", "١"])
def test_a_version_that_is_none(saved, version):
    with pytest.raises(LikenessError, match="valid version") as caught:
        load_avatar(damaged(saved, metadata={"version": version}))
    assert caught.value.remedy


class Quiet:
    """A worker's channel that nobody listens to."""

    def progress(self, *_):
        """Said to nobody."""


def test_a_newer_minor_version_is_read_with_a_note(avatar, saved, tmp_path):
    """What it adds may be anything: a tensor, a key of the header."""
    with safe_open(saved, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata())
    header = json.loads(metadata["avatar"]) | {"dreams": {"of": "sheep"}}
    metadata |= {"version": f"{VERSION[0]}.{VERSION[1] + 1}", "avatar": json.dumps(header)}
    arrays |= {"gaussians.mood": np.full(3, np.nan), "body.landmark_joint": np.array([99])}
    save_file(arrays, saved, metadata | {"more": "x"})
    with pytest.warns(UserWarning, match=r"newer than this program's"):
        again = load_avatar(saved)
    np.testing.assert_array_equal(again.gaussians.triangle, avatar.gaussians.triangle)
    assert again.provenance == avatar.provenance
    request = {"avatar": str(saved), "photo": None, "output": str(tmp_path / "scene.npz")}
    told = prepare.run(request, Quiet())  # Blender's user is told as well
    assert "newer than" in told["warnings"][0]


def test_a_file_of_the_first_version_becomes_one_of_today(avatar, saved, tmp_path):
    """As programs before 1.1 wrote it: the version a single number, and no order."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = load_avatar(damaged(saved, metadata={"version": "1"}))
    assert first.lod_start is None
    save_avatar(first, tmp_path / "again.safetensors")
    with safe_open(tmp_path / "again.safetensors", framework="np") as file:
        assert file.metadata()["version"] == format_version(VERSION)
    np.testing.assert_array_equal(pose_avatar(first).means, pose_avatar(load_avatar(saved)).means)


def test_older_major_versions_go_through_the_migrations(avatar, saved, monkeypatch):
    """Two steps, from a version that had metres as millimetres and another name for layers."""
    with safe_open(saved, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata())
    arrays["gaussians.kind"] = arrays.pop("gaussians.layer")
    arrays["gaussians.offset"] = arrays["gaussians.offset"] * np.float32(1000)
    save_file(arrays, saved, metadata | {"version": "1.4"})

    def to_2(tensors, header):
        tensors = dict(tensors)
        tensors["gaussians.layer"] = tensors.pop("gaussians.kind")
        return tensors, header

    def to_3(tensors, header):
        metres = tensors["gaussians.offset"] / np.float32(1000)
        return tensors | {"gaussians.offset": metres}, header

    monkeypatch.setattr(avatar_versions, "VERSION", (3, 0))
    with pytest.raises(LikenessError, match="no longer reads"):
        load_avatar(saved)
    monkeypatch.setattr(avatar_versions, "MIGRATIONS", {1: to_2, 2: to_3})
    again = load_avatar(saved)
    np.testing.assert_allclose(again.gaussians.offset, avatar.gaussians.offset, rtol=1e-6)
    np.testing.assert_array_equal(again.gaussians.layer, avatar.gaussians.layer)
    save_file(
        {k: v for k, v in arrays.items() if k != "gaussians.kind"},
        saved,
        metadata | {"version": "1.4"},
    )
    with pytest.raises(LikenessError, match=r"'gaussians\.kind' is missing"):
        load_avatar(saved)


def test_what_the_documents_say_of_versions():
    page = (Path(__file__).resolve().parents[3] / "docs" / "avatars.md").read_text("utf-8")
    assert f"| {format_version(VERSION)} |" in page
    assert set(avatar_versions.MIGRATIONS) == set(range(1, VERSION[0]))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gaussians__triangle", None, "gaussians.triangle' is missing"),
        ("gaussians__triangle", lambda a: a + 10_000, "rows that do not exist"),
        ("gaussians__triangle", lambda a: a.astype(np.int64), "int64"),
        ("gaussians__offset", lambda a: a[:-1], "shape"),
        ("gaussians__offset", lambda a: a * np.nan, "not finite"),
        ("body__v_template", lambda a: a + 1e30, "beyond 10,000"),
        ("body__weights", lambda a: a * 1e30, "beyond 10,000"),
        ("gaussians__colors", lambda a: a[:, 0].copy(), "shape"),
        ("gaussians__layer", lambda a: a + 7, "rows that do not exist"),
        ("gaussians__quats", lambda a: a * 0, "length one"),
        ("gaussians__scales", lambda a: -a, "negative"),
        ("gaussians__opacities", lambda a: a + 1, "between 0 and 1"),
        ("body__f", lambda a: a + 10_000, "rows that do not exist"),
        ("body__f", lambda a: a - 5, "rows that do not exist"),
        ("body__kintree_table", lambda a: a * 0, "skeleton"),
        ("body__landmark_pose_joint", lambda a: a + 60, "rows that do not exist"),
    ],
)
def test_damaged_tensors_are_named(saved, name, change, message):
    with safe_open(saved, framework="np") as file:
        value = file.get_tensor(name.replace("__", "."))
    with pytest.raises(LikenessError, match=message) as caught:
        load_avatar(damaged(saved, **{name: None if change is None else change(value)}))
    assert saved.name in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "header",
    [
        {"pose": None},
        {"pose": {"full_pose": [[0, 0, 0]], "transl": [0, 0, 0], "expression": [0, 0]}},
        {"camera": {"viewmat": 1, "K": 2, "width": 3, "height": 4}},
        {"framing": "upside down"},
        {"expression_names": ["only one"]},
        {"layers": ["skin"]},
        {"provenance": 5},
        {"provenance": None},
    ],
)
def test_damaged_headers_are_named(saved, header):
    with pytest.raises(LikenessError, match=r"avatar\.safetensors"):
        load_avatar(damaged(saved, header=header))
