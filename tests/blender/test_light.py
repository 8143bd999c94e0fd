"""Splats in the scene's light: against Lambert's law, at every slider value, with shadows."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.core.grading import GRADED

CHECKS = "light_checks"


@pytest.mark.parametrize("engine", ["CYCLES", pytest.param("EEVEE", marks=pytest.mark.soak)])
def test_lamps_light_splats_as_lambert_says(blender_lts, engine: str) -> None:
    found = blender_lts(CHECKS, "lamp", engine=engine)
    for lit in found.values():
        assert lit["pixels"] > 1000
        assert 0.85 < lit["strength"] < 1.15
        assert lit["alike"] > 0.85


def test_the_slider(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "amounts", folder=str(tmp_path))
    assert found["same"] == 0.0  # at 0 nothing is evaluated, and nothing changes
    assert found["lit"] > 0.05
    assert found["half"] == pytest.approx(1.0, abs=0.06)
    assert found["first key"] == 0.0
    for kept in ("last key", "saved", "linked"):
        assert found[kept] < 0.02


@pytest.mark.parametrize("engine", ["CYCLES", pytest.param("EEVEE", marks=pytest.mark.soak)])
def test_the_proxy_does_not_shade_what_is_lit(blender_lts, engine: str) -> None:
    found = blender_lts(CHECKS, "shade", engine=engine)
    assert 0.9 < found["own"] < 1.05
    assert found["blocked"] < 0.05


def test_no_photo_light_is_left_at_one(blender_lts) -> None:
    found = blender_lts(CHECKS, "turned")
    assert found["dark"] < 0.01
    assert found["left"] == pytest.approx(found["right"], rel=0.35)
    assert found["slider"] == 1.0


def test_grades(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "grades", folder=str(tmp_path))
    assert found["nodes"] < 1e-5
    assert found["fast"] < 1e-5
    assert found["alpha"] == 0.0
    assert found["read"][0] == pytest.approx(found["read"][1], rel=1e-3)
    assert set(found["edit"][0]["grade"]) == {"Skin", "Top", "Hair"}
    assert found["shown"] == list(GRADED)
    assert found["of_hair"] == ["Hair"]
    assert found["saved"] == 0.0
