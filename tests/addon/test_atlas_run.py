"""The run of ``likeness synth --atlas``: every person once, and no other options later."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from likeness.addon.synth.atlas_run import run_atlas
from likeness.addon.synth.synth_run import SynthJob
from likeness.engine.core.types import LikenessError

WORKER = """
import sys
from pathlib import Path
from likeness.addon.workers.serving import serve_units
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.atlas_people import atlas_person_path

def opened(request, say):
    def one(unit):
        if unit["subject"] == request["options"].get("broken"):
            raise LikenessError("The hat is broken.", "Mend it.")
        atlas_person_path(Path(request["data"]), unit["subject"]).write_text("made")
        return {"seconds": {"truth": 2.0}}
    return one

sys.exit(serve_units(opened))
"""


def test_a_run_makes_what_is_missing(tmp_path: Path) -> None:
    def run(count: int, **options: int):
        job = SynthJob(tmp_path, count, {"seed": 3, **options}, workers=1, threads=1)
        return run_atlas(job, command=[sys.executable, "-c", WORKER])

    first = run(3, broken=1)
    assert (first.made, list(first.given_up)) == (2, [1])
    assert "The hat is broken." in first.given_up[1]
    kept = tmp_path / "person_000002.npz"
    kept.write_text("kept")
    again = run(5, broken=1)
    assert (again.made, kept.read_text()) == (2, "kept")
    assert again.seconds["truth"] == 4.0
    with pytest.raises(LikenessError, match="other options"):
        run(5)
