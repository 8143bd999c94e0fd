"""Splats that Blender draws itself: right by their numbers, and absent where Blender has none."""

from __future__ import annotations

import pytest

from tests.blender.versions import in_every_blender
from tests.soaked import if_asked

NATIVE = "native_checks"


@in_every_blender
@pytest.mark.parametrize("part", [0.4, *if_asked(1.0)])
def test_native_splats_are_the_engines(blender, part: float) -> None:
    for errors in blender(NATIVE, "compared", ordered=part < 1, part=part):
        assert errors["count"] == round(3000 * part)
        assert errors["mean"] < 1e-4
        assert errors["covariance"] < 1e-3
        assert errors["turns"] < 1e-5


def test_softened_as_the_mesh(blender) -> None:
    errors = blender(NATIVE, "as_the_mesh")
    assert errors["mean"] < 1e-5
    assert errors["covariance"] < 0.05**2


def test_facing_the_camera_covers_the_same_pixels(blender) -> None:
    errors = blender(NATIVE, "facing")
    assert errors["pixels"] < 1e-3
    assert errors["depth"] < 2e-3


def test_colors_and_what_the_points_hold(blender) -> None:
    made = blender(NATIVE, "looks")
    assert made["color"] < 1e-5
    assert made["linear"] < 1e-5
    assert made["opacity"] < 1e-6
    assert made["attributes"] == ["position", "radiance:base", "rotation", "scale"]
    assert not any(made["materials"])
    assert made["on"]
    assert made["again"]
    assert made["softness"] == 0.25
    assert made["body"]
    assert made["found"]
    assert made["off"]
    assert made["left"] == []
    assert made["mesh"] == 1


def test_detection(blender) -> None:
    made = blender(NATIVE, "detection")
    assert made["has"] == [True, False]
    assert made["kind"] == ["GAUSSIAN_SPLAT", "3D Gaussian Splats"]
    assert made["words"] == ["3D Gaussian Splats", "GAUSSIAN_SPLAT"]
    for case in ("unknown", "two", "menu"):
        assert "of an unknown kind" in made[case]
    assert "Blender 5.3" in made["absent"]
    assert all(made["undone"])
    assert not made["poll"]
