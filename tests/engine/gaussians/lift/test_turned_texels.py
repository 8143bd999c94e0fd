"""What the photo shows edge-on colours the texels there, softly."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, unproject
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.gaussians.lift.splats.turned_texels import S, show_turned
from likeness.engine.gaussians.lift.surface.labels import HAIR, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import HEAD, TORSO

SIDE = 60
CAMERA = photo_camera(100.0, SIDE, SIDE)
DARK, PALE = 0.2, 0.6


def picture(
    label: IntArray, colors: FloatArray, group: int, patterned: tuple[int, ...] = ()
) -> Any:
    """A photo that the person fills."""
    shape = (SIDE, SIDE)
    regions = SimpleNamespace(
        mask=np.ones(shape, bool), label=label, group=np.full(shape, group), unit=40.0
    )
    prints = SimpleNamespace(patterned=patterned, lettered=())
    inside = np.full(shape, 0.1)
    return SimpleNamespace(
        regions=regions, colors=colors, inside=inside, prints=prints, camera=CAMERA
    )


def show(view: Any, columns: list[int], facing: float, label: int, on_head: bool) -> FloatArray:
    """Brightness of pale texels in the middle of some columns after blending."""
    xy = np.stack([np.array(columns) + 0.5, np.full(len(columns), SIDE / 2)], 1)
    points = unproject(xy, np.full(len(xy), 2.0), CAMERA)
    count = len(columns)
    color = show_turned(
        np.full((count, 3), PALE),
        np.ones(count, bool),
        np.full(count, facing),
        np.full(count, label),
        np.full(count, on_head),
        points,
        view,
    )
    return np.asarray(color.mean(1))


def halves(left: float, right: float) -> FloatArray:
    dark = np.arange(SIDE)[:, None] < SIDE / 2
    return np.broadcast_to(np.where(dark, left, right), (SIDE, SIDE, 3))


def test_turned_texels_take_the_photos_colours_the_more_squarely_they_are_seen() -> None:
    view = picture(np.full((SIDE, SIDE), UPPER), halves(DARK, PALE), TORSO)
    low, high = S.facing
    shown = [show(view, [10], facing, UPPER, False)[0] for facing in (low, (low + high) / 2, high)]
    np.testing.assert_allclose(shown, [PALE, (PALE + DARK) / 2, DARK], atol=1e-6)


@pytest.mark.parametrize("patterned", [(), (UPPER,)])
def test_the_photo_is_blurred_and_prints_are_not(patterned: tuple[int, ...]) -> None:
    view = picture(np.full((SIDE, SIDE), UPPER), halves(DARK, PALE), TORSO, patterned)
    beside = show(view, [28], S.facing[1], UPPER, False)[0]
    if patterned:
        assert beside == pytest.approx(DARK, abs=0.02)
    else:
        assert DARK + 0.05 < beside < PALE - 0.05


def test_light_from_behind_makes_no_rim() -> None:
    view = picture(np.full((SIDE, SIDE), UPPER), halves(1.0, PALE), TORSO)
    assert show(view, [10], S.facing[1], UPPER, False)[0] == pytest.approx(PALE + S.lighter)


@pytest.mark.parametrize("on_head", [True, False])
def test_only_a_heads_skin_takes_colours_of_another_label(on_head: bool) -> None:
    """A sideburn is where the photo shows it; hair on a shoulder does not stain it."""
    group = HEAD if on_head else TORSO
    of_pixel = np.where(np.arange(SIDE) < SIDE / 2, HAIR, SKIN) + np.zeros((SIDE, 1), int)
    view = picture(of_pixel, halves(DARK, PALE), group)
    shown = show(view, [10], S.facing[1], SKIN, on_head)[0]
    assert shown == pytest.approx(DARK if on_head else PALE, abs=0.02)


def test_a_coloured_light_on_the_rim_stays_there() -> None:
    red = np.broadcast_to([0.7, 0.2, 0.2], (SIDE, SIDE, 3))
    label = np.full((SIDE, SIDE), SKIN)
    assert show(picture(label, red, HEAD), [10], S.facing[1], SKIN, True)[0] == pytest.approx(PALE)
    printed = picture(np.full((SIDE, SIDE), UPPER), red, TORSO, (UPPER,))
    assert show(printed, [10], S.facing[1], UPPER, False)[0] < PALE - 0.1


def test_the_outlines_pixels_show_the_background_and_do_not_count() -> None:
    view = picture(np.full((SIDE, SIDE), UPPER), halves(DARK, PALE), TORSO)
    view.inside[:, :20] = 0.0
    assert show(view, [5], S.facing[1], UPPER, False)[0] == pytest.approx(PALE)
