"""The Blender that checks run in: none meets another, and whatever ends one is told."""

from __future__ import annotations

import pytest

from .conftest import Blenders

CHECKS = "serving_checks"


def test_a_check_leaves_nothing_to_the_next(blender: Blenders) -> None:
    for before in ("leave", "lose"):
        blender(CHECKS, before)
        assert blender(CHECKS, "look") == [False, False, False, False]


@pytest.mark.parametrize("alone", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_what_ends_a_check_is_told_and_the_next_one_runs(
    blender_lts: Blenders, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = blender_lts.alone if alone else blender_lts
    with pytest.raises(AssertionError, match="ValueError: on purpose"):
        run(CHECKS, "fail")
    with pytest.raises(AssertionError, match="about to die"):
        run(CHECKS, "die")
    with monkeypatch.context() as patch:
        patch.setattr(Blenders, "longest", 20.0 if alone else 6.0)  # a fork begins at once
        with pytest.raises(pytest.fail.Exception, match="to hang"):
            run(CHECKS, "hang")
    assert not any(run(CHECKS, "look"))
