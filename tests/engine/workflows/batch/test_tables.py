"""Tables as spreadsheets and hands write them, and where in a table its errors are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.workflows.batch.tables import read_table

GOOD = '{"photo": "a.jpg"}\n'


@pytest.mark.parametrize(
    ("name", "text", "where", "what"),
    [
        ("t.jsonl", GOOD + '{"photo": x}\n', "line 2", "at column 11"),
        ("t.jsonl", GOOD + "\n[1]\n", "line 3", "must be a table or an object"),
        ("t.jsonl", GOOD + '{"photo": "b.jpg", "fov": NaN}', "line 2", "NaN"),
        ("t.jsonl", '{"photo": "a\u2028.jpg"}\n{}', "line 2", "photo is missing"),
        ("t.csv", 'photo\na.jpg\n"b.jpg\n', "line 3", "unexpected end"),
        ("t.csv", "photo,photo\na,b", "line 1", "the same name"),
        ("t.csv", "\nfoto;name\na.jpg;anna\n", "line 2", "no 'photo' but 'foto', 'name'"),
        ("t.csv", "photo;views\na.jpg;b.jpg;c.jpg\n", "line 2", "with semicolons in quotation"),
        (
            "t.toml",
            "[[portrait]]\nphoto = 'a'\n\n[[portrait]]\nphoto = 3",
            "line 4, portrait 2:",
            "photo must be a path",
        ),
        ("t.toml", "portrait = [{ photo = 'a' }, 3]", "portrait 2", "must be a table"),
    ],
)
def test_errors_name_file_and_line(
    tmp_path: Path, name: str, text: str, where: str, what: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    with pytest.raises(LikenessError) as caught:
        read_table(tmp_path / name)
    said = str(caught.value)
    assert said.startswith(f"'{tmp_path / name}', {where}")
    assert what in said
    assert said.count("line ") == where.count("line ") + ("but line 1" in said)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_spreadsheets(tmp_path: Path, delimiter: str) -> None:
    """Any separator, names in any case, and empty columns at the end."""
    lines = [
        ["Photo", " NAME ", '"Person"', "Back", "", ""],
        ["a.jpg", "anna, b", "1", "", "", ""],
        ["b.jpg", "", "", '"b;c,d\t.jpg"', "", ""],
        ["", "", "", "", "", ""],
        ["c.jpg"],
    ]
    if delimiter == ",":
        lines[1][1] = '"anna, b"'
    text = "\r\n".join(delimiter.join(line) for line in lines)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    one, two, three = read_table(tmp_path / "t.csv")
    assert (one.photo.name, one.name, one.options) == ("a.jpg", "anna, b", {"person": 1})
    assert two.views == (("back", tmp_path / "b;c,d\t.jpg"),)
    assert (three.photo.name, three.where) == ("c.jpg", f"'{tmp_path / 't.csv'}', line 5")


def test_columns_that_are_not_known_are_errors(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Photo;Colour\na.jpg;red\n")
    with pytest.raises(LikenessError, match="line 2 has the unknown field 'colour'"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("photo,,\na.jpg,,x\n")
    with pytest.raises(LikenessError, match="line 2 has 3 cells, but line 1 names only 1"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("encoding", "where"),
    [
        ("cp1252", "', line 2 cannot be read: it is not UTF-8."),
        ("utf-16", "' cannot be read: it is UTF-16."),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.toml"])
def test_other_encodings_are_told(tmp_path: Path, name: str, encoding: str, where: str) -> None:
    texts = {
        "t.csv": "photo,name\nj.jpg,Jörg\n",
        "t.jsonl": GOOD + '{"photo": "Jörg.jpg"}\n',
        "t.toml": "[[portrait]]\nphoto = 'Jörg.jpg'\n",
    }
    (tmp_path / name).write_bytes(texts[name].encode(encoding))
    with pytest.raises(LikenessError) as caught:
        read_table(tmp_path / name)
    assert caught.value.message == f"'{tmp_path / name}{where}"
    assert "Save the table as UTF-8" in caught.value.remedy


@pytest.mark.parametrize("field", ["photo", "name"])
def test_half_a_letter_in_json_is_told(tmp_path: Path, field: str) -> None:
    row = {"photo": "a.jpg", field: "a\ud800b"}
    (tmp_path / "t.jsonl").write_text('{"photo": "b.jpg"}\n' + json.dumps(row))
    with pytest.raises(LikenessError, match=r"line 2 cannot be read: '\\ud800' is half"):
        read_table(tmp_path / "t.jsonl")
    row = {"photo": "a\udcff.jpg"}  # a byte of a name that is no UTF-8
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    assert read_table(tmp_path / "t.jsonl")[0].photo.name == "a\udcff.jpg"


def test_estimates_stand_beside_the_table(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("photo,estimator,camera_pitch\na.jpg,poses/{name}.npz; h.npz,-12.5\n", "utf-8")
    (asked,) = read_table(table)
    files = [str(tmp_path / name) for name in ("poses/{name}.npz", "h.npz")]
    assert asked.options == {"estimator": files, "camera_pitch": -12.5}
    options = BuildOptions(**asked.options)
    assert options.estimator == tuple(files)
    assert options.as_provenance()["estimator"] == ["{name}.npz", "h.npz"]
