"""The question about a fit, and the scene in which it is corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from likeness.engine.core.types import JOINT_NAMES


def test_a_fit_is_corrected_and_leaves_no_trace(blender, tmp_path: Path) -> None:
    done = blender("fit_checks", "correct", folder=str(tmp_path))
    assert done["enter"] == ["FINISHED"]
    assert "left_elbow" in done["balls"]
    assert "left_wrist" not in done["balls"], "it lies outside the picture"
    assert done["shown"]
    assert done["untouched"] == {}
    assert "No ball" in str(done["nothing"]) or done["nothing"] == ["CANCELLED"]
    moved = done["refit"]["landmarks"]
    assert list(moved) == ["left_elbow"]
    np.testing.assert_allclose(moved["left_elbow"], done["expected"], atol=0.05)
    assert done["trace"] == [True, True]
    assert done["pose error"] < 1e-4
    assert done["transl error"] < 1e-4
    assert done["bones"] == sorted(JOINT_NAMES)
    assert np.abs(done["elbow"]).max() < 1e-4
    assert done["others"] < 1e-4
    assert done["trace again"] == [True, True]
    assert done["back"] == [True, 2]
    camera, perspective, moved = done["view"]
    assert done["local"] == [False, True, "Own Camera"]
    assert (camera, perspective) == ("CAMERA", "PERSP")
    assert moved < 1e-5, "the user's view is where it was"
    assert done["said"] == [{"answer": "person", "index": 2}, {"answer": "continue"}]
    assert done["icon"] == [True, 0]
    assert done["polls"] == [False, False]
