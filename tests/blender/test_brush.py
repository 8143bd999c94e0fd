"""The brush that retouches splats: its tool in the toolbar, its strokes, and what it reaches."""

from __future__ import annotations

import numpy as np
import pytest

BRUSH = "brush_checks"


def test_the_tool_is_in_the_toolbar_and_leaves_no_trace(blender) -> None:
    made = blender(BRUSH, "tool")
    assert made["tools"] == [True, True], "in Object and in Pose Mode"
    assert made["active"] == ["likeness.retouch_brush", "builtin.select_box"] * 2
    assert made["traces"] == []
    radius, strength = ("window_manager.likeness.brush." + n for n in ("radius", "strength"))
    assert made["keys"] == [
        ["likeness.brush_splats", "LEFTMOUSE", False, False, {}],
        ["likeness.brush_splats", "LEFTMOUSE", True, False, {"invert": True}],
        ["wm.radial_control", "F", False, False, {"data_path_primary": radius}],
        ["wm.radial_control", "F", False, True, {"data_path_primary": strength}],
    ]


def test_panel_and_tool_have_the_same_settings(blender) -> None:
    made = blender(BRUSH, "settings")
    assert made["shared"] == [], "the operator takes all that is declared"
    assert [text for text in made["tool"] if text not in made["panel"]] == ["prop color"]
    assert made["button"] == ["row", "operator wm.tool_set_by_id Retouch Splats"]
    assert made["paths"] == made["values"]
    assert made["circle"][:2] == pytest.approx([2 * made["values"][0]] * 2)


def test_the_circle_is_drawn_light_with_a_dark_rim(blender) -> None:
    made = blender(BRUSH, "circle")
    if "skip" in made:
        pytest.skip(f"No GPU, nor Mesa's: {made['skip']}")
    assert made["radii"] == pytest.approx([40.0, 40.0], abs=2.0)
    assert made["dark"] > 100


def test_a_stroke_with_the_mouse_changes_the_splats_below_it(blender) -> None:
    made = blender(BRUSH, "mouse")
    *moves, timer, undo, end = made["answers"]
    assert set(moves) == {"RUNNING_MODAL"}
    assert [timer, undo, end] == ["PASS_THROUGH", "RUNNING_MODAL", "FINISHED"]
    count, exact = made["reached"]
    assert count > 50
    assert exact, "those whose middle the circle has passed, and no others"
    assert made["inverted"] < 0.1, "Ctrl restores, less at the rim"
    assert made["cancelled"] == ["CANCELLED", True]
    assert made["erased"] == count, "Ctrl erases where the brush restores"
    assert made["part"][1]
    assert 0.2 * count < made["part"][0] < 0.8 * count
    assert made["nothing"] == "CANCELLED", "no undo step for a stroke beside the avatar"


def test_a_quick_stroke_has_no_gaps(blender) -> None:
    assert blender(BRUSH, "quick") == [1.0, 0.0]


@pytest.mark.parametrize("mode", ["OBJECT", "POSE"])
def test_a_stroke_is_one_undo_step(blender, mode: str) -> None:
    made = blender(BRUSH, "undo", mode=mode)
    first, second, *stepped, restored = made["counts"]
    assert 0 < first < second
    assert stepped == [first, 0, first]
    assert restored < first
    assert made["mode"] == mode


def test_what_is_missing_is_said(blender_lts) -> None:
    made = blender_lts(BRUSH, "problems")
    assert "does not show the part 'hat'" in made["part"]
    assert "is hidden" in made["hidden"]
    assert "needs a 3D view" in made["view"]
    assert "no stroke to do" in made["empty"]
    assert "exchanged during the stroke" in made["moved"]
    assert made["esc"] == made["moved"]
    assert "Use the brush in Object or Pose Mode" in made["mode"]
    assert "several avatars" in made["several"]
    assert "The scene has no avatar. Import or build one first." in made["none"]


def test_a_stroke_finds_the_splats_where_they_are_seen(blender_lts) -> None:
    made = blender_lts(BRUSH, "places")
    assert max(made["off"]) < 1e-5
    assert made["sizes"] < 1e-4
    assert made["again"], "nothing is found twice"
    assert made["kept"], "what depends on the person alone is found once"
    assert made["deleted"] == 1900


def test_the_brush_reaches_what_is_in_front(blender) -> None:
    made = blender(BRUSH, "brush")
    assert made["erased"] > 5
    assert made["front"] < 0.1
    assert made["through"] > 2 * made["erased"]
    assert made["restored"]
    assert made["tinted"][0] > made["erased"]
    assert made["tinted"][1:] == [True, False, False]
    assert min(made["back"]) > 5, "what is behind stays tinted"
    assert made["dragged"] == made["tinted"][0]
    assert made["pixels"] == pytest.approx([0.0, 20.0], abs=1.0)


def test_a_brush_seen_from_near_does_not_reach_through_gaps(blender_lts) -> None:
    made = blender_lts(BRUSH, "near_brush")
    assert [behind for _, behind in made.values()] == [0, 0, 0]
    assert made["30.0"][0] == pytest.approx(np.pi * 1.5**2, abs=3)
    assert made["200.0"][0] == pytest.approx(np.pi * 10**2, rel=0.05)
