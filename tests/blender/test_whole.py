"""Avatars as wholes: several in a scene, copied, deleted, linked, appended, saved."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKS = "whole_checks"


@pytest.mark.parametrize("linked", [False, True])
def test_a_copy_stands_alone(blender, linked: bool) -> None:
    found = blender(CHECKS, "duplicated", linked=linked)
    assert max(found["errors"]) < 2e-4
    assert found["moved"] == 0
    assert all(found["pointers"]), found["pointers"]
    assert len(set(found["names"])) == 2
    assert found["left"]
    assert found["gone"]
    assert found["found"] == 1


def test_avatars_in_one_collection_stay_apart(blender) -> None:
    found = blender(CHECKS, "shared")
    assert found["cameras"] == ["Camera First", "Camera Second"]
    assert all(found["own"])
    assert all(found["actions"])
    assert all(found["slots"])
    assert found["left"] == ["Second", "First.001"]
    assert found["copy"] == [True, "Camera First.001"]


def test_two_avatars_outlive_saving(blender, tmp_path: Path) -> None:
    assert max(blender(CHECKS, "saved", folder=str(tmp_path))["errors"]) < 2e-4


@pytest.mark.parametrize("link", [False, True])
def test_avatars_of_other_files(blender, tmp_path: Path, link: bool) -> None:
    found = blender(CHECKS, "brought", folder=str(tmp_path), link=link)
    assert found["error"] < 2e-4
    assert 3000 in found["instanced"] or not link


@pytest.mark.parametrize("packed", [True, False])
def test_marked_as_an_asset(blender, tmp_path: Path, packed: bool) -> None:
    found = blender(CHECKS, "asset", folder=str(tmp_path), packed=packed)
    assert found["images"] == 0
    assert found["marked"]
    assert found["author"] == "Somebody"
    assert found["tags"] == ["Likeness", "full length"]
    assert found["size"] == [256, 256]
    assert found["color"] == pytest.approx([200 / 255, 30 / 255, 30 / 255, 1], abs=0.02)


def test_what_is_in_the_way_is_said(blender, tmp_path: Path) -> None:
    found = blender(CHECKS, "hurt", folder=str(tmp_path))
    assert found["edited"] == [40, 0]
    assert "left_hand_ik" in found["left_hand_ik"]
    assert "left_elbow" in found["left_elbow"]
    assert "left_elbow" in found["read"]
    assert "no splats left" in found["empty"]
    why, asset, shadow, unchanged = found["linked"]
    assert "Library Override" in why
    assert "linked" in asset
    assert "linked" in shadow
    assert unchanged
    assert found["override"] == ["", asset, shadow, True]
    assert "view layer" in found["hidden"]
