"""Square views of a person, and their cameras."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.core.cameras import PHOTO_VIEWMAT
from likeness.engine.core.types import Camera
from likeness.engine.dataset.spaces import crop_square
from PIL import Image


def picture(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A red rectangle with a green lower half on nothing."""
    left, top, right, bottom = box
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[top:bottom, left:right] = (255, 0, 0, 255)
    pixels[(top + bottom) // 2 : bottom, left:right] = (0, 255, 0, 255)
    return Image.fromarray(pixels, "RGBA")


def camera_of(width: int, height: int) -> Camera:
    K = np.array([[200.0, 0, width / 2], [0, 200.0, height / 2], [0, 0, 1]])
    return Camera(PHOTO_VIEWMAT, K, width, height)


@pytest.mark.parametrize(("size", "margin"), [(32, 0.1), (64, 0.0), (150, 0.25)])
def test_a_square_view_shows_the_same_through_its_camera(size: int, margin: float) -> None:
    rgba, camera = crop_square(
        picture(90, 120, (30, 20, 50, 100)), camera_of(90, 120), size, margin
    )
    assert rgba.shape == (size, size, 4)
    # Where the whole camera sees the corners of the rectangle, the square one does as well.
    K, k = camera_of(90, 120).K, camera.K
    corners = np.array([[30.0, 20.0], [50.0, 100.0]])
    low, high = (corners - K[:2, 2]) / 200.0 * [k[0, 0], k[1, 1]] + k[:2, 2]
    ys, xs = np.nonzero(rgba[..., 3] > 0.5)
    np.testing.assert_allclose([xs.min(), ys.min()], low, atol=1.0)
    np.testing.assert_allclose([xs.max() + 1, ys.max() + 1], high, atol=1.0)
    assert np.ptp(ys) + 1 == pytest.approx(size / (1 + 2 * margin), abs=1.5)
    # As much is covered as before, and half transparent rims keep their colour.
    scale = k[0, 0] / 200.0
    assert rgba[..., 3].sum() == pytest.approx(20 * 80 * scale**2, rel=0.02)
    rim = (rgba[..., 3] > 0.2) & (rgba[..., 3] < 0.8)
    assert (rgba[rim][:, :2].sum(1) > 0.95).all()


@pytest.mark.parametrize(
    ("box", "sides"),
    [
        ((30, 40, 60, 120), "bottom"),
        ((0, 30, 40, 90), "left"),
        ((50, 0, 90, 60), "top right"),
        ((0, 40, 90, 120), "left right bottom"),
        ((10, 0, 60, 120), "top bottom"),
        ((0, 0, 90, 120), "left right top bottom"),
    ],
)
def test_a_square_does_not_reach_beyond_a_border_that_cuts_the_person(
    box: tuple[int, int, int, int], sides: str
) -> None:
    """There the truth is not known; nothing must be said to be clear there."""
    rgba, camera = crop_square(picture(90, 120, box), camera_of(90, 120), 40, 0.2)
    k = camera.K[0, 0] / 200.0
    left, top = 45.0 - camera.K[0, 2] / k, 60.0 - camera.K[1, 2] / k
    side = 40 / k
    if "left" in sides:
        assert left >= -1e-9
    if "right" in sides:
        assert left + side <= 90 + 1e-9
    if "top" in sides:
        assert top >= -1e-9
    if "bottom" in sides:
        assert top + side <= 120 + 1e-9
    assert rgba[..., 3].max() == pytest.approx(1.0)


def test_an_empty_picture_is_no_error() -> None:
    rgba, _ = crop_square(Image.new("RGBA", (90, 120)), camera_of(90, 120), 16, 0.1)
    assert rgba.max() == 0.0
