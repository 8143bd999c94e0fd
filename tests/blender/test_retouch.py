"""Retouching: splats erased, restored, tinted and moved by hand, painted and sculpted."""

from __future__ import annotations

from pathlib import Path

import pytest

RETOUCH = "retouch_checks"


def test_selected_splats_are_erased_tinted_and_moved_and_come_back(blender, tmp_path: Path) -> None:
    made = blender(RETOUCH, "retouch", folder=str(tmp_path))
    assert "No splats are selected" in made["nothing"]
    assert made["mode"] == made["still"] == "EDIT_MESH"
    assert made["cage"] < 1e-5, "the triangles to select lie where the splats are seen"
    assert made["laid"], "laying them changes nothing that is drawn"
    assert made["erased"]
    assert made["undone"]
    assert made["moved"] == "FINISHED"
    assert made["by"] == pytest.approx([0.0, 0.1, 0.0], abs=1e-5)  # up, in the engine's axes
    assert made["others"] < 1e-6
    assert made["facts"] == {"erased": 40, "recolored": 40, "moved": 40}
    assert made["edits"] == 1
    assert made["flat"] < 1e-6, "all of a selection are tinted by the same, so they keep detail"
    assert made["colors"], "the colors of the photo stay beside their edits"
    assert made["saved"] == 0.0
    assert made["shown"] == made["ply"] == 560
    assert made["opened"]
    assert made["drawn"][39] == 0.0 < made["drawn"][40]
    assert made["albedo"]
    assert made["restored"], "to the last bit"
    assert made["left"] == {}


def test_the_brush_reaches_what_is_in_front(blender) -> None:
    made = blender(RETOUCH, "brush")
    assert made["erased"] > 5
    assert made["front"] < 0.1
    assert made["through"] > 2 * made["erased"]
    assert made["restored"]
    assert made["tinted"][0] > made["erased"]
    assert made["tinted"][1:] == [True, False, False]
    assert made["dragged"] == made["tinted"][0]
    assert made["pixels"] == pytest.approx([0.0, 20.0], abs=1.0)


def test_edits_are_graded_like_what_they_edit(blender_lts) -> None:
    made = blender_lts(RETOUCH, "grades")
    assert made["count"] == 20
    assert made["halved"] < 1e-5
    assert made["hair"] < 1e-5
