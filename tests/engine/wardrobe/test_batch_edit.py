"""Edits of a batch on people who do not have what is edited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from likeness.engine.core.attributes import NothingToEditError
from likeness.engine.core.types import PARTS, Avatar
from likeness.engine.pipeline.build import BuildResult
from likeness.engine.wardrobe.edit import set_attribute
from likeness.engine.workflows.batch import make
from likeness.engine.workflows.edit_avatar import parse_edits


def test_who_lacks_what_an_edit_changes_gets_a_warning(person: Avatar) -> None:
    kept = person.gaussians.part != PARTS.index("glasses")
    assert person.lod_start is not None
    start = person.lod_start[kept]
    bare = replace(person, gaussians=person.gaussians.take(kept), lod_start=start)
    nothing: Any = None
    built = BuildResult(bare, {"warnings": ["no hands"]}, nothing, nothing, nothing, nothing)
    with pytest.raises(NothingToEditError, match="no attribute 'glasses'"):
        set_attribute(bare, "glasses", 0.0)
    made = make._edit(built, parse_edits(["set glasses=0", "tint shoes=#803010", "set hat=0.5"]))
    assert made.avatar is bare
    assert made.report["edits"] == []
    first, *skipped = made.report["warnings"]
    assert first == "no hands"
    for note, name in zip(skipped, ("shoes", "glasses", "hat"), strict=True):
        assert note.startswith("An edit was skipped: The avatar has no ")
        assert name in note
    worn = make._edit(built, parse_edits(["add hat=cap", "set glasses=0", "set hat=0.5"]))
    assert [(one.name, one.value) for one in worn.avatar.attributes] == [("hat", 0.5)]
    assert len(worn.report["warnings"]) == 2
