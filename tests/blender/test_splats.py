"""Splats without an avatar, the bare body, presets."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.body.body_file import save_body
from likeness.engine.body.synthetic import make_synthetic_body

from tests.blender.versions import in_every_blender

CHECKS = "splats_checks"


@in_every_blender
def test_files_of_splats(blender, tmp_path: Path) -> None:
    done = blender(CHECKS, "static", folder=str(tmp_path))
    assert (done["ply"], done["spz"]) == (["FINISHED"], ["FINISHED"])
    assert done["left behind"] == []
    assert done["object"] == ["some", 9]
    assert done["bounces"] == [256, 12], "Cycles must see all layers, and nothing else changes"
    assert done["place"] < 1e-5
    assert done["spz place"] < 1e-3
    assert done["alpha error"] < 0.04 * done["covered"] + 0.002
    assert done["color error"] < 0.03
    assert "f_dc_0" in done["mesh"]
    assert "mesh.ply" in done["mesh"]
    assert "no Gaussians" in " ".join(done["empty"].split())
    assert done["unchanged"]


def test_a_body_alone(blender, tmp_path: Path) -> None:
    path = tmp_path / "body.npz"
    save_body(make_synthetic_body(), path)
    done = blender(CHECKS, "body", path=str(path))
    assert (done["add"], done["type"]) == (["FINISHED"], "ARMATURE")
    assert done["floor"] == pytest.approx(0.0, abs=1e-4)
    assert done["seen"] == [False, False]
    assert done["vertices"][0] == done["vertices"][1]
    assert done["differs"] > 0.005
    assert done["apart"] > 0


def test_presets_are_the_qualities(blender_lts) -> None:
    done = blender_lts(CHECKS, "presets")
    assert done["same"] == {"Draft": True, "Standard": True, "Best": True}
    assert done["left"] == 0
