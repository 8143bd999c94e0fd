"""Named expressions in Blender, and the library of pose assets."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.files.weights import asset_path
from likeness.engine.poses import named_expressions, named_poses

from tests.blender.versions import in_every_blender

LIBRARY = "library_checks"
CATALOGS = {"Poses", "Face", "Poses/Body", "Poses/Hands", "Face/Expressions", "Face/Visemes"}


@pytest.fixture(scope="session")
def library() -> Path:
    """What ``build.py assets`` has made."""
    return asset_path("poses")


def catalogs(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "VERSION"))]
    return {line.split(":")[0]: line.split(":")[1] for line in lines}


def test_assets_pose_a_rig_as_the_engine_does(blender, library: Path) -> None:
    figures = blender(LIBRARY, "applied", blend=str(library))
    assert len(figures["names"]) == len(named_poses()) + len(named_expressions())
    assert figures["poses"] < 1e-3  # radians, of the joints that a pose names
    assert figures["sit"] < 1e-3
    assert figures["faces"] < 1e-6
    assert figures["others"] < 1e-6


def test_the_library_is_ready_for_the_asset_browser(blender_lts, library: Path) -> None:
    assert library.stat().st_size < 4e6
    known = catalogs((library.parent / "blender_assets.cats.txt").read_text(encoding="utf-8"))
    assert set(known.values()) == CATALOGS
    found = {asset["name"]: asset for asset in blender_lts(LIBRARY, "assets", blend=str(library))}
    entries = {
        entry.label: entry for entry in [*named_poses().values(), *named_expressions().values()]
    }
    assert found.keys() == entries.keys()
    for name, asset in found.items():
        entry = entries[name]
        assert known[asset["catalog"]].endswith(entry.catalog)
        assert asset["description"] == entry.description
        assert {entry.name, *entry.tags} == set(asset["tags"])
        assert asset["author"]
        assert asset["license"]
        assert asset["size"] == [128, 128]
        assert asset["contrast"] > 0.05, "a picture, not a plain"
        assert asset["slots"] == ["OBJECT"]
        assert asset["others"] == 0, "nothing comes along"


def test_the_library_can_be_made_in_every_blender(blender, tmp_path: Path) -> None:
    made = blender(LIBRARY, "written", folder=str(tmp_path))
    assert made["files"] == ["a.blend", "blender_assets.cats.txt"]
    assert set(catalogs(made["catalogs"]).values()) == CATALOGS
    assert made["left"] == 0


@in_every_blender
def test_the_panels_operators(blender, library: Path) -> None:
    figures = blender(LIBRARY, "operated", library=str(library.parent))
    smile = named_expressions()["smile"].weights
    half = figures["half"]
    assert half["mouthSmileLeft"] == pytest.approx(0.5 * smile["mouthSmileLeft"])
    assert half["browInnerUp"] == pytest.approx(0.2)  # half of it has given way
    assert half["eyeLookUpLeft"] == pytest.approx(0.5)  # nothing of an expression's business
    spoken, aa = figures["spoken"], named_expressions()["viseme_aa"].weights
    assert spoken["eyeBlinkLeft"] == 1
    assert spoken["jawOpen"] == pytest.approx(aa["jawOpen"])
    assert spoken["mouthSmileLeft"] == 0
    assert spoken["cheekSquintLeft"] > 0
    even = figures["even"]
    assert even["eyeLookUpRight"] == pytest.approx(0.5)
    brows = figures["brows"]
    assert brows["browInnerUp"] == 0
    assert brows["jawOpen"] == even["jawOpen"]
    assert figures["keys"] == [len(ARKIT_EXPRESSIONS), [7]]
    assert figures["reset"] == 0
    assert figures["auto"] == [
        f'pose.bones["face"]["eyeBlink{side}"]' for side in ("Left", "Right")
    ]
    assert figures["wrist"][0] < 0.05, "the left hand is on the other side"
    drawn = figures["drawn"]
    assert sum(line.startswith("prop [") for line in drawn) == len(ARKIT_EXPRESSIONS)
    right = drawn.index('prop ["eyeBlinkRight"]')
    assert drawn[right + 1] == 'prop ["eyeBlinkLeft"]', "side by side"
    assert sum(line.startswith("prop [") for line in figures["filtered"]) == 2
    entries = list(named_expressions().values())
    assert figures["menus"] == {
        "LIKENESS_MT_expressions": sum(e.catalog == "Expressions" for e in entries),
        "LIKENESS_MT_visemes": 15,
        "LIKENESS_MT_named_poses": sum(p.catalog == "Body" for p in named_poses().values()),
    }
    assert "operator likeness.add_pose_library" in figures["offered"]
    face, other, none = figures["hints"]
    assert face == none < other  # Blender would apply an expression to the selected bone alone
    assert "jawOpen" in figures["refused"]
    assert figures["found"]
    ((name, path),) = figures["libraries"]
    assert name == "Likeness Poses"
    assert Path(path).resolve() == library.parent.resolve()
