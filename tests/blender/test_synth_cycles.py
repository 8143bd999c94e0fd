"""Made-up people in Cycles: exact cameras, light from where it is said to come, and no memory."""

from __future__ import annotations

import pytest

from .conftest import Blenders


@pytest.fixture
def cycles(blender: Blenders) -> Blenders:
    """A Blender with Cycles' denoiser, which some distributions' builds lack."""
    if not blender("synth_checks", "has_denoiser"):
        pytest.skip("This Blender was built without OpenImageDenoise.")
    return blender


def test_an_unclothed_body_covers_what_it_should(cycles: Blenders) -> None:
    assert min(cycles("synth_checks", "silhouette")["iou"]) >= 0.97


def test_landmarks_are_where_the_camera_says(blender_lts: Blenders) -> None:
    errors = blender_lts("synth_checks", "landmarks")["pixels"]
    assert len(errors) == 10
    assert max(errors) <= 1.0


def test_a_figure_looks_the_same_after_another(cycles: Blenders) -> None:
    drawn = cycles("synth_checks", "again")
    assert max(drawn["same"]) == 0.0
    assert drawn["blue"] > 0.2


def test_light_comes_from_where_it_is_said_to(blender_lts: Blenders) -> None:
    off = blender_lts.alone("synth_checks", "directions")
    assert max(off["window"]) < 12.0
    assert max(off["key"]) < 12.0
