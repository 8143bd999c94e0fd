"""Shards: what goes in comes out, the same bytes, and whatever is damaged is skipped by name."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.picture_codec import encode_depth, encode_labels
from likeness.engine.dataset.shards import (
    INDEX_FILE,
    InvalidSampleError,
    ShardWriter,
    SkippedItem,
    Subject,
    encode_rgba,
    first_subject,
    read_subjects,
    shard_files,
    shard_name,
    write_index,
    write_shard,
)
from PIL import Image

Members = dict[str, bytes]


def read(body: Body, shard: Path | str) -> tuple[list[Subject], list[SkippedItem]]:
    skipped: list[SkippedItem] = []
    subjects = read_subjects(str(shard), body.num_betas, body.num_expression, skipped.append)
    return list(subjects), skipped


def same(a: Subject, b: Subject) -> None:
    assert (a.key, a.source, a.framing, a.seed, dict(a.facts)) == (
        b.key,
        b.source,
        b.framing,
        b.seed,
        dict(b.facts),
    )
    for name in ("betas", "full_pose", "transl", "expression"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for x, y in zip(a.views, b.views, strict=True):
        assert (x.name, x.pose, x.kind, x.held_out, x.picture, x.background) == (
            y.name,
            y.pose,
            y.kind,
            y.held_out,
            y.picture,
            y.background,
        )
        assert x.azimuth == pytest.approx(y.azimuth, abs=1e-3)
        np.testing.assert_array_equal(x.camera.viewmat, y.camera.viewmat)
        np.testing.assert_array_equal(x.camera.K, y.camera.K)
        assert (x.camera.width, x.camera.height) == (y.camera.width, y.camera.height)


def test_round_trip(box_shards: Path, box_body: Body, make_subject: Callable[..., Subject]) -> None:
    files = shard_files(box_shards)
    assert [Path(file).name for file in files] == [shard_name(k) for k in range(3)]
    found = []
    for file in files:
        subjects, skipped = read(box_body, file)
        assert not skipped
        found += subjects
    assert len(found) == 6
    for number, subject in enumerate(found):
        expected = make_subject(number)
        same(subject, expected)
        assert subject.identity == expected.identity
    assert len({subject.identity for subject in found}) == 6


def test_pictures_are_lossless_and_backgrounds_come_along(
    make_subject: Callable[..., Subject], box_body: Body, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (48, 48, 4)) / 255.0
    jpeg = io.BytesIO()
    Image.fromarray(np.full((48, 48, 3), 99, np.uint8)).save(jpeg, "JPEG")
    subject = make_subject(0)
    views = list(subject.views)
    views[0] = replace(views[0], picture=encode_rgba(rgba, "webp"), background=jpeg.getvalue())
    views[1] = replace(views[1], picture=encode_rgba(rgba, "png"))
    path = write_shard(tmp_path, 3, [replace(subject, views=tuple(views))])
    assert path.name == "shard-000003.tar"
    (back,), _ = read(box_body, path)
    clear = rgba[..., 3] == 0
    expected = np.where(clear[..., None], 0.0, rgba)
    for view in back.views[:2]:
        shown = view.rgba()
        np.testing.assert_allclose(shown[~clear], expected[~clear], atol=1e-6)
        assert (shown[clear][..., 3] == 0).all()
    behind = back.views[0].behind()
    assert behind is not None
    np.testing.assert_allclose(behind, 99 / 255, atol=0.01)
    assert back.views[1].behind() is None


def test_depth_and_labels_come_along(
    make_subject: Callable[..., Subject], box_body: Body, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.3, 16.0, (48, 48)).astype(np.float32)
    depth[:20] = np.inf
    labels = rng.integers(0, 20, (48, 48)).astype(np.uint8)
    subject = make_subject(0)
    views = list(subject.views)
    views[1] = replace(views[1], depth=encode_depth(depth), labels=encode_labels(labels))
    facts = {"reference": "v4", "labels": ["background", "face"]}
    path = write_shard(tmp_path, 0, [replace(subject, views=tuple(views), facts=facts)])
    (back,), skipped = read(box_body, path)
    assert not skipped
    assert (back.reference, subject.reference) == (4, 0)
    found = back.views[1].depth_metres()
    assert found is not None
    assert np.abs(found[20:] - depth[20:]).max() <= 0.000126  # half of 0.25 mm, and float32
    assert np.isinf(found[:20]).all()
    np.testing.assert_array_equal(back.views[1].label_rows(), labels)
    assert back.views[0].depth_metres() is None
    assert back.views[0].label_rows() is None
    assert Image.open(io.BytesIO(back.views[1].depth or b"")).getpixel((5, 30)) == round(
        float(depth[30, 5]) / 0.00025
    )


@pytest.mark.parametrize("metres", [0.0, -1.0, 17.0])
def test_a_depth_that_does_not_fit_is_refused(metres: float) -> None:
    with pytest.raises(LikenessError, match="cannot be stored"):
        encode_depth(np.full((2, 2), metres))
    assert encode_depth(np.full((2, 2), np.inf))


def test_the_same_subjects_make_the_same_bytes(
    make_subject: Callable[..., Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, now in (("a", 1e9), ("b", 1.7e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with ShardWriter(tmp_path / folder, per_shard=2) as writer:
            for number in range(3):
                writer.write(make_subject(number))
        monkeypatch.undo()
    for name in (shard_name(0), shard_name(1), INDEX_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_bytes_are_those_of_webdataset(
    make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    from webdataset import TarWriter

    subjects = [make_subject(number) for number in range(2)]
    own = write_shard(tmp_path, 0, subjects).read_bytes()
    theirs = io.BytesIO()
    with TarWriter(theirs, user="", group="", mtime=0, encoder=False, compress=False) as writer:
        for subject in subjects:
            writer.write({"__key__": subject.key, **subject.members()})
    assert own == theirs.getvalue()


def test_the_index_says_what_is_there(box_shards: Path) -> None:
    index = json.loads((box_shards / INDEX_FILE).read_text())
    assert [entry["name"] for entry in index["shards"]] == [shard_name(k) for k in range(3)]
    for entry in index["shards"]:
        data = (box_shards / entry["name"]).read_bytes()
        assert entry["subjects"] == 2
        assert entry["bytes"] == len(data)
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_shards_of_several_processes_are_listed_together(
    make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    for number in (2, 0, 1):
        write_shard(tmp_path, number, [make_subject(number)])
    write_index(tmp_path)
    index = json.loads((tmp_path / INDEX_FILE).read_text())
    assert [entry["name"] for entry in index["shards"]] == [shard_name(k) for k in range(3)]
    # Another shard of the same name is read again when it is told to be fresh.
    before = index["shards"][1]["sha256"]
    path = write_shard(tmp_path, 1, [make_subject(4)])
    write_index(tmp_path, [path])
    after = json.loads((tmp_path / INDEX_FILE).read_text())["shards"][1]["sha256"]
    assert after == hashlib.sha256(path.read_bytes()).hexdigest() != before


def test_a_broken_maker_leaves_whole_shards_only(
    make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    def broken() -> None:
        with ShardWriter(tmp_path, per_shard=2) as writer:
            for number in range(3):
                writer.write(make_subject(number))
            raise RuntimeError("the maker broke")

    with pytest.raises(RuntimeError):
        broken()
    assert sorted(path.name for path in tmp_path.iterdir()) == [shard_name(0), INDEX_FILE]


@pytest.mark.parametrize(
    "change",
    [{"key": "a.b"}, {"key": "_a"}, {"source": "drawn"}, {"framing": "feet"}, {"views": ()}],
)
def test_what_the_format_does_not_have_is_not_written(
    make_subject: Callable[..., Subject], change: dict
) -> None:
    with pytest.raises(LikenessError, match="cannot be stored"):
        replace(make_subject(0), **change).members()


def test_view_names_are_checked(make_subject: Callable[..., Subject]) -> None:
    subject = make_subject(0)
    for name in ("Front", "a.b", "a/b", "body", "_x", "", subject.views[1].name):
        views = (replace(subject.views[0], name=name), *subject.views[1:])
        with pytest.raises(LikenessError, match="cannot be stored"):
            replace(subject, views=views).members()


def test_a_full_disk_is_told_and_leaves_nothing(
    make_subject: Callable[..., Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = ShardWriter(tmp_path / "a")
    with writer:
        writer.write(make_subject(0))
    monkeypatch.setattr("tarfile.TarFile.addfile", full)
    with pytest.raises(LikenessError, match="No space left"), ShardWriter(tmp_path / "b") as second:
        second.write(make_subject(0))
    with pytest.raises(LikenessError, match="No space left"):
        write_shard(tmp_path / "b", 0, [make_subject(0)])
    assert list((tmp_path / "b").iterdir()) == []


def test_what_a_killed_writer_leaves_is_no_shard(box_shards: Path, tmp_path: Path) -> None:
    whole = (box_shards / shard_name(0)).read_bytes()
    (tmp_path / shard_name(0)).write_bytes(whole)
    (tmp_path / ".shard-000001.part.tar").write_bytes(whole[:3000])
    assert shard_files(tmp_path) == [str(tmp_path / shard_name(0))]
    write_index(tmp_path)
    assert len(json.loads((tmp_path / INDEX_FILE).read_text())["shards"]) == 1


# -- what is damaged ---------------------------------------------------------------------------


def stored(folder: Path, subjects: list[tuple[str, Members]]) -> Path:
    """A tar file of members as they are, right or wrong."""
    path = folder / shard_name(0)
    with tarfile.open(path, "w") as tar:
        for key, members in subjects:
            for name, data in sorted(members.items()):
                info = tarfile.TarInfo(f"{key}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def resealed(members: Members, **about: object) -> Members:
    """The members with checksums that fit, and fields of the JSON changed."""
    said = json.loads(members["json"]) | about
    said["crc32"] = {name: zlib.crc32(d) for name, d in members.items() if name != "json"}
    return members | {"json": json.dumps(said).encode()}


def with_arrays(members: Members, **changes: np.ndarray | None) -> Members:
    with np.load(io.BytesIO(members["body.npz"])) as file:
        arrays = {name: file[name] for name in file.files} | changes
    out = io.BytesIO()
    np.savez(out, **{name: value for name, value in arrays.items() if value is not None})
    return resealed(members | {"body.npz": out.getvalue()})


def without(members: Members, name: str) -> Members:
    return {key: data for key, data in members.items() if key != name}


def nan_pose(members: Members) -> Members:
    full_pose = np.zeros((2, 55, 3), np.float32)
    full_pose[1, 3, 0] = np.nan
    return with_arrays(members, full_pose=full_pose)


def no_azimuth(members: Members) -> dict:
    return json.loads(members["json"])["views"][0] | {"azimuth": float("nan")}


def with_depth(members: Members) -> dict:
    return json.loads(members["json"])["views"][0] | {"depth": "v0.depth.png"}


def pickled(members: Members) -> Members:
    out = io.BytesIO()
    np.savez(out, betas=np.array([{"a": 1}], dtype=object))
    return resealed(members | {"body.npz": out.getvalue()})


def flipped(members: Members, name: str) -> Members:
    data = bytearray(members[name])
    data[len(data) // 2] ^= 0x40
    return members | {name: bytes(data)}


DAMAGES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "no json": (lambda m: without(m, "json"), "no .json"),
    "bad json": (lambda m: m | {"json": b"{'a'"}, "json cannot be read"),
    "json is no table": (lambda m: m | {"json": b"[1]"}, "version None"),
    "other version": (lambda m: resealed(m, version=9), "version 9"),
    "no seed": (lambda m: resealed(m, seed="x"), "no good 'seed'"),
    "no views": (lambda m: resealed(m, views=[]), "no views"),
    "a view that is none": (lambda m: resealed(m, views=[3]), "a view that is none"),
    "view without kind": (lambda m: resealed(m, views=[{"name": "v0"}]), "no good 'kind'"),
    "no finite azimuth": (lambda m: resealed(m, views=[no_azimuth(m)]), "NaN"),
    "unknown source": (lambda m: resealed(m, source="dreamt"), "not known"),
    "no npz": (lambda m: without(m, "body.npz"), "'body.npz' is missing"),
    "bad npz": (lambda m: resealed(m | {"body.npz": b"PK\x03\x04 no"}), "body.npz cannot be read"),
    "npz with a flipped bit": (lambda m: flipped(m, "body.npz"), "checksum"),
    "npz without an array": (lambda m: with_arrays(m, Ks=None), "body.npz cannot be read"),
    "pickled array": (pickled, "body.npz cannot be read"),
    "nan": (nan_pose, "full_pose has numbers that are not finite"),
    "other betas": (lambda m: with_arrays(m, betas=np.zeros(99, np.float32)), "betas is (99,)"),
    "other expression": (
        lambda m: with_arrays(m, expression=np.zeros((2, 7), np.float32)),
        "expression is (2, 7)",
    ),
    "text for numbers": (lambda m: with_arrays(m, betas=np.array(["a"])), "betas is <U1"),
    "pose row": (lambda m: with_arrays(m, view_pose=np.full(6, 2, np.int32)), "none of 2"),
    "no focal length": (lambda m: with_arrays(m, Ks=np.zeros((6, 3, 3))), "no focal length"),
    "missing depth": (lambda m: resealed(m, views=[with_depth(m)]), "checksum of 'v0.depth.png'"),
    "missing picture": (lambda m: without(m, "v3.png"), "'v3.png' is missing"),
    "picture with a flipped bit": (lambda m: flipped(m, "v3.png"), "'v3.png' is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_subject_is_skipped_by_name(
    make_subject: Callable[..., Subject], box_body: Body, tmp_path: Path, damage: str
) -> None:
    mend, reason = DAMAGES[damage]
    good = [(s.key, s.members()) for s in (make_subject(k) for k in range(3))]
    key, members = good[1]
    shard = stored(tmp_path, [good[0], (key, mend(members)), good[2]])
    subjects, skipped = read(box_body, shard)
    assert [subject.key for subject in subjects] == [good[0][0], good[2][0]]
    assert [(what.shard, what.name) for what in skipped] == [(str(shard), key)]
    assert reason in skipped[0].reason
    assert key in str(skipped[0])


def test_pictures_are_checked_when_they_are_used(make_subject: Callable[..., Subject]) -> None:
    view = make_subject(0).views[0]
    with pytest.raises(InvalidSampleError, match="cannot be read"):
        replace(view, picture=view.picture[:60]).rgba()
    with pytest.raises(InvalidSampleError, match="is 12 x 12, its camera's 48 x 48"):
        replace(view, picture=encode_rgba(np.ones((12, 12, 4)))).rgba()
    opaque = io.BytesIO()
    Image.new("RGB", (48, 48)).save(opaque, "PNG")
    with pytest.raises(InvalidSampleError, match="no alpha"):
        replace(view, picture=opaque.getvalue()).rgba()
    with pytest.raises(InvalidSampleError, match=r"'v0\.depth' has no 16 bits"):
        replace(view, depth=view.picture).depth_metres()
    with pytest.raises(InvalidSampleError, match=r"'v0\.labels' is not of 8-bit greys"):
        replace(view, labels=view.picture).label_rows()
    with pytest.raises(InvalidSampleError, match=r"v0\.background"):
        replace(view, background=b"no picture").behind()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.55, 0.9])
def test_a_truncated_shard_gives_what_is_whole(
    box_shards: Path, box_body: Body, tmp_path: Path, share: float
) -> None:
    whole = Path(shard_files(box_shards)[0])
    cut = tmp_path / shard_name(0)
    data = whole.read_bytes().rstrip(b"\0")
    cut.write_bytes(data[: int(share * len(data))])
    (tmp_path / INDEX_FILE).write_bytes((box_shards / INDEX_FILE).read_bytes())
    expected, _ = read(box_body, whole)
    subjects, skipped = read(box_body, cut)
    assert len(subjects) < 2
    for subject, other in zip(subjects, expected, strict=False):
        same(subject, other)
    assert skipped
    assert {what.shard for what in skipped} == {str(cut)}
    # tarfile takes a cut between two members for the end; then the subject is not whole.
    cut_off = ("cannot be read to its end (unexpected end of data)", "is missing", "no .json")
    assert any(reason in skipped[0].reason for reason in cut_off)
    # The index notices it without reading, and the shards that are missing.
    noticed: list[SkippedItem] = []
    shard_files(tmp_path, noticed.append)
    assert ["bytes" in what.reason for what in noticed] == [True, False, False]
    assert all("missing" in what.reason for what in noticed[1:])


@pytest.mark.parametrize("data", [b"", b"not a tar file" * 100, bytes(5000)])
def test_a_file_that_is_no_shard(box_body: Body, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / shard_name(0)
    path.write_bytes(data)
    subjects, skipped = read(box_body, path)
    assert subjects == []
    with pytest.raises(LikenessError, match="No subject in 1 shards") as caught:
        first_subject([str(path)], box_body.num_betas, box_body.num_expression)
    assert str(path) in caught.value.message
    assert "shard-*.tar" in caught.value.remedy
    assert all(what.shard == str(path) for what in skipped)


def test_a_shard_that_is_gone_is_told(box_body: Body, tmp_path: Path) -> None:
    subjects, skipped = read(box_body, tmp_path / "gone.tar")
    assert subjects == []
    assert "cannot be opened" in skipped[0].reason


def test_where_shards_are_looked_for(box_shards: Path, tmp_path: Path) -> None:
    names = [str(box_shards / shard_name(k)) for k in range(3)]
    assert shard_files(str(box_shards)) == names
    assert shard_files(box_shards / shard_name(1)) == [names[1]]
    assert shard_files(f"{box_shards}/shard-*.tar") == names
    assert shard_files(f"{box_shards}/shard-{{000001..000002}}.tar") == names[1:]
    assert shard_files([names[2], box_shards / shard_name(0), names[2]]) == [names[0], names[2]]
    for nothing in (tmp_path, str(tmp_path / "none-*.tar"), [tmp_path, tmp_path / "gone"]):
        with pytest.raises(LikenessError, match="shards") as caught:
            shard_files(nothing)
        assert str(tmp_path) in caught.value.message


def test_shards_are_streamed_from_elsewhere(box_shards: Path, box_body: Body) -> None:
    source = (box_shards / shard_name(0)).as_uri()
    assert shard_files(source) == [source]
    subjects, skipped = read(box_body, source)
    assert [subject.key for subject in subjects] == ["box_000", "box_001"]
    assert not skipped


@pytest.mark.parametrize("start", ["pipe:touch {}", "pipe:cat /x; touch {}"])
def test_commands_are_not_run(start: str, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="command"):
        shard_files(start.format(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


def test_addresses_go_through_no_shell(box_body: Body, tmp_path: Path) -> None:
    for scheme in ("http", "htgs", "ais"):
        address = f"{scheme}://nowhere.invalid/a.tar;touch${{IFS}}{tmp_path}/ran"
        with pytest.raises(LikenessError, match=r"nowhere\.invalid"):
            read(box_body, address)
    assert not (tmp_path / "ran").exists()


def test_a_damaged_index_is_told_and_the_files_are_listed(box_shards: Path, tmp_path: Path) -> None:
    (tmp_path / shard_name(0)).write_bytes((box_shards / shard_name(0)).read_bytes())
    (tmp_path / INDEX_FILE).write_text("{")
    told: list[SkippedItem] = []
    assert shard_files(tmp_path, told.append) == [str(tmp_path / shard_name(0))]
    assert len(told) == 1
    assert told[0].shard == str(tmp_path / INDEX_FILE)
    assert "cannot be read" in told[0].reason
    assert "not noticed" in told[0].reason


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (SkippedItem("a.tar", "", "cut off"), "a.tar: cut off"),
        (SkippedItem("a.tar", "person", "damaged"), "a.tar: person: damaged"),
        (SkippedItem("", "person/view", "nobody is found"), "person/view: nobody is found"),
    ],
)
def test_what_is_skipped_is_said(what: SkippedItem, said: str) -> None:
    assert str(what) == said
