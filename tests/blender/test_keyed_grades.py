"""Grades with keys and drivers: in renders, saved and linked files, and Likeness' own pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKS = "keyed_grade_checks"


@pytest.mark.parametrize("engine", ["CYCLES", pytest.param("EEVEE", marks=pytest.mark.soak)])
def test_renders_follow_the_keys(blender_lts, tmp_path: Path, engine: str) -> None:
    found = blender_lts(CHECKS, "renders", engine=engine, folder=str(tmp_path))
    assert found["apart"] > 0.1
    for place in ("keyed", "saved", "linked"):
        assert max(found[place]) < 0.002, place


def test_each_recorded_frame_has_its_own_grades(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "recorded", folder=str(tmp_path))
    assert found["after"] == 6
    assert all(a == b for a, b in found["counts"])
    assert max(found["off"]) < 0.003  # colours have 256 steps
    assert max(found["fast"]) < 1e-4
    assert found["one"] < 0.003


def test_likeness_animations_follow_the_keys(blender_lts, tmp_path: Path) -> None:
    found = blender_lts(CHECKS, "animation", folder=str(tmp_path))
    assert found["pictures"] == found["files"] == 3
    first, middle, last = found["apart"]
    assert first == 0.0
    assert 0.01 < middle < last
    assert last > 0.1
    assert found["first"] < 0.01
    assert found["last"] < 0.01
