"""Blender's pictures against the engine's."""

from __future__ import annotations

import pytest

from tests.blender.versions import in_every_blender

SCENE = "scene_checks"


# In another pose the splats keep the softness that they have in the photo, while the engine works
# it out afresh. Blender also mixes colours as light, the engine as the numbers in photos.
@in_every_blender
@pytest.mark.parametrize(("posed", "floor"), [(False, 30), (True, 28)])
def test_cycles_agrees_with_the_rasteriser(blender, posed: bool, floor: float) -> None:
    figures = blender(SCENE, "render", engine="CYCLES", posed=posed)
    assert figures["covered"] > 0.05
    assert figures["rgb_db"] > floor
    assert figures["alpha_db"] > floor


@pytest.mark.slow
def test_eevee_agrees_with_the_rasteriser(blender) -> None:
    figures = blender(SCENE, "render", engine="EEVEE", posed=False)
    assert figures["rgb_db"] > 30
    assert figures["alpha_db"] > 30


@pytest.mark.parametrize("color", [[0.8, 0.3, 0.1], [0.02, 0.5, 0.97]])
def test_colors_come_out_as_in_the_photo(blender, color: list[float]) -> None:
    assert blender(SCENE, "one_color", engine="CYCLES", color=color) == pytest.approx(
        color, abs=1.5 / 255
    )
