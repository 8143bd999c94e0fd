"""Every operator is pressed once, in a window, on a real avatar; people judge the screenshots."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.library_hair import write_hair

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

POSES = ("tpose", "apose", "relaxed")

UNPRESSED = {
    "delete_selected": "keys_on_avatars presses its key, X",
    "duplicate_move": "keys_on_avatars presses its key, Shift+D",
    "duplicate_selected": "duplicate_move calls it",
}
"""Operators that no scenario names -> why."""


def test_every_operator_is_pressed() -> None:
    """A new operator needs a scenario, or a reason in ``UNPRESSED``."""
    code = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "operators").glob("*.py"))
    operators = set(re.findall(r'^    bl_idname = "likeness\.(\w+)"', code, re.M))
    scenarios = "\n".join(p.read_text(encoding="utf-8") for p in HERE.glob("*scenarios.py"))
    pressed = set(re.findall(r"\blikeness\.(\w+)", scenarios)) & operators
    assert len(operators) > 50
    assert operators - pressed == set(UNPRESSED)


@pytest.mark.slow
def test_pose(gui: Any, person: str) -> None:
    seen = gui("rig_scenarios.pose_buttons", avatar=person)
    wide, half, down = (abs(seen[name][0][0] - seen[name][1][0]) for name in POSES)
    assert wide > half > down  # how far apart the wrists are
    left, right, reset = seen["elbows"]
    assert right - left == pytest.approx(math.radians(70), abs=0.05)  # mirrored
    assert reset < 1e-3
    assert 0.0 < seen["ankle height"] < 0.2
    assert seen["jump to IK"] < 1e-3
    assert seen["raised"] > 0.2
    assert seen["stretched"] < 2e-3
    assert seen["jump to FK"] < 1e-3
    assert seen["limits"] == [False, True]


@pytest.mark.slow
def test_finger_controls(gui: Any, person: str) -> None:
    seen = gui("rig_scenarios.finger_rings", avatar=person)
    assert min(seen["closed"]) > 0.02
    assert seen["back"] < 1e-4
    first, *others = seen["index"]
    assert first > 0.02
    assert max(others) < 1e-4


@pytest.mark.slow
def test_face(gui: Any, person: str) -> None:
    seen = gui("rig_scenarios.face_buttons", avatar=person)
    assert seen["presets"] > 5
    assert seen["set"] > 0.1
    assert seen["mirrored"] == 1.0
    assert seen["keyed"]
    assert seen["reset"] == 0.0
    assert seen["libraries"] == ["Likeness Poses"]


@pytest.mark.slow
def test_avatars_and_lost_parts(gui: Any, person: str) -> None:
    seen = gui("rig_scenarios.avatar_buttons", avatar=person)
    assert seen["active"]
    assert seen["assets"] == 1
    assert seen["deleted"]
    assert seen["lost"] == [Path(person).stem]
    assert seen["rebuilt"]
    assert seen["new"] == 1
    assert seen["left"] == []


@pytest.mark.slow
def test_upgraded_rig(gui: Any) -> None:
    blend = ROOT / "tests" / "compat" / "version_0_1" / "avatar.blend"
    seen = gui("rig_scenarios.upgrade", blend=str(blend))
    assert seen["moved"] < 1e-4
    assert seen["cog"] < 1e-3
    assert not seen["again"], "the button goes away"


@pytest.mark.slow
def test_bodies(gui: Any) -> None:
    assert gui("rig_scenarios.added_body") == ["ARMATURE", "MESH"] * 2


@pytest.mark.slow
def test_motions(gui: Any, person: str, motions: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path)
    seen = gui("motion_scenarios.motion_buttons", avatar=person, motions=motions, folder=folder)
    assert seen["problems"] == [None, None, None]
    assert seen["list"] == ["arms", "knee"]
    assert seen["used"] == "arms"
    assert seen["smoothed"] > 1e-3
    assert seen["mixed"]
    assert seen["mix again"]
    first, last = seen["range of both"]
    assert last - first > 40
    assert seen["trimmed"] == [5, 15]
    assert [seen["exported"][name] for name in ("frame_start", "frame_end")] == [5, 15]
    assert seen["files"] == ["pose.npz", "saved.npz"]
    assert seen["round trip"] < 1e-3
    assert seen["left"] == ["knee", "saved"]


@pytest.mark.slow
def test_retargeted(gui: Any, person: str, motions: list[str]) -> None:
    seen = gui("motion_scenarios.retarget", avatar=person, motion=motions[0])
    assert seen["problem"] is None
    assert seen["still"] < 1e-6
    assert seen["moves"] > 0.2
    assert seen["apart"] < 1e-3


@pytest.mark.slow
def test_secondary_motion(gui: Any, long_haired: str, motions: list[str]) -> None:
    seen = gui("motion_scenarios.secondary_motion", avatar=long_haired, motion=motions[1])
    assert seen["problem"] is None
    assert seen["bones"] > 10
    assert seen["keys"] > 30 * seen["bones"], "some curves in each frame"
    assert seen["turns"] > 2e-3  # the knee hardly moves the head; without swing it is 0
    assert seen["played"] > 3
    assert seen["left"] == [0, 0]


@pytest.mark.slow
def test_display(gui: Any, person: str, photo: str, tmp_path: Path) -> None:
    with Image.open(photo) as image:
        picture = image.convert("RGB")
    left, top = (int(share * side) for share, side in zip((0.45, 0.7), picture.size, strict=True))
    picture.paste((20, 160, 60), (left, top, left + 40, top + 40))
    picture.save(tmp_path / "changed.png")
    files = {"changed": str(tmp_path / "changed.png"), "hair": str(write_hair(tmp_path))}
    seen = gui("display_scenarios.display_buttons", avatar=person, photo=photo, **files)
    assert seen["detail"] == pytest.approx(10_000, abs=1)
    assert seen["hair"] == ["EDIT_MESH", True]
    assert seen["added"] == [None, {"glasses": 1.0}]
    assert seen["removed"] == [None, {}]
    assert seen["library"] == [None, {"hair": 1.0}]
    if not os.environ.get("LIKENESS_AVATAR"):  # it may be of another photo
        assert seen["edited"] == [None, {"upper": 1.0}]
    assert seen["tinted"] == [None, {"hair": 1.0}]
    assert "Likeness Wardrobe" in seen["libraries"]
    assert seen["put_on"] == [None, {"glasses": 1.0}]
    assert seen["body"] == [True, True, True, False]
    assert seen["proxy"]
    first, set_up, restored = seen["transform"]
    assert set_up == "Standard"
    assert first == restored != set_up


@pytest.mark.slow
def test_pictures(gui: Any, person: str, motions: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path)
    seen = gui("display_scenarios.draw_pictures", avatar=person, motion=motions[0], folder=folder)
    assert seen["problems"] == [None] * 3
    frames = [f"frame_{k:04d}.png" for k in (1, 2, 3)]
    assert seen["files"] == ["clip.mp4", *frames, "still_0001.png"]


@pytest.mark.slow
def test_retouching(gui: Any, person: str) -> None:
    seen = gui("retouch_scenarios.retouch_buttons", avatar=person)
    assert seen["drawn"] == [[True, "SOLID"], [False, "MATERIAL"], [True, "SOLID"]]
    assert seen["lasso"] > 100
    assert seen["edited"]["moved"] == seen["lasso"]
    assert 0.9 * seen["lasso"] < seen["edited"]["recolored"] <= seen["lasso"]  # black stays
    assert seen["proxy"] is None
    assert seen["applied"]["recolored"] > 20
    assert seen["applied"]["sculpted_mm"] > 0.1
    assert seen["restored"] == {}


@pytest.mark.slow
def test_strokes_of_the_tool(gui: Any, person: str) -> None:
    seen = gui("retouch_scenarios.brush_strokes", avatar=person)
    assert seen["tool"] == "likeness.retouch_brush"
    assert seen["painting"]
    assert seen["erased"]["erased"] > 50
    assert seen["inverted"].get("erased", 0) < seen["erased"]["erased"]  # softer at the rim
    assert seen["again"] == seen["escaped"] == seen["erased"], "a stroke is one step; Esc is none"
    assert seen["undone"] == {}
    assert seen["tinted"]["recolored"] > 50
    assert seen["moved"]["moved"] > 50
    assert seen["moved"]["recolored"] == seen["tinted"]["recolored"]
    for setting in ("radius", "strength"):
        assert seen[setting][1] != seen[setting][0], setting
    # At the rim of the stroke a trace of the tint stays.
    assert seen["restored"].get("recolored", 0) < 0.7 * seen["tinted"]["recolored"]


@pytest.mark.slow
def test_exports(gui: Any, person: str, motions: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path)
    seen = gui("display_scenarios.export_buttons", avatar=person, motion=motions[0], folder=folder)
    assert seen["problems"] == [None] * len(seen["problems"])
    chosen = seen["chosen"]
    assert set(chosen) <= set(seen["files"])
    assert chosen["phone.usdz"]["kind"] == ".usdz"
    assert [chosen[f"{name}.fbx"]["program"] for name in ("unity", "unreal")] == ["UNITY", "UNREAL"]
    assert min(seen["files"].values()) > 10_000


@pytest.mark.slow
def test_gallery_and_crowd(gui: Any, cast: str, motions: list[str]) -> None:
    folder = str(Path(motions[0]).parent)
    seen = gui("crowd_scenarios.crowd_buttons", folder=cast, motions=folder)
    assert seen["chosen"] == "avatar.safetensors"
    assert len(seen["imported"]) == 1
    assert seen["problem"] is None
    assert seen["members"] == 6
    assert max(seen["far"]) < 1.0
    assert seen["undone"] == 0


@pytest.mark.slow
def test_asset_libraries(gui: Any, cast: str, tmp_path: Path) -> None:
    library = str(tmp_path / "library")
    seen = gui("library_scenarios.library_buttons", folder=cast, library=library)
    assert seen["problems"] == [None]
    assert seen["written"] == ["Ann.blend", "Bob.blend", "blender_assets.cats.txt"]
    assert "Carol.blend" in seen["saved"]
    assert seen["icon"]
    assert seen["appended"] == 4, "armature, body, splats and camera"
    assert seen["linked"] == 1, "an instance"
    assert seen["posable"] == [True]
    assert seen["fast"] == [True], "as every avatar that is brought into the scene"


@pytest.mark.slow
def test_speech(gui: Any, person: str, voice: str) -> None:
    seen = gui("speech_scenarios.speech_buttons", avatar=person, voice=voice)
    assert seen["problems"] == [None, None]
    assert {"text", "language", "blinks"} <= set(seen["asked"])
    assert seen["open"] > 0.15
    assert seen["shut"] < 0.05
    assert seen["sounds"] == ["voice"]
    assert seen["motions"] == ["voice", "voice.001"]


@pytest.mark.slow
def test_face_that_is_followed(gui: Any, person: str, long_video: str) -> None:
    seen = gui("speech_scenarios.live_buttons", avatar=person, video=long_video)
    assert not seen["before"], "no buttons before a face is followed"
    assert seen["shown"]
    assert seen["commands"] == [False, True]
    assert seen["problem"] is None
    assert seen["motions"] == ["face"]
    assert seen["length"] > 5
    assert "does not exist" in seen["missing"]


@pytest.mark.slow
def test_questions_about_a_fit(gui: Any, photo: str) -> None:
    seen = gui("setup_scenarios.questions", photo=photo)
    assert seen["people"] == 1
    assert seen["alive"], "Esc closes the picture only"
    assert seen["scene"] == "Likeness Fit"
    assert seen["asked"], "nothing was moved: the question stays"
    assert seen["left"] == "Scene"
    assert seen["problem"] is None
    assert seen["avatars"] == 1


@pytest.mark.slow
def test_one_message_for_one_error(gui: Any, blender: Any, person: str, tmp_path: Path) -> None:
    bad = tmp_path / "motion.npz"
    bad.write_bytes(b"not a motion")
    before = len(blender.log)
    seen = gui("setup_scenarios.one_message", avatar=person, bad=str(bad))
    for how in ("button", "dialog"):
        shown, hidden = (
            [line for line in seen[f"{how} {tab}"] if not line.startswith("bpy.ops.")]
            for tab in ("with tab", "without tab")
        )
        assert shown == ["Import Motion failed"], "the tab says why"
        text = " ".join(hidden)
        assert text.count(bad.name) == text.count("cannot be read as") == 1, "a pop-up says why"
        assert all(len(line) < 120 for line in hidden), "no wider than the screen"
    assert bad.name in seen["problem"]
    assert str(tmp_path) not in seen["report"], "a report names no folders"
    assert seen["dismissed"] is None
    assert not [line for line in blender.log[before:] if "Traceback" in line]


@pytest.mark.slow
def test_preferences(gui: Any, tmp_path: Path) -> None:
    seen = gui("setup_scenarios.preferences", folder=str(tmp_path))
    assert {seen[k] for k in ("engine", "setup", "examined", "cleared")} == {None}
    assert "Online Access" in seen["download"]
    assert seen["dismissed"] is None


@pytest.mark.slow
def test_panels_in_other_languages(gui: Any, person: str) -> None:
    seen = gui("setup_scenarios.languages", avatar=person)
    assert seen["ja_JP"][0] == "\u8868\u60c5"  # of a face; Blender's own word is that of a formula
    assert " ".join(seen["fr_FR"][1]) == "Les splats natifs gardent la lumi\u00e8re de la photo"
    assert len(seen["ja_JP"][1]) > 1
    assert not any("Native" in line for line in seen["ja_JP"][1])
