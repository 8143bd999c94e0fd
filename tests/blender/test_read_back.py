"""From Blender's objects back to the engine."""

from __future__ import annotations

from pathlib import Path

CHECKS = "read_back_checks"


def test_the_objects_hold_the_whole_avatar(blender) -> None:
    found = blender(CHECKS, "avatar_again")
    means, scales, opacities, colors = found["errors"]
    assert means < 2e-4  # the pose comes back from float32 bones
    assert scales < 1e-3
    assert opacities < 1e-6
    assert colors < 0.51  # of 255 steps
    assert found["turned"] < 1e-5
    assert found["layers"]
    assert found["lod"] == 0
    assert found["provenance"]
    assert found["fewer"][0] == found["fewer"][1]
    assert found["those"] == 0


def test_frames_are_what_blender_draws(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "frames_again", folder=str(tmp_path))
    assert max(found["errors"]) < 2e-4
    assert max(found["cameras"]) < 1e-5
    assert found["after"] == 2
    assert found["count"] == 3500
    assert found["frames"] == [1, 3, 5]
    assert found["rate"] == 24
    assert found["size"] == [144, 192]


def test_the_camera_projects_as_blenders(blender) -> None:
    found = blender(CHECKS, "cameras")
    assert found["lens"] < 1e-3
    assert found["worst"] < 1e-3
    assert found["size"] == [100, 150]
    assert "perspective" in found["said"][0]
    assert "no camera" in found["said"][1]


def test_what_cannot_be_read_back_is_said(blender_lts) -> None:
    old, attribute, modifier, kept = blender_lts(CHECKS, "refused")
    assert "older version" in old
    assert "splat_rgb" in attribute
    assert "number of its vertices" in modifier
    assert "damaged" in kept
