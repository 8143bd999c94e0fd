"""A build that ends at any of its stages leaves the scene as it was, and the next one runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

STAGES = ("fit",)
"""To Blender, stages differ in their names alone."""


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ended_at_a_stage(blender_lts, small_portrait: Path, tmp_path: Path) -> None:
    done = blender_lts(
        "stage_checks", "each", photo=str(small_portrait), folder=str(tmp_path), stages=STAGES
    )
    through = done.pop("through")
    assert through[0] == "FINISHED", through
    assert not through[2]
    words = {"kill": "system ended", "cancel": "Cancelled", "memory": "enough memory"}
    for name, (state, said, unchanged, free, files) in done.items():
        assert state == "CANCELLED", (name, said)
        assert words[name.split()[0]] in said, (name, said)
        assert unchanged, name
        assert free, name
        assert not files, name
