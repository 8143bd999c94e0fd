"""How avatars look in Blender: settings, numbers, pictures, the graphics card, shadows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

LOOK, FAST = "look_checks", "fast_checks"
RENDERING = Path(__file__).resolve().parents[2] / "docs" / "rendering.md"


def test_setup_changes_what_it_announces_and_goes_back(blender) -> None:
    made = blender(LOOK, "settings")
    assert made["only_colors"] == ["view_settings.view_transform"]
    assert made["notes"] == ["AgX", ""]
    assert "Samples: 4096 → 1" in made["texts"]
    assert any(text.endswith("AgX → Standard") for text in made["texts"])
    assert made["as_announced"]
    assert made["again"] == 0
    assert made["engine"].startswith("BLENDER_EEVEE")
    assert made["after_restore"] == []
    assert not made["can_restore"]
    assert made["lit_bounces"]
    assert made["lit_layers"] == 256


def test_numbers_of_splats(blender) -> None:
    assert blender(LOOK, "numbers") == [90, 450, 90, 900]


def test_pictures_by_the_engine(blender, tmp_path: Path) -> None:
    """All avatars together, camera animated and shifted, at the scene's size and names."""
    made = blender.alone(LOOK, "pictures", folder=str(tmp_path))
    assert made["results"] == [["FINISHED"]] * 3
    assert made["files"] == ["shot_001.png", "shot_003.exr", "shot_003.png", "shot_005.png"]
    assert made["frame"] == 3
    assert made["png"] < 2.5 / 255  # color times alpha, both in 256 steps
    assert made["moves"] > 0.2
    assert made["rgb_db"] > 28
    assert made["alpha_db"] > 28
    assert made["exr"]["outputs"] == ["Combined", "Alpha", "Depth"]
    assert made["polished"]["outputs"] == ["Combined", "Alpha", "Depth", "Unpolished"]
    assert made["ground"] == [255, 0, 0]
    recipe = RENDERING.read_text(encoding="utf-8").split("### Depth compositing")[1].split("##")[0]
    assert all(name in recipe for name in made["compositing"])
    assert "Save the file first" in made["unsaved"]

    OpenEXR = pytest.importorskip("OpenEXR")
    channels = OpenEXR.File(str(tmp_path / "shot_003.exr")).channels()
    polished = OpenEXR.File(str(tmp_path / "polished_003.exr")).channels()
    plain = channels["RGBA"].pixels
    np.testing.assert_allclose(polished["Unpolished"].pixels, plain[..., :3], atol=1e-3)
    np.testing.assert_array_equal(polished["RGBA"].pixels[..., 3], plain[..., 3])
    assert np.abs(polished["RGBA"].pixels[..., :3] - plain[..., :3]).max() > 0.01
    depth, alpha = channels["Depth.Z"].pixels, channels["RGBA"].pixels[..., 3]
    assert depth[alpha > 0.9][:3] == pytest.approx(made["depth"], rel=1e-4)
    assert (depth[alpha == 0] == 1e10).all()


@pytest.mark.parametrize("count", [0, 2000])
def test_fast_splats_are_the_engines(blender, count: int) -> None:
    made = blender(FAST, "fast_splats", count=count)
    assert "without a window" in made["why_not"]
    assert not made["off"]
    assert made["in_viewport"] == 0
    assert made["drawn"] == 1
    assert made["behind"] == 0
    assert made["covered"] > 0.05
    assert made["alpha_db"] > 40
    assert made["rgb_db"] > 30
    assert made["order_mm"] < 10  # on a body of boxes; 0.1 on a person
    assert made["depth_mm"] < 10
    assert made["back"] == 5000


def test_avatars_in_each_other_are_sorted_together(blender_lts) -> None:
    made = blender_lts(FAST, "fast_pair")
    assert made["covered"] > 0.05
    assert made["together"] > 30
    assert made["together"] > made["apart"] + 5


def test_detail_drops_in_gestures_only_and_comes_back(blender_lts) -> None:
    made = blender_lts(FAST, "moving_detail")
    assert made["going"] == [False, False, True, True, True, False]


def test_fast_splats_are_off_in_edit_mode(blender, tmp_path: Path) -> None:
    made = blender(FAST, "fast_in_edit_mode", folder=str(tmp_path))
    drawn, edited = [True, "SOLID"], [False, "MATERIAL"]
    assert made["before"] == made["left"] == made["undone"] == drawn
    assert made["button"] == made["saved"] == made["by hand"] == edited
    assert made["left, as undo finds it"] == edited
    assert made["was off"] == [False, "SOLID"]


def test_fast_splats_do_not_hide_the_avatar_in_files(blender_lts, tmp_path: Path) -> None:
    made = blender_lts(FAST, "fast_in_files", folder=str(tmp_path))
    assert made["before"] == made["after"] == made["with"] == [True, ["SOLID", "WIREFRAME"]]
    assert made["without"] == [False, ["MATERIAL", "WIREFRAME"]]
    assert made["left"] == 0


def test_fast_splats_of_another_file_are_on_at_once_and_saving_changes_nothing(
    blender, tmp_path: Path
) -> None:
    made = blender(FAST, "fast_appended", folder=str(tmp_path))
    for then in ("", " and saved", " and opened"):
        assert made[f"appended{then}"] == [True, False], then
        assert made[f"linked{then}"] == [False, False], then
    assert made["appended shapes"] == made["linked shapes"] == [], "bones have them"
    assert made["overridden"] == made["overridden and saved"]


def test_shadow_proxy(blender_lts) -> None:
    made = blender_lts(LOOK, "shadows")
    assert made["without"] == 0
    assert made["with"] > 0.01
    assert not made["in the way"], "its wires would cover the avatar"
    assert made["follows"] > 0.005
    assert all(0 <= far - bare < 0.1 for bare, far in zip(made["bare"], made["reach"]))
    assert made["one"] == 1
    assert made["removed"]
    assert made["kept"], "one that cannot be made anew stays"
    whole, bust = made["bust"]
    up = int(np.argmax(whole))
    assert 0.2 * whole[up] < bust[up] < 0.75 * whole[up]
    assert made["left"] == []


def test_photo_view_and_back(blender_lts) -> None:
    made = blender_lts(LOOK, "photo_view")
    scene, photo = made["cameras"]
    assert made["there"] == ["CAMERA", photo]
    assert made["back"][0] == "PERSP"
    assert made["scene_camera"] == scene
    assert not made["shape"]


def test_photo_behind_splats_is_seen_in_its_own_proportions(blender, photo: Path) -> None:
    made = blender(LOOK, "photo_behind", photo=str(photo))
    width, height, side = made["photo"]
    assert (width < height, side) == (True, "VERTICAL")
    assert not made["hidden"]
    assert made["shown"]
    # The photo's height is the camera's: what is left or right of it stays empty, or is cut off.
    assert made["methods"] == {"wide": ["FIT", False], "tall": ["CROP", False]}


def test_notes_leave_room_for_their_icon(blender_lts) -> None:
    made = blender_lts(LOOK, "wrapped")
    assert made["INFO"] + 3 <= 31
    assert made["INFO"] < made["NONE"] <= 31
