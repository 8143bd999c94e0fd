"""Avatars in the asset browser: libraries, credits, pictures, and instances made posable."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.addon.asset_catalogs import AVATARS, CATALOGS_FILE, catalog_id

ASSETS = "asset_checks"


def test_the_scenes_avatars_in_a_library(blender, tmp_path: Path) -> None:
    found = blender(ASSETS, "saved", folder=str(tmp_path))
    assert found["result"] == ["FINISHED"]
    assert found["unchanged"]
    assert found["files"] == ["Ann.blend", "Bert.blend", CATALOGS_FILE]
    line = f"{catalog_id(AVATARS)}:Likeness:Likeness"
    assert found["catalogs"] == ["VERSION 1", "", "11:Mine:Mine", line]
    assert [Path(path) for path in found["listed"]] == [tmp_path / "library"]
    assert found["listed again"] == 1
    assert "Choose one" in found["refused"]
    assert "cannot be made" in found["no folder"]
    for name, author, asset in zip(
        ("Ann", "Bert"), ("Photographer of Ann", "Me"), found["assets"], strict=True
    ):
        assert (asset["name"], asset["author"], asset["copyright"]) == (name, author, "2026")
        assert asset["catalog"] == catalog_id(AVATARS)
        assert f"From {name.replace('Bert', 'Bob')}.jpg" in asset["description"]
        assert "200 splats" in asset["description"]
        assert "Likeness" in asset["tags"]
        assert (asset["size"] is not None) == found["pictures"]
    assert found["warned"] != found["pictures"], "the dialog says that there are none"
    assert [asset["license"] for asset in found["assets"]] == ["CC0", ""]
    assert found["whole"]["size"] == [256, 256]
    assert found["whole"]["drawn"] > 0.01


def test_files_of_the_same_name_stay_unless_they_are_to_be_replaced(
    blender, tmp_path: Path
) -> None:
    found = blender(ASSETS, "kept", folder=str(tmp_path))
    first = ["Ann.blend", "Ann_a.blend", "Ann_a_1.blend"]
    second = sorted([*first, "Ann_1.blend"])
    third = sorted([*second, "Ann_2.blend", "Ann_a_2.blend"])
    assert found["files"] == [first, second, second, third]
    assert found["kept"]
    assert found["replaced"]
    assert found["open kept"]
    said = [text for text in found["said"] if "exists" in text]
    assert said[1] == "'Ann.blend' exists: saved as 'Ann_1.blend'"


def test_a_linked_avatar_is_refused_before_others_are_marked(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(ASSETS, "linked", folder=str(tmp_path))
    assert found["count"] == 2
    assert "'Bob' is linked from another file" in found["message"]
    assert not found["marked"]
    assert not found["folder"]


@pytest.mark.parametrize("link", [True, False])
def test_instances_are_made_posable(blender, tmp_path: Path, link: bool) -> None:
    found = blender(ASSETS, "instanced", folder=str(tmp_path), link=link)
    assert found["before"] == 0
    assert found["shown"]
    assert "likeness.make_posable" in found["drawn"]
    assert found["empties"] == 0
    assert found["names"]
    assert max(found["errors"]) < 1e-5
    assert min(found["moved"]) > 0.05
    assert found["override"] == [link, link]
    assert found["hidden"] == [True, True]
    assert not found["again"]
    assert found["kept"] < 1e-6


def test_a_batchs_folder_becomes_a_library(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(ASSETS, "written", folder=str(tmp_path))
    assert list(found["first"]) == ["ann.blend", CATALOGS_FILE, "cast/bob.blend"]
    assert found["second"] == found["first"]  # nothing is written again
    assert found["unchanged"]
    assert found["listed"] == 1
    for name, asset in zip(("ann", "bob"), found["assets"], strict=True):
        assert (asset["name"], asset["author"], asset["license"]) == (name, "Me", "CC0")
        assert asset["size"] == [256, 256]
        assert asset["drawn"] > 0.01


def test_folders_that_make_no_library(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(ASSETS, "refused", folder=str(tmp_path))
    assert "no avatars in" in found["none"]
    assert "The library was not written" in found["bad"]
    assert "one.safetensors" in found["bad"]
    assert "would both be 'one.blend'" in found["twice"]
    assert "No folder of avatars is chosen" in found[""]
