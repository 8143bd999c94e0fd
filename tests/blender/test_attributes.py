"""Sliders of attributes in Blender, which need no Python once they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.library_hair import write_hair
from tests.soaked import if_asked

CHECKS = "attribute_checks"


def test_sliders_show_what_the_engine_shows(blender) -> None:
    found = blender(CHECKS, "sliders")
    assert found["start"] == {"hat": 0.75, "beard": 1.0}
    assert all(blender == engine for blender, engine in found["counts"])
    assert len({blender for blender, _ in found["counts"]}) > 3
    assert found["worst"] < 1e-5
    assert found["keyed"] == [3000 - 600 - 600, 3000 - 300 - 600]  # without hat, with; no beard


def test_attributes_come_back_from_the_objects(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "again", folder=str(tmp_path))
    assert found["spans"] == [True, True]
    assert found["values"] == [0.25, 1.0]
    assert found["edits"] == [{"set": "hat", "value": 0.25}]  # the beard's slider was not moved
    assert not found["untouched"]
    assert found["items"] == ["cap", "full"]
    assert found["parts"]
    assert found["saved"] == pytest.approx({"hat": 0.25, "beard": 1.0})
    assert found["bare"] == {}
    assert found["bare_shown"] == 400


def test_blenders_own_splats_come_and_go(blender) -> None:
    found = blender(CHECKS, "native")
    assert found["counts"] == [3000 - 600, 3000, 3000 - 300]


@pytest.mark.parametrize(
    "names", [["earrings", "brows"], *if_asked(["earrings", "glasses", "brows", "wrinkles"])]
)
def test_things_are_put_on_in_blender(
    blender, names: list[str], tmp_path: Path, person_file: Path
) -> None:
    """File > Export wrote the avatar without its sliders; grades were applied twice."""
    found = blender(CHECKS, "worn", folder=str(tmp_path), avatar=str(person_file), names=names)
    assert not found["without"]
    worn = dict.fromkeys(names, 1.0)
    assert found["sliders"] == worn
    colors = dict(zip(names, found["colors"], strict=True))
    wanted = {"earrings": "#ff8000", "glasses": "#120f0f"}
    for name in wanted.keys() & colors:
        assert colors[name] == wanted[name]
    assert found["edits"] == names
    assert found["graded"] > 0.05
    assert found["grade"] == -1.0
    assert found["pose"] < 1e-4
    assert found["shown"][0] == found["shown"][1]
    assert found["saved"] == worn
    assert found["left"] == {}
    assert found["splats"][0] == found["splats"][1]
    assert found["same"]
    assert found["meshes"][0] == found["meshes"][1]


def test_attributes_come_from_files(blender_lts, tmp_path: Path, person_file: Path) -> None:
    hair = str(write_hair(tmp_path))
    found = blender_lts(
        CHECKS, "from_files", folder=str(tmp_path), avatar=str(person_file), hair=hair
    )
    kind, beside, other = found["said"]
    assert "changed.png' is not of a MakeHuman library" in kind
    assert "'a.png', from which the avatar was built, is not beside" in beside
    assert "cap.mhclo' is not a picture" in other
    assert found["sliders"] == {"hair": 1.0}
    assert found["items"] == ["cap"]


def test_what_keeps_the_colors_of_the_face_is_the_engines() -> None:
    from likeness.engine.wardrobe.items import WITHOUT_COLOR

    source = Path(__file__).parents[2].joinpath("operators/attributes.py").read_text("utf-8")
    named = ", ".join(f'"{name}="' for name in WITHOUT_COLOR)
    assert f"_NO_COLOR = ({named})" in source


def test_what_may_be_edited_is_the_engines() -> None:
    from likeness.addon.part_items import EDIT_ITEMS
    from likeness.engine.core.attributes import EDITABLE

    names = {item[0] for item in EDIT_ITEMS} - {"AUTO"}
    assert set(EDITABLE) - names == {"nose", "mouth", "wrinkles"}
    assert names <= set(EDITABLE)


def test_what_a_library_may_have_is_the_engines() -> None:
    from likeness.addon.part_items import LIBRARY_ITEMS
    from likeness.engine.wardrobe.items import FROM_LIBRARY

    assert {item[0] for item in LIBRARY_ITEMS} == {"AUTO", *FROM_LIBRARY}


def test_parts_get_other_colors_in_blender(blender_lts, tmp_path: Path, person_file: Path) -> None:
    found = blender_lts(CHECKS, "tinted", folder=str(tmp_path), avatar=str(person_file))
    assert found["choice"] == ["hair", "brows", "skin", "lips", "eyeshadow", "blush", "upper"]
    assert found["sliders"] == {"hair": 1.0, "lips": 1.0}
    assert found["colors"] == {"lips": "#990033", "hair": "#0033ff"}
    assert found["edits"] == ["lips", "hair"]
    red, green, blue = found["hair"]
    assert blue > 2 * max(red, green)
    assert found["same"]


def test_the_list_of_tints_is_the_engines() -> None:
    from likeness.addon.part_items import TINT_ITEMS
    from likeness.engine.wardrobe.tint import TINTED

    assert {item[0] for item in TINT_ITEMS} == set(TINTED)


def test_the_wardrobe_is_listed_by_kind(blender) -> None:
    found = blender(CHECKS, "listed")
    counts = found["counts"]
    assert counts.pop("all") == found["all"] == 74
    assert sum(counts.values()) == 74
    assert min(counts.values()) > 0
    assert found["numbers"], "a choice stays the same in each list"
    assert found["chosen"] == ["hat=beanie", "hat=fedora"]


def test_the_wardrobe_in_the_asset_browser(blender, tmp_path: Path, person_file: Path) -> None:
    found = blender(CHECKS, "browsed", folder=str(tmp_path), avatar=str(person_file))
    assert found["unchanged"]
    assert found["catalogs"] == 12
    assert len(set(found["items"])) == len(found["items"]) == 74
    assert found["named"]
    assert found["drawn"] > 0.01
    assert found["poll"] == [False, True]
    assert found["sliders"] == [{}, {"glasses": 1.0}]
    assert found["gone"]
