"""Operators as users call them, in the installed extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CHECKS = "usage_checks"
ALL = ["whole", "body", "parts", "orphans", "choices", "retouched", "shortcuts"]


@pytest.fixture(scope="module")
def answers(
    blender, extension: Path, avatar: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the checks find, in one process: enabling the extension takes longer than each."""
    given = {"zip_path": str(extension), "avatar": str(avatar)}
    folder = str(tmp_path_factory.mktemp("usage"))
    checks = [*ALL, *(["presets"] if blender.version == "4.5" else [])]
    found: dict[str, Any] = blender(CHECKS, "several", checks=checks, folder=folder, **given)
    return found


def answer(answers: dict[str, Any], name: str) -> Any:
    """The answer of a check that did not fail."""
    assert not isinstance(answers[name], str), answers[name]
    return answers[name]


def test_deleting_and_duplicating_take_the_whole_avatar(answers) -> None:
    found = answer(answers, "whole")
    assert found["polls"] == [False, False, True, True]
    assert found["results"] == ["FINISHED", "FINISHED"]
    kinds = ("Body ", "Camera ", "Splats ", "")
    assert found["copies"] == sorted(["Cube.001", *(f"{kind}someone.002" for kind in kinds)])
    for shift in found["shifts"]:
        assert shift == pytest.approx([0, 5, 0], abs=1e-5)
    assert found["left"]


def test_the_body_can_be_shown_and_selected(answers) -> None:
    shown, hidden, other = answer(answers, "body")
    assert shown == ["FINISHED", "MESH", 1, True]
    assert hidden == ["FINISHED", "ARMATURE", 1, False]
    assert not other


def test_the_splats_of_a_part_are_selected(answers) -> None:
    found = answer(answers, "parts")
    skin, hair = list(range(0, 200, 3)), list(range(1, 200, 3))
    assert not found["without"], "an avatar of unknown parts"
    assert "scarf" in found["wrong"]
    assert found["hair"] == ["FINISHED", "EDIT_MESH", True, hair]
    assert found["colored"] == hair
    assert found["again"] == ["FINISHED", skin]
    assert found["both"] == ["FINISHED", sorted(skin + hair)]
    assert found["left"] == [66, ["beard"]]
    assert found["undone"] == 200


def test_parts_without_a_rig_are_listed_with_what_to_do(answers) -> None:
    found = answer(answers, "orphans")
    assert found["shown"]
    for line in ("label someone", "label someone.001"):
        assert line in found["drawn"]
    assert sum(line.startswith("operator likeness.rebuild_rig") for line in found["drawn"]) == 2
    assert sum(line.startswith("operator likeness.delete_orphan") for line in found["drawn"]) == 2
    assert found["results"][:2] == ["FINISHED", "FINISHED"]
    assert "not a lost part" in found["results"][2]
    assert found["avatars"] == ["someone"]
    assert found["kept"]
    assert found["armatures"] == 1
    parts = ["Body someone", "Camera someone", "Splats someone", "someone"]
    assert found["left"] == parts


def test_erased_splats_stay_unseen_without_the_extension(answers) -> None:
    found = answer(answers, "retouched")
    assert found["results"] == ["FINISHED", "FINISHED"]
    assert found["unseen"] == 100
    assert "operator wm.tool_set_by_id Retouch Splats" in found["drawn"]
    for action in ("Erase", "Restore", "Tint"):
        assert any(
            line.startswith("operator likeness.") and action in line.split()
            for line in found["drawn"]
        )
    assert any("likeness.add_proxy" in line for line in found["drawn"])


def test_choices_instead_of_magic_numbers(answers) -> None:
    found = answer(answers, "choices")
    for said in found.values():
        before, after = said[:6], said[6:]
        assert before[:4] == ["LARGEST", "PHOTO", 1, True]
        assert before[4] == pytest.approx(30, abs=1e-3)
        assert before[5] == "ANGLE"
        assert after == [0, 0]


def test_presets_set_what_there_is(answers) -> None:
    if "presets" not in answers:
        pytest.skip("They are the same in every version.")
    found = answer(answers, "presets")
    assert found["wrong"] == []
    assert {f"likeness.export_rig/{name}" for name in ("Blender", "Unity", "Unreal")} < set(
        found["names"]
    )


def test_shortcuts_go_with_the_extension(answers) -> None:
    assert answer(answers, "shortcuts") == [9, 0, 9]
