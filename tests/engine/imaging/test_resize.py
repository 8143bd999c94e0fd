"""Resampling against scipy and against plain means."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.engine.imaging.resize import affine_crop, fit_size, resize, resize_rgba
from scipy import ndimage


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).random((40, 60, 3)).astype(np.float32)


def test_area_is_the_mean_of_blocks(image: np.ndarray) -> None:
    expected = image.reshape(10, 4, 15, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resize(image, 15, 10, "area"), expected, atol=1e-6)


@pytest.mark.parametrize("method", ["area", "bilinear", "lanczos"])
def test_flat_pictures_stay_flat_and_in_range(image: np.ndarray, method: str) -> None:
    np.testing.assert_allclose(resize(np.full((30, 20), 0.3), 47, 11, method), 0.3, atol=1e-6)
    resized = resize(image, 33, 77, method)
    assert resized.shape == (77, 33, 3)
    assert resized.min() >= image.min()
    assert resized.max() <= image.max()


def test_affine_crop_is_bilinear(image: np.ndarray) -> None:
    matrix = np.array([[0.7, -0.3, 12.0], [0.2, 0.8, 5.0]])
    y, x = np.mgrid[:24, :32] + 0.5
    sample_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - 0.5
    sample_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - 0.5
    cropped = affine_crop(image, matrix, 32, 24)
    for c in range(3):
        expected = ndimage.map_coordinates(
            image[..., c], [sample_y, sample_x], order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(cropped[..., c], expected, atol=1e-5)


def test_affine_crop_repeats_the_border(image: np.ndarray) -> None:
    shifted = affine_crop(image, np.array([[1.0, 0, -5], [0, 1, -3]]), 60, 40, edge=True)
    np.testing.assert_allclose(shifted[:3, :5], np.broadcast_to(image[0, 0], (3, 5, 3)))
    np.testing.assert_allclose(shifted[3:, 5:], image[:-3, :-5])


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize(
    ("across", "left", "down", "top"),
    [(0.6, 3.3, 0.6, 2.1), (-2.3, 61.2, 2.3, -7.0), (1.0, -90.0, 1.0, 0.0), (9.5, -5.0, 3.0, 1.0)],
)
def test_an_upright_crop_is_a_crop_hardly_turned(
    image: np.ndarray, across: float, left: float, down: float, top: float, edge: bool
) -> None:
    """Also of a mirrored one, and of one that lies partly or wholly outside the picture."""
    upright = np.array([[across, 0.0, left], [0.0, down, top]])
    turned = upright + 1e-9 * np.eye(3)[[1, 0]]
    np.testing.assert_allclose(
        affine_crop(image, upright, 30, 25, edge),
        affine_crop(image, turned, 30, 25, edge),
        atol=1e-5,
    )


def test_affine_crop_averages_when_it_shrinks(image: np.ndarray) -> None:
    small = affine_crop(image, np.array([[4.0, 0, 0], [0, 4, 0]]), 15, 10)
    expected = image.reshape(10, 4, 15, 4, 3).mean((1, 3))
    assert np.abs(small - expected).mean() < 0.01


def test_points_follow_the_half_pixel_convention() -> None:
    """A blob's centre (x, y) lies at (x w / W, y h / H) after resizing."""
    y, x = np.mgrid[:64, :96] + 0.5
    blob = np.exp(-((x - 40.25) ** 2 + (y - 22.75) ** 2) / 50)
    for width, height in ((48, 32), (192, 128), (31, 50)):
        resized = resize(blob, width, height, "bilinear")
        v, u = np.mgrid[:height, :width] + 0.5
        centre = np.array([(u * resized).sum(), (v * resized).sum()]) / resized.sum()
        np.testing.assert_allclose(centre, [40.25 * width / 96, 22.75 * height / 64], atol=0.02)


def test_fit_size_never_enlarges() -> None:
    assert fit_size(100, 50, 400) == (100, 50)
    assert fit_size(1000, 3, 100) == (100, 1)


@pytest.mark.parametrize("method", ["bilinear", "lanczos"])
@pytest.mark.parametrize("size", [(30, 20), (97, 64)])
def test_a_part_is_as_in_the_whole(image: np.ndarray, method: str, size: tuple[int, int]) -> None:
    box = (3, 5, size[0] - 4, size[1])
    part = resize(image, *size, method, box=box)
    whole = resize(image, *size, method)[box[1] : box[3], box[0] : box[2]]
    np.testing.assert_allclose(part, whole, atol=1e-5)
    height, width = image.shape[:2]
    same = resize(image, width, height, method, box=(1, 2, 5, 6))
    np.testing.assert_array_equal(same, image[2:6, 1:5])


def test_a_part_may_reach_to_the_last_pixel_whatever_rounding_does() -> None:
    for width in range(1, 100):
        picture = np.zeros((2, 15), np.float32)
        assert resize(picture, width, 2, box=(width - 1, 0, width, 2)).shape == (2, 1)


def test_what_is_transparent_does_not_bleed_into_colours() -> None:
    alpha = np.zeros((40, 40))
    alpha[:, 13:] = 1.0  # within a pixel of the smaller picture
    colors = np.where(alpha[..., None] > 0, [0.2, 0.6, 0.4], [1.0, 0.0, 1.0])
    small, thin = resize_rgba(colors, alpha, 10, 10)
    shown = thin > 0.05
    assert ((thin > 0.05) & (thin < 0.95)).any()
    # Magenta is 0.6 away; the filter's own overshoot at the outline is a twentieth of a colour.
    np.testing.assert_allclose(small[shown], np.tile([0.2, 0.6, 0.4], (shown.sum(), 1)), rtol=0.005)
    same, alpha_again = resize_rgba(colors, alpha, 40, 40)
    np.testing.assert_array_equal(same, colors)
    np.testing.assert_array_equal(alpha_again, alpha)
