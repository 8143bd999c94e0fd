"""Edits that every avatar of a batch gets: how they are written, made and reported."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.pipeline.build import BuildResult
from likeness.engine.wardrobe.items import parse_color
from likeness.engine.workflows.batch import make
from likeness.engine.workflows.batch.tables import read_table
from likeness.engine.workflows.batch.units import plan_units
from likeness.engine.workflows.edit_avatar import (
    EditList,
    list_edit_files,
    parse_edits,
    parse_item,
    strip_edit_folders,
)


def test_a_tables_edits_are_those_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'photo,edit\na.jpg,"add hat=fedora,color=#332211; tint hair=#803010"\nb.jpg,\n'
    )
    (tmp_path / "a.toml").write_text(
        '[options]\nedit = ["add hair=bob"]\n[[portrait]]\nphoto = "a.jpg"\n'
        '[[portrait]]\nphoto = "b.jpg"\nedit = ["set glasses=0"]\n'
    )
    first, second = (one.options for one in read_table(tmp_path / "a.csv"))
    assert parse_edits(first["edit"]) == EditList(
        ("hat=fedora,color=#332211",), ("hair=#803010",), {}
    )
    assert "edit" not in second
    shared, own = (one.options["edit"] for one in read_table(tmp_path / "a.toml"))
    assert (shared, own) == (["add hair=bob"], ["set glasses=0"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("hat=fedora", "is not an edit"),
        ("add hat=crown", "no hat 'crown'"),
        ("tint eyes=#000000", "cannot be tinted"),
        ("set hat=2", "out of range"),
        ("set galsses=0", "no attribute 'galsses'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_built(
    tmp_path: Path, edit: str, message: str
) -> None:
    (tmp_path / "a.toml").write_text(f'[[portrait]]\nphoto = "a.jpg"\nedit = ["{edit}"]\n')
    with pytest.raises(LikenessError, match=message) as error:
        read_table(tmp_path / "a.toml")
    assert "a.toml', line 1, portrait 1" in error.value.message


def test_the_report_and_the_avatar_list_them(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"add": "hat", "item": "cap"}
    asked: list[Any] = []

    def edited(avatar: Any, add: Any, values: Any, tints: Any, skipped: Any) -> Any:
        asked.append((add, values, tints))
        return SimpleNamespace(provenance={"edits": [record]})

    monkeypatch.setattr(make, "edit_avatar", edited)
    nothing: Any = None
    plain = BuildResult(
        nothing, {"framing": "head", "warnings": []}, nothing, nothing, nothing, nothing
    )
    assert make._edit(plain, EditList()) is plain
    made = make._edit(plain, parse_edits(["add hat=cap", "set hat=0.5"]))
    assert asked == [(("hat=cap",), {"hat": 0.5}, ())]
    assert made.report == {"framing": "head", "warnings": [], "edits": [record]}


def test_library_files_lie_beside_the_table_and_count_by_their_contents(tmp_path: Path) -> None:
    """A changed mesh or picture of a garment makes its avatar again; a moved library does not.

    Commas in the folders' names ended the path.
    """
    digests = []
    for name, points in [("a", "v 0 0 0\n"), ("b, x.mhclo,y", "v 0 0 0\n"), ("c,d", "v 0 0 1\n")]:
        folder = tmp_path / name
        (folder / "hats").mkdir(parents=True)
        (folder / "hats" / "top.mhclo").write_text("obj_file top.obj\nmaterial top.mhmat\n")
        (folder / "hats" / "top.obj").write_text(points)
        (folder / "hats" / "top.mhmat").write_text("diffuseTexture top.png\n")
        (folder / "hats" / "top.png").write_bytes(b"the same picture")
        (folder / "a.jpg").write_bytes(b"a photo")
        (folder / "t.toml").write_text(
            '[[portrait]]\nphoto = "a.jpg"\nedit = ["add hat=hats/top.mhclo,color=#112233"]\n'
        )
        (portrait,) = read_table(folder / "t.toml")
        wanted = f"add hat={folder / 'hats' / 'top.mhclo'},color=#112233"
        assert portrait.options["edit"] == [wanted]
        assert list_edit_files([wanted]) == [folder / "hats" / "top.mhclo"]
        assert strip_edit_folders([wanted]) == ["add hat=top.mhclo,color=#112233"]
        item, value = parse_item(wanted.removeprefix("add "))
        assert (item.category, item.item, value) == ("hat", str(folder / "hats/top.mhclo"), 1.0)
        assert item.color == parse_color("#112233")
        digests.append(plan_units([portrait])[0].digest)
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "a" / "hats" / "top.png").write_bytes(b"another one")
    (portrait,) = read_table(tmp_path / "a" / "t.toml")
    assert plan_units([portrait])[0].digest not in digests
