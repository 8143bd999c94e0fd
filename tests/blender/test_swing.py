"""Secondary motion of hair and skirts in Blender."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def swing(blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the checks find, in one process."""
    folder = str(tmp_path_factory.mktemp("swing"))
    answers: dict[str, Any] = blender(
        "swing_checks",
        "several",
        checks=["agrees", "beside", "elsewhere", "loops", "undo", "refuses"],
        folder=folder,
    )
    return answers


def found(answers: dict[str, Any], name: str) -> Any:
    """The answer of a check that did not fail."""
    assert not isinstance(answers[name], str), answers[name]
    return answers[name]


def test_blender_moves_hair_and_skirt_as_the_engine_does(swing) -> None:
    out = found(swing, "agrees")
    assert out["done"] == ["FINISHED"] * 3
    links, bones, keyed, copies = out["new"]
    assert bones == keyed > links > 10
    assert copies > 0
    assert out["mapped"] < 1e-4  # the links as keyed, on the engine's own skinning
    # Accelerations of a recording in single precision differ a little.
    assert out["off"] < 1e-3
    assert out["swing"] > 0.02
    assert out["hair"] > 0.01
    assert out["quiet"] > 400  # of the body itself, all vertices


def test_it_can_be_repeated_saved_and_removed(swing) -> None:
    out = found(swing, "agrees")
    assert out["twice"] < 1e-6
    assert out["opened"] < 1e-6
    assert out["gone"] == 0.0
    assert out["splats"] < 1e-5
    assert out["saved"] < 1e-3
    assert out["paths"]
    assert (out["bones"], out["groups"]) == (0, 0)


def test_the_avatar_is_read_beside_blenders_own_thread(swing) -> None:
    out = found(swing, "beside")
    assert out["first"]
    assert len(out["again"]) > len(out["first"])
    assert not any(out["first"] + out["again"])


def test_with_other_motions_mixes_and_linked_files(swing) -> None:
    out = found(swing, "elsewhere")
    assert out["moved"] > 0.05
    assert out["still"] == 0.0
    assert out["strips"][-1] == "Secondary Motion"
    assert out["linked"] < 1e-6
    assert "is linked from another file" in out["message"]


def test_undo_and_redo(swing) -> None:
    out = found(swing, "undo")
    assert out["vertices"]
    assert out["bones"] == 0
    assert out["splats"] < 1e-6
    assert out["paths"]
    assert out["shown"]
    assert out["redone"] < 1e-6


def test_a_loop_has_no_jump(swing) -> None:
    out = found(swing, "loops")
    assert out["curves"] > 100
    assert out["jump"] < 0.05
    assert out["later"] < 1e-4
    assert out["modifiers"] == [1]


def test_what_does_not_swing_is_refused_and_unchanged(swing) -> None:
    out = found(swing, "refuses")
    assert "neither long hair nor a skirt" in out["message"]
    assert out["same"]
    assert not out["can_remove"]
    assert "was edited" in out["edited"]
    assert out["kept"], "the bones and keys of before"


def test_a_linked_motion_keeps_the_secondary_motion_of_before(swing) -> None:
    out = found(swing, "refuses")["linked"]
    assert "is linked from another file" in out["message"]
    assert out["kept"]
    assert out["keyed"] > 10
