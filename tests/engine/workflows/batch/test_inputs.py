"""What a batch is asked for: folders, patterns, tables, names."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.stores import Address
from likeness.engine.files.weights import DEFAULT_NETWORK
from likeness.engine.gaussians.refine.refine_gaussians import REFINE_LEVELS
from likeness.engine.workflows.batch import code_version, portrait_spec, units
from likeness.engine.workflows.batch.inputs import find_portraits
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.result_names import assign_names
from likeness.engine.workflows.batch.tables import read_table
from likeness.engine.workflows.batch.units import MAX_BYTES, find_duplicates, plan_units


def tree(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_choices_are_those_of_a_build() -> None:
    assert set(portrait_spec.SPECS["refine"].choices) == set(REFINE_LEVELS)
    assert portrait_spec.SPECS["network"].default == DEFAULT_NETWORK


def test_a_folder_gives_its_pictures_but_no_results(tmp_path: Path) -> None:
    out = tmp_path / "all" / "out"
    tree(
        tmp_path / "all",
        "b.jpg",
        "a.PNG",
        "notes.txt",
        ".hidden.jpg",
        "x/c d.jpeg",
        "x/ü\n.webp",
        ".trash/e.jpg",
        "out/b/preview.png",
    )
    (tmp_path / "all" / "x" / "loop").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "self.jpg").symlink_to(tmp_path / "all" / "self.jpg")
    (tmp_path / "all" / "again.jpg").symlink_to(tmp_path / "all" / "b.jpg")
    os.mkfifo(tmp_path / "all" / "pipe.jpg")
    named = assign_names(find_portraits([tmp_path / "all", tmp_path / "all" / "b.jpg"], out), out)
    assert [one.name for one in named] == ["a", "again", "pipe", "self", "x/c d", "x/ü_"]


def test_names_of_a_pattern_tell_the_folders_below_its_fixed_part(tmp_path: Path) -> None:
    """So that another day's photo of the same name changes none."""
    tree(tmp_path, "s/tue/x/IMG_1.jpg", "s/wed/IMG_1.jpg", "s/wed/IMG_2.jpg")

    def names(pattern: str) -> list[str]:
        return [one.name for one in find_portraits([tmp_path / pattern], tmp_path / "out")]

    before = names("s/**/*.jpg")
    assert before == ["tue/x/IMG_1", "wed/IMG_1", "wed/IMG_2"]
    assert names("s/*/*.jpg") == ["wed/IMG_1", "wed/IMG_2"]
    assert names("s/w*") == ["wed/IMG_1", "wed/IMG_2"]  # a folder that fits
    assert names("s/wed/*_1.jpg") == ["IMG_1"]
    assert names("s/wed/IMG_1.jpg") == ["IMG_1"]
    tree(tmp_path, "s/mon/IMG_1.jpg")
    assert names("s/**/*.jpg") == ["mon/IMG_1", *before]


def test_what_a_batch_has_made_is_no_portrait(tmp_path: Path) -> None:
    """However the folder of the results is named, and whichever batch they are of."""
    result = ("avatar.safetensors", "batch.json", "views/front.jpg")
    tree(tmp_path, "in/a.jpg", "in/b/c.jpg", "in/out/new.jpg")
    for out in ("in", "in/other"):
        tree(tmp_path, f"{out}/.likeness-batch/journal.jsonl", f"{out}/report/pictures/1.jpg")
        tree(tmp_path, *(f"{out}/cast/anna/{name}" for name in result))
    (tmp_path / "link").symlink_to(tmp_path / "in")

    def names(given: str, out: str) -> list[str]:
        return [one.name for one in find_portraits([tmp_path / given], tmp_path / out)]

    every = ["a", "b/c", "out/new"]
    assert names("in", "in") == every
    assert names("in", "in/../in/out") == every[:2]
    assert names("link", "in/out") == every[:2]
    assert names("in/**/*.jpg", "in/out") == every[:2]
    assert names("in/*", "in/out") == every[:2]
    if find_spec("fsspec"):
        given = Address((tmp_path / "in").as_uri())
        found = [one.name for one in find_portraits([given], given / "out")]
        assert sorted(found) == every[:2]


def test_pictures_that_cannot_be_read_are_not_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.jpg", "in/b.heic", "in/c.dng", "in/notes.txt")
    (tmp_path / "in" / "lost.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    with pytest.warns(UserWarning, match=r"1 \.dng, 1 \.heic"):
        found = find_portraits([tmp_path / "in"], tmp_path / "out")
    assert [one.name for one in found] == ["a", "lost", "pipe"]
    troubles = [unit.trouble for unit in plan_units(assign_names(found, tmp_path / "out"))]
    assert [trouble is not None for trouble in troubles] == [False, True, True]
    assert [one.name for one in find_portraits([tmp_path / "in/*.jpg"], tmp_path)] == [
        "a",
        "lost",
        "pipe",
    ]


def test_a_body_that_never_ends_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg")
    for body in (os.devnull, "/dev/zero"):
        asked = PortraitSpec(tmp_path / "a.jpg", name="a", options={"body": body})
        with pytest.raises(LikenessError, match="not a regular file"):
            plan_units([asked])


def test_patterns_and_what_is_not_there(tmp_path: Path) -> None:
    tree(tmp_path, "a1.jpg", "a2.jpg", "b/c.jpg", "odd.photo", "jobs.csv", "[x].jpg", "empty/n.txt")
    out = tmp_path / "out"

    def names(*inputs: str) -> list[str]:
        return [one.photo.name for one in find_portraits([tmp_path / i for i in inputs], out)]

    assert names("a*.jpg") == ["a1.jpg", "a2.jpg"]
    assert names("**/*.jpg") == ["[x].jpg", "a1.jpg", "a2.jpg", "c.jpg"]
    assert names("[x].jpg", "odd.photo") == ["[x].jpg", "odd.photo"]
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for wrong, message in (
        ("gone.jpg", "does not exist"),
        ("z*.jpg", "no pictures"),
        ("empty", "no pictures"),
        ("jobs.csv", "--job"),
        ("pipe.jpg", "pipe.jpg.*not a plain file"),
        ("loop.jpg", "loop.jpg.*not a plain file"),
    ):
        with pytest.raises(LikenessError, match=message) as caught:
            names(wrong)
        assert wrong in str(caught.value)


def test_names_are_safe_and_apart(tmp_path: Path) -> None:
    files = ("me.jpg", "ME.png", "me/left.jpg", "CON.jpg", "report.jpg", "a:b?.jpg", "x.jpg/y.jpg")
    asked = [PortraitSpec(tmp_path / name, (), name.rpartition(".")[0]) for name in files]
    assert [one.name for one in assign_names(asked, tmp_path)] == [
        "me-jpg",
        "ME-png",
        "me/left",
        "CON_",
        "report_",
        "a_b_",
        "x.jpg/y",
    ]
    given = [
        PortraitSpec(tmp_path / "a.jpg", (), "me", {}, "line 2"),
        PortraitSpec(tmp_path / "me.jpg"),
    ]
    assert [one.name for one in assign_names(given, tmp_path)] == ["me", "me-jpg"]
    for names, message in (
        (("../a",), "not lie inside"),
        (("/a",), "not lie inside"),
        (("a/../../b",), "inside"),
        (("con",), "'con_'"),
        (("report",), "'report_'"),
        (("me", "ME"), "there already"),
        (("a", "a/b"), "would lie in"),
    ):
        asked = [
            PortraitSpec(tmp_path / "p.jpg", (), name, {}, "'t.csv', line 2") for name in names
        ]
        with pytest.raises(LikenessError, match=message):
            assign_names(asked, tmp_path)


TOML = """
[options]
refine = "full"
fov = 30
[[portrait]]
photo = "a.jpg"
name = "cast/a"
views = { back = "a_back.jpg", Left = "a_left.jpg" }
fov = 40
[[portrait]]
photo = "b.jpg"
views = ["b2.jpg", "side=b3.jpg"]
body = "body.npz"
network = "nets/small"
"""
CSV = """photo,back,views,fov,person,name\r
a.jpg,a_back.jpg,,40,1,"cast, a"\r
\r
"b "" c.jpg",,side=b3.jpg; b2.jpg,,,\r
"""
JSONL = """{"photo": "a.jpg", "max_gaussians": 20000}

{"photo": "b.jpg", "network": "default"}
"""


def test_tables_say_the_same_in_three_ways(tmp_path: Path) -> None:
    for name, text in (("t.toml", TOML), ("t.csv", "\ufeff" + CSV), ("t.jsonl", JSONL)):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    one, two = read_table(tmp_path / "t.toml", {"refine": "off", "max_gaussians": 9000})
    assert one.views == (("back", tmp_path / "a_back.jpg"), ("left", tmp_path / "a_left.jpg"))
    assert (one.photo, one.name) == (tmp_path / "a.jpg", "cast/a")
    assert one.options == {"refine": "full", "max_gaussians": 9000, "fov": 40.0}
    assert two.views == (("any", tmp_path / "b2.jpg"), ("side", tmp_path / "b3.jpg"))
    assert two.options["fov"] == 30.0
    assert two.options["body"] == str(tmp_path / "body.npz")
    assert two.options["network"] == str(tmp_path / "nets" / "small")
    one, two = read_table(tmp_path / "t.csv")
    assert (one.name, one.options) == ("cast, a", {"fov": 40.0, "person": 1})
    assert one.views == (("back", tmp_path / "a_back.jpg"),)
    assert (two.photo, two.options) == (tmp_path / 'b " c.jpg', {})
    assert two.views == (("side", tmp_path / "b3.jpg"), ("any", tmp_path / "b2.jpg"))
    assert two.where.endswith("line 4")
    one, two = read_table(tmp_path / "t.jsonl")
    assert (one.options, two.options) == ({"max_gaussians": 20000}, {"network": "default"})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.toml", "[[portrait]]\nphoto = 3", "portrait 1: photo must be a path"),
        ("t.toml", "[[portrait]]\nname = 'a'", "photo is missing"),
        ("t.toml", "[[portrait]]\nphoto = 'a'\ncolour = 1", "unknown field 'colour'"),
        ("t.toml", "[options]\nphoto = 'a'\n[[portrait]]\nphoto = 'a'", "unknown field 'photo'"),
        ("t.toml", "[[portrait]]\nphoto = 'a'\nfov = nan", "fov must be degrees"),
        ("t.toml", "[[portrait]]\nphoto = 'a'\nfov = true", "fov must be degrees"),
        ("t.toml", "[[portrait]]\nphoto = 'a'\nviews = {top = 'b'}", "'top' is not a view"),
        ("t.toml", "[[portrait]]\nphoto = 'a'\nviews = 3", "views must name photos"),
        ("t.toml", "portrait = 3", "must have"),
        ("t.toml", "[[people]]\nphoto = 'a'", "'people'"),
        ("t.toml", "", "names no portraits"),
        ("t.toml", "photo = [" * 5000, "cannot be read"),
        ("t.csv", "photo,fov\na.jpg,wide", "line 2: fov must be degrees"),
        ("t.csv", "photo,person\na.jpg,1.5", "person must be a whole number"),
        ("t.csv", "photo,person\na.jpg," + "9" * 5000, "person must be a whole number"),
        ("t.csv", "photo,refine\na.jpg,slow", "refine must be one of off, fast, full"),
        ("t.csv", "photo\na.jpg,b.jpg", "line 2 has 2 cells"),
        ("t.csv", "photo,photo\na,b", "the same name"),
        ("t.csv", 'photo\n"a.jpg', "cannot be read"),
        ("t.csv", "photo\n" + "a" * 200_000, "field larger"),
        ("t.csv", "", "empty"),
        ("t.csv", "photo\na\0b.jpg", "photo must be a path"),
        ("t.jsonl", "[1]", "must be a table or an object"),
        ("t.jsonl", '{"photo": "a", "fov": NaN}', "NaN"),
        ("t.jsonl", '{"photo": "a", "fov": 1e999}', "fov must be degrees"),
        ("t.jsonl", '{"photo": "a", "name": 3}', "name must be a text"),
        ("t.jsonl", '{"photo": {"a": 1}}', "photo must be a path"),
        ("t.jsonl", "[" * 100_000, "cannot be read"),
        ("t.xlsx", "", "t.xlsx"),
    ],
)
def test_what_a_table_may_not_say(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, newline="")
    with pytest.raises(LikenessError, match=message) as caught:
        read_table(tmp_path / name)
    assert name in str(caught.value)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"gone\.csv"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "t.csv").write_bytes(b"photo\n\xff\xfe.jpg")
    with pytest.raises(LikenessError, match="cannot be read"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(LikenessError, match="folder"):
        read_table(tmp_path / "d.csv")


def test_units_are_known_by_bytes_and_options(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "b.jpg", "body.npz", "net/config.json")
    (tmp_path / "b.jpg").write_text("a.jpg")
    net = {"network": str(tmp_path / "net")}
    asked = [
        PortraitSpec(tmp_path / "a.jpg", (), "a"),
        PortraitSpec(tmp_path / "b.jpg", (), "b"),
        PortraitSpec(tmp_path / "a.jpg", (), "c", {"fov": 30.0}),
        PortraitSpec(tmp_path / "a.jpg", (("back", tmp_path / "b.jpg"),), "d"),
        PortraitSpec(tmp_path / "a.jpg", (("left", tmp_path / "b.jpg"),), "e"),
        PortraitSpec(tmp_path / "a.jpg", (), "f", {"body": str(tmp_path / "body.npz")}),
        PortraitSpec(tmp_path / "a.jpg", (), "g", net),
    ]
    found = plan_units(asked)
    assert found[0].digest == found[1].digest
    assert len({unit.digest for unit in found}) == 6
    assert find_duplicates(found) == {"b": "a"}
    (tmp_path / "net" / "config.json").write_text("other")
    (tmp_path / "a.jpg").write_text("other")
    again = plan_units(asked)
    assert not {unit.digest for unit in again[:1] + again[2:]} & {unit.digest for unit in found}


def test_units_of_other_code_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.jpg")
    code_of = code_version.code_digest.__wrapped__
    monkeypatch.setattr(code_version, "ROOT", tmp_path / "likeness")
    files = [
        tmp_path / "likeness" / name
        for name in (
            "engine/pipeline/build.py",
            "engine/tracking/face_bias.csv",
            "engine/training/loop.py",
            "engine/tracking/fit.py",
        )
    ]
    seen = set()
    for k, text in enumerate((b"one\n", b"two\n", b"two\r\n", b"three\n")):
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
        digest = code_of()
        monkeypatch.setattr(units, "code_digest", lambda digest=digest: digest)
        (unit,) = plan_units([PortraitSpec(tmp_path / "a.jpg", (), "a")])
        seen.add((digest, unit.digest))
        assert len(seen) == (1, 2, 2, 3)[k]  # line ends of another system are no change
    files[2].write_text("other")  # trains, and makes nothing
    assert code_of() == digest
    files[1].rename(files[1].with_name("else.csv"))
    assert code_of() != digest


def test_photos_that_cannot_be_read_are_units_with_a_trouble(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    names = ("gone.jpg", "pipe.jpg", "huge.jpg", ".")
    for unit, name in zip(
        plan_units([PortraitSpec(tmp_path / n) for n in names]), names, strict=True
    ):
        assert not unit.digest
        assert unit.trouble
        assert unit.trouble.remedy
        assert str(tmp_path / name) in unit.trouble.message
    tree(tmp_path, "a.jpg")
    with pytest.raises(LikenessError, match=r"gone\.npz"):
        plan_units(
            [PortraitSpec(tmp_path / "a.jpg", (), "a", {"body": str(tmp_path / "gone.npz")})]
        )
