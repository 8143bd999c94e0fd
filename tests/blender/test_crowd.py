"""The gallery, and crowds of its people."""

from __future__ import annotations

from pathlib import Path

import pytest

CROWD = "crowd_checks"


def test_a_crowd_shares_its_data_and_moves_apart(blender, tmp_path: Path) -> None:
    found = blender(CROWD, "crowd", folder=str(tmp_path))
    assert found["count"] == 6
    assert found["meshes"] == found["bones"] == 2
    assert found["bodies"] == [1, 3]  # a draping skirt follows its own member
    assert found["actions"] == 4  # two people, two motions
    assert found["starts"] == 6
    assert found["covers"]
    assert not found["avatars"]
    assert found["nearest"] > 0.6
    assert min(found["moved"]) > 0.05
    assert max(found["loop"]) < 0.01
    assert found["placed"] < 0.002
    assert 30 < found["far"] < 100  # an eighth of 500
    assert found["kept"] < 1e-5  # without the extension


def test_without_motions_people_stand_in_poses(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(CROWD, "standing", folder=str(tmp_path))
    assert found["count"] == found["poses"] == 7
    assert found["low"] < 1e-3


def test_what_is_refused(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(CROWD, "errors", folder=str(tmp_path))
    assert "gone' does not exist" in found["missing"]
    assert "no avatars in" in found["empty"]
    assert "no motions in" in found["motions"]
    assert "None of the motions can be used" in found["damaged"]
    assert not found["no_crowd"]
    assert found["unchanged"]
    assert (found["one"], found["count"]) == ("done", 4)
    assert found["scratch"] == []


def test_people_of_the_same_size_in_any_camera_show_all_their_splats(
    blender_lts, tmp_path: Path
) -> None:
    found = blender_lts(CROWD, "tall", folder=str(tmp_path))
    assert found == pytest.approx([220.0] * 6, rel=1e-3)


def test_a_crowd_that_is_stopped_leaves_nothing(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(CROWD, "stopped", folder=str(tmp_path))
    assert found["left"] == []
    assert found["steps"] > 10
    assert found["levels"] == 2  # one of three lost its splats


def test_the_gallery_lists_a_batchs_results(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(CROWD, "shown", folder=str(tmp_path))
    assert found["titles"] == ["ann", "bob"]
    assert found["pictures"] == [False, True]
    assert found["chosen"] == "bob"
    assert found["nothing"] == []
    assert found["later"] == ["ann", "bob", "cast/dan", "eve"]
    none, empty, full = found["drawn"]
    assert "import_avatar" not in none + empty
    assert "No avatars in this folder" in empty
    assert "template_icon_view" in full
    assert "likeness.import_avatar" in full
    assert all("likeness.add_crowd" in drawn for drawn in found["drawn"])
