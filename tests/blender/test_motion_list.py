"""The list of an avatar's motions."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKS = "motion_list_checks"


def test_switching_keeps_every_motion(blender) -> None:
    found = blender(CHECKS, "switched")
    assert found["known"] == ["talk", "walk"]
    assert found["poses"][0] == pytest.approx([20, 20, 0.1], abs=1e-3)
    assert found["poses"][1] == pytest.approx([80, 80, 0.7], abs=1e-3)
    assert found["ranges"] == [[1, 41], [1, 31], [1, 99]], "a range set by hand is kept"
    assert found["after"] == ["by hand", "talk", "walk"]
    assert found["copies"] == 3
    assert found["shared"] == []


@pytest.mark.parametrize("ends", [False, True])
def test_mixing(blender, ends: bool) -> None:
    """With bones named ``elbow.L`` as well."""
    found = blender(CHECKS, "mixed", ends=ends)
    first, fade, second = found["after"]
    assert first == pytest.approx([20, 20, 0.1], abs=1e-3)
    assert 40 < fade[0] < 75
    assert 0.2 < fade[2] < 0.6
    assert second == pytest.approx([80, 80, 0.7], abs=1e-3)
    assert found["mixed"]
    assert found["range"] == [1, 61]
    assert found["alone"] == pytest.approx([40, 40, 0.1], abs=1e-3)
    assert found["again"] == pytest.approx(second, abs=1e-6)
    assert found["face"] == pytest.approx([20, 20, 0.7], abs=1e-3)
    assert found["upper"] == pytest.approx([80, 20, 0.7], abs=1e-3)
    assert found["half"] == pytest.approx([20, 20, 0.4], abs=1e-3)
    assert found["tracks"] == [["by the user", True], ["walk", False], ["After talk", False]]


def test_linked_motions_stay_as_they_are(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "linked", folder=str(tmp_path))
    assert found["names"] == ["talk", "walk", "walk [walk.blend]"]
    assert found["found"] == [True, True]
    assert all("is linked from another file" in error for error in found["errors"])
    assert found["same"]


def test_trimming_and_deleting(blender) -> None:
    found = blender(CHECKS, "trimmed_and_deleted")
    for before, after in zip(found["before"], found["after"]):
        assert after == pytest.approx(before, abs=1e-3)
    assert found["outside"] == pytest.approx([10, 19], abs=1e-3)
    assert found["lengths"] == [10]
    assert found["ranges"] == [[11, 20], [11, 20]]
    assert found["hand"] < 1e-4
    assert found["hand_keys"] == [3] * 4
    assert found["tracks"] == ["walk"]
    assert "talk" not in found["left"]
    assert "walk" in found["left"]
