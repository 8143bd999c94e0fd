"""Checks that fork from one Blender are as apart as processes of their own."""

from __future__ import annotations

import pytest


def test_nothing_reaches_the_next_check(blender) -> None:
    assert blender("fork_checks", "leave") == ["mesh", "property", "variable"]
    assert blender("fork_checks", "look") == []


@pytest.mark.parametrize(("name", "said"), [("crash", "about to crash"), ("fail", "wrong")])
def test_failures_say_what_was_printed(blender, name: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        blender("fork_checks", name)
    assert blender("fork_checks", "look") == []
