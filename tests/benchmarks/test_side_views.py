"""Rims, speckles and changes on pictures where they were put, and on clean ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.benchmarks.figures.random_scenes import person_sized_cloud
from likeness.benchmarks.figures.side_view_metrics import (
    SIDE,
    measure_rim,
    measure_speckle,
    render_turned,
    view_psnr,
)
from likeness.engine.core.cameras import photo_camera
from scipy.ndimage import gaussian_filter

SKIN, GREEN = np.array([0.6, 0.4, 0.3]), np.array([0.0, 0.8, 0.2])


def disc(radius: float = 40.0, side: int = 128, soft: float = 1.0):
    """A disc of one colour: alpha [H, W] with a soft edge, light [H, W, 3], distance outwards."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    outwards = np.hypot(x, y) - radius
    alpha = np.clip(0.5 - outwards / (2 * soft), 0, 1)
    return alpha, alpha[..., None] * SKIN, outwards


@pytest.mark.parametrize("soft", [0.01, 1.0, 2.5])
def test_a_clean_edge_has_no_rim_however_soft(soft):
    alpha, light, _ = disc(soft=soft)
    found = measure_rim(light, alpha)
    assert found.pale < 0.05
    assert found.share == 0
    assert found.fog < 1.0


def test_colours_of_a_white_background_left_in_the_edge_are_found():
    """The photo's own mixture taken for the colour: alpha b of white shines in every soft pixel."""
    alpha, _, _ = disc(soft=2.0)
    mixed = alpha[..., None] * SKIN + (1 - alpha[..., None])
    found = measure_rim(alpha[..., None] * mixed, alpha)
    assert found.pale > 2.0
    assert found.share > 10


def test_a_ring_of_splats_is_measured():
    """Two pixels of the six of the band, brighter by 0.2 of white: a third of 20 %."""
    alpha, light, outwards = disc(soft=0.01)
    ring = (outwards < 0) & (outwards > -2)
    light[ring] += 0.2
    found = measure_rim(light, alpha)
    # Half of the band lies inside the outline, where there is something at all.
    assert found.pale == pytest.approx(20 / 3, rel=0.1)
    assert found.share == pytest.approx(100 / 3, rel=0.1)
    darker = measure_rim(light - 0.4 * ring[..., None] * SKIN, alpha)
    assert darker.pale < found.pale / 2


def test_no_background_can_hide_or_make_a_rim():
    """What is measured is the excess over a clean edge on any background, drawn and measured."""
    alpha, light, outwards = disc(soft=1.5)
    light[np.abs(outwards) < 1] += 0.1 * alpha[np.abs(outwards) < 1][:, None]
    belongs = alpha[..., None] * SKIN
    for background in (np.zeros(3), GREEN, np.ones(3)):
        drawn = light + (1 - alpha[..., None]) * background
        clean = belongs + (1 - alpha[..., None]) * background
        np.testing.assert_allclose(drawn - clean, light - belongs, atol=1e-12)
    assert measure_rim(light, alpha).pale > 1


def test_a_picture_that_goes_on_beyond_its_border_has_no_edge_there():
    alpha = np.ones((60, 60))
    alpha[:, :20] = 0
    light = alpha[..., None] * SKIN
    light[:, -4:] = 1.0  # a white collar at the border is none
    assert measure_rim(light, alpha).pale < 0.05
    assert measure_rim(np.ones((40, 40, 3)), np.ones((40, 40))) == (0, 0, 0, 0)
    assert measure_rim(np.zeros((40, 40, 3)), np.zeros((40, 40))) == (0, 0, 0, 0)


def test_fog_and_holes():
    alpha, light, outwards = disc(soft=0.01)
    veil = (outwards > 4) & (outwards < 7)
    assert measure_rim(light, np.where(veil, 0.3, alpha)).fog == pytest.approx(30 * 3 / 5, rel=0.1)
    thin = np.where(outwards < -10, 0.9, alpha)
    inner, whole = np.pi * 30**2, np.pi * 37**2
    expected = 10 * inner / whole
    assert measure_rim(light, thin).holes == pytest.approx(expected, rel=0.05)


def test_lone_pixels_are_speckles_and_slopes_and_edges_are_not():
    rng = np.random.default_rng(0)
    alpha, light, _ = disc()
    x = np.linspace(0, 0.3, 128)
    slope = alpha[..., None] * (light + x[None, :, None])
    stripes = alpha[..., None] * np.where(np.arange(128) // 8 % 2, 0.2, 0.8)[None, :, None]
    assert measure_speckle(slope, alpha) < 0.01
    assert measure_speckle(stripes, alpha) < 0.01
    spots = rng.uniform(size=alpha.shape) < 0.01
    speckled = np.where(spots[..., None], 1.0, light)
    # One pixel in a hundred sticks out by 1 - colour.
    expected = 1e4 * 0.01 * np.mean((1 - SKIN) ** 2)
    assert measure_speckle(speckled, alpha) == pytest.approx(expected, rel=0.2)
    blurred = gaussian_filter(speckled, (2, 2, 0))
    assert measure_speckle(blurred, alpha) < 0.05 * expected


def test_change_is_the_psnr_where_either_is_solid():
    alpha, light, _ = disc(soft=0.01)
    assert view_psnr(light, alpha, light, alpha) == float("inf")
    assert view_psnr(light, alpha, light + 0.01 * alpha[..., None], alpha) == pytest.approx(
        40, abs=1
    )
    # Where one is missing, grey takes its place.
    gone = view_psnr(light, alpha, 0 * light, 0 * alpha)
    assert gone == pytest.approx(-10 * np.log10(np.mean((SKIN - 0.5) ** 2)), abs=0.1)


def test_turned_views_show_the_same_centre():
    gaussians = person_sized_cloud(2000)
    camera = photo_camera(900.0, 600, 1024)
    views = render_turned(gaussians, camera, np.array([0.0, 0.0, -2.5]), (0, 180))
    assert views[0].light.shape == (SIDE, 300, 3)
    # An ellipsoid about the centre: from behind it is its own mirror image, nearly.
    front, back = views[0].alpha > 0.5, views[180].alpha[:, ::-1] > 0.5
    assert (front & back).sum() / (front | back).sum() > 0.97
    bare = render_turned(
        replace(gaussians, opacities=0 * gaussians.opacities), camera, np.zeros(3), (90,)
    )
    assert not bare[90].alpha.any()
